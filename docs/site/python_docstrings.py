"""Turns the docstrings of the Python package, plain text with `names`, into reStructuredText."""

import itertools
import re

CODE = re.compile(r"``[^`]+``|`([^`]+)`")


def line_to_restructured_text(line: str) -> str:
    """Names in backticks become literals; other marks of reStructuredText are taken as they stand."""
    parts, place = [], 0
    for code in CODE.finditer(line):
        parts += [escaped(line[place : code.start()]), f"``{code[0].strip('`')}``\\ "]
        place = code.end()
    return "".join([*parts, escaped(line[place:])])


def escaped(text: str) -> str:
    return re.sub(r"([\\*_|])", r"\\\1", text)


def to_restructured_text(app, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """The handler of autodoc-process-docstring: programs are indented, and tables have a name at the start of each row."""
    made: list[str] = []
    in_program = False
    for block in blocks(lines):
        is_program = block[0].startswith("    ")
        if is_program:
            made += block if in_program else ["::", "", *block]
        elif any(line.startswith(" ") for line in block) and not block[0].startswith("- "):
            made += table(block)
        else:
            made += map(line_to_restructured_text, block)
        made.append("")
        in_program = is_program
    lines[:] = made


def blocks(lines: list[str]) -> list[list[str]]:
    """The lines between empty ones."""
    return [list(block) for is_text, block in itertools.groupby(lines, lambda line: bool(line.strip())) if is_text]


def table(block: list[str]) -> list[str]:
    """Rows of a name, spaces and a meaning, which may go on in indented lines, as a list."""
    rows: list[str] = []
    for line in block:
        if line.startswith(" "):
            rows[-1] += " " + line_to_restructured_text(line.strip())
        else:
            name, _, meaning = line.partition("  ")
            rows.append(f"- ``{name}``: {line_to_restructured_text(meaning.strip())}")
    return rows
