#!/usr/bin/env bash
# Builds and runs the tests at a process's limits against .build/release/libmixgrpo.so.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cc -std=c11 -O1 -g -Wall -Wextra -Werror -Iinclude -ITests/c -o "$out/limits" Tests/limits/*.c Tests/c/check.c \
  -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -ldl -lpthread -lm
"$out/limits"
