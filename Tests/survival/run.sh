#!/usr/bin/env bash
# Builds the worker against .build/release/libmixgrpo.so and runs survive.py with the arguments given, such as --kills 5000.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cc -std=c99 -O1 -Wall -Wextra -pedantic -Werror -Iinclude -ITests/c -o "$out/worker" \
  Tests/survival/worker.c Tests/c/check.c Tests/c/fixture.c -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lm -lpthread
TMPDIR="$out" python3 Tests/survival/survive.py "$out/worker" "$@"
