"""Writes `Tests/fuzz/interface/table.h`: the functions that the fuzzer calls."""

from .model import Function, Header
from .words import NOTICE


def file(header: Header) -> str:
    rows = "".join(f"FUNCTION({function.name.removeprefix('mixgrpo_')})\n" for function in header.of(Function))
    return f"/* {NOTICE}\n * FUNCTION(name) for each function mixgrpo_NAME. */\n{rows}"
