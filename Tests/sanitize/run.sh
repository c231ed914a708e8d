#!/usr/bin/env bash
# Runs tests under sanitizers and valgrind. Usage: Tests/sanitize/run.sh address|thread|valgrind|undefined
set -euo pipefail
cd "$(dirname "$0")/../.."
here=Tests/sanitize
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The Swift tests, all modules compiled with the sanitizer.
swift_tests() {
  export MIXGRPO_SANITIZER=1
  swift build -c release --build-tests -Xswiftc -enable-testing --sanitize="$1" --scratch-path ".build-$1"
  swift test -c release --skip-build --sanitize="$1" --scratch-path ".build-$1"
}

# Tests in C, compiled with the given flags against the release library.
c_tests() {
  local folder
  folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
  cc -std=c99 -g "$@" -Iinclude -o "$out/tests" Tests/c/main.c Tests/c/check.c Tests/c/fixture.c Tests/c/test_*.c \
    -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lm -lpthread
  cc -std=c11 -g "$@" -Iinclude -o "$out/interface" Tests/fuzz/interface/*.c \
    -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lm -lpthread
}

case ${1:-} in
  address)
    export ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS="suppressions=$here/leaks.supp:print_suppressions=0"
    swift_tests address
    ;;
  thread)
    export TSAN_OPTIONS="suppressions=$here/threads.supp:halt_on_error=0"
    swift_tests thread
    ;;
  undefined)
    c_tests -O1 -fsanitize=undefined -fno-sanitize-recover=all
    TMPDIR="$out" "$out/tests"
    "$out/interface" --calls 40000
    ;;
  valgrind)
    c_tests -O1
    TMPDIR="$out" valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect \
      --errors-for-leak-kinds=definite,indirect --suppressions="$here/valgrind.supp" "$out/tests"
    valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect \
      --errors-for-leak-kinds=definite,indirect --suppressions="$here/valgrind.supp" "$out/interface" --calls 4000 --memory 0 \
      --seconds-per-call 600
    ;;
  *) sed -n '2p' "$0" >&2; exit 2 ;;
esac
