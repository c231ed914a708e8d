"""Writes `structs.rs`: results, and what the host passes in besides settings."""

from .model import Enum, Field, Header, Struct
from .rust_abi import PLAIN
from .rust_enums import docstring
from .words import NOTICE, TEXT, camel, has_own_type, is_flag, meaning, required

BEGINNING = f"""// {NOTICE}
//! Results, and what the host passes in besides settings.

use crate::enums::*;
use crate::mirror::{{copied_structs, mirrored_structs}};
"""


def file(header: Header) -> str:
    structs = [struct for struct in header.of(Struct) if not has_own_type(struct)]
    copied = [struct for struct in structs if any(field.type == TEXT for field in struct.fields)]
    plain = [struct for struct in structs if struct not in copied]
    return BEGINNING + "".join(
        f"\n{kind}_structs! {{\n" + "\n".join(mirrored(struct, header) for struct in of_a_kind) + "}\n"
        for kind, of_a_kind in (("mirrored", plain), ("copied", copied))
    )


def mirrored(struct: Struct, header: Header) -> str:
    fields = [field for field in struct.fields if field.name not in ("struct_size", "reserved")]
    texts = [field for field in fields if field.type == TEXT]
    lines = docstring(required(struct.comment, struct.name), header, "    ")
    lines.append(f"    {camel(struct.name)} = {struct.name} {{")
    for field in fields:
        if field not in texts:
            lines += docstring(meaning(field, struct), header, "        ")
            lines.append(f"        {field.name}: {rust_type(field, header)},")
    lines.append("    }")
    if texts:
        lines.append("    texts {")
        for field in texts:
            lines += [*docstring(meaning(field, struct), header, "        "), f"        {field.name},"]
        lines.append("    }")
    return "\n".join(lines) + "\n"


def rust_type(field: Field, header: Header) -> str:
    if field.type.base in header.names_of(Enum):
        kind = camel(field.type.base)
    else:
        kind = "bool" if is_flag(field) else PLAIN[field.type.base]
    return f"[{kind}; {field.length}]" if field.length else kind
