"""Runs the commands of docs/guides/first-hour.md as a new user would, and compares what they print with what the page shows.

python3 Tests/command/first_hour.py --bin PREFIX/bin [--page docs/guides/first-hour.md] [--keep FOLDER]

A block that starts with ```console holds commands and what they print:

    $ mixgrpo sample "a red circle" --model m     run by bash, all in one folder, in turn
    [2]                                           its exit status, where that is not 0
    sample 1 of 4 … written                       words of a line of its output; … stands for anything

The lines must come in this order; lines between them may be left out. A block ```console 40 runs in a terminal of 40 columns;
its lines are those that are on the screen in the end.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from virtual_terminal import Terminal

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS_EACH = 180


@dataclasses.dataclass
class Command:
    """A command of the page, with what must come of it."""

    place: str
    text: str
    columns: int | None
    status: int = 0
    expected: list[str] = dataclasses.field(default_factory=list)


def commands(page: pathlib.Path) -> list[Command]:
    """The commands of a page, in order."""
    found: list[Command] = []
    columns, inside = None, False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if opening := re.fullmatch(r"```console ?(\d+)?", line):
            inside, columns = True, int(opening[1]) if opening[1] else None
        elif line.startswith("```"):
            inside = False
        elif inside and line.startswith("$ "):
            found.append(Command(f"{page.name}:{number}", line[2:], columns))
        elif inside and line.startswith("> "):
            found[-1].text += "\n" + line[2:]
        elif inside and (status := re.fullmatch(r"\[(\d+)\]", line)):
            found[-1].status = int(status[1])
        elif inside and line.strip():
            found[-1].expected.append(line)
    return found


def missing(expected: list[str], printed: list[str]) -> str | None:
    """The first expected line that does not follow in the output."""
    rest = iter([" ".join(line.split()) for line in printed])
    for line in expected:
        words = ".*".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        if not any(re.search(words, candidate) for candidate in rest):
            return line
    return None


def problem(command: Command, folder: pathlib.Path, environment: dict[str, str]) -> str | None:
    """What is wrong with a command's outcome, with what it printed."""
    try:
        if command.columns:
            words = ["timeout", str(SECONDS_EACH), "bash", "-c", command.text]
            seen = Terminal(words, command.columns, str(folder), **environment)
            status, printed = seen.code, seen.lines
        else:
            shell = ["bash", "-o", "pipefail", "-c", command.text]
            done = subprocess.run(
                shell, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=SECONDS_EACH, text=True,
            )  # fmt: skip
            status, printed = done.returncode, done.stdout.splitlines()
    except subprocess.TimeoutExpired:
        return f"ran for more than {SECONDS_EACH} s"
    shown = "\n".join(f"    | {line}" for line in printed)
    if status != command.status:
        return f"expected exit status {command.status}, got {status}\n{shown}"
    if (line := missing(command.expected, printed)) is not None:
        return f"expected the line\n    {line}\n  in\n{shown}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the folder of the installed command")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs/guides/first-hour.md")
    parser.add_argument("--keep", type=pathlib.Path, help="run in this new folder, and keep it")
    parser.add_argument("--least", type=int, default=40, help="commands that the page holds at least")
    options = parser.parse_args()
    found = commands(options.page)
    if len(found) < options.least:
        print(f"{options.page}: expected {options.least} commands or more, got {len(found)}", file=sys.stderr)
        return 1
    environment = {**os.environ, "PATH": f"{options.bin.resolve()}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or pathlib.Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        wrong = {command.place: text for command in found if (text := problem(command, folder, environment))}
    for command in found:
        if command.place in wrong:
            print(f"{command.place}: $ {command.text}\n  {wrong[command.place]}", file=sys.stderr)
    if wrong:
        return 1
    print(f"{options.page.name}: {len(found)} commands did what the page shows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
