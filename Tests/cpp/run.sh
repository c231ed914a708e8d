#!/usr/bin/env bash
# Builds and runs the tests of the C++ wrapper against .build/release/libmixgrpo.so, or the folder in MIXGRPO_LIBRARY_FOLDER.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
strict=(-Wall -Wextra -pedantic -Wshadow -Wconversion -Werror -Iinclude)

compilers=()
for compiler in g++ clang++; do
  command -v "$compiler" > /dev/null && compilers+=("$compiler")
done
[ ${#compilers[@]} -gt 0 ] || { echo "error: no C++ compiler found (apt-get install g++)" >&2; exit 1; }

# Runs the commands that come in, one a line.
on_all_cores() { xargs -P "$(nproc)" -I '{}' sh -c '{}'; }

# The header alone, and included twice.
printf '%s\n' '#include "mixgrpo.hpp"' '#include "mixgrpo.hpp"' > "$out/header.cpp"
for compiler in "${compilers[@]}"; do
  for standard in c++17 c++20; do
    for source in "$out/header.cpp" Tests/cpp/*.cpp; do echo "$compiler -std=$standard ${strict[*]} -fsyntax-only $source"; done
  done
done | on_all_cores
echo "the wrapper compiles as C++17 and C++20: ${compilers[*]}"

declared=$(cc -E -P include/mixgrpo.h | tr '\n' ' ' | grep -o '\bmixgrpo_[a-z0-9_]* *(' | tr -d ' (' | sort -u)
wrapped=$(grep -o '\bmixgrpo_[a-z0-9_]*' include/mixgrpo.hpp | sort -u)
missing=$(comm -23 <(echo "$declared") <(echo "$wrapped"))
if [ -n "$missing" ]; then
  echo "functions that the wrapper lacks:" >&2
  echo "$missing" >&2
  exit 1
fi

for source in Tests/cpp/*.cpp "$out/header.cpp"; do
  echo "${compilers[0]} -std=c++17 -O1 -g ${strict[*]} -c -o $out/$(basename "$source" .cpp).o $source"
done | on_all_cores
"${compilers[0]}" -o "$out/tests" "$out"/*.o -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -pthread
TMPDIR=$out "$out/tests"
