"""The examples with PyTorch run as they stand (with fewer iterations)."""

import os
import subprocess
import sys

import pytest
from torch_fixtures import required
from tree import ROOT

required("diffusers"), required("peft")

EXAMPLES = ROOT / "examples/python"


@pytest.fixture
def example(mixgrpo, tmp_path):
    """Runs a program in a folder of its own where examples/base is found; gives what it printed."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = os.pathsep.join((str(ROOT / "bindings/python"), str(EXAMPLES)))
    variables = {**os.environ, "PYTHONPATH": path, "MIXGRPO_LIBRARY": mixgrpo.library_path, "OMP_NUM_THREADS": "1"}

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        result = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_the_quickstart_runs(example, tmp_path):
    program = (EXAMPLES / "torch_quickstart.py").read_text()
    short = program.replace("iterations=10", "iterations=1").replace("steps=12", "steps=6")
    assert short.count("iterations=1,") == short.count("steps=6") == 1
    assert example("-c", short).startswith("iteration 0: darkness 0.")
    assert (tmp_path / "aligned/pytorch_lora_weights.safetensors").exists()
