#!/usr/bin/env bash
# Compares the binary interface that include/mixgrpo.h declares with that of the release line in baseline-0.1.xml. A function or
# constant more passes; a changed struct, prototype or value, or a function less, fails.
#
# Tests/abi/run.sh          compares; without abidiff (Debian's abigail-tools) nothing is compared, but in CI that is an error
# Tests/abi/run.sh --write  writes the baseline anew: for changes that are meant, before release 0.1.0 or with a new ABI version
set -euo pipefail
cd "$(dirname "$0")/../.."
baseline=Tests/abi/baseline-0.1.xml

if ! type -P abidw abidiff > /dev/null; then
  echo "abidiff is not installed (apt-get install abigail-tools): the binary interface is not compared" >&2
  [ -z "${CI:-}" ] && [ "${1:-}" != --write ]
  exit
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The probe has every function of the header without content, for its debug information.
describe() { # header folder, output
  cc -std=c99 -g -O0 -fPIC -shared -Wall -Wextra -Wno-unused-parameter -Werror -I"$1" -o "$out/probe.so" Tests/abi/probe.c
  abidw --no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed --no-parameter-names --no-write-default-sizes \
    --type-id-style hash --out-file "$2" "$out/probe.so"
}

describe include "$out/now.xml"
if [ "${1:-}" = --write ]; then
  cp "$out/now.xml" "$baseline"
  echo "wrote $baseline"
  exit
fi
abidiff --no-added-syms "$baseline" "$out/now.xml" || {
  echo "error: the binary interface differs from $baseline; if that is meant: make abi-baseline" >&2
  exit 1
}
echo "the binary interface of include/mixgrpo.h is that of $baseline"
