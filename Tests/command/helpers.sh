# What the tests of the command share; to be sourced in the root of the repository. Ends in an empty folder, which goes with the test.
#
# COMMAND: the executable, if it is not .build/release/mixgrpo-command.
command=$(realpath "${COMMAND:-.build/release/mixgrpo-command}")
here=$PWD/Tests/command
root=$PWD
base=$root/examples/base
out=$(mktemp -d)
export TMPDIR=$out/tmp
mkdir "$TMPDIR"
trap 'rm -rf "$out"' EXIT
cd "$out"

mixgrpo() { "$command" "$@"; }

without_seconds() { sed -E 's/,"seconds[a-z_]*":[-+.e0-9]+//g' "$1"; }

fail() { echo "FAILED: $1" >&2; exit 1; }

# exit code, text the message must hold, arguments...: refused with one line on stderr
refuse() {
  local code=0
  mixgrpo "${@:3}" >answer 2>message || code=$?
  [ "$code" -eq "$1" ] || { cat message >&2; fail "mixgrpo ${*:3}: expected exit code $1, got $code"; }
  grep -qF -- "$2" message || { cat message >&2; fail "mixgrpo ${*:3}: expected \"$2\" in the message"; }
  [ "$(grep -c '^error: ' message)" -eq 1 ] || { cat message >&2; fail "mixgrpo ${*:3}: expected one line of error"; }
}

wait_for() { # a command that says when
  for _ in $(seq 1 1200); do "$@" && return; sleep 0.05; done
  fail "waited in vain for $*"
}
