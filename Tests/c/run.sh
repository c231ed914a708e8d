#!/usr/bin/env bash
# Builds and runs the tests of the C interface against .build/release/libmixgrpo.so, or the folder in MIXGRPO_LIBRARY_FOLDER.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
strict=(-Wall -Wextra -pedantic -Werror -Iinclude)
link=(-L"$folder" -lmixgrpo -Wl,-rpath,"$folder")

checked=
for compiler in gcc clang; do
  command -v "$compiler" > /dev/null || continue
  "$compiler" -std=c99 "${strict[@]}" -Wpadded -c -o "$out/header.o" Tests/c/header_check.c
  checked+=" $compiler"
done
for compiler in g++ clang++; do
  command -v "$compiler" > /dev/null || continue
  "$compiler" -std=c++17 "${strict[@]}" -Wpadded -o "$out/header" Tests/c/header_check.cpp "${link[@]}"
  "$out/header"
  checked+=" $compiler"
done
[[ $checked == *++* ]] || { echo "error: no C++ compiler found (apt-get install g++)" >&2; exit 1; }
echo "the header compiles alone as C99 and C++17:$checked"

cc -std=c99 "${strict[@]}" -o "$out/layout" Tests/c/struct_layout.c
"$out/layout"

Tests/c/check_handles.sh Sources/MixGRPOC
Tests/c/check_exports.sh "$folder/libmixgrpo.so" include/mixgrpo.h Tests/c/test_*.c Tests/c/fixture.c

cc -std=c99 -O1 -g "${strict[@]}" -o "$out/tests" \
  Tests/c/main.c Tests/c/check.c Tests/c/fixture.c Tests/c/test_*.c "${link[@]}" -lm -lpthread
TMPDIR="$out" "$out/tests"

cc -std=c11 -O1 -g "${strict[@]}" -o "$out/allocations" \
  Tests/c/allocations.c Tests/c/check.c Tests/c/fixture.c "${link[@]}" -lm -lpthread
TMPDIR="$out" "$out/allocations"

# The counters of `make coverage` take stack themselves.
readelf --sections --wide "$folder/libmixgrpo.so" | grep -q __llvm_prf_cnts || python3 Tests/c/frames.py "$folder/libmixgrpo.so"
for program in stack interrupted; do
  cc -std=c11 -O1 -g "${strict[@]}" -o "$out/$program" \
    Tests/c/$program.c Tests/c/check.c Tests/c/fixture.c "${link[@]}" -lm -lpthread
  TMPDIR="$out" "$out/$program"
done

cc -std=c99 -O1 -g "${strict[@]}" -o "$out/memory" Tests/c/memory.c Tests/c/check.c "${link[@]}"
"$out/memory"

python3 Tests/c/header_programs.py include/mixgrpo.h "$out"
cc -std=c99 -O1 -g "${strict[@]}" -I"$out" -o "$out/header_programs" \
  Tests/c/header_programs.c Tests/c/check.c Tests/c/fixture.c "${link[@]}" -lm -lpthread
TMPDIR="$out" "$out/header_programs"
