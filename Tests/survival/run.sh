#!/usr/bin/env bash
# Builds the worker against .build/release/libmixgrpo.so and runs survive.py with the arguments given, such as --kills 5000. Then
# kills the command at every 25th change of a file, or at each with KILL_EVERY=1.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cc -std=c99 -O1 -Wall -Wextra -pedantic -Werror -Iinclude -ITests/c -o "$out/worker" \
  Tests/survival/worker.c Tests/c/check.c Tests/c/fixture.c -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lm -lpthread
TMPDIR="$out" python3 Tests/survival/survive.py "$out/worker" "$@"
cc -shared -fPIC -std=c11 -O1 -Wall -Wextra -Werror -o "$out/kill_at.so" Tests/survival/kill_at.c -ldl
TMPDIR="$out" python3 Tests/survival/command_kills.py "${COMMAND:-.build/release/mixgrpo-command}" "$out/kill_at.so" \
  --every "${KILL_EVERY:-25}"
