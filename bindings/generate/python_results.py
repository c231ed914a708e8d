"""Writes `mixgrpo/results.py`: what the library reports."""

from .model import Enum, Field, Header, Struct
from .python_enums import docstring
from .words import NOTICE, camel, has_own_type, is_flag, meaning, required

BEGINNING = f'''# {NOTICE}
"""What the library reports: plans, progress, figures."""

from dataclasses import dataclass

from ._one_line import InOneLine
from .enums import '''
BASES = {"mixgrpo_metrics": "(InOneLine)"}
ELSEWHERE = {"mixgrpo_adaptive_window", "mixgrpo_workload", "mixgrpo_advantage_report"}  # with defaults or arrays
PLAIN = {"int32_t": "int", "int64_t": "int", "size_t": "int", "double": "float", "char": "str"}


def file(header: Header) -> str:
    structs = [struct for struct in header.of(Struct) if not has_own_type(struct) and struct.name not in ELSEWHERE]
    types = {field.type.base for struct in structs for field in struct.fields}
    enums = ", ".join(sorted(camel(name) for name in types & header.names_of(Enum)))
    return f"{BEGINNING}{enums}\n" + "".join(f"\n\n{dataclass(struct, header)}" for struct in structs)


def dataclass(struct: Struct, header: Header) -> str:
    lines = ["@dataclass(frozen=True, kw_only=True)", f"class {camel(struct.name)}{BASES.get(struct.name, '')}:"]
    lines += [*docstring(required(struct.comment, struct.name), header), ""]
    for field in struct.fields:
        if field.name not in ("struct_size", "reserved"):
            lines += [f"    {field.name}: {python_type(field, header)}", *docstring(meaning(field, struct), header)]
    return "\n".join(lines) + "\n"


def python_type(field: Field, header: Header) -> str:
    if field.type.base in header.names_of(Enum):
        return camel(field.type.base)
    kind = "bool" if is_flag(field) else PLAIN[field.type.base]
    return f"tuple[{', '.join([kind] * field.length)}]" if field.length else kind
