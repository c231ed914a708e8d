"""Writes `Tests/abi/probe.c`: every function of the header without content.

The debug information of the library is Swift's and knows no C types; that of the compiled probe describes the C interface.
"""

from .model import Enum, Function, Header, Parameter, Type
from .words import NOTICE


def file(header: Header) -> str:
    enums = "\n".join(map(values, header.of(Enum)))
    functions = "".join(map(stub, header.of(Function)))
    return (
        f"/* {NOTICE}\n"
        " * Tests/abi/run.sh compares what its debug information says of the header with the baseline. */\n"
        f'#include "mixgrpo.h"\n\n{enums}\n{functions}'
    )


def values(enum: Enum) -> str:
    """A variable that refers to the enum's constants: in the header they belong to no type."""
    constants = "".join(f"  probe_{value.name} = {value.name},\n" for value in enum.values)
    return f"enum probe_{enum.name} {{\n{constants}}} probe_{enum.name};\n"


def stub(function: Function) -> str:
    parameters = ", ".join(map(declaration, function.parameters)) or "void"
    body = "{}" if function.result == Type("void") else "{ return 0; }"
    return f"{spelling(function.result)}{function.name}({parameters}) {body}\n"


def declaration(parameter: Parameter) -> str:
    return f"{spelling(parameter.type)}{parameter.name}"


def spelling(type: Type) -> str:
    """A type in C, up to the name that follows."""
    first, *others = [*type.pointers, False]
    stars = "".join("*const " if const else "*" for const in others)
    return f"{'const ' if first else ''}{type.base} {stars}"
