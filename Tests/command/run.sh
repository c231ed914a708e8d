#!/usr/bin/env bash
# Tests of the command `mixgrpo` as a user runs it: each subcommand with good and bad input, settings there and back, resume and
# Ctrl-C to the same bits, reward programs, event files.
#
# COMMAND: the executable, if it is not .build/release/mixgrpo-command. PYTHON: a Python with pyte and Pillow, for the terminal.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Tests/command/helpers.sh

same_run() { # two run folders
  cmp "$1/model/diffusion_pytorch_model.safetensors" "$2/model/diffusion_pytorch_model.safetensors" >&2 || fail "$3: weights"
  diff <(without_seconds "$1/metrics.jsonl") <(without_seconds "$2/metrics.jsonl") >&2 || fail "$3: metrics"
}

has_lines() { [ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }

printf 'a red circle at the left\n\n  a blue square in the middle \na green triangle at the top\n' >prompts.txt
printf '%s\n' '{"prompt": "a red circle", "difficulty": 10}' '{"prompt": "ein grüner Kreis", "difficulty": 10}' >prompts.jsonl
small=(--group-size 4 --steps 4 --window-length 2 --prompts-per-iteration 1 --pictures-every 0 --evaluate-every 0 --set learning.updates_per_iteration=2)
align=(align --model "$base" --prompts prompts.txt "${small[@]}")

# ------------------------------------------------------------------------------------------------------ help and settings

for subcommand in pretrain align sample compare inspect plan settings; do
  mixgrpo "$subcommand" --help >help
  grep -q "mixgrpo $subcommand" help || fail "$subcommand --help has no example"
done
mixgrpo --version | grep "$(sed -n 's/^VERSION := //p' "$root/Makefile")" >/dev/null || fail "--version is not the Makefile's"
for topic in align pretrain sample rewards presets; do [ "$(mixgrpo settings "$topic" | wc -l)" -ge 5 ] || fail "settings $topic"; done
refuse 64 "Unknown option '--bogus'" align --bogus
refuse 64 'aline: expected a subcommand, one of pretrain, align, sample, compare, inspect, plan, settings; did you mean "mixgrpo align"?' aline
refuse 64 'did you mean "mixgrpo align"?' algin --model m
refuse 64 "frobnicate: expected a subcommand" frobnicate
refuse 64 'did you mean "mixgrpo align"?' aline --help
refuse 64 'did you mean "mixgrpo align"?' help aline

for preset in mixgrpo mixgrpo_flash mixgrpo_flash_star flow_grpo dance_grpo; do
  mixgrpo "${align[@]}" --reward brightness:0.5 --reward-program "taste:2=python3 'a file.py' x" --preset "$preset" --out o --print-config >a.json
  mixgrpo align --config a.json --print-config >b.json
  cmp a.json b.json || fail "settings of $preset do not come back"
  mixgrpo align --config a.json --preset mixgrpo "${small[@]}" --print-config >c.json
  mixgrpo "${align[@]}" --reward brightness:0.5 --reward-program "taste:2=python3 'a file.py' x" --out o --print-config | cmp - c.json ||
    fail "--preset mixgrpo does not undo $preset"
done
python3 -c 'import json; s = json.load(open("a.json")); assert s["rewards"][1]["program"] == ["python3", "a file.py", "x"], s
assert s["rewards"][1]["weight"] == 2 and s["sampling"]["dynamics"] == "dance" and s["sampling"]["group_size"] == 4'
mixgrpo "${align[@]}" --reward-person --iterations 7 --out o --print-config >a.json
mixgrpo "${align[@]}" --reward-person --learning-rate 1e-5 --preset person --out o --print-config >b.json
python3 - <<'PYTHON' || fail "--reward-person does not apply the preset"
import json

a, b = (json.load(open(name)) for name in ("a.json", "b.json"))
assert a["learning"]["learning_rate"] == 2e-4 and a["sampling"]["window_length"] == 2 and a["iterations"] == 7, a
assert b["learning"]["learning_rate"] == 1e-5 and b["iterations"] == 15 and b["sampling"] == a["sampling"], b
PYTHON
mixgrpo pretrain --data d --out o --heads 2 --print-config >a.json
mixgrpo pretrain --config a.json --print-config | cmp - a.json || fail "settings of pretrain do not come back"
mixgrpo sample "a red circle" --model m --print-config >a.json
mixgrpo sample --config a.json --print-config | cmp - a.json || fail "settings of sample do not come back"

printf '{\n  "model": "m",\n  "sampling": {"stepz": 3}\n}' >bad.json
refuse 2 'bad.json: sampling.stepz at line 3, column 16: expected a known setting such as "steps"' align --config bad.json
printf '{\n  "iterations": "many"\n}' >bad.json
refuse 2 'bad.json: iterations at line 2, column 3: expected a whole number, got "many"' align --config bad.json
printf '{\n  "iterations": 3,\n}' >bad.json
refuse 2 'bad.json: expected a string at line 3, column 1' align --config bad.json
printf '{"rewards": [{"name": "brightnes"}]}' >bad.json
refuse 2 'such as "brightness"' align --config bad.json
refuse 1 "nowhere.json: expected a readable file" align --config nowhere.json
refuse 2 "--set: expected name=value" align --set steps
refuse 2 "group_size: expected 2…4096, got 1" "${align[@]}" --reward brightness --out o --group-size 1
refuse 2 "noise_level" "${align[@]}" --reward brightness --out o --set sampling.noise_level=-1
refuse 2 "rewards: expected at least one" "${align[@]}" --out o
refuse 2 "out: expected a folder for the run (--out), got none" align
refuse 2 "closed quotes" "${align[@]}" --out o --reward-program "python3 'x"
refuse 2 "prompts_per_iteration: expected 1…3" "${align[@]}" --out o --reward brightness --prompts-per-iteration 4
[ ! -e o ] || fail "refused settings left a folder"
echo "help and settings"

# ----------------------------------------------------------------------------------------------------------------- sample

mixgrpo sample "a red circle" "a blue square" --model "$base" --samples 2 --steps 2 --out a.png --each each --threads 1 >answer 2>&1
mixgrpo sample "a red circle" "a blue square" --model "$base" --samples 2 --steps 2 --out b.png --threads 3 >answer 2>&1
cmp a.png b.png || fail "sample depends on threads"
[ "$(ls each | wc -l)" -eq 4 ] || fail "sample --each"
mixgrpo inspect a.png --json | python3 -c 'import json, sys; t = json.load(sys.stdin)["text"]
assert {e["keyword"]: e["text"] for e in t}["prompt 2"] == "a blue square" and t[0]["keyword"] == "prompt 1", t'
mixgrpo sample --prompts prompts.jsonl --model "$base" --base "$base" --samples 1 --steps 2 --out c.png >answer 2>&1
refuse 1 "nowhere/config.json" sample x --model nowhere
refuse 2 "prompts: expected prompts, or a file of them" sample --model "$base"
refuse 2 "height: expected 32, which the model was trained with" sample x --model "$base" --height 33
mkdir sizeless
cp "$base/config.json" "$base/diffusion_pytorch_model.safetensors" sizeless
refuse 2 "height: expected a multiple of patch 4, got 33" sample x --model sizeless --height 33
mixgrpo sample x --model "$base" --samples 1 --steps 1 --out a.png >answer 2>progress
grep -q '^a.png will be replaced$' progress || fail "a file that is replaced is not said"
mkdir folder.png
soon() { timeout 60 "$command" "$@"; }
for place in "nowhere/x.png: expected a folder nowhere to write into, got none" "folder.png: expected a regular file or none" \
  "/proc/x.png: expected" "after.jpg: expected a file name that ends in .png"; do
  path=${place%%:*}
  [ "$path" = after.jpg ] && message="out: expected a file name that ends in .png, the format that is written, got after.jpg" || message=$place
  code=0
  soon sample x --model "$base" --samples 4000 --steps 9999 --out "$path" >answer 2>message || code=$?
  [ "$code" -eq 1 ] || [ "$code" -eq 2 ] || fail "$path is refused only after the work"
  grep -qF "$message" message || { cat message >&2; fail "$path: expected \"$message\""; }
done
printf 'a\n\xff\n' >bad.txt
refuse 2 "bad.txt line 2: expected text in UTF-8" sample --prompts bad.txt --model "$base"
printf '{"prompt": "a"}\n{"text": "b"}\n' >bad.jsonl
refuse 2 "bad.jsonl line 2: prompt: expected a string, got none" sample --prompts bad.jsonl --model "$base"
: >empty.txt
refuse 2 "empty.txt: expected 1…65536 prompts, got 0" sample --prompts empty.txt --model "$base"
echo "sample"

# -------------------------------------------------------------------------------------------------------- align and resume

mixgrpo "${align[@]}" --reward darkness --reward symmetry:0.5 --iterations 4 --pictures-every 2 --out whole --threads 1 >answer 2>progress
grep -q '^4/4  mean .*  darkness .*  symmetry ' progress || fail "no plain progress lines"
[ "$(ls whole/checkpoints)" = "iteration-00000004.safetensors" ] || fail "a finished run keeps more than the newest checkpoint"
[ "$(ls whole/pictures)" = "000000.png
000002.png
000004.png" ] || fail "pictures of a run"
mixgrpo "${align[@]}" --reward darkness --reward symmetry:0.5 --iterations 2 --pictures-every 2 --out parts --threads 2 >answer 2>&1
mixgrpo align --resume --out parts --iterations 4 >answer 2>&1
same_run whole parts "resume"
printf 'torn' >parts/checkpoints/iteration-00000009.safetensors
mixgrpo align --resume --out parts --iterations 4 >answer 2>progress
grep -q "skipped a damaged checkpoint" progress || fail "an incomplete checkpoint is not reported"
same_run whole parts "resume past a torn checkpoint"
refuse 2 "whole: expected a folder without a run, got one" "${align[@]}" --reward darkness --out whole
refuse 2 "noise_level: expected" align --resume --out parts --set sampling.noise_level=0.5
refuse 2 "--resume: expected also --out" align --resume
refuse 1 "fresh/settings.json" align --resume --out fresh
refuse 1 "prompts.txt/run: expected a folder or a place to make one, but prompts.txt is a file" \
  align --model nowhere --prompts prompts.txt --reward darkness --out prompts.txt/run
refuse 1 "but prompts.txt is a file" pretrain --data nowhere --out prompts.txt/run
refuse 1 "but prompts.txt is a file" compare --model nowhere --out prompts.txt/run

python3 "$here/read_events.py" whole >events
[ "$(grep -c ' reward/darkness ' events)" -eq 4 ] || fail "scalars in event files"
[ "$(grep -c ' pictures [0-9]*x[0-9]*$' events)" -eq 3 ] || fail "pictures in event files"
python3 "$here/read_events.py" parts | grep '^2 session starts' >/dev/null || fail "a resumed event file does not say from where"
python3 "$here/read_events.py" parts >events
[ "$(sed -n '/session/,$p' events | grep -c ' pictures ')" -ge 2 ] || fail "pictures of the iteration that a run resumes at are lost"
echo "align, resume, event files"

# ------------------------------------------------------------------------------------------- adapters

# An adapter's rate is its own, unless a flag, a file or --set gives one.
rate() { python3 -c 'import json, sys; print(json.load(sys.stdin)["learning"]["learning_rate"])'; }
[ "$(mixgrpo "${align[@]}" --reward darkness --out o --lora-rank 2 --print-config | rate)" = 0.0001 ] || fail "rate of an adapter"
[ "$(mixgrpo "${align[@]}" --reward darkness --out o --set lora.rank=2 --print-config | rate)" = 0.0001 ] || fail "rate of an adapter, by --set"
[ "$(mixgrpo "${align[@]}" --reward darkness --out o --lora-rank 2 --learning-rate 1e-5 --print-config | rate)" = 1e-05 ] \
  || fail "a given rate of an adapter"
[ "$(mixgrpo "${align[@]}" --reward darkness --out o --print-config | rate)" = 1e-05 ] || fail "rate of all weights"
adapting=("${align[@]}" --reward darkness --lora-rank 2 --learning-rate 1e-3 --set lora.frozen_base=true --set save_every=1)
mixgrpo "${adapting[@]}" --iterations 3 --out adapted >answer 2>&1
mixgrpo "${adapting[@]}" --iterations 1 --out adapted-parts >answer 2>&1
mixgrpo align --resume --out adapted-parts --iterations 3 >answer 2>&1
same_run adapted adapted-parts "an adapter is resumed to other weights"
cmp adapted/adapter/adapter_model.safetensors adapted-parts/adapter/adapter_model.safetensors || fail "an adapter is resumed to another"
mixgrpo inspect adapted/adapter | grep '^kind *adapter' >/dev/null || fail "inspect does not know an adapter"
mixgrpo inspect adapted/adapter --json | python3 -c 'import json, sys; a = json.load(sys.stdin)
assert a["ranks"] == [2] and a["layers"] > 4 and 2 * a["layers"] == a["tensor_count"], a' || fail "inspect of an adapter"
drawing=(sample red --samples 1 --seed 3)
mixgrpo "${drawing[@]}" --model adapted/model --out merged.png >answer
mixgrpo "${drawing[@]}" --model "$base" --out base.png >answer
mixgrpo "${drawing[@]}" --model "$base" --lora adapted/adapter --out adapted.png >answer
mixgrpo "${drawing[@]}" --model "$base" --lora adapted/adapter:0 --out without.png >answer
python3 - <<'PYTHON' || fail "an adapter at sampling"
import zlib
def pixels(path):
    data, at, found = open(path, "rb").read(), 8, b""
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            found += data[at + 8 : at + 8 + size]
        at += 12 + size
    return zlib.decompress(found)
assert pixels("without.png") == pixels("base.png") != pixels("adapted.png"), "strength 0 is the model without the adapter"
PYTHON
refuse 2 "lora" sample red --model "$base" --lora adapted/adapter:3 --out x.png
refuse 1 "nowhere" sample red --model "$base" --lora nowhere --out x.png
refuse 2 "rank" "${adapting[@]}" --lora-rank 60000 --out too-large
refuse 2 "lora.alpha: expected" "${adapting[@]}" --set lora.alpha=-1 --out no-alpha
refuse 2 "lora: expected a rank (--lora-rank)" "${align[@]}" --reward darkness --set lora.frozen_base=true --out no-rank
rm -r adapted adapted-parts
echo "adapters"

# ------------------------------------------------------------------------------------------- evaluations, faults, few prompts

watched=(--reward darkness --evaluate-every 1 --held-out brightness --held-out-program "mine=python3 $here/scorer.py index")
mixgrpo "${align[@]}" "${watched[@]}" --iterations 4 --set evaluation.prompts=2 --out watched >answer 2>progress
[ "$(wc -l <watched/evaluations.jsonl)" -eq 5 ] || fail "evaluations: expected 5"
grep -q '^evaluation at iteration 4: ' progress || fail "an evaluation is not reported"
mixgrpo inspect watched/best >/dev/null || fail "no best model"
mixgrpo "${align[@]}" --reward darkness --iterations 4 --out unwatched >answer 2>&1
same_run watched unwatched "evaluation changes training"
for iterations in 1 3 4; do
  [ "$iterations" -eq 1 ] && part=("${align[@]}" "${watched[@]}" --set evaluation.prompts=2) || part=(align --resume)
  mixgrpo "${part[@]}" --iterations "$iterations" --out watched-parts >answer 2>&1
done
cmp watched/evaluations.jsonl watched-parts/evaluations.jsonl || fail "evaluations do not go on"
cmp watched/best/diffusion_pytorch_model.safetensors watched-parts/best/diffusion_pytorch_model.safetensors || fail "the best model"
python3 "$here/read_events.py" watched | grep '^2 evaluation/brightness ' >/dev/null || fail "evaluations are not in the event files"
mixgrpo "${align[@]}" "${watched[@]}" --set evaluation.prompts=2 --iterations 3 --set save_every=1 --out damaged >answer 2>&1
cp -r damaged/best best-before
cp damaged/evaluations.jsonl evaluations-before
flip() { # a file: one bit in its middle
  python3 - "$1" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[1], "wb").write(data)
PYTHON
}
flip damaged/checkpoints/evaluation.safetensors
cp damaged/checkpoints/evaluation.safetensors flipped
mixgrpo align --resume --out damaged --iterations 4 >answer 2>progress
grep -q 'evaluations restart because the saved ones are damaged: .*; kept: damaged/best-until-000003, ' progress ||
  { cat progress >&2; fail "a damaged evaluation is not reported"; }
head -n 3 evaluations-before | cmp - <(head -n 3 damaged/evaluations.jsonl) || fail "a damaged evaluation erases what was reported"
diff -r best-before damaged/best-until-000003 || fail "a damaged evaluation erases the best model"
cmp flipped damaged/checkpoints/evaluation.safetensors-until-000003 || fail "a damaged evaluation is overwritten"
rm damaged/checkpoints/evaluation.safetensors
mixgrpo align --resume --out damaged --iterations 5 >answer 2>progress
grep -q 'evaluations restart because there are no saved ones; kept: damaged/best-until-000004' progress || fail "a missing evaluation is not reported"
[ "$(wc -l <damaged/evaluations.jsonl)" -eq 6 ] || fail "a missing evaluation erases what was reported"
rm damaged/checkpoints/iteration-*
cp damaged/metrics.jsonl metrics-before
refuse 2 "damaged/checkpoints: expected a checkpoint such as iteration-00000001.safetensors to resume, got none, though" align --resume --out damaged
cmp metrics-before damaged/metrics.jsonl || fail "missing checkpoints erase the metrics"
rm -r watched-parts damaged
mixgrpo "${align[@]}" --reward darkness --held-out brightness --evaluate-every 1 --watchdog stop --set evaluation.watchdog_patience=2 \
  --learning-rate 1e-4 --iterations 50 --set save_every=1 --out hacked >hacked-answer 2>progress
grep -q '^stopped: iteration .* held-out rewards fell' progress || { cat progress >&2; fail "the watchdog does not stop"; }
[ "$(wc -l <hacked/metrics.jsonl)" -lt 50 ] || fail "the watchdog does not stop"
stopped_at=$(wc -l <hacked/metrics.jsonl)
cp -r hacked hacked-again
resume_hacked() {
  mixgrpo align --resume --out hacked-again >answer 2>progress
  same_run hacked hacked-again "$1"
  cmp hacked/evaluations.jsonl hacked-again/evaluations.jsonl || fail "evaluations: $1"
  grep -q '^stopped by the watchdog' progress || { cat progress >&2; fail "not reported: $1"; }
}
resume_hacked "a run that the watchdog stopped stays stopped"
python3 "$here/read_events.py" hacked-again | sed -n '/session/,$p' | grep "^$stopped_at evaluation/brightness " >/dev/null ||
  fail "the evaluation of the iteration that a run resumes at is lost"
grep -q '^model: hacked/best$' <(tail -n 1 hacked-answer) || fail "the last line does not name the best model: $(tail -n 1 hacked-answer)"
mixgrpo align --config hacked/settings.json --out hacked-before --iterations $((stopped_at - 1)) >answer 2>&1
rm hacked-again/checkpoints/iteration-*
cp hacked-before/checkpoints/iteration-* hacked-again/checkpoints/
resume_hacked "a verdict whose checkpoint was not written holds"
mixgrpo align --resume --out hacked-again --watchdog warn --iterations $((stopped_at + 1)) >answer 2>&1
[ "$(wc -l <hacked-again/metrics.jsonl)" -eq $((stopped_at + 1)) ] || fail "a watchdog that only warns does not let go on"
refuse 2 "evaluation.every: expected a number above 0 (--evaluate-every), because rewards are held out" "${align[@]}" --reward darkness --held-out contrast --evaluate-every 0 --out o
refuse 2 "held_out: expected a reward that is held out" "${align[@]}" --reward darkness --evaluate-every 2 --watchdog warn --out o
refuse 2 "rewards: expected a different name for each" "${align[@]}" --reward darkness --evaluate-every 2 --held-out darkness --out o

refuse 1 "velocity" "${align[@]}" --reward darkness --learning-rate 10 --iterations 2 --out ruined
mixgrpo align --resume --out ruined --set learning.fault_policy=roll_back --iterations 2 >answer 2>progress
grep -q '^2/2 .*rolled back' progress || fail "a rolled-back update is not reported"
[ "$(grep -c '"rolled_back":true' ruined/metrics.jsonl)" -eq 2 ] || fail "fault_policy=roll_back"
refuse 2 "fault_policy: expected stop or skip with undo none" "${align[@]}" --reward darkness --out o \
  --set learning.undo=none --set learning.max_velocity_change=0 --set learning.fault_policy=roll_back

few=(align --model "$base" --prompts prompts.txt --group-size 2 --steps 4 --window-length 2 --pictures-every 0 --set learning.updates_per_iteration=1)
mixgrpo "${few[@]}" --reward darkness --iterations 1 --out few >answer 2>progress
grep -q 'prompts_per_iteration: using all 3 prompts' progress || fail "fewer prompts than usual are not reported"
mixgrpo plan --prompts prompts.txt | grep '^3 prompts and 36 pictures per iteration' >/dev/null || fail "plan does not show that there are few prompts"
mixgrpo plan | grep '^4 prompts and 48 pictures per iteration' >/dev/null || fail "plan without prompts"
refuse 2 "prompts_per_iteration: expected 1…3" plan --prompts prompts.txt --prompts-per-iteration 4
echo "evaluations, faults, few prompts"

"$command" "${align[@]}" --reward darkness --iterations 100000 --out stopped >answer 2>progress &
process=$!
wait_for has_lines stopped/metrics.jsonl 2
kill -INT "$process"
code=0
wait "$process" || code=$?
[ "$code" -eq 130 ] || { cat progress >&2; fail "Ctrl-C: expected exit code 130, got $code"; }
grep -q 'mixgrpo align --resume' progress || fail "Ctrl-C does not say how to continue"
iteration=$(mixgrpo inspect stopped --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["iteration"])')
mixgrpo align --resume --out stopped --iterations $((iteration + 1)) >answer 2>&1
mixgrpo "${align[@]}" --reward darkness --iterations $((iteration + 1)) --out unstopped >answer 2>&1
same_run unstopped stopped "Ctrl-C and resume"

"$command" "${align[@]}" --reward-program "python3 $here/scorer.py stubborn waiting" --out twice >answer 2>&1 &
process=$!
wait_for test -s waiting
# Held while the first is sent, so that it is there before the second however busy the machine is.
kill -STOP "$process"
kill -INT "$process"
kill -CONT "$process"
sleep 0.8
kill -TERM "$process" 2>/dev/null || true
code=0
wait "$process" || code=$?
[ "$code" -eq 130 ] || fail "two signals: expected exit code 130, got $code"
# The end takes its time here: the program is gone long before its 4 000 files are, which the run must not take for a failure.
[ -z "$(find twice/checkpoints -name 'iteration-*')" ] || fail "the second Ctrl-C did not stop at once"
[ -z "$(ls "$TMPDIR")" ] || fail "temporary files were left: $(ls "$TMPDIR")"

stopped_by() { # what stops it, message: a run that is stopped has saved, and goes on to the bits of one that is not
  local process=$!
  wait_for has_lines "$1/metrics.jsonl" 2
  "${@:3}" "$process"
  local code=0
  wait "$process" || code=$?
  [ "$code" -eq 130 ] || { cat progress >&2; fail "$2: expected exit code 130, got $code"; }
  local iteration=$(wc -l <"$1/metrics.jsonl")
  [ -e "$1/model/config.json" ] && [ -e "$1/checkpoints/iteration-$(printf %08d "$iteration").safetensors" ] || fail "$2 does not save"
  [ ! -e "$1/checkpoints/run.lock" ] || fail "$2 leaves the lock"
}
together() { kill -STOP "$1"; kill -INT "$1"; kill -CONT "$1"; kill -INT "$1"; }
endless=("${align[@]}" --reward darkness --iterations 100000)
# Under nohup these tests inherit an ignored SIGHUP.
env --default-signal=HUP "$command" "${endless[@]}" --out hung-up >answer 2>progress &
stopped_by hung-up "SIGHUP" kill -HUP
"$command" "${endless[@]}" --out terminated >answer 2>progress &
stopped_by terminated "SIGTERM" kill -TERM
"$command" "${endless[@]}" --out together >answer 2>progress &
stopped_by together "two SIGINT at once, as from timeout," together
(trap '' HUP; exec "$command" "${align[@]}" --reward darkness --iterations 3 --out nohup) >answer 2>progress &
process=$!
wait_for has_lines nohup/metrics.jsonl 1
kill -HUP "$process"
wait "$process" || fail "SIGHUP ends a run under nohup"
code=0
{ "$command" "${endless[@]}" --out piped 2>&1 >answer || echo $? >code; } | head -n 2 >progress
[ "$(cat code)" -eq 130 ] && [ -e piped/model/config.json ] || fail "a closed pipe ends a run without a model"
iteration=$(wc -l <piped/metrics.jsonl)
[ -e "piped/checkpoints/iteration-$(printf %08d "$iteration").safetensors" ] || fail "a closed pipe does not save"
echo "Ctrl-C, SIGHUP, SIGTERM, closed pipes"

# ------------------------------------------------------------------------------------------------ locks, before a checkpoint

"$command" "${endless[@]}" --set save_every=1000 --out locked >answer 2>progress &
process=$!
wait_for has_lines locked/metrics.jsonl 2
refuse 2 "locked/checkpoints: expected a folder that no other run is using, got one in use by process $process on $(hostname) since 20" \
  align --resume --out locked
refuse 2 "in use by process $process" "${align[@]}" --reward darkness --out locked
kill -KILL "$process"
wait "$process" || true
[ -e locked/checkpoints/run.lock ] || fail "a kill leaves no lock file"
refuse 2 "locked: expected a folder without a run, got one; use --resume" "${align[@]}" --reward darkness --out locked
mixgrpo align --resume --out locked --iterations 2 >answer 2>progress
grep -q '^no checkpoint yet: the run starts from the beginning' progress || fail "a run without a checkpoint does not say that it starts again"
mixgrpo "${align[@]}" --reward darkness --iterations 2 --out unlocked >answer 2>&1
same_run unlocked locked "a run killed before its first checkpoint"
echo "locks, before a checkpoint"

# --------------------------------------------------------------------------------------------------------- reward programs

scorer() { # behaviour, more arguments: one iteration
  rm -rf scored
  mixgrpo "${align[@]}" --reward-program "mine=python3 $here/scorer.py $1" --iterations 1 --out scored "${@:2}" >answer 2>progress
}
mean() { python3 -c 'import json; r = json.loads(open("scored/metrics.jsonl").readline())["rewards"]["mine"]; print(r["mean"], r["failed"])'; }
refuse_scorer() { # behaviour, message
  rm -rf scored
  refuse 1 "$2" "${align[@]}" --reward-program "mine=python3 $here/scorer.py $1" --iterations 2 --out scored "${@:3}"
  [ -e scored/checkpoints ] || fail "a failed reward lost the run"
}
scorer index && [ "$(mean)" = "1.5 0" ] || fail "scores do not arrive: $(mean)"
scorer metadata --prompts prompts.jsonl && [ "$(mean)" = "11.5 0" ] || fail "metadata does not arrive: $(mean)"
scorer one-nan && [ "$(mean)" = "1.6666666666666667 1" ] || fail "nan: $(mean)"
scorer one-garbage && [ "$(mean)" = "1.6666666666666667 1" ] || fail "garbage: $(mean)"
grep -q 'got "pretty good"; 1 of 4 pictures count as not scored' progress || fail "garbage is not reported"
rm -rf scored
mixgrpo "${align[@]}" --set 'rewards=[{"name": "mine", "program": ["sh", "-c", "cat > /dev/null; seq 0 3"], "per_batch": true}]' \
  --iterations 2 --out scored >answer 2>&1
[ "$(mean)" = "1.5 0" ] || fail "a program per batch: $(mean)"
refuse_scorer garbage "reward mine: python3 $here/scorer.py garbage: expected a number or nan in each line, got \"loading the model …\""
refuse_scorer too-many "reward mine: python3 $here/scorer.py too-many: expected"
refuse_scorer ends "expected 4 lines, got 1 before it ended with exit code 7"
refuse_scorer ends-later "before it ended with exit code 7"
[ "$(wc -l <scored/metrics.jsonl)" -eq 1 ] || fail "the iteration before a failed reward is lost"
rm -rf scored
refuse 1 "within 0.2 seconds" "${align[@]}" --out scored \
  --set "rewards=[{\"name\": \"mine\", \"program\": [\"python3\", \"$here/scorer.py\", \"silent\"], \"timeout_seconds\": 0.2}]"
rm -rf scored
refuse 1 "reward mine: no-such-program: expected a program that can be started" "${align[@]}" --reward-program "mine=no-such-program" --out scored
rm -rf scored
mixgrpo "${align[@]}" --reward-program "python3 $root/examples/rewards/redness.py" --reward warmth --iterations 1 --out scored >answer 2>&1
[ -z "$(ls "$TMPDIR")" ] || fail "temporary files were left: $(ls "$TMPDIR")"
echo "reward programs"

# -------------------------------------------------------------------------------------------------------------- embeddings

python3 - <<'PYTHON'
import json, math, struct
def save(path, tensors):
    header, data = {}, b""
    for name, shape in tensors.items():
        values = struct.pack(f"<{math.prod(shape)}f", *(math.sin(i) for i in range(math.prod(shape))))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    head = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(head)) + head + data)
save("fit.safetensors", {"prompt_embeds": [3, 5, 64], "pooled_prompt_embeds": [3, 64]})
save("narrow.safetensors", {"prompt_embeds": [3, 5, 32], "pooled_prompt_embeds": [3, 64]})
save("uneven.safetensors", {"prompt_embeds": [3, 5, 64], "pooled_prompt_embeds": [2, 64]})
save("other.safetensors", {"embeds": [3, 5, 64]})
PYTHON
mixgrpo align --model "$base" --embeddings fit.safetensors "${small[@]}" --reward contrast --iterations 1 --out embedded >answer 2>&1
mixgrpo sample --model "$base" --embeddings fit.safetensors --prompts prompts.txt --samples 1 --steps 1 --out d.png >answer 2>&1
refuse 2 "text width 64" sample --model "$base" --embeddings narrow.safetensors
refuse 2 "pooled_prompt_embeds: expected 3 prompts" sample --model "$base" --embeddings uneven.safetensors
refuse 2 "prompt_embeds: expected this tensor" sample --model "$base" --embeddings other.safetensors
refuse 2 "prompts: expected 3, one for each row" sample --model "$base" --embeddings fit.safetensors --prompts prompts.jsonl
echo "embeddings"

# -------------------------------------------------------------------------------------------------------- inspect and plan

for path in "$base" whole whole/checkpoints whole/model fit.safetensors a.png; do
  mixgrpo inspect "$path" >/dev/null
  mixgrpo inspect "$path" --json | python3 -m json.tool >/dev/null || fail "inspect $path --json"
done
mixgrpo inspect "$base" | grep -E '^transformer_blocks|^  transformer_blocks.0' >/dev/null || fail "inspect lists no tensors"
mixgrpo inspect fit.safetensors | grep -F '[3,5,64]' >/dev/null || fail "inspect shows no shapes"
refuse 1 "nowhere: expected a file or a folder, got none" inspect nowhere
mixgrpo inspect whole a.png hacked >answer
[ "$(grep -c '^kind ' answer)" -eq 3 ] || fail "inspect of several paths"
for line in '^iterations  *4 of 4$' '^mean of 2 iterations  *before  *after  *change$' '^darkness  *0\.' '^best model  *whole/model$' \
  '^best evaluation: iteration [0-9]' '^brightness \[held out\]  *0\.' '^best model  *hacked/best$' '^latest model  *hacked/model$' \
  '^  model  .*examples/base$' '^  rewards  *darkness, symmetry$' '^  sampling.steps  *4$'; do
  grep -q "$line" answer || { cat answer >&2; fail "inspect of a run: expected $line"; }
done
mixgrpo inspect whole hacked --json | python3 -c 'import json, sys
whole, hacked = json.load(sys.stdin)
assert whole["iterations_done"] == 4 and set(whole["training"]) == {"darkness", "symmetry"}, whole
assert hacked["evaluation"]["brightness"]["held_out"] and hacked["best_model"] == "hacked/best" and hacked["best_iteration"] >= 0, hacked'
refuse 2 "expected a model, an adapter, a checkpoint, a run" inspect prompts.txt
head -c 100 "$base/diffusion_pytorch_model.safetensors" >torn.safetensors
refuse 2 "torn.safetensors: header length" inspect torn.safetensors
printf 'a text, not an adapter\n' >text.safetensors
refuse 2 "text.safetensors: header: expected a safetensors file, got a text file" sample x --lora text.safetensors --out o.png

calls() { mixgrpo plan --prompts-per-iteration 1 --iterations 1 --json "$@" |
  python3 -c 'import json, sys; p = json.load(sys.stdin); print(p["model_calls_rollout"], p["stages"][0]["steps"])'; }
[ "$(calls)" = "289 25" ] || fail "plan: $(calls)"
[ "$(calls --set sampling.exact_sharing=false --preset mixgrpo_flash_star)" = "96 8" ] || fail "plan of flash star"
mixgrpo plan --model "$base" --iterations 60 | grep '^25–49 *1–4 ' >/dev/null || fail "plan shows no windows"
mixgrpo plan --model "$base" --iterations 1 --json | python3 -c 'import json, sys; assert json.load(sys.stdin)["memory"]["peak_bytes"] > 4 * 2304560'
mixgrpo plan --model "$base" --iterations 1 --evaluate-every 5 | grep '^evaluation ' >/dev/null || fail "plan does not count what evaluations keep"
refuse 2 "window_length" plan --window-length 99
mixgrpo plan --model "$base" --iterations 1 --prompts-per-iteration 8 --ranks 4 | grep '^4 ranks  *each sends at most 52[.]8 MiB' >/dev/null ||
  fail "plan does not show what ranks send"
mixgrpo plan --model "$base" --iterations 1 --ranks 4 --evaluate-every 0 --pictures-every 0 | grep ' 0[.]0 per evaluation and 0[.]0 per grid of pictures$' >/dev/null ||
  fail "plan counts evaluations and pictures that there are none of"
refuse 2 "ranks: expected 1…1024, got 0" plan --model "$base" --iterations 1 --ranks 0
mixgrpo plan --model "$base" --iterations 2 --evaluate-every 1 >answer
grep -q '^iteration  *about .*: rollout .*, update ' answer && grep -q '^run  *about .*, evaluations ' answer && grep -q '(measured: ' answer ||
  { cat answer >&2; fail "plan does not show the time"; }
mixgrpo plan --model "$base" "${small[@]}" --iterations 40 --prompts prompts.txt --json >answer
rm -rf timed
mixgrpo "${align[@]}" --reward darkness --iterations 40 --out timed >/dev/null 2>&1
python3 - <<'PYTHON'
import json
predicted = json.load(open("answer"))["seconds"]
took = [json.loads(line) for line in open("timed/metrics.jsonl")]
mean = sum(line["seconds_rollout"] + line["seconds_update"] for line in took) / len(took)
assert predicted["measured"] and mean / 8 < predicted["iteration"] < 8 * mean, (predicted, mean)
PYTHON
echo "inspect and plan"

# --------------------------------------------------------------------------------------------------------------- pretrain

for picture in each/*.png; do echo "{\"file_name\": \"${picture#each/}\", \"text\": \"a red circle\"}"; done >each/metadata.jsonl
tiny=(--heads 2 --head-dim 16 --double-blocks 1 --single-blocks 1 --batch 2 --pictures-every 0)
mixgrpo pretrain --data each "${tiny[@]}" --steps 400 --out learnt --threads 1 >answer 2>&1
"$command" pretrain --data each "${tiny[@]}" --steps 400 --out stopped-pretrain --threads 2 >answer 2>progress &
process=$!
wait_for has_lines stopped-pretrain/metrics.jsonl 2
kill -INT "$process"
code=0
wait "$process" || code=$?
[ "$code" -eq 130 ] || { cat progress >&2; fail "Ctrl-C in pretrain: expected exit code 130, got $code"; }
mixgrpo pretrain --resume --out stopped-pretrain >answer 2>&1
same_run learnt stopped-pretrain "pretrain, Ctrl-C and resume"
mixgrpo sample "a red circle" --model learnt/model --samples 1 --steps 1 --out e.png >answer 2>&1
refuse 2 "learning_rate: expected 0.001, as saved, got 0.01" pretrain --resume --out stopped-pretrain --learning-rate 0.01
mixgrpo pretrain --data each "${tiny[@]}" --steps 2 --seed 1 --start-from learnt/model --out further >answer 2>&1
python3 - <<'PYTHON' || fail "pretrain does not start from the given weights"
import json
loss = lambda run, place: json.loads(open(f"{run}/metrics.jsonl").read().splitlines()[place])["loss"]
assert loss("further", 0) < 0.8 * loss("learnt", 0), (loss("further", 0), loss("learnt", 0))
PYTHON
refuse 2 "start_from: expected a model of 48 channels, 4 heads of 16" pretrain --data each "${tiny[@]}" --heads 4 --start-from learnt/model --out o
refuse 1 "nowhere/metadata.jsonl" pretrain --data nowhere --out o
refuse 2 "model.head_dim: expected" pretrain --data each --out o --head-dim 1
[ "$(ls learnt/checkpoints)" = "iteration-00000400.safetensors" ] || fail "checkpoints of pretrain: $(ls learnt/checkpoints)"
mixgrpo inspect learnt --json | python3 -c 'import json, sys; assert json.load(sys.stdin)["iteration"] == 400'
"$command" pretrain --data each "${tiny[@]}" --steps 400 --save-every 50 --out flipped-pretrain >answer 2>progress &
process=$!
wait_for test -e flipped-pretrain/checkpoints/iteration-00000100.safetensors
kill -INT "$process"
wait "$process" || true
newest=$(ls flipped-pretrain/checkpoints/iteration-* | tail -n 1)
flip "$newest"
mixgrpo pretrain --resume --out flipped-pretrain >answer 2>progress
grep -q "skipped a damaged checkpoint: $newest" progress || { cat progress >&2; fail "a flipped bit in a checkpoint of pretrain"; }
same_run learnt flipped-pretrain "pretrain past a damaged checkpoint"
mkdir unnumbered
cp -r learnt/settings.json learnt/metrics.jsonl learnt/model unnumbered/
mkdir unnumbered/checkpoints
cp learnt/checkpoints/iteration-00000400.safetensors unnumbered/checkpoints/pretrainer.safetensors
sum unnumbered/*.* unnumbered/model/* >before
refuse 2 "unnumbered/checkpoints: expected a checkpoint such as iteration-00000200.safetensors to resume, got none, though" \
  pretrain --resume --out unnumbered
sum unnumbered/*.* unnumbered/model/* | cmp before - || fail "a refused resume of pretrain changes the run"
(ulimit -v 3000000; refuse 1 "batch: expected as many pictures of 32×32 pixels as memory holds" pretrain --data each "${tiny[@]}" --out o --batch 1000000)
echo "pretrain"
# ---------------------------------------------------------------------------------------------------------------- compare

mixgrpo compare --model "$base" --methods mixgrpo --iterations 1 --seeds 1 --prompts 1 --group-size 4 --steps 6 --evaluations 1 \
  --evaluation-steps 1 --evaluation-pictures 1 --only-rewards --out compared >answer 2>&1
[ -s compared/report.html ] || { cat answer >&2; fail "compare wrote no report"; }
refuse 64 "--methods" compare --methods nonsense
echo "compare"

# --------------------------------------------------------------------------------------------------------------- terminal

python=${PYTHON:-python3}
if "$python" -c 'import pyte, PIL' 2>/dev/null; then
  mkdir terminal
  (cd terminal && "$python" "$here/terminal.py" "$command" "$base")
elif [ -n "${CI:-}" ]; then
  fail "pyte and Pillow are needed in CI"
else
  echo "without pyte and Pillow nothing is tested in a terminal"
fi
echo "the command does what its help says"
