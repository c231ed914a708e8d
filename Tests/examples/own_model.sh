#!/usr/bin/env bash
# examples/c/own_model.c, a network of its own with its own backward and optimizer, learns what its reward likes: the mean
# reward rises by more than 1 in 40 iterations.
#
# Needs libmixgrpo.so in .build/release, or the folder in MIXGRPO_LIBRARY_FOLDER.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cc -std=c99 -O2 -Wall -Wextra -pedantic -Werror -Iinclude -o "$out/own_model" examples/c/own_model.c \
  -L"$folder" -lmixgrpo -lm -Wl,-rpath,"$folder"
"$out/own_model" >"$out/log"
rise=$(sed -n 's/^the reward rose by //p' "$out/log")
awk -v rise="$rise" 'BEGIN { exit !(rise > 1) }' || { cat "$out/log"; echo "FAILED: the reward rose by $rise" >&2; exit 1; }
echo "a model of the host's: the reward rose by $rise"
