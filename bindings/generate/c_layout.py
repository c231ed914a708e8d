"""Writes `Tests/c/struct_layout.h`: the layout that the bindings count on, for the C compiler to agree with."""

from .layout import places, size
from .model import Header, Struct
from .words import NOTICE


def file(header: Header) -> str:
    rows = "".join(struct_rows(struct, header) for struct in header.of(Struct))
    return (
        f"/* {NOTICE}\n"
        " * STRUCT(type, size) and FIELD(type, name, offset, size) of every struct, as the bindings count on. */\n"
        f"{rows}"
    )


def struct_rows(struct: Struct, header: Header) -> str:
    fields = (
        f"FIELD({struct.name}, {field.name}, {offset}, {length})\n" for field, offset, length in places(struct, header)
    )
    return f"STRUCT({struct.name}, {size(struct, header)})\n" + "".join(fields)
