#!/usr/bin/env bash
# Random walks through the states of the C interface, compared with a model of it. Usage: Tests/states/run.sh STEPS [SEED]
#   SANITIZE=address  against a library under AddressSanitizer, which is built first
# PYTHON must have hypothesis and numpy. Buffers that calls get always end at a guard page.
set -euo pipefail
cd "$(dirname "$0")/../.."
run=("${PYTHON:-python3}" Tests/states/walk.py --steps "$1" --seed "${2:-1}")
export MIXGRPO_LIBRARY=${MIXGRPO_LIBRARY:-$PWD/.build/release/libmixgrpo.so} PYTHONPATH=bindings/python
case ${SANITIZE:-} in
  '') exec "${run[@]}" ;;
  address) ;;
  *) echo "error: SANITIZE: expected address or nothing, got $SANITIZE" >&2; exit 2 ;;
esac
MIXGRPO_SANITIZER=1 swift build -c release --product mixgrpo --sanitize=address --scratch-path .build-address-library
resources=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
# Python itself never gives back all that it takes.
export MIXGRPO_LIBRARY=$PWD/.build-address-library/release/libmixgrpo.so ASAN_OPTIONS=detect_leaks=0
LD_PRELOAD=$(find -L "$resources/clang/lib" -name "libclang_rt.asan-$(uname -m).so" | head -1) exec "${run[@]}"
