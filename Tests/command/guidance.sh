#!/usr/bin/env bash
# Errors of the command `mixgrpo` name what came and the way out: mistakes that people make in their first hour.
#
# COMMAND: the executable, if it is not .build/release/mixgrpo-command.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Tests/command/helpers.sh

printf 'a red circle\na blue square\n' >prompts.txt
small=(align --prompts prompts.txt --group-size 2 --steps 2 --pictures-every 0 --evaluate-every 0)

# ------------------------------------------------------------------------------------------------------ names and settings

refuse 64 'algin: expected a subcommand, one of pretrain, align, sample, compare, inspect, plan, settings; did you mean "mixgrpo align"?' \
  algin --model m
refuse 64 'Did you mean' align --rewrad brightness
refuse 2 'learning_rate: expected a known setting such as "learning.learning_rate"' align --set learning_rate=1
refuse 2 'lerning-rate: expected a known setting such as "learning.learning_rate"' align --set lerning-rate=1
refuse 2 'save-evry: expected a known setting such as "save_every"' align --set save-evry=1

mixgrpo align --reward darkness --reward-program 'mine=score' --set rewards.0.weight=3 --set rewards.mine.timeout_seconds=5 \
  --print-config >config.json
python3 -c 'import json; r = json.load(open("config.json"))["rewards"]
assert r[0]["weight"] == 3 and r[0]["timeout_seconds"] == 300 and r[1]["timeout_seconds"] == 5, r'
refuse 2 'rewards.1: expected the number or name of one of 0 (darkness), got "1"' align --reward darkness --set rewards.1.weight=3
refuse 2 'rewards.0: expected a list first' align --set rewards.0.weight=3
refuse 2 'rewards.0: wieght: expected a known setting such as "weight"' align --reward darkness --set rewards.0.wieght=3
refuse 2 'rewards.0: expected one of its members, such as 0.' align --reward darkness --set rewards.0=3
refuse 2 'weight: expected 0' align --reward darkness --set rewards.0.weight=-1
refuse 64 'a negative value follows an equals sign, as in --name=-1' plan --ranks -1
refuse 2 'ranks: expected 1…1024, got -1' plan --ranks=-1

# Values that nobody set follow those that were.
mixgrpo "${small[@]}" --reward darkness --iterations 1 --out short >answer 2>&1 || { cat answer >&2; fail "few steps, small groups"; }
mixgrpo plan --steps 4 | grep '^0–99 *0–2 *3 *4 ' >/dev/null || fail "the window does not follow the steps"
mixgrpo plan --set 'sampling.sigmas=[1,0.5,0]' --iterations 3 | grep '^0–2 *0–0 *1 *2 ' >/dev/null || fail "the window does not follow the noise levels"
refuse 2 'window_length: expected 1…3 (steps − 1), got 4' plan --steps 4 --window-length 4
refuse 2 'updates_per_iteration: expected 1…2 (group_size), got 3' "${small[@]}" --reward darkness --out o \
  --set learning.updates_per_iteration=3

refuse 2 'learning_rate: expected 1e-05, as saved, got 0.001; a resumed run keeps its settings' align --resume --out short --learning-rate 1e-3
way=$(sed -n 's/.*start a new run: \(mixgrpo align .*\)NEW-FOLDER$/\1/p' message)
eval "$way new --learning-rate 1e-3" >answer 2>&1 || { cat answer >&2; fail "the way that a refused resume names"; }
python3 -c 'import json; assert json.load(open("new/settings.json"))["learning"]["learning_rate"] == 1e-3'
echo "names and settings"

# ----------------------------------------------------------------------------------------------------------- model folders

refuse 1 "short/config.json: expected a readable file, got No such file or directory; there are models in short/model" sample x --model short
refuse 1 "these are checkpoints of a run" sample x --model short/checkpoints
refuse 1 "expected a model folder, got a file; name the folder that holds it" sample x --model short/model/config.json
one=(--steps 1 --samples 1)
mkdir -p half pipeline/transformer pickled
cp "$base/config.json" "$base/mixgrpo.json" half
cp "$base/diffusion_pytorch_model.safetensors" half/diffusion_pytorch_model.fp16.safetensors
mixgrpo sample x --model half "${one[@]}" --out half.png >answer 2>&1 || fail "a variant of the weights"
mixgrpo sample x --model "$base" "${one[@]}" --out base.png >answer 2>&1
echo '{}' >pipeline/model_index.json
refuse 1 "this pipeline has no transformer/, which holds the weights" sample x --model pipeline
cp half/* pipeline/transformer
mixgrpo sample x --model pipeline "${one[@]}" --out pipeline.png >answer 2>&1 || fail "a pipeline"
mixgrpo inspect pipeline | grep '^kind *model' >/dev/null || fail "inspect does not know a pipeline"
cp "$base/config.json" pickled
: >pickled/diffusion_pytorch_model.bin
refuse 1 "which only PyTorch reads; convert it, in that folder: python3 -c" sample x --model pickled
mkdir pointer
cp "$base/config.json" pointer
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n' >pointer/diffusion_pytorch_model.safetensors
refuse 2 "expected a safetensors file, got a Git LFS pointer; git lfs pull" sample x --model pointer
refuse 1 "expected a regular file, got a folder" sample --prompts pointer
cp half/diffusion_pytorch_model.fp16.safetensors half/diffusion_pytorch_model.bf16.safetensors
refuse 2 "expected diffusion_pytorch_model.safetensors or a single variant of it, got diffusion_pytorch_model.bf16" sample x --model half
echo "model folders"

# -------------------------------------------------------------------------------------------------------------------- text

printf '\xef\xbb\xbf' | cat - prompts.txt >marked.txt
printf '\xef\xbb\xbf{"prompt": "a red circle"}\n' >marked.jsonl
printf '\xef\xbb\xbf{"samples": 1, "steps": 1}' >marked.json
mixgrpo sample --prompts prompts.txt "${one[@]}" --out plain.png >answer 2>&1
mixgrpo sample --prompts marked.txt "${one[@]}" --out marked.png >answer 2>&1
cmp plain.png marked.png || fail "a byte order mark changes the first prompt"
mixgrpo sample --prompts marked.jsonl --config marked.json --out marked.png >answer 2>&1 || fail "a byte order mark in JSON"
printf '\xff\xfea\0' >wide.txt
refuse 2 "wide.txt: expected text in UTF-8, got UTF-16" sample --prompts wide.txt
printf '{"text": "a red circle"}\n' >other.jsonl
refuse 2 'other.jsonl line 1: prompt: expected a string, got none among "text"' sample --prompts other.jsonl
echo "text"

# --------------------------------------------------------------------------------------------------------- reward programs

refuse_program() { # message, command
  rm -rf scored
  refuse 1 "$1" "${small[@]}" --reward-program "$2" --iterations 2 --out scored
}
cat >loading.py <<'PYTHON'
import json, sys
print("loading model…", flush=True)
for line in sys.stdin:
    print(json.loads(line)["index"], flush=True)
PYTHON
sed 's/print("loading/import time; sys.stdin.readline(); time.sleep(0.3); print("loading/' loading.py >late.py
refuse_program '"loading model…"; print messages to standard error' "python3 loading.py"
refuse_program 'reward program: python3 late.py: expected a number or nan in each line, got "loading model…"' "python3 late.py"
refuse_program 'reward program: python3 missing.py: expected 4 lines, got 0' "python3 missing.py"
shell='programs are started without a shell, which would read'
refuse_program "$shell \"|\"" "cat | python3 loading.py"
refuse_program "$shell \"~/score.py\"" "~/score.py"
refuse_program "$shell \"\$HOME/score.py\"" 'python3 $HOME/score.py'
refuse_program "$shell \"cd\"" "cd x && ./score"
refuse_program "reward CUDA_VISIBLE_DEVICES: 0 python3 loading.py: expected a program that can be started, got No such file or directory; to set a variable for a program, write env CUDA_VISIBLE_DEVICES=" \
  "CUDA_VISIBLE_DEVICES=0 python3 loading.py"
sed -i '/loading/d' loading.py
refuse_program "programs are looked for in PATH: the one in the current folder is ./loading.py" "loading.py"
refuse_program "name what runs it, such as python3 ./loading.py, or begin it with #! and chmod +x" "./loading.py"
refuse 2 "a program is given with --reward-program" "${small[@]}" --reward "python3 loading.py" --out o
refuse 2 "a program is given with --held-out-program" "${small[@]}" --reward darkness --held-out "loading.py" --out o
rm -rf scored
mixgrpo "${small[@]}" --reward-program "sh -c 'cat | python3 loading.py'" --iterations 1 --out scored >answer 2>&1 ||
  { cat answer >&2; fail "a shell that was asked for"; }
echo "reward programs"

# ---------------------------------------------------------------------------------------------------------------- pictures

mkdir -p data/sub
mixgrpo sample 'a red circle' "${one[@]}" --samples 2 --scale 1 --each data --out grid.png >answer 2>&1
mixgrpo sample 'a red circle' "${one[@]}" --scale 2 --each data/sub --out grid.png >answer 2>&1
tiny=(pretrain --heads 2 --head-dim 16 --double-blocks 1 --single-blocks 1 --batch 2 --pictures-every 0 --steps 1)
describe() { for name in "$@"; do echo "{\"file_name\": \"$name\", \"caption\": \"a red circle\"}"; done >data/metadata.jsonl; }
describe 0000-0000.png 0000-0001.png
mixgrpo "${tiny[@]}" --data data --out captions >answer 2>&1 || { cat answer >&2; fail "caption in place of text"; }
printf '\xff\xd8\xff\xe0 a JPEG' >data/photo.jpg
describe 0000-0000.png grid.png photo.jpg 0000-0001.png missing.png
mixgrpo sample 'a red circle' "${one[@]}" --scale 1 --out data/grid.png >answer 2>&1
python3 - <<'PYTHON'
import struct, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes(range(3 * 40)) for _ in range(20))
open("data/grid.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 8, 2, 0, 0, 0))
  + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
refuse 2 "grid.png: expected 32×32 pixels as the first picture, got 40×20" "${tiny[@]}" --data data --out o
for text in "photo.jpg: png: expected the signature of a PNG, got that of a JPEG file" "missing.png: expected a readable file" \
  "--resize SIDE scales all pictures to one size" "cd data && find . -name '*.jpg' -exec mogrify -format png {} + && sed -i"; do
  grep -qF -- "$text" message || { cat message >&2; fail "problems of a folder at once: $text"; }
done
# The command's second half names the new files.
way=$(sed -n "s/.*mogrify -format png {} + && \(sed -i '[^']*' metadata.jsonl\).*/\1/p" message)
(cd data && eval "$way")
grep -q '"photo.png"' data/metadata.jsonl || fail "the command does not rename: $way"
describe 0000-0000.png grid.png
for size in 16 24x16; do
  mixgrpo "${tiny[@]}" --data data --resize "$size" --out "resized-$size" >answer 2>&1 || { cat answer >&2; fail "--resize $size"; }
done
grep -q '"width": 24' resized-24x16/model/mixgrpo.json || fail "a model does not remember its size"
refuse 2 'resize: expected a side such as 32, or width x height such as 48x32, got "large"' "${tiny[@]}" --data data --resize large --out o
refuse 2 "height: expected a multiple of patch 4, got 18; --resize scales the pictures, --patch cuts them" "${tiny[@]}" --data data --resize 18 --out o
echo "pictures"
echo "errors of the command name the way out"
