"""`python3 -m generate` writes all files that come from the header and from the library's table of settings; with `--check`
it fails where one is not up to date. MIXGRPO_LIBRARY: the library, `.build/release/libmixgrpo.so` by default."""

import os
import sys
from pathlib import Path

from . import (
    c_layout,
    c_probe,
    docs_settings,
    fuzz_table,
    header_defaults,
    python_abi,
    python_configurations,
    python_enums,
    python_results,
    rust_abi,
    rust_configurations,
    rust_enums,
    rust_structs,
    settings,
)
from .header import read

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(os.environ.get("MIXGRPO_LIBRARY") or ROOT / ".build/release/libmixgrpo.so")
SETTINGS_PAGE = ROOT / "docs/settings.md"
FROM_HEADER = {
    "bindings/python/mixgrpo/_abi.py": python_abi,
    "bindings/python/mixgrpo/enums.py": python_enums,
    "bindings/python/mixgrpo/results.py": python_results,
    "bindings/rust/src/sys/abi.rs": rust_abi,
    "bindings/rust/src/enums.rs": rust_enums,
    "bindings/rust/src/structs.rs": rust_structs,
    "Tests/c/struct_layout.h": c_layout,
    "Tests/fuzz/interface/table.h": fuzz_table,
    "Tests/abi/probe.c": c_probe,
}
FROM_SETTINGS = {
    "bindings/python/mixgrpo/configurations.py": python_configurations,
    "bindings/rust/src/configurations.rs": rust_configurations,
}


def generated() -> dict[Path, str]:
    """The text of each file."""
    header = read((ROOT / "include/mixgrpo.h").read_text())
    configurations = settings.read(LIBRARY, header)
    if problems := list(header_defaults.problems(configurations)):
        raise ValueError("\n".join(problems))
    return {
        **{ROOT / name: writer.file(header) for name, writer in FROM_HEADER.items()},
        **{ROOT / name: writer.file(header, configurations) for name, writer in FROM_SETTINGS.items()},
        SETTINGS_PAGE: docs_settings.file(SETTINGS_PAGE.read_text(), header, configurations),
    }


def write() -> None:
    for path, text in generated().items():
        path.write_text(text)


def check() -> None:
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if stale:
        names = "\n".join(f"{path.relative_to(ROOT)}: not up to date; run `make generate`" for path in stale)
        raise ValueError(names)
    print(f"{len(files)} files are what include/mixgrpo.h and the library's table of settings give")


def main() -> None:
    match sys.argv[1:]:
        case []:
            write()
        case ["--check"]:
            check()
        case _:
            sys.exit("usage: python3 -m generate [--check]")


try:
    main()
except ValueError as error:
    sys.exit(str(error))
