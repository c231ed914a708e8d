#!/usr/bin/env bash
# The quickstarts of examples/runtimes print what the C quickstart prints and save its model to the last bit, their callbacks
# are called, and six goroutines at once draw equal samples. Usage: runtimes.sh [iterations, default 3]
#
# A runtime that is not installed is skipped, but not in CI. Needs libmixgrpo.so in .build/release, or MIXGRPO_LIBRARY.
set -euo pipefail
cd "$(dirname "$0")/../.."
iterations=${1:-3}
MIXGRPO_LIBRARY=$(realpath "${MIXGRPO_LIBRARY:-.build/release/libmixgrpo.so}")
export MIXGRPO_LIBRARY
libraries=$(dirname "$MIXGRPO_LIBRARY")
jna=/usr/share/java/jna.jar
root=$PWD
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

# Runs a quickstart in a folder of its own, which gets the model.
run() { # name, command...
  mkdir "$out/$1"
  ln -s "$root/include" "$out/$1/include"
  (cd "$out/$1" && "${@:2}" "$root/examples/base" "$iterations" >log 2>errors) || { cat "$out/$1/errors" >&2; fail "$1 ended with an error"; }
}

agrees() { # name
  diff "$out/c/log" "$out/$1/log" >&2 || fail "$1 prints other numbers than C"
  cmp "$out/c/aligned/diffusion_pytorch_model.safetensors" "$out/$1/aligned/diffusion_pytorch_model.safetensors" >&2 \
    || fail "$1 made another model than C"
  echo "$1: $(tail -n 1 "$out/$1/log"), as in C"
}

reported_progress() { # name
  tr '\r' '\n' <"$out/$1/errors" | grep -qx '100 %' || fail "$1 was not called back to the end: $(tail -c 100 "$out/$1/errors")"
}

says_what_is_wrong() { # name, command...
  if (cd "$out/$1" && "${@:2}" "$out/nothing-here" 1 >/dev/null 2>refused); then fail "$1 accepted a missing model"; fi
  grep -q nothing-here "$out/$1/refused" || { cat "$out/$1/refused" >&2; fail "$1 does not show the library's message"; }
}

quickstart() { # name, command...
  run "$@"
  agrees "$1"
  says_what_is_wrong "$@"
}

# Whether the programs of a runtime are here.
available() { # name, programs or files...
  for needed in "${@:2}"; do
    command -v "$needed" >/dev/null || [ -e "$needed" ] || {
      [ -z "${CI:-}" ] || fail "$1: $needed is missing"
      echo "$1: skipped, because $needed is not installed"
      return 1
    }
  done
}

# The C quickstart, with as many iterations.
sed "s/iteration < 20/iteration < $iterations/" examples/c/quickstart.c >"$out/quickstart.c"
cc -std=c99 -O2 -Iinclude "$out/quickstart.c" -o "$out/quickstart" -L"$libraries" -lmixgrpo -Wl,-rpath,"$libraries"
run c "$out/quickstart"

if available LuaJIT luajit; then
  quickstart lua luajit "$root/examples/runtimes/quickstart.lua"
  reported_progress lua
fi

if available Ruby ruby; then
  quickstart ruby ruby -W "$root/examples/runtimes/quickstart.rb"
  reported_progress ruby
fi

if available Go go; then
  export GOCACHE=$root/.build/go CGO_LDFLAGS="-L$libraries -Wl,-rpath,$libraries"
  # Go does not look whether the header has changed, but at the flags.
  CGO_CFLAGS="-I$root/include -DHEADER_SUM=$(cksum <"$root/include/mixgrpo.h" | cut -d" " -f1)"
  export CGO_CFLAGS
  [ -z "$(gofmt -l examples/runtimes/go)" ] || fail "gofmt would change $(gofmt -l examples/runtimes/go)"
  for program in quickstart goroutines; do go build -o "$out/go-$program" "examples/runtimes/go/$program.go"; done
  quickstart go "$out/go-quickstart"
  "$out/go-goroutines" examples/base
fi

if available Java javac java "$jna"; then
  javac -Xlint:all -Werror -cp "$jna" -d "$out/classes" examples/runtimes/java/*.java
  quickstart java java -cp "$jna:$out/classes" Quickstart
  reported_progress java
fi
echo "the runtimes agree with C"
