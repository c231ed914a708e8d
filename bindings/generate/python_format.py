"""Python source as `ruff format` would leave it."""

from .words import WIDTH


def subscripted(before: str, items: list[str], after: str) -> str:
    """As `bracketed`, for a subscript: its items stay together where they fit on one line."""
    inner = f"    {', '.join(items)}"
    if len(f"{before}{', '.join(items)}{after}") > WIDTH >= len(inner):
        return f"{before}\n{inner}\n{after}"
    return bracketed(before, items, after)


def bracketed(before: str, items: list[str], after: str, indent: int = 0) -> str:
    """`before`, the items and `after` on one line, or each item on a line of its own."""
    margin = " " * indent
    line = f"{margin}{before}{', '.join(items)}{after}"
    if len(line) <= WIDTH or not items:
        return line
    inner = "".join(f"{margin}    {item},\n" for item in items)
    return f"{margin}{before}\n{inner}{margin}{after}"
