#!/usr/bin/env bash
# The benchmark measures every part of model S, once each, and writes its figures.
#
# Needs .build/release/benchmark.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

.build/release/benchmark --models S --quick --seconds 1 --out "$out" >"$out/log" || { cat "$out/log"; exit 1; }
python3 - "$out/bench-own.json" <<'PYTHON'
import json
import sys

rows = json.load(open(sys.argv[1]))["measurements"]
assert len(rows) > 10, rows
print(f"the benchmark measures {len(rows)} parts of an iteration")
PYTHON
[ -s "$out/bench-own.md" ]
