#!/usr/bin/env bash
# The world's pictures and captions are what `mixgrpo pretrain` reads, with the settings of the shipped model.
#
# Needs .build/release/world and .build/release/mixgrpo-command.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

.build/release/world --out "$out/pictures" --count 12
[ "$(ls "$out"/pictures/*.png | wc -l)" = 12 ]
.build/release/mixgrpo-command pretrain --config examples/base/pretrain.json --data "$out/pictures" --out "$out/run" --steps 2 \
  --pictures-every 0 >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
cmp "$out/run/model/config.json" examples/base/config.json
echo "a model like the shipped one is trained on the world's pictures"
