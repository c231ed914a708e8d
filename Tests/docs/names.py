"""Every name of the C interface and every build variable in the Markdown files exists in the tree.

python Tests/docs/names.py [folder]     exit status 1 with a line for each unknown name
"""

import pathlib
import re
import sys

from links import ROOT, documents

NAME = re.compile(r"\b(?:mixgrpo_[a-z0-9_]*[a-z0-9]|MIXGRPO_[A-Z0-9_]*[A-Z0-9])\b")
SOURCES = (
    "include/*.h", "include/*.hpp", "Makefile", "Package.swift", "Sources/**/*.swift", "bindings/python/mixgrpo/*.py",
    "bindings/rust/**/*.rs",
)  # fmt: skip


def known() -> set[str]:
    files = [path for pattern in SOURCES for path in ROOT.glob(pattern)]
    return {name for path in files for name in NAME.findall(path.read_text())}


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    names, used = (
        known(),
        [(path, name) for path in documents(root) for name in sorted(set(NAME.findall(path.read_text())))],
    )
    faults = [f"{path.relative_to(root)}: {name}: no such name" for path, name in used if name not in names]
    print("\n".join(faults) if faults else f"all {len(used)} names in the Markdown files exist")
    sys.exit(1 if faults or not used else 0)
