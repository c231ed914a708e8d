"""The library's table of settings, read through `mixgrpo_setting_info`."""

import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

from .layout import size
from .model import Constant, Enum, Field, Header, Struct

KINDS = {
    "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t, "double": ctypes.c_double,
}  # fmt: skip
INTEGER, NUMBER, FLAG, CHOICE = range(4)


@dataclass(frozen=True)
class Setting:
    """One field of a configuration with its row in the table."""

    field: Field
    kind: int
    cases: tuple[str, ...]
    default: str
    minimum: float
    maximum: float
    minimum_open: bool
    maximum_open: bool
    unit: str
    sentence: str

    @property
    def range(self) -> str:
        """Such as `2…10000 steps`; empty for a flag or a choice."""
        if self.kind in (FLAG, CHOICE):
            return ""
        values = f"each {self.limits}" if self.field.length else self.limits
        return f"{values} {self.unit}".strip()

    @property
    def limits(self) -> str:
        """The values alone, in words where an end is excluded."""
        low, high = limit(self.minimum), limit(self.maximum)
        if self.kind == INTEGER and self.maximum in (2**31 - 1, 2**63):
            return f"{low} or more"
        if not (self.minimum_open or self.maximum_open):
            return f"{low}…{high}"
        return f"{'above' if self.minimum_open else 'at least'} {low}, {'below' if self.maximum_open else 'at most'} {high}"


@dataclass(frozen=True)
class Configuration:
    struct: Struct
    settings: tuple[Setting, ...]


def limit(value: float) -> str:
    """An end of a range, as people write it."""
    if value == 2**64:
        return "2^64 - 1"
    if value >= 1e10 and value == 10 ** len(f"{value:.0f}"[1:]):
        return f"10^{len(f'{value:.0f}') - 1}"
    return number(value).removesuffix(".0")


def number(value: float) -> str:
    """A literal of Python and Rust: `25.0`, `0.7`, `1e-5`."""
    return re.sub(r"e([+-])0*", lambda sign: "e-" if sign[1] == "-" else "e", repr(float(value)))


def read(path: Path, header: Header) -> tuple[Configuration, ...]:
    """The configurations in the header's order. Raises `ValueError` for a field without a row, or a library of another
    header."""
    library = opened(path, header)
    kind = setting_struct(header)
    rows: dict[tuple[str, str], ctypes.Structure] = {}
    for index in range(library.mixgrpo_setting_count()):
        row = kind(struct_size=ctypes.sizeof(kind))
        if library.mixgrpo_setting_info(index, ctypes.byref(row)):
            raise ValueError(f"{path}: expected setting {index}, got an error")
        rows[row.config.decode(), row.key.decode()] = row
    names = {config for config, _ in rows}
    structs = [struct for struct in header.of(Struct) if struct.name in names]
    return tuple(Configuration(struct, tuple(settings(struct, rows))) for struct in structs)


def opened(path: Path, header: Header) -> ctypes.CDLL:
    if not path.exists():
        raise ValueError(f"{path}: expected the library, whose table of settings is read; build it with `make library`")
    library = ctypes.CDLL(os.fspath(path))
    library.mixgrpo_setting_count.restype = ctypes.c_size_t
    library.mixgrpo_setting_info.argtypes = [ctypes.c_size_t, ctypes.c_void_p]
    declared = next(item.number for item in header.of(Constant) if item.name == "MIXGRPO_ABI_VERSION")
    if library.mixgrpo_abi_version() != declared:
        raise ValueError(f"{path}: expected binary interface {declared}, got another; build it with `make library`")
    return library


def setting_struct(header: Header) -> type[ctypes.Structure]:
    """`mixgrpo_setting` for ctypes."""
    struct = next(item for item in header.of(Struct) if item.name == "mixgrpo_setting")
    enums = header.names_of(Enum)
    kinds = [
        ctypes.c_char_p if field.type.pointers else KINDS["int32_t" if field.type.base in enums else field.type.base]
        for field in struct.fields
    ]
    fields = [(field.name, kind) for field, kind in zip(struct.fields, kinds, strict=True)]
    kind = type(struct.name, (ctypes.Structure,), {"_fields_": fields})
    if ctypes.sizeof(kind) != size(struct, header):
        raise ValueError(f"{struct.name}: expected {size(struct, header)} bytes, got {ctypes.sizeof(kind)}")
    return kind


def arrays(struct: Struct) -> list[Field]:
    """The fields that point to values of the host. They have no row, because they are no text in a file of settings."""
    return [field for field in struct.fields if field.type.pointers]


def count_of(array: Field) -> str:
    """The field with the number of values."""
    return f"{array.name.removesuffix('s')}_count"


def is_count(field: Field, struct: Struct) -> bool:
    return field.name in map(count_of, arrays(struct))


def about(array: Field) -> str:
    """What an array means to a language that copies it and knows its length."""
    return array.comment.partition(", ")[2].partition(" Or NULL")[0]


def settings(struct: Struct, rows: dict):
    for field in struct.fields:
        if field.name in ("struct_size", "reserved") or field in arrays(struct) or is_count(field, struct):
            continue
        if (struct.name, field.name) not in rows:
            raise ValueError(f"{struct.name}.{field.name}: expected a row in the library's table of settings, got none")
        row = rows[struct.name, field.name]
        yield Setting(
            field, row.kind, tuple(row.cases.decode().split()), row.default_text.decode(), row.minimum, row.maximum,
            bool(row.minimum_open), bool(row.maximum_open), row.unit.decode(), row.sentence.decode(),
        )  # fmt: skip
