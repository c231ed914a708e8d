#!/usr/bin/env bash
# Coverage-guided campaigns with libFuzzer and AddressSanitizer over all formats. Usage: Tests/fuzz/guided.sh RUNS
# What is found is written to the folder out/fuzz, one file for each crash; replay it with: formats FORMAT --replay FILE
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=$1
export MIXGRPO_SANITIZER=1 MIXGRPO_LIBFUZZER=1
swift build -c release --product formats --sanitize=address -Xswiftc -sanitize=fuzzer --scratch-path .build-fuzz
mkdir -p out/fuzz
for format in json configuration safetensors index model checkpoint png captions words metrics; do
  mkdir -p "out/fuzz/$format"
  ASAN_OPTIONS=detect_leaks=0 .build-fuzz/release/formats "$format" --libfuzzer "-runs=$runs" -max_len=4096 -timeout=30 \
    -artifact_prefix="out/fuzz/$format-" -print_final_stats=1 -verbosity=0 "out/fuzz/$format"
done
