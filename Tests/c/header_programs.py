"""Writes each code block of the header's comments to a file that header_programs.c includes.

python3 Tests/c/header_programs.py HEADER FOLDER
"""

import pathlib
import re
import sys

# In the header's order. A block that has no name here would not be tested.
NAMES = ["program_1", "program_2", "program_3_run", "program_3", "tickets", "ranks", "local_ranks", "evaluation"]
# An empty comment line, then lines that are indented by five spaces.
BLOCK = re.compile(r"(?<=\n \*\n)(?: \*     [^\n]*\n)+")


def blocks(header: str) -> list[str]:
    return [re.sub(r"^ \*     ", "", block, flags=re.M) for block in BLOCK.findall(header)]


def shortened(block: str) -> str:
    """A hundred iterations would take too long."""
    return block.replace("i < 100;", "i < ITERATIONS;")


if __name__ == "__main__":
    header, folder = map(pathlib.Path, sys.argv[1:])
    found = blocks(header.read_text())
    if len(found) != len(NAMES):
        firsts = "\n".join(f"  {block.splitlines()[0]}" for block in found)
        sys.exit(f"{header}: expected the code blocks {', '.join(NAMES)}, got {len(found)} that begin with\n{firsts}")
    for name, block in zip(NAMES, found, strict=True):
        (folder / f"{name}.inc").write_text(shortened(block))
