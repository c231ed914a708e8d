"""Writes `configurations.rs`: the configurations with their defaults."""

from .model import Enum, Header
from .settings import CHOICE, FLAG, NUMBER, Configuration, Setting, about, arrays, count_of, number
from .words import SETTINGS_NOTICE, camel, required, sentence, wrapped

BEGINNING = f"""// {SETTINGS_NOTICE}
//! The configurations. `Default` gives the defaults that each field states.

use crate::enums::*;
use crate::mirror::mirrored_configurations;
"""
TYPES = {"int32_t": "i32", "int64_t": "i64", "uint64_t": "u64", "size_t": "usize", "double": "f64"}
SCHEDULED = ("mixgrpo_rollout_config", "window_start")  # -1 of the header is `None`


def file(header: Header, configurations: tuple[Configuration, ...]) -> str:
    plain = [configuration for configuration in configurations if not arrays(configuration.struct)]
    with_arrays = [[configuration] for configuration in configurations if configuration not in plain]
    return BEGINNING + "".join(
        "\nmirrored_configurations! {\n" + "\n".join(mirrored(one, header) for one in together) + "}\n"
        for together in (plain, *with_arrays)
    )


def mirrored(configuration: Configuration, header: Header) -> str:
    struct = configuration.struct
    lines = docstring(required(struct.comment, struct.name), header, "    ")
    lifetime = "<'a>" if arrays(struct) else ""
    lines.append(f"    {camel(struct.name)}{lifetime} = {struct.name} {{")
    for setting in configuration.settings:
        optional = (struct.name, setting.field.name) == SCHEDULED
        kind, default, shown = ("Option<u32>", "None", "`None`") if optional else declared(setting, header)
        text = setting.sentence.replace("-1 for", "`None` for") if optional else setting.sentence
        lines += docstring(stated(text, shown, "" if optional else setting.range, header), header, "        ")
        lines.append(f"        {setting.field.name}: {kind} = {default},")
    lines.append("    }")
    if arrays(struct):
        lines.append("    arrays {")
        for array in arrays(struct):
            lines += docstring(sentence(about(array), header), header, "        ")
            lines.append(f"        {array.name}, {count_of(array)}: {TYPES[array.type.base]},")
        lines.append("    }")
    return "\n".join(lines) + "\n"


def stated(text: str, default: str, values: str, header: Header) -> str:
    return f"{sentence(text, header)} Default {default}{f', range {values}' if values else ''}."


def declared(setting: Setting, header: Header) -> tuple[str, str, str]:
    """The type, the default, and the default for people."""
    if setting.kind == CHOICE:
        enum, case = camel(setting.field.type.base), camel(setting.default)
        return enum, f"{enum}::{case}", f"`{case}`"
    if setting.kind == FLAG:
        return "bool", setting.default, setting.default
    if setting.kind == NUMBER:
        literal = number(float(setting.default))
        return "f64", literal, literal.removesuffix(".0")
    kind = "i32" if setting.field.type.base in header.names_of(Enum) else TYPES[setting.field.type.base]
    if setting.field.length:
        return f"[{kind}; {setting.field.length}]", f"[{setting.default}]", setting.default
    return kind, setting.default, setting.default


def docstring(text: str, header: Header, margin: str) -> list[str]:
    return wrapped(sentence(text, header).replace("*", "·"), f"{margin}/// ", f"{margin}/// ")
