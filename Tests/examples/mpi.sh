#!/usr/bin/env bash
# examples/mpi/align.c under mpirun: 1, 2, 3 and 4 processes give the same weights; a process that dies ends the others. What the
# callbacks send is what `mixgrpo plan` states, counted by examples/lab/benchmark/ranks.c.
#
# Needs mixgrpo-command and libmixgrpo.so in .build/release, or the library's folder in MIXGRPO_LIBRARY_FOLDER, and Open MPI, without which it is skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
command -v mpicc >/dev/null && command -v mpirun >/dev/null || {
  echo "Open MPI is not installed (apt-get install libopenmpi-dev openmpi-bin): examples/mpi is skipped"
  exit
}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ranks=(timeout 60 mpirun --oversubscribe --quiet)

mpicc -std=c99 -O2 -Wall -Wextra -pedantic -Werror -Iinclude -o "$out/align" examples/mpi/align.c examples/mpi/mpi_collective.c \
  -L"$folder" -lmixgrpo -Wl,-rpath,"$folder"
"${ranks[@]}" -n 1 "$out/align" examples/base 1 >"$out/one"
for count in 2 3 4; do
  "${ranks[@]}" -n "$count" "$out/align" examples/base 1 >"$out/several"
  cmp "$out/one" "$out/several" || { echo "FAILED: $count processes differ from one" >&2; exit 1; }
done

# A process that has no model ends the job, with its error.
if "${ranks[@]}" -n 1 "$out/align" examples/base 1 : -n 1 "$out/align" missing 1 >"$out/log" 2>&1; then
  echo "FAILED: a process without a model is not noticed" >&2
  exit 1
fi
grep -q "missing" "$out/log" || { cat "$out/log" >&2; echo "FAILED: the error does not name the folder" >&2; exit 1; }

# The bytes of the rank that sends most, in an iteration of 5 prompts on 3 ranks.
mpicc -std=c99 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra -pedantic -Werror -Iinclude -Iexamples/mpi -o "$out/ranks" \
  examples/lab/benchmark/ranks.c examples/mpi/mpi_collective.c -L"$folder" -lmixgrpo -Wl,-rpath,"$folder"
"${ranks[@]}" -n 3 "$out/ranks" prompts=5 group=2 steps=2 window=1 start=0 minibatches=2 iterations=1 >"$out/counted"
printf 'prompt %d\n' 1 2 3 4 5 >"$out/prompts"
.build/release/mixgrpo-command plan --model examples/base --prompts "$out/prompts" --prompts-per-iteration 5 --group-size 2 --steps 2 \
  --window-length 1 --set learning.updates_per_iteration=2 --ranks 3 --json >"$out/plan"
python3 - "$out/counted" "$out/plan" <<'PYTHON'
import json
import sys

counted, plan = (json.load(open(path)) for path in sys.argv[1:])
assert max(counted["bytes"]) == plan["ranks"]["sent_bytes_per_iteration"] > 0, (counted, plan["ranks"])
PYTHON
echo "examples/mpi: $(tail -1 "$out/one"), with 1, 2, 3 and 4 processes"
