#!/usr/bin/env bash
# The C, C++, Python, Swift and (where it was built) Rust programs `align` do the same to the last bit: same rewards,
# figures, pictures and weights. They are run for two iterations, with a different number of threads each.
#
# Needs libmixgrpo.so and the executables; where they are not at their usual places, tell by environment variables:
#   ALIGN_C, ALIGN_CPP, ALIGN_SWIFT, ALIGN_RUST   the executables   MIXGRPO_LIBRARY   libmixgrpo.so
#   PYTHON   with NumPy                                             MODEL             folder of the base model
# MIXGRPO_PORTABLE_LIBRARY, where it is set, is the library for other processors than this one; it does the same, too.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export MIXGRPO_LIBRARY=${MIXGRPO_LIBRARY:-$root/.build/release/libmixgrpo.so}
export PYTHONPATH=$root/bindings/python${PYTHONPATH:+:$PYTHONPATH}
c=${ALIGN_C:-$root/.build/examples/align}
cpp=${ALIGN_CPP:-$root/.build/examples/align-cpp}
swift=${ALIGN_SWIFT:-$root/.build/release/align}
rust=${ALIGN_RUST:-$root/.build/rust/release/examples/align}
python=${PYTHON:-python3}
settings=(--model "${MODEL:-$root/examples/base}" --iterations 2 --eval-steps 2 --seed 7)

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

run() { # name, threads, command...
  echo "align in $1"
  "${@:3}" "${settings[@]}" --threads "$2" --out "$out/$1" >"$out/$1.txt" 2>&1 || {
    cat "$out/$1.txt" >&2
    exit 1
  }
}

# Numbers stay as they are written; only what a clock measured is cut off.
without_seconds() { sed -E 's/,? ?"seconds[a-z_]*": ?[-+.e0-9]+//g; s/, [0-9]+ seconds in all$//; s/ [0-9]+:[0-9]+ left$//' "$1"; }

failures=0
compare() { # file of C's, file of the other's
  if ! cmp -s <(without_seconds "$1") <(without_seconds "$2"); then
    echo "FAILED: ${2#"$out"/} is not as ${1#"$out"/}:" >&2
    diff <(without_seconds "$1") <(without_seconds "$2") >&2 || true
    failures=$((failures + 1))
  fi
}

run c 1 "$c"
run cpp 4 "$cpp"
run swift 2 "$swift"
run python 3 "$python" "$root/examples/python/align.py"
others=(cpp swift python)
languages="C, C++, Swift and Python"
if [ -x "$rust" ]; then
  run rust 2 "$rust"
  others+=(rust)
  languages="C, C++, Swift, Python and Rust"
else
  echo "align in Rust is left out: it was not built, which needs cargo"
fi

if [ -n "${MIXGRPO_PORTABLE_LIBRARY:-}" ] && ! [ "$MIXGRPO_PORTABLE_LIBRARY" -ef "$MIXGRPO_LIBRARY" ]; then
  MIXGRPO_LIBRARY=$MIXGRPO_PORTABLE_LIBRARY run portable 2 "$python" "$root/examples/python/align.py"
  others+=(portable)
  languages+=", for this processor and for others,"
fi

for other in "${others[@]}"; do
  compare "$out/c.txt" "$out/$other.txt"
  for file in summary.json metrics.jsonl; do
    compare "$out/c/$file" "$out/$other/$file"
  done
  for file in before.png after.png aligned/config.json aligned/diffusion_pytorch_model.safetensors; do
    cmp "$out/c/$file" "$out/$other/$file" >&2 || failures=$((failures + 1))
  done
done

# The programs did something: training moved the model, and the ratio before the first optimizer step was exactly 1.
if cmp -s "$out/c/before.png" "$out/c/after.png"; then
  echo "FAILED: training did not change the pictures" >&2
  failures=$((failures + 1))
fi
if [ "$(grep -c '"first_ratio_min":1.0,"first_ratio_max":1.0,' "$out/c/metrics.jsonl")" != 2 ]; then
  echo "FAILED: a first ratio is not exactly 1" >&2
  failures=$((failures + 1))
fi

[ "$failures" -eq 0 ] && echo "$languages agree to the last bit"
