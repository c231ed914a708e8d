#!/usr/bin/env bash
# Random inputs for everything that reads, and random calls of every function of mixgrpo.h.
# Begins with the files in Tests/fuzz/regressions. A function without a random call does not link; one that its random call never
# reaches is an error.
# Usage: Tests/fuzz/run.sh INPUTS [SEED]     INPUTS for each format, and calls; the same seed begins with the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
inputs=$1 seed=${2:-1}
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
formats=$(realpath .build/release/formats)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for folder_of_format in Tests/fuzz/regressions/*; do
  "$formats" "$(basename "$folder_of_format")" --replay "$folder_of_format"/* > /dev/null
done
echo "$(find Tests/fuzz/regressions -type f | wc -l) inputs that did harm, or would elsewhere, read again; seed $seed"
"$formats" all --inputs "$inputs" --seed "$seed"
cc -std=c11 -O1 -g -Wall -Wextra -Werror -Iinclude -o "$out/interface" Tests/fuzz/interface/*.c \
  -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lpthread -lm
"$out/interface" --calls "$inputs" --seed "$seed"
"$out/interface" --calls "$((inputs / 4))" --seed "$((seed + 1))" --threads 4 --memory 4096
