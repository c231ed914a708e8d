"""The reference of mixgrpo.hpp, a page for each class, made by Doxygen and Breathe."""

import pathlib
import subprocess
import xml.etree.ElementTree as xml

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


def write(found: pathlib.Path, folder: pathlib.Path) -> list[str]:
    """Writes the pages and returns their names."""
    folder.mkdir(parents=True)
    compounds = [(one.findtext("name"), one.get("kind")) for one in xml.parse(found / "index.xml").getroot()]
    kinds = {
        name.removeprefix("mixgrpo::"): kind
        for name, kind in compounds
        if kind in ("class", "struct") and name.count("::") == 1
    }
    for name, kind in kinds.items():
        text = f"{name}\n{'=' * len(name)}\n\n.. doxygen{kind}:: mixgrpo::{name}\n   :members:\n   :undoc-members:\n"
        (folder / f"{name}.rst").write_text(text)
    functions = "Functions\n=========\n\n.. doxygenfile:: mixgrpo.hpp\n   :sections: func\n"
    (folder / "functions.rst").write_text(functions)
    names = [*sorted(kinds), "functions"]
    (folder / "index.rst").write_text(
        f"C++\n===\n\n{introduction()}\n\n.. toctree::\n\n" + "".join(f"   {name}\n" for name in names)
    )
    return names


def introduction() -> str:
    """The comment at the top of the header, as it stands."""
    lines = (ROOT / "include" / "mixgrpo.hpp").read_text().partition("#ifndef")[0].splitlines()
    return "::\n\n" + "\n".join("   " + line.removeprefix("//").removeprefix(" ") for line in lines)
