"""`python3 -m generate` writes all files that come from the header; with `--check` it fails where one is not up to
date."""

import sys
from pathlib import Path

from . import c_layout, c_probe, fuzz_table, python_abi, python_enums, rust_abi, rust_enums, rust_structs
from .header import read

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "bindings/python/mixgrpo/_abi.py": python_abi,
    "bindings/python/mixgrpo/enums.py": python_enums,
    "bindings/rust/src/sys/abi.rs": rust_abi,
    "bindings/rust/src/enums.rs": rust_enums,
    "bindings/rust/src/structs.rs": rust_structs,
    "Tests/c/struct_layout.h": c_layout,
    "Tests/fuzz/interface/table.h": fuzz_table,
    "Tests/abi/probe.c": c_probe,
}


def generated() -> dict[Path, str]:
    """The text of each file."""
    header = read((ROOT / "include/mixgrpo.h").read_text())
    return {ROOT / name: writer.file(header) for name, writer in FILES.items()}


def write() -> None:
    for path, text in generated().items():
        path.write_text(text)


def check() -> None:
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: not what include/mixgrpo.h declares; run `make generate`", file=sys.stderr)
    if stale:
        sys.exit(1)
    print(f"{len(FILES)} files are what include/mixgrpo.h declares")


match sys.argv[1:]:
    case []:
        write()
    case ["--check"]:
        check()
    case _:
        sys.exit("usage: python3 -m generate [--check]")
