#!/usr/bin/env bash
# A comparison of a few seconds with `mixgrpo compare`: what it writes, that it goes on where it stood, and, in a headless
# Chromium, that its page looks right. Where no Chromium can be had the page is not looked at, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
command=${MIXGRPO_COMMAND:-.build/release/mixgrpo-command}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

run() {
  "$command" compare --out "$out" --methods dance-14,mixgrpo,mixgrpo-flash-star --iterations 2 --seeds 2 --prompts 1 --group-size 4 \
    --steps 6 --evaluations 1 --evaluation-steps 1 --evaluation-pictures 1 --turns 1 "$@"
}

echo "compare, small"
run --only-rewards >"$out/first.txt"
[ ! -e "$out/timing.json" ] && [ ! -e "$out/curves-seconds.svg" ] || fail "--only-rewards measured times"
[ "$(ls "$out"/runs/*.json | wc -l)" = 6 ] || fail "expected 6 results, got: $(ls "$out/runs")"
find "$out/runs" -type d | tail -n +2 | grep -q . && fail "a checkpoint was left behind"
cp "$out/table.csv" "$out/before.csv"

rm "$(ls "$out"/runs/mixgrpo-seed2-*.json)"
run >"$out/second.txt"
grep -q '^5 of 6 runs are already done$' "$out/second.txt" || fail "runs that were done were not skipped"
grep -c '2/2:' "$out/second.txt" | grep -qx 1 || fail "expected one run again, got: $(cat "$out/second.txt")"
columns() { cut -d, -f1-3,5,7- "$1"; } # those without times
cmp <(columns "$out/before.csv") <(columns "$out/table.csv") || fail "the run made again differs"

run >"$out/third.txt"
grep -q '^6 of 6 runs are already done$' "$out/third.txt" || fail "a run was made again"
grep -q '^timing: ' "$out/third.txt" && fail "times were measured again"
run --only-rewards --group-size 5 --methods mixgrpo >"$out/other.txt" # other settings beside the first ones
grep -q 'runs are already done' "$out/other.txt" && fail "runs of other settings were taken for these"
grep -q 'Times were not measured' "$out/report.html" || fail "times of other settings were taken for these"
run >/dev/null

# Two comparisons at once would write the same files. What is printed cannot move the cursor.
odd=$out/$'odd \e[1m name'
mkdir "$odd"
cp -r "$out"/runs "$out"/timing.json "$odd"
run --out "$odd" >"$out/fourth.txt"
grep -qF 'odd \u{1b}[1m name/report.html' "$out/fourth.txt" || fail "an escape sequence was printed: $(tail -1 "$out/fourth.txt")"
if flock "$odd/run.lock" "$command" compare --out "$odd" >"$out/fifth.txt" 2>&1; then fail "two comparisons ran in one folder"; fi
grep -q 'expected a folder that no other run is using' "$out/fifth.txt" || fail "expected a lock, got: $(cat "$out/fifth.txt")"
grep -q $'\e' "$out/fifth.txt" && fail "an escape sequence was printed"

# Ctrl-C keeps the latest evaluation of each run, and the same command goes on there.
stoppable() { run --out "$out/stopped" --only-rewards --methods mixgrpo --seeds 1 --iterations "$1" --evaluations "$1"; }
stoppable 1000 >"$out/sixth.txt" 2>"$out/stopping.txt" &
for _ in $(seq 1 1200); do grep -q ' [0-9]*/1000: ' "$out/sixth.txt" && break; sleep 0.05; done
kill -INT "$(pgrep -P $! || echo $!)"
status=0
wait $! || status=$?
[ "$status" = 130 ] || fail "a comparison that was stopped: expected exit code 130, got $status: $(cat "$out/stopping.txt")"
grep -q 'the same command goes on where this one stands' "$out/stopping.txt" || fail "expected the way on, got: $(cat "$out/stopping.txt")"
ls "$out"/stopped/runs/*/progress.json >/dev/null || fail "the latest evaluation was not kept"

for file in table.md table.csv curves-iterations.svg curves-seconds.svg timing.json report.html samples-base.png samples-mixgrpo.png; do
  [ -s "$out/$file" ] || fail "$file is missing"
done
python3 - "$out" <<'PYTHON'
import sys, xml.dom.minidom
for name in ["curves-iterations.svg", "curves-seconds.svg"]:
    document = xml.dom.minidom.parse(f"{sys.argv[1]}/{name}")
    assert len(document.getElementsByTagName("circle")) >= 4 * 3 * 2, name
PYTHON

refused() { # message, arguments...
  if message=$("$command" compare --out "$out/refused" "${@:2}" 2>&1 >/dev/null); then fail "${*:2} was accepted"; fi
  case $message in *"$1"*) ;; *) fail "${*:2}: expected \"$1\", got \"$message\"" ;; esac
}
refused "methods: expected flow-grpo" --methods mixgrpo,foo
refused "methods: expected flow-grpo" --methods ,
refused "iterations: expected 1…100000, got 0; steps: expected 6…1000, got 3" --iterations 0 --steps 3
refused "expected one of them, got both" --only-rewards --only-timing
refused "/nowhere" --model /nowhere

status=0
python3 Tests/compare/check_page.py "$out/report.html" ${SCREENSHOTS:-} || status=$?
if [ "$status" = 2 ] && [ -z "${CI:-}" ]; then
  echo "the page was not looked at"
elif [ "$status" != 0 ]; then
  fail "the page"
fi
echo "the comparison is tested"
