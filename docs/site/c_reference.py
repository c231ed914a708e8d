"""The reference of the C interface, a page for each section of mixgrpo.h, made of its declarations and comments."""

import functools
import pathlib
import re
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bindings"))
from generate import header, model  # noqa: E402

HEADER = ROOT / "include" / "mixgrpo.h"


@functools.cache
def functions() -> set[str]:
    """The names that have an entry."""
    return set(re.findall(r"^(?:[\w ]+[ *])(mixgrpo_\w+)\(", HEADER.read_text(), flags=re.M))


def write(folder: pathlib.Path) -> None:
    """Writes the pages, in the header's order."""
    folder.mkdir(parents=True)
    names = ["rules"]
    (folder / "rules.md").write_text(rules())
    for title, entries in sections():
        heading, _, stability = title.partition("  ")
        name = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
        names.append(name)
        (folder / f"{name}.md").write_text(f"# {heading}\n\n*{stability.strip() or 'stable'}*\n\n" + "\n".join(entries))
    listed = "\n".join(f"{name}" for name in names)
    (folder / "index.md").write_text(f"# C\n\n{INTRODUCTION}\n```{{toctree}}\n{listed}\n```\n")


INTRODUCTION = """Every function, struct and constant of [mixgrpo.h](../tree/include/mixgrpo.h.md), in the header's order.
[The guide](../guides/c.md) shows a program.
"""


def sections() -> Iterator[tuple[str, list[str]]]:
    """The title of each section, and the text of its entries."""
    title, entries, comment = "", [], ""
    for form in header.forms(HEADER.read_text()):
        if form["section_"]:
            if entries:
                yield title, entries
            title, entries = form["title"], []
        elif title and form["comment_"] is None:
            for item in header.declarations(form, comment):
                entries += entry(form, item)
        elif title and comment:  # a comment of its own, before another comment
            entries.append(prose(comment))
        comment = form["comment"] or ""
    yield title, entries


def entry(form: re.Match, item: model.Item) -> Iterator[str]:
    """One declaration as a directive of Sphinx' C domain."""
    text = prose(item.comment)
    match item:
        case model.Function():
            declaration = re.sub(r"\s+", " ", form[0]).rstrip(";")
            yield directive("c:function", declaration, text)
        case model.Struct():
            fields = [
                directive("c:member", f"{spelled(field.type)} {field.name}" + (f"[{field.length}]" if field.length else ""),
                          escaped(field.comment), fence=4)
                for field in item.fields
            ]  # fmt: skip
            yield directive("c:struct", item.name, text + "\n" + "\n".join(fields))
        case model.Enum():
            rows = "".join(f"| `{value.name}` | {value.number} | {cell(value.comment)} |\n" for value in item.values)
            yield directive("c:type", item.name, f"{text}\n| constant | value | meaning |\n|---|---|---|\n{rows}")
        case model.Callback():
            yield directive("c:type", re.sub(r"\s+", " ", form[0]).removeprefix("typedef ").rstrip(";"), text)
        case model.Opaque():
            yield directive("c:type", item.name, text)
        case model.Constant():
            yield directive("c:macro", item.name, f"{text}\n\nValue: {item.number}")


def directive(kind: str, argument: str, text: str, fence: int = 5) -> str:
    return f"{'`' * fence}{{{kind}}} {argument}\n{text.strip()}\n{'`' * fence}\n"


def spelled(type: model.Type) -> str:
    const = [("const " if constant else "") for constant in type.pointers] or [""]
    return f"{const[0]}{type.base}" + "".join(" *" + part.strip() for part in [*const[1:], ""][: len(type.pointers)])


def cell(text: str) -> str:
    return escaped(text).replace("|", "\\|")


def prose(comment: str) -> str:
    """A comment as Markdown. A line of three spaces, a name, two spaces and a text is an item of a list."""
    made: list[str] = []
    for line in re.sub(r"\n *\* ?", "\n", comment).strip().splitlines():
        item = re.match(r"  (\S.*?)  +(\S.*)$", line)
        if item:
            made += [] if made and made[-1].startswith(("- ", "  ")) else [""]
            made.append(f"- {name_of(item[1])}: {escaped(item[2])}")
        elif line.startswith("   "):
            made.append("  " + escaped(line.strip()))
        else:
            made += [""] if made and made[-1].startswith(("- ", "  ")) else []
            made.append(escaped(line.strip()))
    return "\n".join(made) + "\n"


def name_of(text: str) -> str:
    """Names of arguments as code; a formula as it stands."""
    return ", ".join(f"`{part}`" for part in text.split(", ")) if re.fullmatch(r"[\w\", ]+", text) else escaped(text)


def escaped(text: str) -> str:
    """Marks of Markdown taken as they stand, outside of names in backticks. Names of functions become links."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):
        plain = re.sub(r"([\\*_<>\[\]{}$#~|])", r"\\\1", parts[i])
        parts[i] = re.sub(r"mixgrpo\\_[a-z0-9\\_]*[a-z0-9]", named, plain)
    return "".join(parts)


def named(name: re.Match) -> str:
    plain = name[0].replace("\\", "")
    return f"{{c:func}}`{plain}`" if plain in functions() else f"`{plain}`"


def rules() -> str:
    """The comment at the top of the header: its programs, rules, symbols and words."""
    text = HEADER.read_text()
    comment = re.sub(r"^ \* ?", "", text[text.index("/*") + 2 : text.index("*/")], flags=re.M)
    made = ["# Programs and rules\n"]
    for paragraph in re.split(r"\n\s*\n", comment.strip()):
        if paragraph.startswith("    "):
            made.append("```c\n" + "\n".join(line.removeprefix("    ") for line in paragraph.splitlines()) + "\n```")
        elif re.match(r"[A-Z][a-z]+\. {2,}", paragraph):
            made += [f"- **{rule[1]}.** {escaped(' '.join(rule[2].split()))}" for rule in RULE.finditer(paragraph)]
        elif paragraph.startswith("RULES"):
            made.append("## Rules for every function")
        else:
            made.append(escaped(re.sub(r"^mixgrpo\.h: a", "A", paragraph)))
    return "\n\n".join(made).replace("```\n\n```c\n", "\n") + "\n"


RULE = re.compile(r"^([A-Z][a-z]+)\. +(.*?)(?=^[A-Z][a-z]+\. |\Z)", flags=re.M | re.S)
