"""NaN in an update: what brought it, and what to do."""

import re

import mixgrpo.torch as mixtorch
import pytest
from torch_fixtures import LINES, SHAPE, SmallFlow, torch


class Broken(torch.nn.Module):
    """A model whose forward or backward gives another factor in updates."""

    def __init__(self, forward=1.0, backward=1.0):
        super().__init__()
        self.inner, self.factors = SmallFlow(), (forward, backward)

    def forward(self, latents, sigmas, prompt_index):
        velocity = self.inner(latents, sigmas, prompt_index)
        return Factors.apply(velocity, *self.factors) if torch.is_grad_enabled() else velocity


class Factors(torch.autograd.Function):
    @staticmethod
    def forward(context, value, forward, backward):
        context.factor = backward
        return value * forward

    @staticmethod
    def backward(context, gradient):
        return gradient * context.factor, None, None


def update(mixgrpo, plan, model, reference=None, kl=0.0, **settings):
    policy = mixtorch.TorchPolicy(model, SHAPE, reference=reference, **settings)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    learning = mixgrpo.LearningConfig(kl_reference=kl)
    trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, plan, learning)
    return trainer.update(trainer.rollout([0, 1]).reshape(2, 4, -1).mean(axis=2))


CASES = {
    "velocity": (dict(forward=torch.nan), {}, "velocity: .* step 0, row 0; the model's forward brought it"),
    "reference": ({}, dict(reference=lambda x, s, p: x * torch.nan, kl=0.1), "reference_velocity.0.: .*finite.*nan"),
    "log-probability": (dict(forward=1e38), dict(reference=SmallFlow(2), kl=1e6),
                        "log-probability: expected a finite value, .*though the velocity is finite, .*kl_reference"),
    "backward": (dict(backward=torch.nan), {},
                 "gradient: expected a finite norm, got nan in minibatch 0; no step was taken. Velocity and log-probability "
                 "were finite: the model's backward brought it, in 4 of 4 weights, such as inner.enter. .*set_detect_anom"),
}  # fmt: skip


@pytest.mark.parametrize("place", CASES)
def test_the_error_says_which_part_brought_nan(mixgrpo, plan, place):
    factors, settings, text = CASES[place]
    with pytest.raises(mixgrpo.MixGRPOError, match=text):
        update(mixgrpo, plan, Broken(**factors), **settings)


def test_a_nan_gradient_under_bf16_on_cuda_names_cudnn_s_attention(mixgrpo, plan, monkeypatch):
    seen = []
    monkeypatch.setattr("mixgrpo.torch.not_finite.runs_cudnn_attention", lambda policy: seen.append(policy) or True)
    with pytest.raises(
        mixgrpo.NotFiniteError, match=re.escape("cuDNN's attention") + ".*" + re.escape("cuda.enable_cudnn_sdp(False)")
    ):
        update(mixgrpo, plan, Broken(backward=torch.nan), autocast=torch.bfloat16)
    assert seen[0].autocast == torch.bfloat16


def test_a_fault_of_the_device_in_a_backward_names_cudnn_s_attention(mixgrpo, plan, monkeypatch):
    monkeypatch.setattr("mixgrpo.torch.not_finite.runs_cudnn_attention", lambda _: True)
    model = Broken()
    model.inner.enter.register_hook(lambda _: fail("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal memory access") as error:
        update(mixgrpo, plan, model)
    assert "torch.backends.cuda.enable_cudnn_sdp(False)" in error.value.__notes__[0]
    other = Broken()
    other.inner.enter.register_hook(lambda _: fail("something else"))
    with pytest.raises(RuntimeError, match="something else") as error:
        update(mixgrpo, plan, other)
    assert not hasattr(error.value, "__notes__")


def fail(text):
    raise RuntimeError(text)


@pytest.mark.parametrize(
    ("device", "dtype", "autocast", "switched_on", "expected"),
    [("cuda", torch.float32, torch.bfloat16, True, True), ("cuda", torch.bfloat16, None, True, True),
     ("cuda", torch.float16, None, True, True), ("cuda", torch.float32, None, True, False),
     ("cuda", torch.bfloat16, None, False, False), ("cpu", torch.bfloat16, None, True, False)],
)  # fmt: skip
def test_cudnn_attention_runs_in_half_precision_on_cuda_unless_switched_off(
    device, dtype, autocast, switched_on, expected, monkeypatch
):
    monkeypatch.setattr(torch.backends.cuda, "cudnn_sdp_enabled", lambda: switched_on)
    policy = mixtorch.TorchPolicy(SmallFlow(), SHAPE, device=device, dtype=dtype, autocast=autocast)
    assert mixtorch.not_finite.runs_cudnn_attention(policy) is expected


def test_a_nan_gradient_in_float16_asks_for_a_scaler(mixgrpo, plan):
    model = Broken(backward=torch.inf)
    with pytest.raises(mixgrpo.NotFiniteError, match="range of float16: pass TorchTrainer a scaler, or use bfloat16"):
        update(mixgrpo, plan, model, autocast=torch.float16)
