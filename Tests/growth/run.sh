#!/usr/bin/env bash
# Trains ITERATIONS times in one process, in each language, and checks that memory, file descriptors and threads stay flat after the
# first tenth. Usage: Tests/growth/run.sh ITERATIONS [c] [c++] [python] [rust]
#   PYTHON must have NumPy. Without cargo the Rust program is left out, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=Tests/growth
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
iterations=$1
shift
link=(-L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -lpthread)
strict=(-O1 -g -Wall -Wextra -Werror -Iinclude -I$here)

cc -std=gnu11 "${strict[@]}" -c -fPIC -o "$out/measure.o" $here/measure.c
cc -shared -o "$out/libmeasure.so" "$out/measure.o"

build_c() {
  cc -std=gnu11 "${strict[@]}" -ITests/c -o "$out/c" $here/growth.c Tests/c/check.c Tests/c/fixture.c "$out/measure.o" "${link[@]}" -lm
}
build_c++() { c++ -std=c++17 "${strict[@]}" -ITests/cpp -o "$out/c++" $here/growth.cpp Tests/cpp/fixture.cpp "$out/measure.o" "${link[@]}"; }
build_python() {
  printf '#!/bin/sh\nexec env MIXGRPO_LIBRARY=%q PYTHONPATH=bindings/python PYTHONDONTWRITEBYTECODE=1 %q %q "$1" %q\n' \
    "$folder/libmixgrpo.so" "${PYTHON:-python3}" $here/growth.py "$out/libmeasure.so" > "$out/python"
  chmod +x "$out/python"
}
build_rust() {
  command -v cargo > /dev/null || return 1
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/.build/rust} CARGO_NET_OFFLINE=true MIXGRPO_LIBRARY_FOLDER=$folder
  (cd bindings/rust && cargo build -q --release --lib)
  rustc --edition 2021 -O -D warnings -o "$out/rust" $here/growth.rs --extern mixgrpo="$CARGO_TARGET_DIR/release/libmixgrpo.rlib" \
    -L "$folder" -C link-arg="$out/measure.o" -C link-arg=-Wl,-rpath,"$folder"
}

# Blocks that the allocator keeps in pieces, and tables of the process, may still grow by this.
judge() {
  awk -v language="$1" -v iterations="$iterations" '
    $1 == "held" { if (!seen++) split($0, first); split($0, last) }
    END {
      if (seen != 2) { print language ": expected two measurements, got " seen + 0; exit 1 }
      for (i = 2; i <= 5; i++) grown[i] = last[i] - first[i]
      printf "%s: %d iterations; after the first tenth %+.1f KB in use, %+.1f KB resident, %+d file descriptors, %+d threads\n",
        language, iterations, grown[2] / 1000, grown[3] / 1000, grown[4], grown[5]
      exit grown[2] > 65536 || grown[3] > 4194304 || grown[4] != 0 || grown[5] != 0
    }'
}

for language in ${@:-c c++ python rust}; do
  if ! "build_$language"; then
    echo "$language: left out"
    [ "$language" = rust ] && [ -z "${CI:-}" ] && continue
    exit 1
  fi
  TMPDIR="$out" "$out/$language" "$iterations" | judge "$language" || { echo "error: $language: what the process holds grows" >&2; exit 1; }
done
