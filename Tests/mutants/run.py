#!/usr/bin/env python3
"""Measures what the tests notice: makes small changes (mutants) in the sources and counts those that make no test fail.

    python3 Tests/mutants/run.py --count 400 --page docs/mutants.md

All mutants are compiled in at once, in a copy of the tree under .build/mutants; see schemata.py. Each run of the tests chooses
one. A mutant is killed when a test fails, when the program crashes, or when it takes far longer than without. Mutants that
change nothing anyone could see stand in equivalent.txt, with the reason.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import report
import schemata
import sites
import suites

ROOT = Path(__file__).resolve().parents[2]
MODULES = ["MixSampling", "MixLearning", "MixGRPOC"]
ERROR = re.compile(r"(Sources/[^:\n]+\.swift):(\d+):\d+: error: ")
# An expression that was a function's value and got an `if` before it.
UNUSED = re.compile(r"(Sources/[^:\n]+\.swift):(\d+):\d+: warning: .* unused")


class Tree:
    """A copy of the sources with all mutants in it."""

    def __init__(self, root: Path, folder: Path, sites_by_number: dict[int, sites.Site]) -> None:
        self.root, self.folder = root, folder
        self.count = max(sites_by_number) + 1
        # Names of changes that did not compile in an earlier run.
        self.unfit_file = folder / "unfit.json"
        self.unfit: set[str] = set(json.loads(self.unfit_file.read_text())) if self.unfit_file.exists() else set()
        self.sites = {number: site for number, site in sites_by_number.items() if site.name not in self.unfit}

    def copy(self) -> None:
        files = subprocess.run(
            ["git", "ls-files"], cwd=self.root, capture_output=True, text=True, check=True
        ).stdout.split("\n")
        files = [file for file in files if (self.root / file).is_file()]
        mutated = {site.file for site in self.sites.values()}
        for old in [
            path for name in ("Sources", "Tests") for path in (self.folder / name).rglob("*") if path.is_file()
        ]:
            if str(old.relative_to(self.folder)) not in files and old.name != "Mutants.swift":
                old.unlink()
        for file in set(files) - mutated:
            schemata.write_if_new(self.folder / file, (self.root / file).read_bytes())
            shutil.copymode(self.root / file, self.folder / file)

    def write(self, module: str) -> None:
        chosen = {number: site for number, site in self.sites.items() if site.file.startswith(f"Sources/{module}/")}
        files = {
            str(path.relative_to(self.root)): path.read_text()
            for path in (self.root / "Sources" / module).rglob("*.swift")
        }
        schemata.write_module(module, self.folder, files, chosen, self.count)

    def build(self, *arguments: str) -> str:
        """What the compiler says when it fails, otherwise nothing."""
        command = ["swift", "build", "-c", "release", "-Xswiftc", "-enable-testing", *arguments]
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        return "" if result.returncode == 0 else result.stdout + result.stderr

    def leave_out(self, errors: str) -> int:
        """Forgets the mutants of the lines that do not compile, for example operators between types of two kinds."""
        wrong = {(match[1], int(match[2])) for match in ERROR.finditer(errors)}
        unused = {(match[1], int(match[2])) for match in UNUSED.finditer(errors)}
        unfit = {number for number, site in self.sites.items() if (site.file, site.line) in wrong}
        unfit |= {
            number
            for number, site in self.sites.items()
            if site.kind == "statement" and (site.file, site.line) in unused
        }
        for file, line in wrong if not unfit else ():
            unfit |= self.statements_near(file, line)
        self.unfit |= {self.sites[number].name for number in unfit}
        self.unfit_file.write_text(json.dumps(sorted(self.unfit), indent=1))
        self.sites = {number: site for number, site in self.sites.items() if site.name not in self.unfit}
        return len(unfit)

    def statements_near(self, file: str, line: int) -> set[int]:
        """Statements that may be missing where the compiler finds no value: the nearest, at most 60 lines away."""
        near = {
            number: abs(site.line - line)
            for number, site in self.sites.items()
            if site.file == file and site.kind == "statement" and abs(site.line - line) <= 60
        }
        return {number for number, distance in near.items() if distance == min(near.values())}

    def compile(self, module: str) -> None:
        while True:
            self.write(module)
            errors = self.build("--target", module)
            if not errors:
                return
            left_out = self.leave_out(errors)
            print(f"{module}: {left_out} changes do not compile", flush=True)
            if left_out == 0:
                sys.exit(f"the changed sources do not compile:\n{errors[-4000:]}")


def sampled(by_number: dict[int, sites.Site], count: int, seed: int) -> list[int]:
    numbers = sorted(by_number)
    return sorted(random.Random(seed).sample(numbers, min(count, len(numbers))))


def outcome(number: int, tree: Tree, all_suites: list[suites.Suite]) -> tuple[int, str]:
    """`killed by …`, `survived`, or `not reached`."""
    reaching = [suite for suite in all_suites if number in suite.reached]
    for suite in reaching:
        if suite.fails(number):
            return number, f"killed by {suite.name}"
    return number, "survived" if reaching else "not reached"


def numbered(sites_by_number: dict[int, sites.Site]) -> dict[tuple[str, int], int]:
    """Numbers of mutants by their names; where names are equal, by their order."""
    seen: dict[str, int] = {}
    found = {}
    for number, site in sorted(sites_by_number.items()):
        seen[site.name] = seen.get(site.name, 0) + 1
        found[site.name, seen[site.name]] = number
    return found


def earlier(path: Path, by_number: dict[int, sites.Site]) -> dict[int, dict]:
    """The rows of the last run for mutants that still exist."""
    numbers = numbered(by_number)
    rows = json.loads(path.read_text())
    return {numbers[key]: row for row in rows if (key := (row["name"], row["occurrence"])) in numbers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="mutants to try, a random sample (default 400)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--modules", nargs="*", default=MODULES)
    parser.add_argument(
        "--again", action="store_true", help="try the survivors of the last run again; its other results stand"
    )
    parser.add_argument("--only", help="a part of a mutant's name; tries all such mutants")
    parser.add_argument("--page", type=Path, help="write the figures to this page")
    options = parser.parse_args()

    found = [site for module in options.modules for site in sites.in_module(module, ROOT)]
    tree = Tree(ROOT, ROOT / ".build" / "mutants", dict(enumerate(found)))
    tree.copy()
    # SwiftPM wants the sources of all modules before it compiles one.
    for module in options.modules:
        tree.write(module)
    for module in options.modules:
        tree.compile(module)
    for arguments in (["--build-tests"], ["--product", "mixgrpo"]):
        if errors := tree.build(*arguments):
            sys.exit(errors[-4000:])
    print(f"{len(tree.sites)} of {len(found)} changes compile", flush=True)

    all_suites = suites.prepared(tree.folder)
    chosen = sampled(tree.sites, options.count, options.seed)
    if options.only:
        chosen = [number for number, site in tree.sites.items() if options.only in site.name]
    results: dict[int, str] = {}
    first: dict[int, str] = {}
    results_file = ROOT / ".build" / "mutants" / "results.json"
    if options.again:
        last = earlier(results_file, tree.sites)
        results = {number: row["result"] for number, row in last.items()}
        first = {number: row["first"] for number, row in last.items()}
        chosen = [number for number, result in results.items() if not result.startswith("killed")]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for number, result in pool.map(lambda number: outcome(number, tree, all_suites), chosen):
            results[number] = result
            print(f"{len(results)}/{len(chosen)} {result}: {tree.sites[number].name}", flush=True)
    occurrences = {number: occurrence for (_, occurrence), number in numbered(tree.sites).items()}
    rows = [
        {
            **vars(site),
            "name": site.name,
            "occurrence": occurrences[number],
            "result": result,
            "first": first.get(number, result),
        }
        for number, result in sorted(results.items())
        if (site := tree.sites[number])
    ]
    results_file.write_text(json.dumps(rows, indent=1))
    page = report.page(rows, report.equivalent(ROOT / "Tests/mutants/equivalent.txt"), len(tree.sites), options.seed)
    if options.page:
        options.page.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
