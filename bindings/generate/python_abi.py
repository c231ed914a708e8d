"""Writes `mixgrpo/_abi.py`: the structs, callbacks and functions for ctypes."""

from .layout import size
from .model import Callback, Constant, Enum, Field, Function, Header, Opaque, Struct, Type
from .python_format import bracketed
from .words import NOTICE, WIDTH, camel

BEGINNING = f'''# {NOTICE}
"""The C interface as ctypes sees it: every struct and function of `mixgrpo.h`, in the header's order.

Class `ModelConfig` is `mixgrpo_model_config`, and so on; `TextEntry` is `mixgrpo_text`. `FUNCTIONS` holds the return
type and the named, typed parameters of each function, `SIZES` the bytes that C gives each struct.
"""

import ctypes

from ._types import (
    Bytes,
    Double,
    Doubles,
    Floats,
    Function,
    Handle,
    Int32,
    Int64,
    Integers,
    Size,
    Status,
    Struct,
    Text,
    UInt64,
)
'''
PLAIN = {
    "int32_t": "ctypes.c_int32", "uint32_t": "ctypes.c_uint32", "int64_t": "ctypes.c_int64", "float": "ctypes.c_float",
    "uint64_t": "ctypes.c_uint64", "size_t": "ctypes.c_size_t", "double": "ctypes.c_double",
}  # fmt: skip
CHECKED = {"int32_t": "Int32", "int64_t": "Int64", "uint64_t": "UInt64", "size_t": "Size", "double": "Double"}
ARRAYS = {"float": "Floats", "double": "Doubles", "int32_t": "Integers", "uint8_t": "Bytes"}


def class_name(name: str) -> str:
    """`Text` is taken by the type of arguments."""
    return "TextEntry" if name == "mixgrpo_text" else camel(name)


def file(header: Header) -> str:
    return "".join([
        f"{BEGINNING}\n{constants(header)}\n",
        *(f"{callback(item, header)}\n" for item in header.of(Callback) if is_in_struct(item, header)),
        *(f"\n\n{structure(struct, header)}\n" for struct in header.of(Struct)),
        f"\n\n{sizes(header)}\n\n",
        *(f"{callback(item, header)}\n" for item in header.of(Callback) if not is_in_struct(item, header)),
        f"\n{functions(header)}",
    ])  # fmt: skip


def constants(header: Header) -> str:
    numbers = [constant for constant in header.of(Constant) if "VERSION" not in constant.name or "ABI" in constant.name]
    return "\n".join(f"{constant.name.removeprefix('MIXGRPO_')} = {constant.number}" for constant in numbers)


def structure(struct: Struct, header: Header) -> str:
    fields = struct.fields[1:] if struct.is_sized else struct.fields
    base = "Struct" if struct.is_sized else "ctypes.Structure"
    pairs = [f'("{field.name}", {field_type(field, header)})' for field in fields]
    return f"class {class_name(struct.name)}({base}):\n" + bracketed("_fields_ = [", pairs, "]", indent=4)


def field_type(field: Field, header: Header) -> str:
    kind = value_type(field.type, header)
    return f"{kind} * {field.length}" if field.length else kind


def is_in_struct(item: Callback, header: Header) -> bool:
    """Whether a struct has such a callback, which must then be known before it."""
    return any(field.type.base == item.name for struct in header.of(Struct) for field in struct.fields)


def value_type(kind: Type, header: Header) -> str:
    """The type of a value that the library gives: in a field, to a callback, as a result."""
    if kind.base in header.names_of(Callback):
        return camel(kind.base)
    if not kind.pointers:
        return "ctypes.c_int32" if kind.base in header.names_of(Enum) else PLAIN[kind.base]
    return address(kind, header)


def address(kind: Type, header: Header) -> str:
    """A pointer type."""
    single = len(kind.pointers) == 1
    if kind.base in header.names_of(Opaque):
        return "Handle" if single else "ctypes.POINTER(Handle)"
    if kind.base in header.names_of(Struct):
        return f"ctypes.POINTER({class_name(kind.base)})"
    if kind.base == "char":
        return "ctypes.c_char_p" if single else "ctypes.POINTER(ctypes.c_char_p)"
    if kind.base == "void":
        return "ctypes.c_void_p"
    base = "int32_t" if kind.base in header.names_of(Enum) else kind.base
    return ARRAYS[base] if base in ARRAYS else f"ctypes.POINTER({PLAIN[base]})"


def parameter_type(kind: Type, header: Header) -> str:
    """The type of an argument, which refuses what does not fit."""
    if kind == Type("char", (True,)):
        return "Text"
    if kind.pointers:
        return address(kind, header)
    if kind.base in header.names_of(Callback):
        return camel(kind.base)
    return "Int32" if kind.base in header.names_of(Enum) else CHECKED[kind.base]


def result_type(kind: Type, header: Header) -> str:
    if kind == Type("void"):
        return "None"
    return "Status" if kind == Type("mixgrpo_status") else value_type(kind, header)


def sizes(header: Header) -> str:
    pairs = [f"{class_name(struct.name)}: {size(struct, header)}" for struct in header.of(Struct)]
    return bracketed("SIZES: dict[type[ctypes.Structure], int] = {", pairs, "}")


def callback(item: Callback, header: Header) -> str:
    kinds = [result_type(item.result, header), *(value_type(parameter.type, header) for parameter in item.parameters)]
    return bracketed(f"{camel(item.name)} = ctypes.CFUNCTYPE(", kinds, ")")


def functions(header: Header) -> str:
    declared = "".join(f"{function(item, header)}\n" for item in header.of(Function))
    return f"FUNCTIONS: dict[str, Function] = {{\n{declared}}}\n"


def function(item: Function, header: Header) -> str:
    result = result_type(item.result, header)
    pairs = [f'"{parameter.name}": {parameter_type(parameter.type, header)}' for parameter in item.parameters]
    arguments = f"{result}, {{{', '.join(pairs)}}}"
    short, indented = f'    "{item.name}": Function({arguments}),', f"        {arguments}"
    if len(short) <= WIDTH:
        return short
    if len(indented) > WIDTH:
        indented = f"        {result},\n" + bracketed("{", pairs, "},", indent=8)
    return f'    "{item.name}": Function(\n{indented}\n    ),'
