"""Finds the places in Swift sources where a mutant may be made.

A mutant is a small change that a test should notice: a comparison that is off by its edge or turned round, `+` for `-`, `&&`
for `||`, a range that ends one early, a negation left out, a statement left out. Comments and string literals are passed over.
"""

import re
from dataclasses import dataclass
from pathlib import Path

# What a mutant makes of an operator.
OPERATORS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
}
BINARY = re.compile(r"(?<=[\w)\]\"] )(<=|>=|==|!=|&&|\|\||<|>|\+|-|\*|/)(?= [^\s])")
# An empty range is empty without its last element, too.
RANGE = re.compile(r"(?<=[\w)\]])(?<!\b0)\.\.<(?=[\w(])|(?<=\b0)\.\.<(?=(?!0\b)[\w(])")
NEGATION = re.compile(r"(?<![\w)\]!?])!(?=[\w(])")
# A whole statement on a line of its own: a call or an assignment, not a declaration.
STATEMENT = re.compile(
    r"^(\s*)((?:try )?(?:_ = )?[A-Za-z_][\w.]*(?:[?!]?\.\w+)*"
    r"(?:[(\[].*[)\]]|(?: (?:\+|-|\*|/)?= .+))(?:\s*(?:\+|-|\*|/)?= .+)?)$"
)
KEYWORDS = set(
    "let var return guard if for while repeat throw case switch default defer else import init self super func do catch where "
    "extension struct class enum public private static infix prefix fatalError precondition break continue lazy".split()
)
LITERAL = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*(?:.|\n)*?\*/')


@dataclass(frozen=True)
class Site:
    """One mutant. `start`, `end`: offsets in the file's text."""

    file: str
    line: int
    start: int
    end: int
    kind: str  # operator, range, negation, statement
    before: str
    after: str
    text: str  # the whole line, without its margins

    @property
    def name(self) -> str:
        """What stays the same when lines above change: names a mutant in the list of equivalent ones."""
        return f"{self.file}: {self.text}: {self.before} -> {self.after}"


def blanked(text: str) -> str:
    """The text with comments and string literals blanked out, of the same length."""
    return LITERAL.sub(lambda match: re.sub(r"[^\n]", "\0", match.group()), text)


def balanced(code: str) -> bool:
    depth = 0
    for character in code:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0


def operators(code: str) -> list[tuple[int, int, str, str, str]]:
    found = [(m.start(), m.end(), "operator", m.group(), OPERATORS[m.group()]) for m in BINARY.finditer(code)]
    found += [(m.start(), m.end(), "range", "..<", "..< one less") for m in RANGE.finditer(code)]
    return found + [(m.start(), m.end(), "negation", "!", "") for m in NEGATION.finditer(code)]


def statement(code: str) -> list[tuple[int, int, str, str, str]]:
    match = STATEMENT.match(code)
    if not match or not balanced(match.group(2)):
        return []
    first = re.match(r"(?:try )?(\w+)", match.group(2))
    if first is None or first.group(1) in KEYWORDS:
        return []
    return [(match.start(2), match.end(2), "statement", "statement", "left out")]


def compares_with_nil(code: str, end: int) -> bool:
    return re.match(r" nil\b", code[end:]) is not None


def in_file(path: Path, root: Path) -> list[Site]:
    text = path.read_text()
    sites, offset = [], 0
    for number, (line, code) in enumerate(zip(text.split("\n"), blanked(text).split("\n"), strict=True), 1):
        if (
            not re.match(r"\s*(?:@|infix |prefix |import )", code)
            and "\0" not in code[: len(code) - len(code.lstrip())]
        ):
            for start, end, kind, before, after in operators(code) + statement(code):
                if kind != "operator" or not compares_with_nil(code, end):
                    place = (offset + start, offset + end)
                    sites.append(Site(str(path.relative_to(root)), number, *place, kind, before, after, line.strip()))
        offset += len(line) + 1
    return sites


def in_module(module: str, root: Path) -> list[Site]:
    return [site for path in sorted((root / "Sources" / module).rglob("*.swift")) for site in in_file(path, root)]
