"""The benchmark for GPUs runs as a whole on a CPU, with a tiny model."""

import json
import sys

import pytest
from torch_fixtures import required
from tree import ROOT

required("diffusers"), required("peft")


@pytest.fixture
def benchmark(mixgrpo, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples/lab/benchmark"))
    import torch_gpu

    yield torch_gpu
    for name in ("torch_gpu", "torch_grpo", "torch_flux", "random_flux"):
        sys.modules.pop(name, None)


def test_every_row_is_measured(benchmark, tmp_path):
    sizes = "--size tiny --device cpu --steps 8 --group 4 --minibatches 2 --batch 2 --keep 64"
    benchmark.main([*sizes.split(), "--out", str(tmp_path)])
    found = json.loads((tmp_path / "torch-gpu.json").read_text())
    assert list(found["rows"]) == [*benchmark.ROWS, *benchmark.PLAIN]
    for row in found["rows"].values():
        assert row["total"] == row["rollout"] + row["update"] > 0
    assert 0 < found["own"]["milliseconds"] < 1000 and found["own"]["share"] > 0
    assert found["rows"]["start"]["first_ratio"] == [1, 1]
    table = (tmp_path / "torch-gpu.md").read_text()
    assert table.count("| plain PyTorch") == 2 and "Over the sweep the library is" in table


def test_the_loops_in_plain_pytorch_train_alike(benchmark, mixgrpo):
    """In batches of any size and one by one, with the same noise."""
    import torch

    steps = []
    for batch, one_by_one in ((0, False), (3, False), (0, True)):
        flux = benchmark.RandomFlux(benchmark.SIZES["tiny"], "cpu", torch.float32, compile=False, checkpointing=False)
        settings = benchmark.torch_grpo.Settings(group=4, steps=8, updates=2, batch=batch, learning_rate=1e-3)
        trainer = benchmark.torch_grpo.Trainer(flux, settings, one_by_one)
        torch.manual_seed(1)
        _, trajectory = benchmark.torch_grpo.Trainer(flux, settings, False).rollout()
        before = torch.cat([weight.detach().flatten() for weight in flux.trained_weights()])
        trainer.update(trajectory, torch.tensor([0.0, 1.0, 3.0, 2.0]))
        after = torch.cat([weight.detach().flatten() for weight in flux.trained_weights()])
        steps.append(after - before)
    assert float(steps[0].norm()) > 0
    for other in steps[1:]:
        assert float((other - steps[0]).norm()) <= 0.02 * float(steps[0].norm())
