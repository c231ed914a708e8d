"""From the header's names and comments to those of other languages."""

import re
import textwrap

from .model import Enum, Field, Header, Struct, Type

WIDTH = 120
TEXT = Type("char", (True,))
OWN_TYPES = {  # structs for which bindings have a type with more than their fields
    "mixgrpo_velocity_request", "mixgrpo_parameter_info", "mixgrpo_image_info", "mixgrpo_text", "mixgrpo_setting",
    "mixgrpo_collective",
}  # fmt: skip
NOTICE = "Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it."
SETTINGS_NOTICE = (
    "Generated from the library's table of settings; write it anew with `make generate` instead of editing it."
)


def camel(name: str) -> str:
    """`mixgrpo_window_mode` is WindowMode, `DPM_2_HEUN` is Dpm2Heun."""
    return "".join(part.capitalize() for part in name.removeprefix("mixgrpo_").split("_"))


def sentence(comment: str, header: Header) -> str:
    """A comment as a sentence of a docstring, in the names that Python and Rust share."""
    text = comment.replace("Mix 3.", "MixGRPO §3.")
    text = re.sub(r"\bmixgrpo_\w+", lambda name: type_name(name[0], header), text)
    text = re.sub(r"\bMIXGRPO_\w+", lambda name: value_name(name[0], header), text)
    text = re.sub(r"(?<![`\w])[a-z0-9]+(?:_[a-z0-9]+)+(?![`\w])", r"`\g<0>`", text)
    if re.match(r"(?!(?:[b-z]|eta|tau)\b)[a-z]+\b(?![_(*^])", text):  # a symbol stays as it is
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?")) else f"{text}."


def type_name(name: str, header: Header) -> str:
    return f"`{camel(name)}`" if name in header.names_of(Enum, Struct) else f"`{name}`"


def value_name(name: str, header: Header) -> str:
    for enum in header.of(Enum):
        for value in enum.values:
            if value.name == name:
                return f"`{camel(enum.name)}.{enum.case(value)}`"
    return f"`{name}`"


def required(comment: str, name: str) -> str:
    """A comment that stands in the public documentation, so that there must be one."""
    if not comment:
        raise ValueError(f"{name}: expected a comment, for it stands in the documentation of Python and Rust")
    return comment


def has_own_type(struct: Struct) -> bool:
    """Whether a struct is no plain result: a configuration, or one that bindings write by hand."""
    return struct.name.endswith("_config") or struct.name in OWN_TYPES


def is_flag(field: Field) -> bool:
    return field.comment.startswith("flag")


def meaning(field: Field, struct: Struct) -> str:
    """What a field of a result is, for languages that have a copy of its text, which belongs to nobody else."""
    comment = required(field.comment, f"{struct.name}.{field.name}").removeprefix("flag").lstrip(":, ")
    return re.split(r"\W+belongs to ", comment, flags=re.I)[0] if field.type == TEXT else comment


def wrapped(text: str, first: str, others: str) -> list[str]:
    """Lines of a text; `first` and `others` are what they begin with."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
