#!/usr/bin/env bash
# Formats, linters and declared imports of all languages.
#
# RUFF: the executable, if it is not on PATH. Without cargo, rustfmt or clippy the Rust crate is left out, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
ruff=${RUFF:-ruff}
python=(--config bindings/python/pyproject.toml bindings/python bindings/generate docs/site examples Tests)
# As on docs.rs the crate is compiled without being linked: the linter needs no libmixgrpo.so.
export CARGO_TARGET_DIR=$PWD/.build/rust-lint CARGO_NET_OFFLINE=true DOCS_RS=1
failed=()

check() { # name, command...
  echo "lint: $1"
  "${@:2}" || failed+=("$1")
}

rust() { # subcommand, arguments...
  if cargo "$1" --version >/dev/null 2>&1; then
    (cd bindings/rust && cargo "$@")
  else
    echo "cargo $1 is not here: the Rust crate is left out" >&2
    [ -z "${CI:-}" ]
  fi
}

check "swift format" swift format lint --strict --parallel --recursive Package.swift Sources Tests examples
check "declared imports" python3 Tests/lint/imports.py
check "checked calls" python3 Tests/lint/checked_calls.py
check "ruff check" "$ruff" check --quiet "${python[@]}"
check "ruff format" "$ruff" format --quiet --check "${python[@]}"
check "rustfmt" rust fmt --check
check "clippy" rust clippy --quiet --all-targets -- -D warnings

if [ ${#failed[@]} -ne 0 ]; then
  printf -v names '%s, ' "${failed[@]}"
  echo "FAILED: ${names%, } (make format mends what is a matter of form)" >&2
  exit 1
fi
echo "all sources are in form"
