"""A folder that this library saved loads in diffusers and gives the same velocity."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import mixgrpo
import pytest

FIXTURES = pathlib.Path(__file__).resolve().parents[3] / "Tests" / "MixFlowModelTests" / "Fixtures"
CASES = sorted(
    folder.parent.name for folder in FIXTURES.glob("*/reference.safetensors") if "16" not in folder.parent.name
)
AVAILABLE = all(importlib.util.find_spec(name) for name in ("torch", "diffusers", "safetensors"))


@pytest.mark.parametrize("case", CASES)
def test_diffusers_reads_what_we_save(case: str, tmp_path: pathlib.Path) -> None:
    if not AVAILABLE and not os.environ.get("CI"):
        pytest.skip("torch and diffusers are not installed: .ci/setup python .venv")
    folder = tmp_path / "saved"
    mixgrpo.Model.load(FIXTURES / case).save(folder)
    result = subprocess.run(
        [sys.executable, FIXTURES / "check_saved_model.py", folder, FIXTURES / case / "reference.safetensors"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_are_cases() -> None:
    assert len(CASES) >= 4
