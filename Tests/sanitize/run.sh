#!/usr/bin/env bash
# Runs tests under sanitizers and valgrind. Usage: Tests/sanitize/run.sh swift|address|thread|undefined|valgrind|quick|build-address|build-thread
#   swift      the Swift tests under AddressSanitizer
#   address    the tests in C and random calls against a library under AddressSanitizer, with a search for leaks
#   thread     many threads, the tests in C and random calls of four threads against a library under ThreadSanitizer
#   undefined  the tests in C and random calls, compiled with UndefinedBehaviorSanitizer
#   valgrind   the tests in C and random calls of the library as it is shipped
#   quick      what of it takes a minute or two
#   build-address, build-thread  build that library only
# valgrind knows no AVX-512: MIXGRPO_PORTABLE_LIBRARY is the library it gets, .build/release/libmixgrpo.so by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=Tests/sanitize
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export TMPDIR=$out
export ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS="suppressions=$here/leaks.supp:print_suppressions=0"
export TSAN_OPTIONS="suppressions=$here/threads.supp"
scale=${SCALE:-10}

# The Swift tests, all modules compiled with the sanitizer.
swift_tests() {
  export MIXGRPO_SANITIZER=1
  swift build -c release --build-tests -Xswiftc -enable-testing --sanitize="$1" --scratch-path ".build-$1"
  swift test -c release --skip-build --sanitize="$1" --scratch-path ".build-$1"
}

# The library compiled with a sanitizer, and the flags for programs that load it: the sanitizer's runtime is Swift's.
sanitized_library() {
  MIXGRPO_SANITIZER=1 swift build -c release --product mixgrpo --sanitize="$1" --scratch-path ".build-$1-library"
  folder=$(realpath ".build-$1-library/release")
  ln -sf libmixgrpo.so "$folder/libmixgrpo.so.0"
  local resources
  resources=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
  compiler=$resources/../../bin/clang
  flags=(-O1 "-fsanitize=$1" -L"$resources/linux" "-Wl,-rpath,$resources/linux" -fuse-ld=lld -ldispatch -lBlocksRuntime)
}

shipped_library() {
  folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
  compiler=cc
  flags=(-O1 "$@")
}

# Names of functions stay; valgrind knows older forms of debug information than the compiler writes.
without_debug_information() {
  strip --strip-debug -o "$out/libmixgrpo.so" "$1"
  ln -sf libmixgrpo.so "$out/libmixgrpo.so.0"
  folder=$out
}

library_for_valgrind() {
  shipped_library
  without_debug_information "${MIXGRPO_PORTABLE_LIBRARY:-$folder/libmixgrpo.so}"
}

# The library for this processor refuses the one that valgrind plays, in place of an illegal instruction.
refusal() {
  shipped_library
  without_debug_information "$folder/libmixgrpo.so"
  compile processor $here/processor.c
  valgrind "$out/processor"
}

# compile NAME SOURCES...
compile() {
  "$compiler" -std=gnu11 -g -Iinclude -ITests/c -o "$out/$1" "${@:2}" -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" \
    "${flags[@]}" -lm -lpthread
}

c_tests() { compile tests Tests/c/main.c Tests/c/check.c Tests/c/fixture.c Tests/c/test_*.c; }
random_calls() { compile interface Tests/fuzz/interface/*.c; }
many_threads() { compile threads $here/threads.c Tests/c/check.c Tests/c/fixture.c; }

valgrind() {
  command valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect --suppressions="$here/valgrind.supp" "$@"
}

# Under a sanitizer memory has no limit (--memory 0): a call that takes gigabytes needs minutes where pages come slowly.
address() {
  sanitized_library address
  c_tests
  random_calls
  "$out/tests"
  "$out/interface" --calls $((2000 * scale)) --memory 0 --seconds-per-call 600
}

thread() {
  sanitized_library thread
  c_tests
  random_calls
  many_threads
  "$out/threads"
  "$out/tests"
  "$out/interface" --calls $((2000 * scale)) --threads 4 --memory 0 --seconds-per-call 600
  # What is forbidden must be seen, or nothing above was.
  ! "$out/threads" misuse 2> "$out/misuse" && grep -qE 'WARNING: ThreadSanitizer: (data|Swift access) race' "$out/misuse" \
    || { echo "error: two threads write one model, and ThreadSanitizer did not see it" >&2; exit 1; }
}

undefined() {
  shipped_library -fsanitize=undefined -fno-sanitize-recover=all
  c_tests
  random_calls
  "$out/tests"
  "$out/interface" --calls $((4000 * scale))
}

case ${1:-} in
  swift) swift_tests address ;;
  address) address ;;
  thread) thread ;;
  undefined) undefined ;;
  build-address | build-thread) sanitized_library "${1#build-}" ;;
  valgrind)
    library_for_valgrind
    c_tests
    random_calls
    valgrind "$out/tests"
    valgrind "$out/interface" --calls 4000 --memory 0 --seconds-per-call 600
    ;;
  quick)
    scale=2
    undefined
    address
    thread
    if type -P valgrind > /dev/null; then
      library_for_valgrind
      compile lifecycle $here/lifecycle.c Tests/c/check.c Tests/c/fixture.c
      valgrind "$out/lifecycle"
      if [ "${MIXGRPO_PROCESSOR:-}" = x86-64-v4 ]; then refusal; fi
    else
      echo "valgrind is not installed: its part was left out"
    fi
    ;;
  *) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
