#!/usr/bin/env bash
# The program `conformance` prints the same lines in C, C++, Python, Swift and (where it was built) Rust. It walks the whole
# interface: plans, a rollout and an update with a model of the host's own, tickets, a checkpoint, a picture.
#
# Needs libmixgrpo.so and Swift's executable at their usual places, or in MIXGRPO_LIBRARY and CONFORMANCE_SWIFT; PYTHON names an
# interpreter with NumPy.
set -euo pipefail
cd "$(dirname "$0")/../.."
export MIXGRPO_LIBRARY=${MIXGRPO_LIBRARY:-$PWD/.build/release/libmixgrpo.so}
export PYTHONPATH=$PWD/bindings/python${PYTHONPATH:+:$PYTHONPATH}
folder=$(dirname "$MIXGRPO_LIBRARY")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

strict=(-O2 -Wall -Wextra -pedantic -Werror -Iinclude)
link=(-L"$folder" -lmixgrpo -Wl,-rpath,"$folder")
cc -std=c99 "${strict[@]}" -o "$out/c" examples/c/conformance.c "${link[@]}"
c++ -std=c++17 "${strict[@]}" -o "$out/cpp" examples/cpp/conformance.cpp "${link[@]}"

failures=0
languages=(C)
run() { # language, command...
  "${@:2}" examples/base "$out/checkpoint-$1" >"$out/$1.txt"
  [ "$1" = C ] && return
  languages+=("$1")
  diff "$out/C.txt" "$out/$1.txt" || { echo "FAILED: $1 (>) is not as C (<)" >&2; failures=$((failures + 1)); }
}

run C "$out/c"
run C++ "$out/cpp"
run Python "${PYTHON:-python3}" examples/python/conformance.py
run Swift "${CONFORMANCE_SWIFT:-.build/release/conformance}"
rust=.build/rust/release/examples/conformance
if [ -x "$rust" ]; then run Rust "$rust"; fi

# What must hold in any of them: the first ratio is exactly 1, and a resumed run is the one that was not interrupted.
grep -q '^loss [0-9a-f]*, ratios 3ff0000000000000 ' "$out/C.txt" || { echo "FAILED: the first ratio is not 1" >&2; failures=1; }
if [ "$(sed -n 's/^trained//p' "$out/C.txt")" != "$(sed -n 's/^resumed//p' "$out/C.txt")" ]; then
  echo "FAILED: the resumed run went another way" >&2
  failures=1
fi
[ "$failures" -eq 0 ] && echo "${languages[*]}: $(wc -l <"$out/C.txt") equal lines"
