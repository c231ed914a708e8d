#!/usr/bin/env bash
# Random walks through the states of the C interface, compared with a model of it. Usage: Tests/states/run.sh STEPS [SEED]
# PYTHON must have hypothesis and numpy.
set -euo pipefail
cd "$(dirname "$0")/../.."
export MIXGRPO_LIBRARY=${MIXGRPO_LIBRARY:-$PWD/.build/release/libmixgrpo.so} PYTHONPATH=bindings/python
"${PYTHON:-python3}" Tests/states/walk.py --steps "$1" --seed "${2:-1}"
