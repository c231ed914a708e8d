#!/usr/bin/env bash
# examples/c/evaluate.c sees that training exploits its reward: the watchdog stops it, and the best model is an earlier one.
#
# Needs libmixgrpo.so in .build/release, or the folder in MIXGRPO_LIBRARY_FOLDER.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
base=$PWD/examples/base
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cc -std=c99 -O2 -Wall -Wextra -pedantic -Werror -Iinclude -o "$out/evaluate" examples/c/evaluate.c \
  -L"$folder" -lmixgrpo -lm -Wl,-rpath,"$folder"
(cd "$out" && ./evaluate "$base" >log)
last=$(grep -c ': darkness' "$out/log")
if ! grep -q '^stopped: iteration .* held-out rewards fell' "$out/log" || [ "$last" -lt 3 ] || [ "$last" -gt 19 ] \
  || ! grep -q '^best/ holds the model of iteration 2$' "$out/log" || [ ! -s "$out/best/diffusion_pytorch_model.safetensors" ]; then
  cat "$out/log" >&2
  echo "FAILED: the watchdog did not stop the training, or the best model is not that of iteration 2" >&2
  exit 1
fi
echo "evaluation with a watchdog: $(tail -n 1 "$out/log")"
