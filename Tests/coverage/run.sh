#!/usr/bin/env bash
# Which parts of Sources the tests run. Builds everything with counters into .build-coverage, runs the tests of Swift, C, Python,
# the command with its comparison, and a person's page, and writes the figures. Usage: Tests/coverage/run.sh [--page PAGE]
# PYTHON: a Python with the packages of `.ci/setup python`; without it the Python tests are left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=(swift build -c release --enable-code-coverage -Xswiftc -enable-testing --scratch-path .build-coverage)
folder=$PWD/.build-coverage/release
profiles=$PWD/.build-coverage/profiles
rm -rf "$profiles"
mkdir -p "$profiles"
export LLVM_PROFILE_FILE=$profiles/%p-%m.profraw

"${build[@]}" --build-tests
"${build[@]}" --product mixgrpo
"${build[@]}" --product mixgrpo-command
ln -sf libmixgrpo.so "$folder/libmixgrpo.so.0"
tools=$(dirname "$(readlink -f "$(command -v swift)")")

"$folder/mixgrpoPackageTests.xctest" --testing-library swift-testing

MIXGRPO_LIBRARY_FOLDER=$folder Tests/c/run.sh
MIXGRPO_LIBRARY_FOLDER=$folder Tests/cpp/run.sh
MIXGRPO_LIBRARY_FOLDER=$folder Tests/limits/run.sh
MIXGRPO_LIBRARY_FOLDER=$folder Tests/failures/run.sh
for test in run guidance anywhere; do COMMAND=$folder/mixgrpo-command "Tests/command/$test.sh"; done
MIXGRPO_COMMAND=$folder/mixgrpo-command Tests/compare/run.sh
COMMAND=$folder/mixgrpo-command Tests/person/run.sh
if [ -n "${PYTHON:-}" ]; then
  MIXGRPO_LIBRARY=$folder/libmixgrpo.so "$PYTHON" -m pytest -q bindings/python/tests ||
    echo "some Python tests failed; what they reached counts"
fi

"$tools/llvm-profdata" merge --failure-mode=all -sparse -o "$profiles/all.profdata" "$profiles"/*.profraw
"$tools/llvm-cov" export -instr-profile "$profiles/all.profdata" "$folder/mixgrpoPackageTests.xctest" \
  -object "$folder/libmixgrpo.so" -object "$folder/mixgrpo-command" -ignore-filename-regex='Tests/|\.build|examples/|checkouts' \
  > "$profiles/coverage.json"
python3 Tests/coverage/report.py "$profiles/coverage.json" "$@"
