"""Writes `sys/abi.rs`: constants, structs, callbacks and functions for Rust."""

from .layout import size
from .model import Callback, Constant, Enum, Function, Header, Item, Opaque, Parameter, Section, Struct, Type
from .words import NOTICE, WIDTH

BEGINNING = f"""// {NOTICE}
//! Everything that `mixgrpo.h` declares, in its order.

use std::ffi::{{c_char, c_void}};
"""
PLAIN = {
    "int32_t": "i32", "int64_t": "i64", "uint8_t": "u8", "uint32_t": "u32", "uint64_t": "u64", "size_t": "usize",
    "float": "f32", "double": "f64", "char": "c_char", "void": "c_void",
}  # fmt: skip


def file(header: Header) -> str:
    return BEGINNING + "".join(section(part, header) for part in header.sections)


def section(part: Section, header: Header) -> str:
    items = [declaration(item, header) for item in part.items if not isinstance(item, Function)]
    functions = "".join(function(item) for item in part.of(Function))
    block = [f'extern "C" {{\n{functions}}}\n'] if functions else []
    text = f"\n// {part.title}\n\n" + "\n".join([*items, *block])
    return text.replace(";\n\npub const", ";\npub const")


def declaration(item: Item, header: Header) -> str:
    match item:
        case Constant():
            return f"pub const {item.name}: {'i32' if item.number < 0 else 'u32'} = {item.number};\n"
        case Opaque():
            return f"opaque!({item.name});\n"
        case Enum():
            values = (f"pub const {value.name}: {item.name} = {value.number};\n" for value in item.values)
            return f"pub type {item.name} = i32;\n" + "".join(values)
        case Struct():
            return structure(item, header)
        case Callback():
            return callback(item)
    raise TypeError(f"{item.name}: not a declaration")


def structure(struct: Struct, header: Header) -> str:
    fields = ""
    for field in struct.fields[1:] if struct.is_sized else struct.fields:
        kind = rust_type(field.type)
        fields += f"    {field.name}: {f'[{kind}; {field.length}]' if field.length else kind},\n"
    sized = "sized " if struct.is_sized else ""
    return f"structure! {{ {sized}{struct.name}: {size(struct, header)} {{\n{fields}}}}}\n"


def callback(item: Callback) -> str:
    result = "" if item.result == Type("void") else f" -> {rust_type(item.result)}"
    parameters = typed(item.parameters)
    line = f'    Option<unsafe extern "C" fn({", ".join(parameters)}){result}>;\n'
    if len(line) <= WIDTH + 1:
        return f"pub type {item.name} =\n{line}"
    line = f'    unsafe extern "C" fn({", ".join(parameters)}){result},\n'
    if len(line) > WIDTH + 1:
        rows = "".join(f"        {parameter},\n" for parameter in parameters)
        line = f'    unsafe extern "C" fn(\n{rows}    ){result},\n'
    return f"pub type {item.name} = Option<\n{line}>;\n"


def function(item: Function) -> str:
    result = "" if item.result == Type("void") else f" -> {rust_type(item.result)}"
    line = f"    pub fn {item.name}({', '.join(typed(item.parameters))}){result};"
    if len(line) <= WIDTH:
        return f"{line}\n"
    return f"    pub fn {item.name}(\n{filled(typed(item.parameters))}    ){result};\n"


def filled(parameters: list[str]) -> str:
    """As many parameters on a line as fit, which is what rustfmt calls compressed; it leaves a column free."""
    lines = [""]
    for parameter in parameters:
        longer = f"{lines[-1]} {parameter}," if lines[-1] else f"        {parameter},"
        if len(longer) <= WIDTH - 1:
            lines[-1] = longer
        else:
            lines.append(f"        {parameter},")
    return "".join(f"{line}\n" for line in lines)


def typed(parameters: tuple[Parameter, ...]) -> list[str]:
    return [f"{parameter.name}: {rust_type(parameter.type)}" for parameter in parameters]


def rust_type(kind: Type) -> str:
    written = PLAIN.get(kind.base, kind.base)
    for const in kind.pointers:
        written = f"*{'const' if const else 'mut'} {written}"
    return written
