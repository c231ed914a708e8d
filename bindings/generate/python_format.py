"""Python source as `ruff format` would leave it."""

from .words import WIDTH


def bracketed(before: str, items: list[str], after: str, indent: int = 0) -> str:
    """`before`, the items and `after` on one line, or each item on a line of its own."""
    margin = " " * indent
    line = f"{margin}{before}{', '.join(items)}{after}"
    if len(line) <= WIDTH or not items:
        return line
    inner = "".join(f"{margin}    {item},\n" for item in items)
    return f"{margin}{before}\n{inner}{margin}{after}"
