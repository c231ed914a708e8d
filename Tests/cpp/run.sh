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

# The header alone, and included twice.
printf '%s\n' '#include "mixgrpo.hpp"' '#include "mixgrpo.hpp"' > "$out/header.cpp"
for compiler in "${compilers[@]}"; do
  for standard in c++17 c++20; do
    "$compiler" -std=$standard "${strict[@]}" -fsyntax-only "$out/header.cpp" Tests/cpp/*.cpp
  done
done
echo "the wrapper compiles as C++17 and C++20: ${compilers[*]}"

declared=$(cc -E -P include/mixgrpo.h | tr '\n' ' ' | grep -o '\bmixgrpo_[a-z0-9_]* *(' | tr -d ' (' | sort -u)
wrapped=$(grep -o '\bmixgrpo_[a-z0-9_]*' include/mixgrpo.hpp | sort -u)
missing=$(comm -23 <(echo "$declared") <(echo "$wrapped"))
if [ -n "$missing" ]; then
  echo "functions that the wrapper lacks:" >&2
  echo "$missing" >&2
  exit 1
fi

"${compilers[0]}" -std=c++17 -O1 -g "${strict[@]}" -o "$out/tests" Tests/cpp/*.cpp "$out/header.cpp" \
  -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -pthread
TMPDIR=$out "$out/tests"
