#!/usr/bin/env bash
# Makes the n-th allocation, file operation, thread and callback of every call fail, for every n, and compares with a run in which
# nothing fails. Usage: Tests/failures/run.sh [--whole] [--write]
#   --whole  also each failure alone in a whole scenario, and further errors
#   --write  writes the figures into docs/failures.md
set -euo pipefail
cd "$(dirname "$0")/../.."
here=Tests/failures
folder=$(realpath "${MIXGRPO_LIBRARY_FOLDER:-.build/release}")
library=$folder/libmixgrpo.so
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

Tests/c/check_exports.sh "$library" include/mixgrpo.h $here/*.c

# Of the library's code: a block that one of these takes can be refused.
place() {
  nm -S "$library" | awk -v name="$1" -v macro="$2" '$4 == name { printf "-D%s=0x%s -D%s_SIZE=0x%s", macro, $1, macro, $2 }'
}
read -ra places <<< "$(place png_malloc_base PNG_MALLOC) $(place "\$s9MixBasics12FloatStorageC5count14isWrittenLaterACSi_SbtAA0A9GRPOErrorVYKcfc" FLOAT_STORAGE)"
[ ${#places[@]} = 4 ] || { echo "error: png_malloc_base or FloatStorage.init is not in $library" >&2; exit 1; }

cc -std=gnu11 -O1 -g -fno-builtin-malloc -Wall -Wextra -Werror -Iinclude "${places[@]}" -rdynamic -o "$out/failures" $here/*.c \
  -L"$folder" -lmixgrpo -Wl,-rpath,"$folder" -ldl -lpthread -lm

# Three faults of the harness's own: what is not reported here would not be seen in the library either.
reports() { # FAULT SCENARIO FAILURE TEXT
  ! "$out/failures" "$out" --plant "$1" --only "$2" --failure "$3" > /dev/null 2> "$out/reported" && grep -q "$4" "$out/reported" \
    || { echo "error: the planted fault '$1' is not reported" >&2; exit 1; }
}
reports leak model memory 'memory is kept'
reports output model memory 'output 1 was changed'
reports lost trainer 'cancel in a callback' 'other results than without a failure'

"$out/failures" "$out" "$@" --table "$out/table.md"
if [[ " $* " == *" --write "* ]]; then
  sed -i -e "/<!-- figures -->/r $out/table.md" -e '/<!-- figures -->/,/<!-- \/figures -->/{/<!--/!d}' docs/failures.md
fi
