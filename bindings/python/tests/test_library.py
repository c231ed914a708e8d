"""Finding the library, and refusing politely what is not it."""

import os
import subprocess
import sys

import pytest
from generate.model import Constant
from tree import HEADER, ROOT

PACKAGE = ROOT / "bindings/python"


def run(code, **environment):
    """A fresh interpreter with this package on its path."""
    variables = {**os.environ, "PYTHONPATH": str(PACKAGE), **environment}
    return subprocess.run([sys.executable, "-c", code], env=variables, cwd="/", capture_output=True, text=True)


@pytest.fixture
def compile_library(tmp_path):
    def build(source):
        (tmp_path / "library.c").write_text(source)
        library = tmp_path / "library.so"
        subprocess.run(["cc", "-shared", "-fPIC", str(tmp_path / "library.c"), "-o", str(library)], check=True)
        return str(library)

    return build


def last_line(result):
    assert result.returncode != 0
    return result.stderr.strip().splitlines()[-1]


def test_a_missing_file_is_named():
    message = last_line(run("import mixgrpo", MIXGRPO_LIBRARY="/nowhere/libmixgrpo.so"))
    assert message.startswith("ImportError: mixgrpo: no usable libmixgrpo.so was found")
    assert "/nowhere/libmixgrpo.so" in message and "MIXGRPO_LIBRARY" in message


def test_another_library_is_refused(compile_library):
    path = compile_library("int other(void) { return 0; }")
    assert last_line(run("import mixgrpo", MIXGRPO_LIBRARY=path)).endswith(f"{path} is not the MixGRPO library.")


def test_another_binary_interface_is_refused(compile_library):
    path = compile_library(
        'unsigned mixgrpo_abi_version(void) { return 7; } const char *mixgrpo_version(void) { return "9.9.9"; }'
    )
    message = last_line(run("import mixgrpo", MIXGRPO_LIBRARY=path))
    assert "speaks binary interface 1" in message and "(release 9.9.9) speaks 7" in message


def test_a_library_that_lacks_functions_is_refused(compile_library):
    path = compile_library(
        'unsigned mixgrpo_abi_version(void) { return 1; } const char *mixgrpo_version(void) { return "0.0.1"; }'
    )
    message = last_line(run("import mixgrpo", MIXGRPO_LIBRARY=path))
    assert "does not have: mixgrpo_status_name" in message and "release 0.0.1" in message


def test_the_checkout_s_own_build_is_found(mixgrpo, tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "include").mkdir(parents=True)
    (checkout / "bindings/python").mkdir(parents=True)
    (checkout / ".build/release").mkdir(parents=True)
    (checkout / "Package.swift").touch()
    (checkout / "include/mixgrpo.h").touch()
    subprocess.run(["cp", "-r", str(PACKAGE / "mixgrpo"), str(checkout / "bindings/python")], check=True)
    os.symlink(os.path.realpath(mixgrpo.library_path), checkout / ".build/release/libmixgrpo.so")
    variables = {"PYTHONPATH": str(checkout / "bindings/python"), "MIXGRPO_LIBRARY": ""}
    result = run("import mixgrpo; print(mixgrpo.library_path)", **variables)
    assert result.stdout.strip() == str(checkout / ".build/release/libmixgrpo.so"), result.stderr


def test_release_is_that_of_the_header_and_the_library(mixgrpo):
    macros = {constant.name: constant.number for constant in HEADER.of(Constant)}
    release = ".".join(str(macros[f"MIXGRPO_VERSION_{part}"]) for part in ("MAJOR", "MINOR", "PATCH"))
    assert mixgrpo.__version__ == release
    assert mixgrpo.library_version() == release


def test_info_shows_what_is_in_use(mixgrpo):
    command = [sys.executable, "-m", "mixgrpo", "info"]
    result = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PACKAGE)}, capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == ""
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines["package"] == mixgrpo.__version__
    assert lines["file"] == mixgrpo.library_path
    assert int(lines["threads"]) >= 1
