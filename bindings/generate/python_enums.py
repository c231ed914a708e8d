"""Writes `mixgrpo/enums.py`: the choices in settings and results."""

from .model import Enum, Header
from .python_format import subscripted
from .words import NOTICE, camel, required, sentence, wrapped

BEGINNING = f'''# {NOTICE}
"""The choices in settings and results; the values are those of the C header."""

from enum import IntEnum
from typing import Literal, TypeAlias
'''


def file(header: Header) -> str:
    return BEGINNING + "".join(f"\n\n{enum_class(enum, header)}" for enum in header.of(Enum))


def enum_class(enum: Enum, header: Header) -> str:
    about = docstring(required(enum.comment, enum.name), header)
    lines = [f"class {camel(enum.name)}(IntEnum):", *about, ""]
    for value in enum.values:
        lines.append(f"    {enum.case(value)} = {value.number}")
        lines.extend(docstring(required(value.comment, value.name), header))
    return "\n".join(lines) + f"\n\n\n{names(enum)}\n"


def names(enum: Enum) -> str:
    """The type of the names that a case may be given by."""
    cases = [f'"{enum.case(value).lower()}"' for value in enum.values]
    alias = subscripted(f"{camel(enum.name)}Name: TypeAlias = Literal[", cases, "]")
    return f'{alias}\n"""A case of `{camel(enum.name)}` by its name."""'


def docstring(comment: str, header: Header) -> list[str]:
    return wrapped(f'"""{sentence(comment, header)}"""', "    ", "    ")
