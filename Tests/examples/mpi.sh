#!/usr/bin/env bash
# examples/mpi/align.c under mpirun: 1, 2, 3 and 4 processes give the same weights; a process that dies ends the others.
#
# Needs libmixgrpo.so in .build/release, or the folder in MIXGRPO_LIBRARY_FOLDER, and Open MPI, without which it is skipped.
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
echo "examples/mpi: $(tail -1 "$out/one"), with 1, 2, 3 and 4 processes"
