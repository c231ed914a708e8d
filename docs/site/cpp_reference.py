"""The reference of mixgrpo.hpp, a page for each class, made by Doxygen and Breathe."""

import pathlib
import subprocess
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = """
PROJECT_NAME = mixgrpo
INPUT = {header}
OUTPUT_DIRECTORY = {out}
GENERATE_XML = YES
GENERATE_HTML = NO
GENERATE_LATEX = NO
XML_PROGRAMLISTING = NO
EXTRACT_ALL = YES
EXCLUDE_SYMBOLS = mixgrpo::detail, mixgrpo::detail::*
MARKDOWN_SUPPORT = YES
AUTOLINK_SUPPORT = NO
QUIET = YES
WARNINGS = NO
"""


def doxygen(out: pathlib.Path) -> pathlib.Path:
    """The folder with what Doxygen found, as XML."""
    settings = SETTINGS.format(header=ROOT / "include" / "mixgrpo.hpp", out=out)
    out.mkdir(parents=True)
    subprocess.run(["doxygen", "-"], input=settings, text=True, check=True)
    return out / "xml"


def write(found: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the pages."""
    folder.mkdir(parents=True)
    kinds = classes(found)
    for name, kind in kinds.items():
        text = f"{name}\n{'=' * len(name)}\n\n.. doxygen{kind}:: mixgrpo::{name}\n   :members:\n   :undoc-members:\n"
        (folder / f"{name}.rst").write_text(text)
    functions = "\n".join(f".. doxygenfunction:: {one}\n" for one in free_functions(found))
    (folder / "functions.rst").write_text(f"Functions\n=========\n\n{functions}")
    listed = "\n".join(f"   {name}" for name in [*sorted(kinds), "functions"])
    (folder / "index.rst").write_text(f"C++\n===\n\n{introduction()}\n\n.. toctree::\n\n{listed}\n")


def classes(found: pathlib.Path) -> dict[str, str]:
    """The names of the classes, without those inside of others, each with `class` or `struct`."""
    entries = ElementTree.parse(found / "index.xml").getroot()
    compounds = [(one.findtext("name", ""), one.get("kind", "")) for one in entries]
    named = [(name, kind) for name, kind in compounds if kind in ("class", "struct") and name.count("::") == 1]
    return {name.removeprefix("mixgrpo::"): kind for name, kind in named}


def free_functions(found: pathlib.Path) -> list[str]:
    """The functions outside of classes, with their parameters."""
    members = ElementTree.parse(found / "namespacemixgrpo.xml").getroot().iter("memberdef")
    return [
        f"mixgrpo::{one.findtext('name')}{one.findtext('argsstring')}"
        for one in members
        if one.get("kind") == "function"
    ]


def introduction() -> str:
    """The comment at the top of the header, as it stands."""
    lines = (ROOT / "include" / "mixgrpo.hpp").read_text().partition("#ifndef")[0].splitlines()
    return "::\n\n" + "\n".join("   " + line.removeprefix("//").removeprefix(" ") for line in lines)
