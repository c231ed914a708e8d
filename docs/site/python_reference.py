"""The reference of the Python package: pages for its public names, which Sphinx' autodoc fills."""

import ast
import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bindings" / "python" / "mixgrpo"
# The page of what these files define. Other classes have a page of their own.
SHARED = {
    "enums": "Enumerations",
    "errors": "Errors",
    "configurations": "Configurations",
    "steps": "Functions",
    "settings": "Functions",
}


ENDS = ("Configurations", "Enumerations", "Errors", "Functions", "PyTorch", "Rewards")
PACKAGES = {"PyTorch": "torch", "Rewards": "rewards"}  # with one page each


def write(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)
    pages: dict[str, list[str]] = {}
    exported = {name for name, _, _ in public(PACKAGE)}
    for name, title, kind in public(PACKAGE):
        pages.setdefault(title, []).append(directive("mixgrpo", name, kind, has_hidden_base(name, exported)))
    for title, part in PACKAGES.items():
        pages[title] = [directive(f"mixgrpo.{part}", name, kind) for name, _, kind in public(PACKAGE / part)]
    for title, directives in pages.items():
        (folder / f"{title}.rst").write_text("\n\n".join([title + "\n" + "=" * len(title), *directives]) + "\n")
    classes = sorted(title for title in pages if title not in ("Training", *ENDS))
    heading = "Python\n======\n\n.. automodule:: mixgrpo\n   :no-members:\n\n.. toctree::\n\n"
    (folder / "index.rst").write_text(heading + "".join(f"   {title}\n" for title in ["Training", *classes, *ENDS]))


def public(package: pathlib.Path) -> Iterator[tuple[str, str, str]]:
    """The names that a package exports, each with the title of its page and the directive that documents it."""
    for node in ast.walk(ast.parse((package / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and not node.module.startswith("_"):
            for alias in node.names:
                # autodoc finds the docstring of a constant only where it is defined
                inside = package != PACKAGE and alias.name.isupper()
                name = f"{node.module}.{alias.name}" if inside else alias.name
                yield name, *described(package, node.module, alias.name)


def described(package: pathlib.Path, module: str, name: str) -> tuple[str, str]:
    """The title of the page of a name, and its directive."""
    place = package.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    body = ast.parse(next(file for file in files if file.exists()).read_text()).body
    definition = next((one for one in body if getattr(one, "name", None) == name), None)
    kind = "autoclass" if isinstance(definition, ast.ClassDef) else "autofunction" if definition else "autodata"
    if module.startswith("training"):
        return "Training", kind
    return SHARED.get(module, name if kind == "autoclass" else "Functions"), kind


def has_hidden_base(name: str, exported: set[str]) -> bool:
    """Whether a class derives from one that is documented and not exported, so that its members stand nowhere else."""
    for file in PACKAGE.glob("[a-z]*.py"):
        body = ast.parse(file.read_text()).body
        for definition in body:
            if isinstance(definition, ast.ClassDef) and definition.name == name:
                froms = [one for one in body if isinstance(one, ast.ImportFrom) and one.level == 1 and one.module]
                documented = {alias.name for one in froms if not one.module.startswith("_") for alias in one.names}
                bases = {base.id for base in definition.bases if isinstance(base, ast.Name)}
                return bool((bases & documented) - exported)
    return False


def directive(module: str, name: str, kind: str, has_hidden_base: bool = False) -> str:
    options = "\n   :members:\n   :show-inheritance:" if kind == "autoclass" else ""
    options += "\n   :inherited-members: Object" if has_hidden_base else ""
    return f".. {kind}:: {module}.{name}{options}"
