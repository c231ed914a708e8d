"""Reads `mixgrpo.h`: what the binding is compared with."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
HEADER = ROOT / "include" / "mixgrpo.h"
TEXT = HEADER.read_text()
CODE = re.sub(r"/\*.*?\*/", " ", TEXT, flags=re.S)


class Declaration(NamedTuple):
    """A function of the header: the C type that it returns, and its parameters' C types by name."""

    result: str
    parameters: dict[str, str]


def squeezed(text: str) -> str:
    return re.sub(r"\s*(\*+)\s*", r" \1", re.sub(r"\s+", " ", text)).strip()


def functions() -> dict[str, Declaration]:
    found = {}
    pattern = r"^((?:const )?\w+ \**)\s*(mixgrpo_\w+)\(([^;{]*?)\);"
    for result, name, parameters in re.findall(pattern, CODE, flags=re.M):
        named = {}
        for parameter in parameters.split(",") if parameters.strip() != "void" else []:
            kind, field = re.fullmatch(r"(.*?)(\w+)", parameter.strip(), flags=re.S).groups()
            named[field] = squeezed(kind)
        found[name] = Declaration(squeezed(result), named)
    return found


def structs() -> dict[str, list[str]]:
    """The names of the fields of each struct."""
    found = {}
    for name, body in re.findall(r"typedef struct (mixgrpo_\w+) \{(.*?)\}", CODE, flags=re.S):
        found[name] = re.findall(r"(\w+)(?:\[\d+\])?;", body)
    return found


def opaque() -> set[str]:
    return set(re.findall(r"typedef struct (mixgrpo_\w+) \1;", CODE))


def numbers() -> set[str]:
    """Names of integer types."""
    return set(re.findall(r"typedef int32_t (mixgrpo_\w+);", CODE))


def constants() -> dict[str, int]:
    """All enumerators."""
    bodies = " ".join(re.findall(r"enum \{(.*?)\}", CODE, flags=re.S))
    return {name: int(value) for name, value in re.findall(r"(MIXGRPO_\w+) = (-?\d+)", bodies)}


def macros() -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"#define (MIXGRPO_\w+) (\d+)", TEXT)}


def stated_defaults(struct: str) -> dict[str, str]:
    """What a struct's comments say after "Default ", by field."""
    body = re.search(rf"typedef struct {struct} \{{(.*?)\}} {struct};", TEXT, flags=re.S)[1]
    found = {}
    for names, comment in re.findall(r"([\w, \[\]]+);\s*/\*(.*?)\*/", body, flags=re.S):
        if match := re.search(r"Default\s+(.*)", comment, flags=re.S):
            found[re.sub(r"\[\d+\]", "", names.split()[-1])] = match[1]
    return found
