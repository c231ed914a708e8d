"""The binding's declarations against the header and a C compiler. Needs no library."""

import ctypes
import importlib
import re
import subprocess
import sys
import types

import header
import pytest


@pytest.fixture(scope="module")
def abi():
    """The declarations alone, without the package around them, which would load the library."""
    package = types.ModuleType("mixgrpo_declarations")
    package.__path__ = [str(header.ROOT / "bindings/python/mixgrpo")]
    sys.modules[package.__name__] = package
    return importlib.import_module("mixgrpo_declarations._abi")


def c_name(struct):
    if struct.__name__ == "TextEntry":
        return "mixgrpo_text"
    return "mixgrpo" + re.sub(r"(?=[A-Z])", "_", struct.__name__).lower()


def all_fields(struct):
    """Fields of a struct and of the structs it extends."""
    inherited = [field for base in reversed(struct.__mro__[1:]) for field in vars(base).get("_fields_", [])]
    return inherited + list(vars(struct)["_fields_"])


def structs(abi):
    kinds = [kind for kind in vars(abi).values() if isinstance(kind, type) and issubclass(kind, ctypes.Structure)]
    return {c_name(kind): kind for kind in kinds if kind is not abi.Struct}


def test_every_struct_is_declared_with_the_same_fields(abi):
    declared = {name: [field for field, _ in all_fields(kind)] for name, kind in structs(abi).items()}
    assert declared == header.structs()


def kind_in_c(kind):
    """How C's _Generic names a ctypes type."""
    names = {
        ctypes.c_int32: "int32", ctypes.c_uint32: "uint32", ctypes.c_int64: "int64", ctypes.c_uint64: "uint64",
        ctypes.c_double: "double", ctypes.c_char_p: "text", ctypes.POINTER(ctypes.c_float): "floats",
        ctypes.POINTER(ctypes.c_int32): "integers",
    }  # fmt: skip
    return names[kind._type_ if issubclass(kind, ctypes.Array) else kind]


def layout_in_python(abi):
    lines = []
    for name, struct in structs(abi).items():
        lines.append(f"{name} {ctypes.sizeof(struct)}")
        for field, kind in all_fields(struct):
            place = getattr(struct, field)
            lines.append(f"{name}.{field} {place.offset} {place.size} {kind_in_c(kind)}")
    return lines


def layout_program(abi):
    statements = []
    for name, struct in structs(abi).items():
        statements.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field, kind in all_fields(struct):
            element = f"(({name} *)0)->{field}" + ("[0]" if issubclass(kind, ctypes.Array) else "")
            statements.append(
                f'printf("{name}.{field} %zu %zu %s\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}),'
                f" KIND({element}));"
            )
    return (
        '#include <stdio.h>\n#include "mixgrpo.h"\n'
        '#define KIND(x) _Generic((x), int32_t: "int32", uint32_t: "uint32", int64_t: "int64", uint64_t: "uint64", '
        'double: "double", const char *: "text", const float *: "floats", const int32_t *: "integers")\n'
        "int main(void) {\n  " + "\n  ".join(statements) + "\n}\n"
    )


def test_structs_lie_in_memory_as_c_lays_them(abi, tmp_path):
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text(layout_program(abi))
    flags = ["-std=c11", "-Wall", "-Werror", f"-I{header.HEADER.parent}"]
    subprocess.run(["cc", *flags, str(source), "-o", str(program)], check=True)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    assert printed == layout_in_python(abi)


def expected_parameter(abi, kind):
    """The declared type of a parameter of this C type."""
    handle = re.fullmatch(r"(?:const )?(mixgrpo_\w+) (\*+)", kind)
    if handle and handle[1] in header.opaque():
        return abi.Handle if handle[2] == "*" else ctypes.POINTER(abi.Handle)
    if handle and handle[1] in header.structs():
        return ctypes.POINTER(structs(abi)[handle[1]])
    plain = {
        "int32_t": abi.Int32, "int64_t": abi.Int64, "uint64_t": abi.UInt64, "size_t": abi.Size, "double": abi.Double,
        "const char *": abi.Text, "char *": ctypes.c_char_p, "const char *const *": ctypes.POINTER(ctypes.c_char_p),
        "float *": abi.Floats, "double *": abi.Doubles, "int32_t *": abi.Integers, "uint8_t *": abi.Bytes,
        "int64_t *": ctypes.POINTER(ctypes.c_int64), "size_t *": ctypes.POINTER(ctypes.c_size_t),
        "void *": ctypes.c_void_p,
        "mixgrpo_log_callback": abi.LogCallback, "mixgrpo_progress_callback": abi.ProgressCallback,
        **dict.fromkeys(header.numbers(), abi.Int32),
        **dict.fromkeys((f"{name} *" for name in header.numbers()), abi.Integers),
    }  # fmt: skip
    return plain[kind] if kind in plain else plain[kind.removeprefix("const ")]


def expected_result(abi, kind):
    plain = {
        "void": None, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
        "size_t": ctypes.c_size_t, "const char *": ctypes.c_char_p, "mixgrpo_status": abi.Status,
    }  # fmt: skip
    return plain[kind]


def test_every_function_is_declared_in_the_header_s_order(abi):
    assert list(abi.FUNCTIONS) == list(header.functions())


@pytest.mark.parametrize("name", header.functions())
def test_function_has_the_header_s_types_and_names(abi, name):
    declaration = header.functions()[name]
    function = abi.FUNCTIONS[name]
    assert function.result == expected_result(abi, declaration.result)
    expected = {field: expected_parameter(abi, kind) for field, kind in declaration.parameters.items()}
    assert function.parameters == expected
    assert list(function.parameters) == list(expected)


def test_binary_interface_is_the_header_s(abi):
    assert header.macros()["MIXGRPO_ABI_VERSION"] == abi.ABI_VERSION
