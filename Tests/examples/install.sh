#!/usr/bin/env bash
# Installs into an empty folder, builds the README's C program with pkg-config as a user would, and runs it.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

make -s install PREFIX="$prefix"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
[ "$(pkg-config --modversion mixgrpo)" = "$(sed -n 's/^VERSION := //p' Makefile)" ]
# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -pedantic -Werror examples/c/quickstart.c $(pkg-config --cflags --libs mixgrpo) \
  -Wl,-rpath,"$prefix/lib" -o "$prefix/quickstart"

if ldd "$prefix/lib/libmixgrpo.so" | grep -iE 'swift|foundation|openblas|png|not found'; then
  echo "error: the installed library needs more than it should" >&2
  exit 1
fi

if ldd "$prefix/bin/mixgrpo" | grep -iE 'swift|foundation|openblas|not found'; then
  echo "error: the installed command needs more than it should" >&2
  exit 1
fi
[ "$("$prefix/bin/mixgrpo" --version)" = "mixgrpo $(sed -n 's/^VERSION := //p' Makefile)" ]

base=$PWD/examples/base
cd "$prefix"
if ./quickstart "$prefix/nothing-here" 2> message; then
  echo "error: a missing model folder was not refused" >&2
  exit 1
fi
grep -q nothing-here message
./quickstart "$base" | tail -1
[ -s aligned/diffusion_pytorch_model.safetensors ]
echo "installed, linked with pkg-config, and run"
