#!/usr/bin/env bash
# Installs, moves the installation elsewhere, builds a CMake project against it as a user would, and runs its programs.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

make -s install PREFIX="$out/first"
mv "$out/first" "$out/moved"

configure() { # build folder, release
  cmake -S Tests/cmake -B "$out/$1" -DCMAKE_PREFIX_PATH="$out/moved" -DWANTED="$2" > "$out/$1.txt" 2>&1
}
version=$(sed -n 's/^VERSION := //p' Makefile)
configure build "${version%.*}" || { cat "$out/build.txt" >&2; exit 1; }
cmake --build "$out/build" > "$out/make.txt" 2>&1 || { cat "$out/make.txt" >&2; exit 1; }

for wanted in "$version;EXACT" "0.0...<1.0"; do
  configure right "$wanted" || { cat "$out/right.txt" >&2; echo "error: release $wanted was refused" >&2; exit 1; }
  rm -rf "$out/right"
done
for wanted in 0.0 0.2 1.0 "${version%.*}.999" "0.2...1.0"; do
  if configure wrong "$wanted"; then
    echo "error: release $wanted was asked for and $version was taken" >&2
    exit 1
  fi
  grep -q 'mixgrpoConfig.cmake, version: ' "$out/wrong.txt" # found, and refused for its version
  rm -rf "$out/wrong"
done

base=$PWD/examples/base
cd "$out"
for program in quickstart_c quickstart_cpp; do
  if build/$program "$out/nothing-here" 2> message; then
    echo "error: $program: a missing model folder was not refused" >&2
    exit 1
  fi
  grep -q nothing-here message
done
build/quickstart_cpp "$base" | tail -1
[ -s aligned/diffusion_pytorch_model.safetensors ]
echo "installed, moved, found by CMake, and run from C++"
