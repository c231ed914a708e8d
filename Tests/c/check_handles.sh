#!/usr/bin/env bash
# check_handles.sh FOLDER: fails when an object behind a handle keeps state of its own. State belongs to the library's Swift
# classes; the C interface only stands for them.
set -euo pipefail
found=$(awk '
  FNR == 1 { inside = 0 }
  /^(final )?class [A-Za-z]+: HandleObject/ { inside = 1; next }
  /^}/ { inside = 0 }
  # A stored property: without a body, or with an initial value before it (observed properties).
  inside && /^  ([^ ]+ )*var / && (!/\{/ || /=[^{]*\{/) { print FILENAME ":" FNR ": " $0 }
' $(find "$1" -name '*.swift'))
if [[ -n $found ]]; then
  echo "error: objects of handles keep state:" >&2
  echo "$found" >&2
  exit 1
fi
kinds=$(cat $(find "$1" -name '*.swift') | grep -c ': HandleObject,' || true)
[ "$kinds" -gt 0 ] || { echo "error: no object of a handle found in $1" >&2; exit 1; }
echo "$kinds kinds of handles, none with state of its own"
