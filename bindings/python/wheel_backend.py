"""Builds the wheel with nothing but Python itself, so that `pip install ./bindings/python` needs no network.

The library carries its own libpng, so that the wheel needs nothing of the machine that it is installed on.
`make wheel` uses auditwheel to find the oldest Linux that it runs on.

The wheel contains the shared library when there is one: the file named by `MIXGRPO_LIBRARY`, or the one that
`swift build -c release` left in the source checkout. Without it the wheel fits every machine, and the package looks for
an installed library. Hooks: PEP 517 and PEP 660.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
LIBRARY = "libmixgrpo.dylib" if sys.platform == "darwin" else "libmixgrpo.so"


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    files = {file.relative_to(HERE).as_posix(): file.read_bytes() for file in package_files()}
    library = shared_library()
    if library is not None:
        files[f"mixgrpo/{LIBRARY}"] = stripped(library)
    else:
        print(f"mixgrpo: no {LIBRARY} was found; the package will look for an installed one", file=sys.stderr)
    return write_wheel(Path(wheel_directory), files, "any" if library is None else platform_tag())


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    return write_wheel(Path(wheel_directory), {"mixgrpo.pth": f"{HERE}\n".encode()}, "any")


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    name = f"mixgrpo-{version()}"
    files = {file.relative_to(HERE).as_posix(): file.read_bytes() for file in package_files()}
    files |= {file: (HERE / file).read_bytes() for file in ("pyproject.toml", "README.md", "wheel_backend.py")}
    files |= {"PKG-INFO": metadata().encode(), **license_file("LICENSE")}
    with tarfile.open(Path(sdist_directory) / f"{name}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return f"{name}.tar.gz"


def package_files() -> list[Path]:
    return sorted(
        file for file in (HERE / "mixgrpo").rglob("*") if file.suffix in (".py", ".html") or file.name == "py.typed"
    )


def shared_library() -> Path | None:
    """The library to put into the wheel."""
    if chosen := os.environ.get("MIXGRPO_LIBRARY"):
        return Path(chosen).resolve(strict=True)
    built = CHECKOUT / ".build" / "release" / LIBRARY
    return built if built.exists() else None


def stripped(library: Path) -> bytes:
    """The library without its debugger's symbols, where the machine can take them out."""
    if shutil.which("strip") is None:
        return library.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(library, folder))
        subprocess.run(["strip", "-x" if sys.platform == "darwin" else "--strip-unneeded", copy], check=True)
        return copy.read_bytes()


def platform_tag() -> str:
    return re.sub(r"[-.]", "_", sysconfig.get_platform())


def version() -> str:
    found = re.search(r'__version__ = "(.+)"', (HERE / "mixgrpo" / "_version.py").read_text())
    if found is None:
        raise RuntimeError("mixgrpo/_version.py: expected __version__, found none")
    return found[1]


def license_file(path: str) -> dict[str, bytes]:
    file = next((folder / "LICENSE" for folder in (HERE, CHECKOUT) if (folder / "LICENSE").exists()), None)
    return {} if file is None else {path: file.read_bytes()}


def metadata() -> str:
    """The core metadata that pyproject.toml describes."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {version()}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        f"License: {project['license']['text']}",
        *(f"Classifier: {classifier}" for classifier in project["classifiers"]),
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    for extra, requirements in project["optional-dependencies"].items():
        lines += [f"Provides-Extra: {extra}", *(f'Requires-Dist: {one} ; extra == "{extra}"' for one in requirements)]
    lines += ["Description-Content-Type: text/markdown", "", (HERE / "README.md").read_text()]
    return "\n".join(lines)


def write_wheel(folder: Path, files: dict[str, bytes], platform: str) -> str:
    """Writes a wheel with these files; the same files make the same bytes."""
    tag = f"py3-none-{platform}"
    info = f"mixgrpo-{version()}.dist-info"
    pure = "true" if platform == "any" else "false"
    wheel = f"Wheel-Version: 1.0\nGenerator: mixgrpo\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    files = {
        **files,
        f"{info}/METADATA": metadata().encode(),
        f"{info}/WHEEL": wheel.encode(),
        **license_file(f"{info}/licenses/LICENSE"),
    }
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD")
    name = f"mixgrpo-{version()}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.endswith(LIBRARY) else 0o644) << 16
            archive.writestr(entry, content)
    return name


def record(files: dict[str, bytes], own_name: str) -> bytes:
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{own_name},,\n"]).encode()
