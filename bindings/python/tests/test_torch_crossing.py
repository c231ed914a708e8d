"""Latents, velocities and gradients on their way to a device and back, without a device."""

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
from mixgrpo.torch import crossing
from torch_fixtures import LINES, SHAPE, SmallFlow, torch, weights_of


class Staging:
    """Memory in place of page-locked memory, full of NaN; it remembers what it gave out."""

    def __init__(self):
        self.tensors = []

    def __call__(self, shape):
        self.tensors.append(torch.full(shape, float("nan")))
        return self.tensors[-1]


@pytest.fixture
def trained(mixgrpo, plan):
    """Trains two iterations; gives samples, weights and figures, and what was staged."""

    def run(dtype, staging=None, **learning):
        module = SmallFlow(dtype=dtype)
        reference = SmallFlow(seed=5, dtype=dtype)
        policy = mixtorch.TorchPolicy(module, SHAPE, batch_size=3, reference=reference)
        if staging is not None:
            policy._crossing = crossing.PageLockedCrossing(torch.device("cpu"), staging)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
        trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, plan, mixgrpo.LearningConfig(**learning))
        samples = [trainer.rollout([0, 1]) for _ in range(2)]
        metrics = trainer.update(samples[-1].mean(axis=(2, 3)))
        return samples[-1], weights_of(module), metrics

    return run


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_the_way_through_page_locked_memory_changes_no_bit(trained, dtype, penalty):
    staging = Staging()
    samples, weights, metrics = trained(dtype, staging, kl_reference=penalty)
    expected = trained(dtype, kl_reference=penalty)
    assert np.array_equal(samples, expected[0]) and torch.equal(weights, expected[1])
    assert metrics.first_ratio_min == expected[2].first_ratio_min == 1
    assert metrics.gradient_norm == expected[2].gradient_norm
    assert (3, *SHAPE) in {tuple(tensor.shape) for tensor in staging.tensors}


def test_gradients_go_from_page_locked_memory(trained, monkeypatch):
    """From the tensor itself: PyTorch then knows when its memory is free again."""
    staging, sources = Staging(), []
    sent = torch.Tensor.to

    def to(self, *arguments, **keywords):
        if keywords.get("non_blocking"):
            sources.append(any(self._base is tensor or self is tensor for tensor in staging.tensors))
        return sent(self, *arguments, **keywords)

    monkeypatch.setattr(torch.Tensor, "to", to)
    trained(torch.bfloat16, staging)
    assert len(sources) > 20 and all(sources)


def test_types_are_converted_on_the_device(monkeypatch):
    """What PyTorch is asked for, as no device is needed for that."""
    calls = []
    sent = torch.Tensor.to

    def to(self, *arguments, **keywords):
        calls.append((arguments, keywords))
        return sent(self, *arguments, **keywords)

    monkeypatch.setattr(torch.Tensor, "to", to)
    device = torch.device("cpu")
    way = crossing.PageLockedCrossing(device, Staging())
    way.latents(np.zeros((2, 12), np.float32), (2, *SHAPE))
    way.gradient(np.zeros((2, *SHAPE), np.float32), torch.zeros(2, *SHAPE, dtype=torch.bfloat16))
    across = ((device,), {"non_blocking": True})
    assert calls == [across, across, ((torch.bfloat16,), {})]


def test_devices_with_page_locked_memory_get_that_way():
    assert type(crossing.crossing_to(torch.device("cuda"))) is crossing.PageLockedCrossing
    for other in ("cpu", "mps"):
        assert type(crossing.crossing_to(torch.device(other))) is crossing.Crossing


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_copy_on_the_device_may_be_written_to(trained, monkeypatch, dtype):
    forward = SmallFlow.forward
    monkeypatch.setattr(SmallFlow, "forward", lambda self, x, s, p: forward(self, x.mul_(1), s, p))
    trained(dtype, Staging())
