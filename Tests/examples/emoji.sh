#!/usr/bin/env bash
# The command aligns the model that draws emoji with examples/c/epaper.c, as `make demo` does, and knows that model's sizes; and the script
# that makes its pictures makes those that the model's folder holds.
#
# Needs libmixgrpo.so in .build/release, or the folder in MIXGRPO_LIBRARY_FOLDER; the command; PYTHON with NumPy. Without Debian's font and
# Unicode data the last part is left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
command=$(realpath "${COMMAND:-.build/release/mixgrpo-command}")
emoji=$PWD/examples/emoji
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }

cc -std=c99 -O2 -Wall -Wextra -pedantic -Werror -Iinclude -o "$out/epaper" examples/c/epaper.c -L"$folder" -lmixgrpo -lm \
  -Wl,-rpath,"$folder"
epaper="$out/epaper"
"$command" align --config "$emoji/epaper.json" --model "$emoji" --prompts "$emoji/prompts.txt" --out "$out/demo" --iterations 1 \
  --reward-program "contrast=$epaper contrast" --held-out-program "recognised=$epaper recognised $emoji" >"$out/log" 2>&1 ||
  { cat "$out/log" >&2; fail "the demo ended with an error"; }
"$epaper" draw "$emoji" "$emoji" "$out/demo/before.png"
"$epaper" draw "$emoji" "$out/demo/model" "$out/demo/after.png"
for file in report.html metrics.jsonl before.png after.png; do
  [ -s "$out/demo/$file" ] || fail "the demo left no $file"
done
cmp -s "$out/demo/before.png" "$out/demo/after.png" && fail "the demo changed nothing"
python3 - "$out/demo/evaluations.jsonl" <<'PYTHON' || fail "the model does not draw what it is asked for"
import json
import sys

first, last = (json.loads(line)["means"] for line in open(sys.argv[1]))
assert first["recognised"] >= 0.9 and first["contrast"] != last["contrast"], (first, last)
PYTHON
! "$epaper" recognised "$out" >/dev/null 2>"$out/message" || fail "a folder without names was not refused"
grep -q "^epaper: $out/prompts.txt: " "$out/message" || fail "the error does not name the missing file: $(cat "$out/message")"
! echo '{"prompt": "red heart"}' | "$epaper" contrast 2>"$out/message" || fail "a line without a picture was not refused"
grep -q '^epaper: expected a line with the plain text "image", got {"prompt"' "$out/message" ||
  fail "the error does not name what is missing: $(cat "$out/message")"

"$command" sample "red heart" "rocket" --model "$emoji" --samples 1 --steps 2 --out "$out/sample.png" >/dev/null 2>&1 ||
  fail "the command does not know the sizes of the model"
[ "$(du -k "$emoji/diffusion_pytorch_model.safetensors" | cut -f 1)" -le 8192 ] || fail "the model is larger than 8 MB"

python=${PYTHON:-python3}
if ! "$python" -c 'import fontTools, numpy, PIL' 2>/dev/null || [ ! -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] ||
  [ ! -e /usr/share/unicode/emoji/emoji-test.txt ] || [ ! -e /usr/share/unicode/cldr/common/annotations/en.xml ]; then
  echo "the demo aligns emoji; the set was not made: font, Unicode data or fontTools are not here (.ci/setup pictures)"
  exit 0
fi
set_of() { "$python" examples/lab/pictures/emoji.py "$@" >"$out/said" 2>"$out/message"; }
set_of --out "$out/set" || { cat "$out/message" >&2; fail "the set was not made"; }
cmp "$out/set/prompts.txt" "$emoji/prompts.txt" || fail "the set has other names than examples/emoji"
"$python" - "$out/set/sheet.png" "$emoji/sheet.png" <<'PYTHON' || fail "the set has other pictures than examples/emoji"
import sys

import numpy
from PIL import Image

made, kept = (numpy.asarray(Image.open(path).convert("RGB"), int) for path in sys.argv[1:])
assert made.shape == kept.shape and abs(made - kept).max() <= 2  # another version of Pillow may round otherwise
PYTHON
cmp "$out/set/held-out/prompts.txt" "$emoji/held-out.txt" || fail "other combinations are held out than examples/emoji names"
set_of --out "$out/set" || fail "an earlier set is not replaced"
mkdir "$out/mine"
touch "$out/mine/letter.txt"
set_of --out "$out/mine" && fail "a folder of other files was replaced"
[ -e "$out/mine/letter.txt" ] || fail "a refused folder was changed"
grep -q -- "--out: expected a new folder" "$out/message" || fail "the error does not name --out"
echo "the demo aligns emoji, and $(wc -l <"$out/set/prompts.txt") pictures of them are made as the model's folder has them"
