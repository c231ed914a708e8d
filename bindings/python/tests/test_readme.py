"""The README's programs run as they stand there (with fewer iterations)."""

import re

import numpy as np
import pytest
from tree import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "bindings/python/README.md").read_text(), flags=re.S)


def test_the_example_with_the_built_in_model_runs(mixgrpo, tmp_path, monkeypatch):
    if not (ROOT / "examples/base").exists():
        pytest.fail("the README's program loads examples/base, which is missing", pytrace=False)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    program = BLOCKS[0].replace("iterations=10", "iterations=1")
    assert program != BLOCKS[0]
    exec(compile(program, "README.md", "exec"), {})
    assert mixgrpo.Model.load(tmp_path / "aligned").config == mixgrpo.ModelConfig.load(ROOT / "examples/base")


def test_the_example_with_a_model_of_the_host_runs(mixgrpo):
    names = dict(mixgrpo=mixgrpo)
    exec(compile(BLOCKS[1], "README.md", "exec"), names)
    trainer, metrics = names["trainer"], names["metrics"]
    assert trainer.iteration == 2 and trainer.weight != 0.5
    assert metrics.first_ratio_min == metrics.first_ratio_max == 1


def test_the_example_with_pytorch_runs(mixgrpo, tmp_path, monkeypatch):
    import torch_fixtures as fixtures  # skips without PyTorch

    monkeypatch.chdir(tmp_path)
    names = dict(
        torch=fixtures.torch,
        mixgrpo=mixgrpo,
        module=fixtures.SmallFlow(),
        lines=fixtures.LINES,
        my_match=lambda images, prompts: images.mean(axis=(1, 2, 3)),
        my_taste=lambda images, prompts: images.std(axis=(1, 2, 3)),
        my_decode=lambda samples: np.clip(128 + 60 * samples[:, :, :3], 0, 255).astype(np.uint8)[:, None],
    )
    program = BLOCKS[2].replace("(64, 12)", str(fixtures.SHAPE))
    assert program != BLOCKS[2]
    exec(compile(program, "README.md", "exec"), names)
    assert names["trainer"].iteration == 2 and (tmp_path / "run.pt").exists()
