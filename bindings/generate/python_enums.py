"""Writes `mixgrpo/enums.py`: the choices in settings and results."""

from .model import Enum, Function, Header, Struct
from .python_format import subscripted
from .words import NOTICE, camel, required, sentence, wrapped

BEGINNING = f'''# {NOTICE}
"""The choices in settings and results; the values are those of the C header."""

from enum import IntEnum
from typing import Literal, TypeAlias
'''


def file(header: Header) -> str:
    chosen = {kind for kind in types_of_the_host(header) if kind != "mixgrpo_status"}
    return BEGINNING + "".join(f"\n\n{enum_class(enum, header, enum.name in chosen)}" for enum in header.of(Enum))


def types_of_the_host(header: Header) -> set[str]:
    """Of what a host passes in: settings and arguments."""
    settings = [field for struct in header.of(Struct) if struct.name.endswith("_config") for field in struct.fields]
    arguments = [parameter for function in header.of(Function) for parameter in function.parameters]
    return {item.type.base for item in [*settings, *arguments]}


def enum_class(enum: Enum, header: Header, is_chosen: bool) -> str:
    about = docstring(required(enum.comment, enum.name), header)
    lines = [f"class {camel(enum.name)}(IntEnum):", *about, ""]
    for value in enum.values:
        lines.append(f"    {enum.case(value)} = {value.number}")
        lines.extend(docstring(required(value.comment, value.name), header))
    return "\n".join([*lines, *(["", "", names(enum)] if is_chosen else [])]) + "\n"


def names(enum: Enum) -> str:
    """The type of the names that a case may be given by."""
    cases = [f'"{enum.case(value).lower()}"' for value in enum.values]
    alias = subscripted(f"{camel(enum.name)}Name: TypeAlias = Literal[", cases, "]")
    return f'{alias}\n"""A case of `{camel(enum.name)}` by its name."""'


def docstring(comment: str, header: Header) -> list[str]:
    return wrapped(f'"""{sentence(comment, header)}"""', "    ", "    ")
