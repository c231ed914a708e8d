"""Writes `enums.rs`: the choices in settings and results."""

import re

from .model import Enum, Header
from .words import NOTICE, camel, required, sentence, wrapped

BEGINNING = f"""// {NOTICE}
//! The choices in settings and results.

use crate::mirror::mirrored_enums;

mirrored_enums! {{
"""
ELSEWHERE = {"mixgrpo_status", "mixgrpo_request_kind"}  # `Status` is an error's; a request's kind is a type of its own


def file(header: Header) -> str:
    enums = [enum for enum in header.of(Enum) if enum.name not in ELSEWHERE]
    return BEGINNING + "\n".join(mirrored(enum, header) for enum in enums) + "}\n"


def mirrored(enum: Enum, header: Header) -> str:
    lines = docstring(required(enum.comment, enum.name), header, "    ")
    lines.append(f"    {camel(enum.name)} {{")
    for value in enum.values:
        lines.extend(docstring(required(value.comment, value.name), header, "        "))
        lines.append(f"        {camel(enum.case(value))} = {value.name},")
    return "\n".join([*lines, "    }"]) + "\n"


def docstring(comment: str, header: Header, margin: str) -> list[str]:
    text = in_rust(sentence(comment, header), header).replace("*", "·")
    return wrapped(text, f"{margin}/// ", f"{margin}/// ")


def in_rust(text: str, header: Header) -> str:
    """By the names of Rust: `FaultPolicy::Skip` for `FaultPolicy.SKIP`, `Skip` for a bare SKIP, and `new` for the function
    that creates an object."""
    cases = {enum.case(value) for enum in header.of(Enum) for value in enum.values}
    text = re.sub(r"\b\w+\[\d\]", r"`\g<0>`", text)  # as plain text it would be a link
    text = re.sub(r"`mixgrpo_(\w+)_create`", lambda name: f"`{camel(name[1])}::new`", text)
    text = re.sub(r"`(\w+)\.(\w+)`", lambda name: f"`{name[1]}::{camel(name[2])}`", text)
    return re.sub(
        r"(?<![`\w])[A-Z][A-Z0-9_]+(?![`\w])", lambda name: f"`{camel(name[0])}`" if name[0] in cases else name[0], text
    )
