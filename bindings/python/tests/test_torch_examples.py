"""The examples with PyTorch run as they stand (with fewer iterations)."""

import os
import runpy
import subprocess
import sys

import pytest
from torch_fixtures import required, torch
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


def test_a_lora_run_goes_on_as_if_never_stopped(example, tmp_path):
    def run(out, iterations):
        return example(EXAMPLES / "torch_flux_lora.py", "--random", "--iterations", iterations, "--out", out)

    assert "  1/1  reward" in run("parts", 1)
    assert run("parts", 2).startswith("  2/2  reward")
    whole = run("whole", 2)
    files = [tmp_path / name / "checkpoints/iteration-00000002.pt" for name in ("parts", "whole")]
    saved = [torch.load(file, weights_only=True)["weights"] for file in files]
    assert "  2/2  reward" in whole and len(saved[0]) == len(saved[1]) > 0
    assert all(torch.equal(*pair) for pair in zip(*saved, strict=True))
    for name in ("before.png", "after.png", "lora/pytorch_lora_weights.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes()


def test_a_lora_run_in_bf16_needs_no_further_setting(mixgrpo, tmp_path, monkeypatch, capsys):
    """On CUDA it must not run cuDNN's attention, whose backward may give NaN."""
    monkeypatch.syspath_prepend(EXAMPLES)
    program, options = (
        str(EXAMPLES / "torch_flux_lora.py"),
        ["--random", "--bf16", "--iterations", "1", "--device", "cpu"],
    )
    monkeypatch.setattr(sys, "argv", [program, *options, "--out", str(tmp_path)])
    assert torch.backends.cuda.cudnn_sdp_enabled()
    main = runpy.run_path(program)["main"]
    monkeypatch.setitem(main.__globals__, "save_pictures", lambda *_: None)  # which take most of the time
    try:
        main()
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(True)
    assert "  1/1  reward" in capsys.readouterr().out
