#!/usr/bin/env bash
# The page on which a person votes (`mixgrpo align --reward-person`): strangers, floods, late votes, Ctrl-C; then, in a headless
# Chromium, its look, and a person with a hidden taste who teaches it to a model. Where no Chromium can be had the page is not looked
# at, but not in CI.
#
# COMMAND: the executable, if it is not .build/release/mixgrpo-command. OUT: a folder for screenshots.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1
python3 Tests/person/bad_input.py & # waits most of the time
strangers=$!
trap 'kill "$strangers" 2>/dev/null || true' EXIT
for part in look_at_page voter; do
  status=0
  python3 "Tests/person/$part.py" || status=$?
  if [ "$status" = 2 ] && [ -z "${CI:-}" ]; then
    echo "the page was not looked at"
  elif [ "$status" != 0 ]; then
    exit 1
  fi
done
wait "$strangers"
