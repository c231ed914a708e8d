"""Writes `enums.rs`: the choices that settings offer and results tell."""

from .model import Enum, Header
from .words import NOTICE, camel, required, sentence, wrapped

BEGINNING = f"""// {NOTICE}
//! The choices that settings offer and results tell.

use crate::mirror::mirrored_enum;
"""
ELSEWHERE = {"mixgrpo_status", "mixgrpo_request_kind"}  # `Status` is an error's; a request's kind is a type of its own


def file(header: Header) -> str:
    enums = [enum for enum in header.of(Enum) if enum.name not in ELSEWHERE]
    return BEGINNING + "".join(f"\n{mirrored(enum, header)}" for enum in enums)


def mirrored(enum: Enum, header: Header) -> str:
    lines = ["mirrored_enum! {", *docstring(required(enum.comment, enum.name), header, "    ")]
    lines.append(f"    {camel(enum.name)} {{")
    for value in enum.values:
        lines.extend(docstring(required(value.comment, value.name), header, "        "))
        lines.append(f"        {camel(enum.case(value))} = {value.name},")
    return "\n".join([*lines, "    }", "}"]) + "\n"


def docstring(comment: str, header: Header, margin: str) -> list[str]:
    return wrapped(sentence(comment, header).replace("*", "·"), f"{margin}/// ", f"{margin}/// ")
