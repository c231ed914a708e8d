#!/usr/bin/env bash
# The command `mixgrpo` works in any folder: the model that comes with it, runs that are moved and resumed elsewhere, and models that
# remember the size of their pictures.
#
# COMMAND: the executable, if it is not .build/release/mixgrpo-command.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Tests/command/helpers.sh

# ------------------------------------------------------------------------------------------- the model that comes with the command

mixgrpo sample 'a red circle' --samples 1 --steps 1 --out given.png --model "$base" >answer 2>&1
mixgrpo sample 'a red circle' --samples 1 --steps 1 --out shipped.png >answer 2>&1 || { cat answer >&2; fail "the model of the checkout"; }
mixgrpo inspect given.png --json | sed '/"path"/d;/"bytes"/d' >given.json
mixgrpo inspect shipped.png --json | sed '/"path"/d;/"bytes"/d' | cmp - given.json || fail "another model than examples/base"
mkdir -p copy/bin copy/share/mixgrpo
cp "$command" copy/bin/mixgrpo
command=$out/copy/bin/mixgrpo refuse 1 "model: expected a model folder (--model, or MIXGRPO_BASE in the environment), got none, and no model in $out/copy/share/mixgrpo/base, examples/base" \
  sample x
cp -r "$base" copy/share/mixgrpo/base
copy/bin/mixgrpo sample x --samples 1 --steps 1 --out installed.png >answer 2>&1 || { cat answer >&2; fail "an installed model"; }
MIXGRPO_BASE=$out/nowhere refuse 1 "no model in $out/nowhere" sample x
echo "the model that comes with the command"

# ----------------------------------------------------------------------------------------------- moved and resumed elsewhere

small=(--group-size 2 --steps 2 --pictures-every 0 --evaluate-every 0)
mkdir -p project/inputs
printf 'a red circle\na blue square\n' >project/inputs/prompts.txt
cp -r "$base" project/model
printf 'import sys, weights\nfor line in sys.stdin: print(weights.bias, flush=True)\n' >project/inputs/score.py
echo 'bias = 0.5' >project/inputs/weights.py
(cd project && mixgrpo align --model model --prompts inputs/prompts.txt --reward-program "python3 inputs/score.py" --reward darkness \
  "${small[@]}" --iterations 1 --out runs/first) >answer 2>&1 || { cat answer >&2; fail "a run with relative paths"; }
grep -q "\"model\": \"$out/project/model\"" project/runs/first/settings.json || fail "saved paths are not absolute"

go_on() { # folder to stand in, run, iterations, what is tested
  (cd "$1" && mixgrpo align --resume --out "$2" --iterations "$3") >answer 2>&1 || { cat answer >&2; fail "$4"; }
  [ "$(wc -l <"$1/$2/metrics.jsonl")" -eq "$3" ] || fail "$4: iterations"
}
go_on "$out" project/runs/first 2 "resumed from another folder"
mv project/runs/first elsewhere
go_on "$out" elsewhere 3 "a run folder that has moved"
go_on elsewhere . 4 "resumed from inside the run's folder"
mv elsewhere project/runs/first
go_on project runs/first 5 "moved back"
mv project moved
go_on moved/runs first 6 "moved together with its inputs"
cp -r moved/inputs/prompts.txt other.txt
rm moved/inputs/prompts.txt
refuse 1 "inputs/prompts.txt: expected a readable file" align --resume --out moved/runs/first
mixgrpo align --resume --out moved/runs/first --prompts other.txt --iterations 7 >answer 2>&1 || fail "an input that is named again"
mixgrpo align --config moved/runs/first/settings.json --out again --iterations 1 >answer 2>&1 || { cat answer >&2; fail "settings of a run used elsewhere"; }

mkdir data
mixgrpo sample 'a red circle' --samples 2 --steps 1 --scale 1 --each data --out grid.png >answer 2>&1
for picture in data/*.png; do echo "{\"file_name\": \"${picture#data/}\", \"text\": \"a red circle\"}"; done >data/metadata.jsonl
tiny=(pretrain --heads 2 --head-dim 16 --double-blocks 1 --single-blocks 1 --batch 2 --pictures-every 0)
mixgrpo "${tiny[@]}" --data data --steps 1 --out learnt >answer 2>&1
mkdir inside
mv learnt inside
(cd inside/learnt && mixgrpo pretrain --resume --out .) >answer 2>&1 || { cat answer >&2; fail "a moved run of pretrain"; }
echo "moved and resumed elsewhere"

# --------------------------------------------------------------------------------------- models remember the size of pictures

for model in inside/learnt/model moved/runs/first/model; do
  python3 -c 'import json, sys; f = json.load(open(sys.argv[1] + "/mixgrpo.json"))
assert f == {"height": 32, "width": 32, "patch": 4, "text_length": 16}, f' "$model"
done
mixgrpo "${tiny[@]}" --data data --resize 16x24 --text-length 5 --steps 1 --out other >answer 2>&1
mixgrpo sample x --model other/model --samples 1 --steps 1 --scale 1 --out other.png >answer 2>&1
mixgrpo inspect other.png | grep '^height *3[0-9]\|^height *24' >/dev/null || fail "sample does not draw the size that the model remembers"
refuse 2 "height: expected 24, which the model was trained with (other/model/mixgrpo.json; remove that file to try another), got 32; text_length: expected 5" \
  sample x --model other/model --height 32 --text-length 16
refuse 2 "width: expected 16" align --model other/model --prompts other.txt --reward darkness --width 32 --out o
printf 'a\n' >one.txt
mixgrpo align --model other/model --prompts one.txt --reward darkness "${small[@]}" --evaluate-every 1 --iterations 1 --out kept >answer 2>&1
cmp other/model/mixgrpo.json kept/model/mixgrpo.json || fail "align forgets the size"
cmp other/model/mixgrpo.json kept/best/mixgrpo.json || fail "the best model forgets the size"
mixgrpo plan --model other/model --prompts one.txt >answer || fail "plan of a model with a size of its own"
sed -i 's/"patch": 4/"patch": 2/' kept/model/mixgrpo.json
refuse 2 "mixgrpo.json: patch: expected 4, as config.json demands, got 2" sample x --model kept/model
rm kept/model/mixgrpo.json
mixgrpo sample x --model kept/model --samples 1 --steps 1 --out forgotten.png >answer 2>&1 || fail "a model without mixgrpo.json"
mixgrpo sample x --model kept/model --samples 1 --steps 1 --height 24 --width 16 --out forgotten.png >answer 2>&1
echo "models remember the size of their pictures"
echo "the command works anywhere"
