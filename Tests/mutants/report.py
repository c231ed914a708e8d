"""The page with the figures of a run."""

from pathlib import Path

HEAD = """# What the tests notice

Written by `make mutants`. A mutant is the library with one small change: a comparison that is off by its edge or turned round,
`+` in place of `-`, `&&` in place of `||`, a range that ends one early, a negation or a statement left out. It is killed
when a test fails. What survives is either a hole in the tests or a change that nobody can see.

"""


def equivalent(path: Path) -> dict[str, str]:
    """Reasons by the names of mutants; a line is `NAME # REASON`."""
    lines = (
        [line for line in path.read_text().split("\n") if line.strip() and not line.startswith("#")]
        if path.exists()
        else []
    )
    return {name.strip(): reason.strip() for name, _, reason in (line.rpartition(" # ") for line in lines)}


def counts(rows: list[dict], reasons: dict[str, str]) -> tuple[int, int, int, int]:
    """All, killed, equivalent, survivors."""
    killed = sum(row["result"].startswith("killed") for row in rows)
    same = sum(not row["result"].startswith("killed") and row["name"] in reasons for row in rows)
    return len(rows), killed, same, len(rows) - killed - same


def table_row(title: str, rows: list[dict], reasons: dict[str, str]) -> str:
    total, killed, same, survivors = counts(rows, reasons)
    share = f"{100 * killed / (total - same):.0f} %" if total > same else "-"
    return f"| {title} | {total} | {killed} | {same} | {survivors} | {share} |\n"


def first_try(rows: list[dict], reasons: dict[str, str]) -> str:
    """What was killed before tests were written for the survivors; nothing where that is all."""
    total, killed, same, _ = counts(rows, reasons)
    first = sum(row["first"].startswith("killed") for row in rows)
    if first == killed:
        return ""
    return (
        f"Before tests were written for the survivors, {first} were killed: {100 * first / (total - same):.0f} % of those\n"
        "that matter. That is the estimate for mutants outside the sample; the table shows the sample since then.\n\n"
    )


def page(rows: list[dict], reasons: dict[str, str], possible: int, seed: int) -> str:
    modules = sorted({row["file"].split("/")[1] for row in rows})
    kinds = sorted({row["kind"] for row in rows})
    text = HEAD + f"Tried: {len(rows)} of {possible} possible mutants, a random sample (seed {seed}).\n\n"
    text += first_try(rows, reasons)
    text += "| where, what | mutants | killed | equivalent | survived | killed of those that matter |\n"
    text += "|---|--:|--:|--:|--:|--:|\n"
    for module in modules:
        text += table_row(module, [row for row in rows if row["file"].split("/")[1] == module], reasons)
    for kind in kinds:
        text += table_row(kind, [row for row in rows if row["kind"] == kind], reasons)
    text += table_row("all", rows, reasons)
    left = [row for row in rows if not row["result"].startswith("killed")]
    text += "\n## Survivors\n\n" + (
        "".join(f"- `{row['name']}` ({row['result']})\n" for row in left if row["name"] not in reasons) or "None.\n"
    )
    text += "\n## Equivalent\n\n" + (
        "".join(f"- `{row['name']}`: {reasons[row['name']]}\n" for row in left if row["name"] in reasons) or "None.\n"
    )
    return text
