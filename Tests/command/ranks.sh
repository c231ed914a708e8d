#!/usr/bin/env bash
# mixgrpo align under mpirun: any number of processes gives the same bits; a failure, a stop or a kill of one ends all; a run resumes
# with another number. Two machines are network namespaces; where they are not permitted, that part is skipped.
#
# Builds the command with MIXGRPO_MPI=1, which compiles two files, and then the usual one again. Needs Open MPI, without which it is
# skipped. COMMAND: the command without MPI, if it is not .build/release/mixgrpo-command.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v mpicc >/dev/null && command -v mpirun >/dev/null || {
  echo "Open MPI is not installed (apt-get install libopenmpi-dev openmpi-bin): the command under mpirun is skipped"
  exit
}
. Tests/command/helpers.sh
put_away() {
  kill $(jobs -p) 2>/dev/null || true
  wait || true
  [ ! -e "$out/without" ] || cmp -s "$out/without" "$root/.build/release/mixgrpo-command" || cp "$out/without" "$root/.build/release/mixgrpo-command"
  rm -rf "$out"
}
trap put_away EXIT
build() { (cd "$root" && swift build -c release --explicit-target-dependency-import-check error --product mixgrpo-command 2>&1); }
if [ -n "${MPI_COMMAND:-}" ]; then
  cp "$MPI_COMMAND" mixgrpo
else
  cp "$command" without
  command=$out/without
  MIXGRPO_MPI=1 build >log || { cat log >&2; fail "the command does not build with MPI"; }
  cp "$root/.build/release/mixgrpo-command" mixgrpo
  build >log || { cat log >&2; fail "the command does not build again without MPI"; }
fi

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export MIXGRPO_BASE=$base
mpirun=(timeout 120 mpirun --oversubscribe --quiet)
# Some run at once. Each has a TMPDIR, because mpirun removes the folder that all of one user share there.
apart() { TMPDIR=$(mktemp -d -p "$out") "$@"; }
mpi() { apart "${mpirun[@]}" "$@"; }
ranks() { mpi -n "$1" ./mixgrpo "${@:2}"; }

# Scores pictures. DO="2 1 KILL" sends the command of rank 2 a signal in iteration 1; DO="2 1 print" prints words in place of scores;
# DO="2 1 wait" does not answer.
cat >score.py <<'PYTHON'
import json
import os
import signal
import sys
import time

rank, iteration, action = (os.environ.get("DO") or "none none none").split()
for line in sys.stdin:
    request = json.loads(line)
    is_due = os.environ.get("OMPI_COMM_WORLD_RANK") == rank and str(request["iteration"]) == iteration
    if is_due and action == "wait":
        time.sleep(60)
    elif is_due and action != "print" and request["index"] == 0:
        os.kill(os.getppid(), signal.Signals["SIG" + action])
    print("no score" if is_due and action == "print" else os.path.getsize(request["image"]) % 17, flush=True)
PYTHON
printf '%s\n' 'a red circle' 'a blue square' 'a green triangle' 'a yellow circle' 'a red square' >prompts.txt
align=(align --prompts prompts.txt --prompts-per-iteration 5 --group-size 4 --steps 4 --window-length 2 --iterations 2 --save-every 1
  --evaluate-every 1 --set evaluation.prompts=3 --pictures-every 1 --set pictures_per_prompt=1 --learning-rate 1e-4 --reward darkness --reward-program "p:0.1=python3 $out/score.py" --held-out contrast)

same_run() { # two run folders, what
  cmp "$1/model/diffusion_pytorch_model.safetensors" "$2/model/diffusion_pytorch_model.safetensors" >&2 || fail "$3: weights"
  diff <(without_seconds "$1/metrics.jsonl") <(without_seconds "$2/metrics.jsonl") >&2 || fail "$3: metrics"
  cmp "$1/evaluations.jsonl" "$2/evaluations.jsonl" >&2 || fail "$3: evaluations"
  cmp "$1/pictures/000002.png" "$2/pictures/000002.png" >&2 || fail "$3: pictures"
  cmp "$1"/checkpoints/iteration-00000002.safetensors "$2"/checkpoints/iteration-00000002.safetensors >&2 || fail "$3: checkpoint"
}

refuse_together() { # text that the one line of error must hold, arguments of mpirun...
  local message
  message=$(mktemp -p "$out")
  ! mpi "${@:2}" >/dev/null 2>"$message" || fail "mpirun ${*:2}: expected a refusal"
  grep '^error: ' "$message" | grep -qF -- "$1" || { cat "$message" >&2; fail "mpirun ${*:2}: expected \"$1\" in the message"; }
  [ "$(grep -c '^error: ' "$message")" -eq 1 ] || { cat "$message" >&2; fail "mpirun ${*:2}: expected one line of error"; }
}

# mpirun waits so many seconds before SIGTERM, and again before SIGKILL.
stop_all_with_ctrl_c() {
  export TMPDIR=$out/ctrl-c-tmp
  mkdir "$TMPDIR"
  DO="1 1 wait" OMPI_MCA_odls_base_sigkill_timeout=20 "${mpirun[@]}" -n 2 ./mixgrpo "${align[@]}" --out interrupted >/dev/null 2>ctrl-c &
  wait_for test -e interrupted/checkpoints/iteration-00000001.safetensors
  kill -INT $!
  ! wait $! || fail "Ctrl-C of mpirun is not noticed"
  # Only a run that stops in order, or ends, writes its model. What it says then may be lost with mpirun.
  [ -e interrupted/model/diffusion_pytorch_model.safetensors ] || { cat ctrl-c >&2; fail "Ctrl-C of mpirun does not save"; }
}

# --------------------------------------------------------------------------------------------------------- the same bits

stop_all_with_ctrl_c &
ctrl_c=$!
(mkdir machines && cd machines && apart timeout 300 python3 "$root/Tests/machines/mpi.py" "$out/mixgrpo" "$base") &
machines=$!
mixgrpo "${align[@]}" --set sum_per_prompt=true --out alone >answer 2>log || { cat log >&2; fail "a process alone"; }
for count in 1 2 3 4 6; do
  ranks "$count" "${align[@]}" --out "of-$count" >answer 2>log || { cat log >&2; fail "$count processes"; }
  [ "$(grep -c '^model: ' answer)" -eq 1 ] && [ "$(grep -c '^evaluation at iteration 2' log)" -eq 1 ] || fail "$count processes report more than once"
  same_run alone "of-$count" "$count processes"
done
grep -qF "prompts_per_iteration: 5 prompts for 6 processes; 1 idle" log || { cat log >&2; fail "6 processes with 5 prompts"; }
echo "1, 2, 3, 4 and 6 processes give the same model, metrics, evaluations, pictures and checkpoint"

# ------------------------------------------------------------------------------------------------------ stops and failures

DO="2 1 INT" ranks 3 "${align[@]}" --out stopped >answer 2>log && fail "a stop of one process is not noticed"
grep -q "^saved at iteration 1" log && grep -q "^error: rank 2: cancelled" log || { cat log >&2; fail "a stop of one process"; }
ranks 2 align --resume --out stopped >answer 2>log || { cat log >&2; fail "resumed with two processes"; }
same_run alone stopped "stopped with three processes and resumed with two"

DO="1 1 print" ranks 2 "${align[@]}" --out failed >answer 2>log && fail "an error of one process is not noticed"
grep -q "^error: rank 1: reward p: .*got \"no score\"" log || { cat log >&2; fail "an error of one process"; }
grep -q "^saved at iteration 1" log || { cat log >&2; fail "an error of one process does not save"; }
ranks 4 align --resume --out failed >answer 2>log || { cat log >&2; fail "resumed with four processes"; }
same_run alone failed "failed with two processes and resumed with four"

DO="0 1 KILL" ranks 3 "${align[@]}" --out killed >answer 2>log && fail "a kill of one process is not noticed"
mixgrpo align --resume --out killed >answer 2>log || { cat log >&2; fail "resumed without mpirun"; }
same_run alone killed "killed with three processes and resumed without mpirun"

wait "$ctrl_c"
ranks 3 align --resume --out interrupted >answer 2>log || { cat log >&2; fail "resumed with three processes"; }
same_run alone interrupted "interrupted with two processes and resumed with three"
echo "a stop, an error, a kill and Ctrl-C end all processes; the run resumes with any number to the same bits"

# --------------------------------------------------------------------------------------------------------------- refusals

one=(-n 1 ./mixgrpo "${align[@]}" --out refused)
mkdir elsewhere unseen && cp prompts.txt mixgrpo elsewhere
refusals=()
refused() { refuse_together "$@" & refusals+=($!); }
refused "rank 1: sampling.seed: expected 0, as on rank 0, got 3" "${one[@]}" : "${one[@]}" --seed 3
refused "rank 1: rewards: expected [{" "${one[@]}" : "${one[@]}" --reward brightness
refused "rank 1: out: expected \"$out/refused\", as on rank 0" "${one[@]}" : --wdir elsewhere "${one[@]}"
refused "steps: expected 2…10000, got 0" -n 3 ./mixgrpo "${align[@]}" --out refused --steps 0
refused "2 processes score pictures at once, got person" -n 2 ./mixgrpo "${align[@]}" --out refused --reward-person
sed 's/a red circle/a red ring/' prompts.txt >other.txt
if unshare -m true 2>/dev/null; then
  refused "rank 1: prompts: expected 5 with the hash" "${one[@]}" : \
    -n 1 unshare -m sh -c 'mount --bind other.txt prompts.txt && exec "$@"' sh ./mixgrpo "${align[@]}" --out refused
  refused "rank 1: out: expected the folder of rank 0, which every machine must see" -n 1 ./mixgrpo "${align[@]}" --out unseen/run : \
    -n 1 unshare -m sh -c 'mount -t tmpfs none unseen && exec "$@"' sh ./mixgrpo "${align[@]}" --out unseen/run
fi
for refusal in "${refusals[@]}"; do wait "$refusal"; done
[ ! -e refused ] && [ ! -e elsewhere/refused ] || fail "refused processes left a folder"
OMPI_COMM_WORLD_SIZE=2 refuse 2 "OMPI_COMM_WORLD_SIZE: expected 1, because this command was built without MPI, got 2 processes" \
  "${align[@]}" --out refused
wait "$machines"
echo "processes with other settings, rewards or folders are refused, and a command without MPI"
