#!/usr/bin/env bash
# Trains ITERATIONS times in one process and checks that memory, file descriptors and threads stay flat.
# Usage: Tests/growth/run.sh ITERATIONS
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cc -std=gnu11 -O1 -g -Wall -Wextra -Werror -Iinclude -ITests/c -o "$out/growth" Tests/growth/growth.c Tests/c/check.c Tests/c/fixture.c \
  -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lm -lpthread
TMPDIR="$out" "$out/growth" "$1"
