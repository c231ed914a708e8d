"""The reference of the Python package: pages for its public names, which Sphinx' autodoc fills."""

import ast
import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bindings" / "python" / "mixgrpo"
# Which page a class or function belongs to, by the file that defines it; other classes have a page of their own.
SHARED = {
    "enums": "Enumerations",
    "errors": "Errors",
    "configurations": "Configurations",
    "steps": "Functions",
    "settings": "Functions",
}


def write(folder: pathlib.Path) -> list[str]:
    """Writes the pages and returns their names."""
    folder.mkdir(parents=True)
    pages: dict[str, list[str]] = {}
    for module, entries in (("mixgrpo", public(PACKAGE)), ("mixgrpo.torch", public(PACKAGE / "torch"))):
        for name, title, kind in entries:
            pages.setdefault("PyTorch" if module == "mixgrpo.torch" else title, []).append(
                directive(module, name, kind)
            )
    for title, directives in pages.items():
        (folder / f"{title}.rst").write_text("\n\n".join([title + "\n" + "=" * len(title), *directives]) + "\n")
    names = [
        "Training",
        *sorted(title for title in pages if title not in ("Training", *ENDS)),
        *(one for one in ENDS if one in pages),
    ]
    heading = "Python\n======\n\n.. automodule:: mixgrpo\n   :no-members:\n\n.. toctree::\n\n"
    (folder / "index.rst").write_text(heading + "".join(f"   {name}\n" for name in names))
    return names


ENDS = ("Configurations", "Enumerations", "Errors", "Functions", "PyTorch")


def public(package: pathlib.Path) -> Iterator[tuple[str, str, str]]:
    """The names that a package exports, each with the title of its page and the directive that documents it."""
    for node in ast.parse((package / "__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and not node.module.startswith("_"):
            for alias in node.names:
                yield alias.name, *described(package, node.module, alias.name)


def described(package: pathlib.Path, module: str, name: str) -> tuple[str, str]:
    """The title of the page of a name, and its directive."""
    body = ast.parse((package / f"{module}.py").read_text()).body
    definition = next((one for one in body if getattr(one, "name", None) == name), None)
    kind = "autoclass" if isinstance(definition, ast.ClassDef) else "autofunction" if definition else "autodata"
    if module.startswith("training"):
        return "Training", kind
    return SHARED.get(module, name if kind == "autoclass" else "Functions"), kind


def directive(module: str, name: str, kind: str) -> str:
    options = "\n   :members:\n   :show-inheritance:" if kind == "autoclass" else ""
    return f".. {kind}:: {module}.{name}{options}"
