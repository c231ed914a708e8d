#!/usr/bin/env bash
# The library exports what the header declares, no more and no less, and the C tests call all of it.
# usage: check_exports.sh LIBRARY HEADER TEST_SOURCES...
set -euo pipefail
library=$1 header=$2
shift 2

declared() {
  cc -E -P "$header" | tr '\n' ' ' | grep -o '\bmixgrpo_[a-z0-9_]* *(' | tr -d ' (' | sort -u
}
exported() {
  nm -D --defined-only --extern-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | sort -u
}
called() {
  grep -oh '\bmixgrpo_[a-z0-9_]* *(' "$@" | tr -d ' (' | sort -u
}

if ! difference=$(diff <(declared) <(exported)); then
  echo "declared (<) and exported (>) functions differ:" >&2
  echo "$difference" >&2
  exit 1
fi
if untested=$(comm -23 <(declared) <(called "$@")) && [ -n "$untested" ]; then
  echo "functions that no C test calls:" >&2
  echo "$untested" >&2
  exit 1
fi
echo "$(declared | wc -l) functions declared, exported and called"
