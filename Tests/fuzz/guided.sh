#!/usr/bin/env bash
# Coverage-guided campaigns with libFuzzer and AddressSanitizer over all formats. Usage: Tests/fuzz/guided.sh RUNS
# What is found is written to the folder out/fuzz, one file for each crash; see it again with: formats FORMAT --replay FILE.
# A finding becomes a file in Tests/fuzz/regressions/FORMAT, where every campaign begins. Inputs that reach new code stay in
# out/fuzz/FORMAT, where the next campaign begins too.
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=$1
export MIXGRPO_SANITIZER=1 MIXGRPO_LIBFUZZER=1 ASAN_OPTIONS=detect_leaks=0
swift build -c release --product formats --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld \
  --scratch-path .build-fuzz
formats=.build-fuzz/release/formats
failed=
for format in json configuration safetensors index model checkpoint png captions words metrics; do
  corpus=out/fuzz/$format
  mkdir -p "$corpus"
  begin=("$corpus")
  [ ! -d "Tests/fuzz/regressions/$format" ] || begin+=("Tests/fuzz/regressions/$format")
  "$formats" "$format" --seeds "$corpus"
  echo "== $format"
  "$formats" "$format" --libfuzzer "-runs=$runs" -timeout=30 -rss_limit_mb=4096 "-artifact_prefix=$corpus-" \
    "-dict=$corpus.tokens" -print_final_stats=1 -print_funcs=0 -verbosity=0 "${begin[@]}" || failed+=" $format"
done
[ -z "$failed" ] || { echo "error: findings in$failed; see out/fuzz" >&2; exit 1; }
