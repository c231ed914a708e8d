"""Reads the header. It knows the few forms that the header is written in; anything else is an error."""

import re
from collections.abc import Iterator

from .model import Callback, Constant, Enum, Field, Function, Header, Item, Opaque, Parameter, Section, Struct, Type

FORMS = {
    "section": r"/\* =+ \*/\n/\* (?P<title>[^\n]*?) *\*/\n/\* =+ \*/",
    "comment": r"/\*(?P<comment>.*?)\*/",
    "macro": r"#define (?P<macro>MIXGRPO_\w+) (?P<number>-?\d+)\n",
    "directive": r"#[^\n]*\n",
    "linkage": r'extern "C" \{|\}(?=\s*#endif)',
    "opaque": r"typedef struct (?P<opaque>\w+) (?P=opaque);",
    "struct": r"typedef struct (?P<struct>\w+) \{(?P<fields>.*?)\} (?P=struct);",
    "callback": r"typedef (?P<answer>\w+) \(\*(?P<callback>\w+)\)\((?P<receives>[^;]*)\);",
    "enum": r"typedef int32_t (?P<enum>\w+);\s*enum \{(?P<values>.*?)\};",
    "constants": r"enum \{(?P<constants>.*?)\};",
    "function": r"(?P<result>[\w ]+[\s*]+)(?P<function>\w+)\((?P<parameters>[^;]*?)\);",
}
ITEM = re.compile("|".join(f"(?P<{kind}_>{form})" for kind, form in FORMS.items()), flags=re.S)
FIELD = re.compile(
    r"\s*(?P<type>[\w\s*]+?)(?P<name>\w+)(?:\[(?P<length>\d+)\])?;\s*(?:/\*(?P<comment>.*?)\*/)?\s*", flags=re.S
)
VALUE = re.compile(r"\s*(?P<name>\w+) = (?P<number>-?\d+),?\s*(?:/\*(?P<comment>.*?)\*/)?\s*", flags=re.S)


def read(text: str) -> Header:
    """The declarations of a header, by section."""
    sections: list[tuple[str, list[Item]]] = [("Before the first section", [])]
    comment = ""
    for form in forms(text):
        if form["section_"]:
            sections.append((form["title"], []))
        sections[-1][1].extend(declarations(form, squeezed(comment)))
        comment = form["comment"] or ""
    return Header(tuple(Section(title, tuple(items)) for title, items in sections if items))


def forms(text: str) -> Iterator[re.Match]:
    """The forms in their order, without a gap."""
    place = beginning(text, 0)
    while place < len(text):
        form = ITEM.match(text, place)
        if not form:
            line = text.count("\n", 0, place) + 1
            raise ValueError(f"line {line}: expected a declaration, got {text[place:].splitlines()[0]!r}")
        yield form
        place = beginning(text, form.end())


def beginning(text: str, place: int) -> int:
    """Where the white space at `place` ends."""
    return len(text) - len(text[place:].lstrip())


def declarations(form: re.Match, comment: str) -> Iterator[Item]:
    """What a form declares; `comment` stands before it."""
    if form["macro_"]:
        yield Constant(form["macro"], int(form["number"]), comment)
    elif form["opaque_"]:
        yield Opaque(form["opaque"], comment)
    elif form["struct_"]:
        yield Struct(form["struct"], tuple(fields(form["fields"])), comment)
    elif form["callback_"]:
        yield Callback(form["callback"], read_type(form["answer"]), parameters(form["receives"]), comment)
    elif form["enum_"]:
        yield Enum(form["enum"], tuple(values(form["values"])), comment)
    elif form["constants_"]:
        yield from values(form["constants"], comment)
    elif form["function_"]:
        yield Function(form["function"], read_type(form["result"]), parameters(form["parameters"]), comment)


def fields(body: str) -> Iterator[Field]:
    for field in whole(FIELD, without_headings(body)):
        length = int(field["length"]) if field["length"] else None
        yield Field(field["name"], read_type(field["type"]), length, squeezed(field["comment"] or ""))


def without_headings(body: str) -> str:
    """The fields without comments that stand on a line of their own, which only group them."""
    return re.sub(r"^  /\*[^\n]*\*/\n", "", body, flags=re.M)


def values(body: str, comment: str = "") -> Iterator[Constant]:
    for value in whole(VALUE, body):
        yield Constant(value["name"], int(value["number"]), squeezed(value["comment"] or comment))


def whole(pattern: re.Pattern, body: str) -> Iterator[re.Match]:
    """The matches of a pattern that follow one another through a whole body."""
    place = 0
    while place < len(body):
        found = pattern.match(body, place)
        if not found or found.end() == place:
            raise ValueError(f"expected a field or value, got {body[place:].strip()!r}")
        yield found
        place = found.end()


def parameters(text: str) -> tuple[Parameter, ...]:
    if text.strip() == "void":
        return ()
    pairs = [re.fullmatch(r"(.*?)(\w+)", parameter.strip(), flags=re.S) for parameter in text.split(",")]
    return tuple(Parameter(pair[2], read_type(pair[1])) for pair in pairs)


def read_type(text: str) -> Type:
    """`const char *const *` is two pointers to what is const."""
    base, *pointers = [part.split() for part in text.split("*")]
    const = ["const" in base, *("const" in part for part in pointers[:-1])]
    return Type(base[-1], tuple(const) if pointers else ())


def squeezed(comment: str) -> str:
    """The comment on one line."""
    return re.sub(r"\s+", " ", re.sub(r"\n\s*\* ?", "\n", comment)).strip()
