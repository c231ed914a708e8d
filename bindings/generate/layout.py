"""How C lays the structs in memory on a 64-bit machine."""

from collections.abc import Iterator

from .model import Callback, Enum, Field, Header, Struct

SIZES = {
    "char": 1, "uint8_t": 1, "int32_t": 4, "uint32_t": 4, "float": 4, "int64_t": 8, "uint64_t": 8, "size_t": 8,
    "double": 8,
}  # fmt: skip


def value_size(field: Field, header: Header) -> int:
    """The size of a field's value, or of one of them in an array. It is the alignment, too."""
    if field.type.pointers or field.type.base in header.names_of(Callback):
        return 8
    return 4 if field.type.base in header.names_of(Enum) else SIZES[field.type.base]


def places(struct: Struct, header: Header) -> Iterator[tuple[Field, int, int]]:
    """Each field with its offset and size. A struct with a hole, which would not have the same layout everywhere, is an
    error."""
    offset = 0
    for field in struct.fields:
        alignment = value_size(field, header)
        if offset % alignment:
            raise ValueError(f"{struct.name}.{field.name}: expected no hole before it, got {offset % alignment} bytes")
        size = alignment * (field.length or 1)
        yield field, offset, size
        offset += size


def size(struct: Struct, header: Header) -> int:
    whole = sum(size for _, _, size in places(struct, header))
    if whole % max(value_size(field, header) for field in struct.fields):
        raise ValueError(f"{struct.name}: expected no hole at its end")
    return whole
