#!/usr/bin/env python3
"""Every target of Package.swift declares each target that it imports, and the product imports no example.

The compiler finds a module that another target has built, so that an import beside the declared dependencies goes unnoticed.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPORT = re.compile(r"^\s*(?:@\w+\s+)*(?:public |package |internal |private |fileprivate )?import (?:\w+ )?(\w+)", re.M)
FOLDERS = {"test": "Tests"}  # by a target's type; others are in Sources


def folder(target: dict) -> Path:
    return ROOT / (target.get("path") or f"{FOLDERS.get(target['type'], 'Sources')}/{target['name']}")


def declared(target: dict) -> set[str]:
    """Names of the targets and products that a target depends on."""
    return {next(iter(dependency.values()))[0] for dependency in target["dependencies"]}


def imported(target: dict) -> dict[str, Path]:
    """The modules that a target imports, each with a file that does."""
    return {name: file for file in sorted(folder(target).rglob("*.swift")) for name in IMPORT.findall(file.read_text())}


def faults(targets: list[dict]) -> list[str]:
    examples = {target["name"] for target in targets if folder(target).is_relative_to(ROOT / "examples")}
    names = {target["name"] for target in targets} | {name for target in targets for name in declared(target)}
    found = []
    for target in targets:
        for name, file in imported(target).items():
            if name in names - declared(target) - {target["name"]}:
                found.append(f"{file.relative_to(ROOT)}: target {target['name']} does not declare {name}")
        if folder(target).is_relative_to(ROOT / "Sources"):
            found += [f"{target['name']} depends on the example {name}" for name in sorted(declared(target) & examples)]
    return found


def main() -> int:
    environment = {**os.environ, "MIXGRPO_DECLARED_DEPENDENCIES": "1"}
    text = subprocess.run(
        ["swift", "package", "dump-package"], cwd=ROOT, check=True, capture_output=True, text=True, env=environment
    ).stdout
    targets = json.loads(text)["targets"]
    checked = [target for target in targets if imported(target)]
    if len(checked) < 10:
        print(f"error: expected imports in most targets, found them in {len(checked)}", file=sys.stderr)
        return 1
    problems = faults(targets)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        print(f"{len(checked)} targets declare what they import")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
