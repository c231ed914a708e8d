#!/usr/bin/env python3
"""Figures and unreached places from llvm-cov's JSON.

    python3 Tests/coverage/report.py coverage.json [--page docs/coverage.md]

A region is a piece of code between two branches; Swift's compiler counts regions, so that a branch never taken is a region
never reached. reasons.txt says why places cannot be reached: a line is `FILE: PIECE OF THE LINE # REASON`.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = """# What the tests reach

Written by `make coverage`: the tests of Swift, C, C++, Python and the command, with counters compiled in. A region is a
piece of code between two branches; a branch that is never taken is a region that is never reached.

"""
CODE = 0  # the kind of a region that is code, not an expansion or a gap


def regions(data: dict) -> dict[str, dict[tuple, int]]:
    """How often each region was run, by file; a function that stands in several programs counts once."""
    found: dict[str, dict[tuple, int]] = defaultdict(dict)
    for function in data["data"][0]["functions"]:
        for *place, count, file, _, kind in function["regions"]:
            path = Path(function["filenames"][file])
            if kind == CODE and path.is_relative_to(ROOT / "Sources"):
                counts = found[str(path.relative_to(ROOT))]
                counts[tuple(place)] = max(counts.get(tuple(place), 0), count)
    return found


def excuses() -> list[tuple[str, str, str]]:
    """(file, piece of the line, reason)."""
    lines = (Path(__file__).parent / "reasons.txt").read_text().split("\n")
    found = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            place, _, reason = line.rpartition(" # ")
            file, _, piece = place.partition(": ")
            found.append((file, piece, reason))
    return found


def unreached(file: str, counts: dict[tuple, int], known: list[tuple[str, str, str]]) -> list[tuple[int, str, str]]:
    """(line, its text, reason or nothing) of each region that was never run."""
    lines = (ROOT / file).read_text().split("\n")
    found = []
    for place, count in sorted(counts.items()):
        if count == 0:
            text = lines[place[0] - 1].strip()
            reason = next((why for path, piece, why in known if path in (file, "*") and piece in text), "")
            found.append((place[0], text, reason))
    return found


def page(found: dict[str, dict[tuple, int]]) -> str:
    known, modules, left = excuses(), defaultdict(lambda: [0, 0, 0]), []
    for file, counts in sorted(found.items()):
        missing = unreached(file, counts, known)
        row = modules[file.split("/")[1]]
        row[0] += len(counts)
        row[1] += len(missing)
        row[2] += sum(bool(reason) for *_, reason in missing)
        left += [(file, *place) for place in missing]
    text = HEAD + "| module | regions | reached | cannot be reached | reached of the rest |\n|---|--:|--:|--:|--:|\n"
    total = [sum(row[i] for row in modules.values()) for i in range(3)]
    for name, (count, missing, excused) in [*sorted(modules.items()), ("all", tuple(total))]:
        text += f"| {name} | {count} | {count - missing} | {excused} | {100 * (count - missing) / (count - excused):.1f} % |\n"
    path = ROOT / ".build-coverage/unreached.txt"
    path.write_text(
        "".join(f"{file}:{line} {code}{'  # ' + reason if reason else ''}\n" for file, line, code, reason in left)
    )
    text += "\nThe run lists every place that was not reached in `.build-coverage/unreached.txt`.\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coverage", type=Path)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    text = page(regions(json.loads(options.coverage.read_text())))
    if options.page:
        options.page.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
