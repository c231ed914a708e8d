"""Turns the docstrings of the Python package, plain text with `names`, into reStructuredText."""

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
    """The handler of autodoc-process-docstring. Indented lines after an empty one are a program."""
    made: list[str] = []
    program = False
    for line in lines:
        begins = line.startswith("    ") and (not made or not made[-1].strip())
        if begins and not program:
            made += ["::", ""]
        program = line.startswith("    ") and (begins or program) or program and not line.strip()
        made.append(line if program else line_to_restructured_text(line))
    lines[:] = made
