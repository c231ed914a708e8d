#!/usr/bin/env bash
# The Rust crate against .build/release/libmixgrpo.so, or the folder in MIXGRPO_LIBRARY_FOLDER. Usage: Tests/rust/run.sh [examples]
#   without an argument: tests, documentation
#   examples: builds those that are compared with the other languages
# Without cargo nothing is done and success is reported, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
export MIXGRPO_LIBRARY_FOLDER=$folder CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/.build/rust} CARGO_NET_OFFLINE=true
cd bindings/rust

missing() { # what
  echo "$1: the Rust crate is left out" >&2
  [ -z "${CI:-}" ]
  exit
}

needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
command -v cargo >/dev/null || missing "cargo is not here"
installed=$(cargo --version | cut -d' ' -f2)
[ "$(printf '%s\n' "$needed" "$installed" | sort -V | head -1)" = "$needed" ] \
  || missing "cargo is $installed, older than $needed"

if [ "${1:-}" = examples ]; then
  cargo build -q --release --example align --example conformance
  # The comment that the quickstart begins with is the command that runs it in the repository.
  cd ../..
  line=$(sed -n '1s|^// ||p' bindings/rust/examples/quickstart.rs)
  said=$(eval "$line" | tail -n 1)
  rm -rf aligned
  [ "$said" = "iteration 19: darkness 0.750" ] || { echo "error: $line prints $said" >&2; exit 1; }
  exit
fi

cargo test -q
RUSTDOCFLAGS="-D warnings" cargo doc -q --no-deps
echo "the Rust crate is tested and documented"
