"""Builds the documentation of all languages as one site that opens from a file: OUT/index.html.

python docs/site/build.py --build .build/release --out out/docs

Needs libmixgrpo.so, the command and the compiled modules in the build folder, Doxygen, and a Python with Sphinx, Furo, MyST,
Breathe and NumPy (`.ci/setup docs FOLDER`). Where cargo is missing the Rust reference is left out, but not in CI.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import c_reference
import command_reference
import cpp_reference
import pages
import python_reference
import rust_reference
import swift_reference

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]

LANGUAGES = {"command": "The command", "c": "C", "cpp": "C++", "python": "Python", "swift": "Swift", "rust": "Rust"}
# The pages of docs/ in the order of the navigation; those that are not here come last.
GUIDES = (
    "command", "teach-a-model-your-taste", "c", "cpp", "python", "align-your-diffusers-model", "rewards", "pytorch", "swift",
    "rust", "from-any-other-language",
)  # fmt: skip
QUESTIONS = (
    "troubleshooting", "my-reward-does-not-rise", "choosing-rate-clip-and-group-size", "bring-your-own-model",
    "how-long-and-how-much-memory", "time-to-a-reward", "scaling", "reward-hacking", "settings", "glossary",
)  # fmt: skip
TREE = ("README", "examples/README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY", "CHANGELOG")


def navigation() -> dict[str, list[str]]:
    """The pages that the navigation names, under its headings."""
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}
    guides = {path.stem for path in (ROOT / "docs" / "guides").glob("*.md")}
    return {
        "Guides": [f"guides/{name}" for name in in_order(guides, GUIDES)],
        "Reference": [f"{folder}/index" for folder in LANGUAGES],
        "Questions": [name for name in in_order(pages, QUESTIONS) if name in QUESTIONS],
        "The project": [*TREE, *sorted(pages - set(QUESTIONS))],
    }


def first_page() -> str:
    """What the first page has beside docs/README.md: a list of the references, and the site's navigation."""
    references = " · ".join(f"[{name}]({folder}/index)" for folder, name in LANGUAGES.items())
    parts = ["\n\n## Every function and type", references]
    for title, names in navigation().items():
        parts.append("\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *names, "```"]))
    return "\n\n".join(parts) + "\n"


def in_order(names: set[str], order: tuple[str, ...]) -> list[str]:
    return [name for name in order if name in names] + sorted(names - set(order))


def stage(site: pathlib.Path, build: pathlib.Path, work: pathlib.Path) -> pathlib.Path | None:
    """Writes all pages to `site` and returns the folder of Rust's own pages."""
    listed = {"index", *(name for names in navigation().values() for name in names)}
    pages.Pages(site, listed, c_reference.functions()).write()
    (site / "index.md").write_text((site / "index.md").read_text() + first_page())
    c_reference.write(site / "c")
    cpp_reference.write(cpp_reference.doxygen(work / "doxygen"), site / "cpp")
    command_reference.write(build / "mixgrpo-command", site / "command")
    python_reference.write(site / "python")
    archive = work / "swift"
    symbols = [sys.executable, HERE / "swift_symbols.py", "--modules", build / "Modules", "--out", archive]
    subprocess.run(symbols, check=True)
    swift_reference.write(archive / "data", site / "swift")
    return rust_reference.write(site / "rust", work / "rust")


def render(work: pathlib.Path, out: pathlib.Path, build: pathlib.Path, rust: pathlib.Path | None) -> int:
    """Runs Sphinx; conf.py reads where things are from the environment."""
    version = re.search(r"^VERSION := (.*)$", (ROOT / "Makefile").read_text(), flags=re.M)[1]
    settings = {"MIXGRPO_SITE_VERSION": version, "MIXGRPO_SITE_DOXYGEN": str(work / "doxygen" / "xml")}
    settings |= {"MIXGRPO_LIBRARY": str((build / "libmixgrpo.so").resolve()), "MIXGRPO_SITE_RUST": str(rust or "")}
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", HERE, "-d", work / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, work / "pages", out]
    return subprocess.run(command, env=os.environ | settings).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--build", type=pathlib.Path, default=ROOT / ".build" / "release", help="folder of the library and command"
    )
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder that becomes the site")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the pages before they are rendered, to look at")
    options = parser.parse_args()
    if not shutil.which("doxygen"):
        sys.exit("error: doxygen is not on PATH; run: sudo apt-get install -y doxygen")
    shutil.rmtree(options.out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        work = options.keep or pathlib.Path(folder)
        for part in ("pages", "doctrees", "doxygen", "rust"):
            shutil.rmtree(work / part, ignore_errors=True)
        rust = stage(work / "pages", options.build.resolve(), work)
        if status := render(work, options.out, options.build, rust):
            return status
    for leftover in (".buildinfo", "objects.inv"):
        (options.out / leftover).unlink(missing_ok=True)
    print(f"{len(list(options.out.rglob('*.html')))} pages: {options.out}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
