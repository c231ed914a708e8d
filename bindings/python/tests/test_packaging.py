"""What is installed: a wheel built from the tree without a network, and types that hold."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest
from tree import ROOT

BINDING = ROOT / "bindings/python"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def pip(*arguments, **environment):
    command = [sys.executable, "-m", "pip", *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, **OFFLINE, **environment}, capture_output=True, cwd="/")


def python(code, path):
    variables = {**os.environ, "PYTHONPATH": str(path), "MIXGRPO_LIBRARY": ""}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, env=variables, capture_output=True, text=True, cwd="/").stdout.strip()


@pytest.fixture(scope="module")
def wheel(mixgrpo, tmp_path_factory):
    """The wheel that pip makes of the tree, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", folder, BINDING, MIXGRPO_LIBRARY=mixgrpo.library_path)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_an_installed_package_brings_its_library(wheel, tmp_path):
    pip("install", "--no-deps", "--target", tmp_path, wheel)
    installed = tmp_path / "mixgrpo"
    assert python("import mixgrpo; print(mixgrpo.library_path)", tmp_path) == str(installed / "libmixgrpo.so")
    assert python("import mixgrpo; print(mixgrpo.describe(mixgrpo.SamplingConfig()))", tmp_path)
    assert (installed / "py.typed").exists()


def test_the_wheel_holds_what_it_says(mixgrpo, wheel):
    assert wheel.name.startswith(f"mixgrpo-{mixgrpo.__version__}-py3-none-") and "any" not in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"mixgrpo-{mixgrpo.__version__}.dist-info/METADATA").decode()
        modules = {name for name in archive.namelist() if name.endswith(".py")}
    assert "Requires-Dist: numpy>=1.24\n" in metadata and f"\nVersion: {mixgrpo.__version__}\n" in metadata
    assert modules == {file.relative_to(BINDING).as_posix() for file in (BINDING / "mixgrpo").rglob("*.py")}


@pytest.fixture
def backend(monkeypatch):
    monkeypatch.syspath_prepend(str(BINDING))
    import wheel_backend

    return wheel_backend


def test_without_a_library_the_wheel_fits_every_machine(backend, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MIXGRPO_LIBRARY", raising=False)
    monkeypatch.setattr(backend, "CHECKOUT", tmp_path)
    assert backend.build_wheel(str(tmp_path)).endswith("-py3-none-any.whl")
    assert "no libmixgrpo.so was found" in capsys.readouterr().err


def test_the_same_tree_makes_the_same_bytes(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "shared_library", lambda: None)
    wheels = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        wheels.append((tmp_path / name / backend.build_wheel(str(tmp_path / name))).read_bytes())
    assert wheels[0] == wheels[1]


def test_the_source_archive_builds_a_wheel(backend, tmp_path):
    name = backend.build_sdist(str(tmp_path))
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, source, MIXGRPO_LIBRARY="")
    assert len(list(tmp_path.glob("*.whl"))) == 1


def test_types_hold():
    pytest.importorskip("mypy", reason="mypy is not installed")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        "mixgrpo",
        "wheel_backend.py",
        "tests/typed_program.py",
    ]
    result = subprocess.run(command, cwd=BINDING, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_everything_public_has_a_docstring_and_is_listed(mixgrpo):
    import inspect

    for name in mixgrpo.__all__:
        item = getattr(mixgrpo, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            assert item.__doc__, name
            for member, value in vars(item).items() if inspect.isclass(item) else ():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{member}"
