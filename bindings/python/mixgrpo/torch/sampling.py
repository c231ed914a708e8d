"""Deterministic samples of a PyTorch model: evaluation and inference."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._arrays import FloatArray, IntegerArray, floats, integers, shaped
from ..enums import SigmaRounding
from ..samples import SampleConfig
from ..steps import Step, deterministic_step, normal_noise, time_grid
from .policy import TorchPolicy
from .tensors import array_of


def sample(
    policy: TorchPolicy,
    prompt_indices: ArrayLike,
    config: SampleConfig | None = None,
    *,
    initial_noise: ArrayLike | None = None,
) -> FloatArray:
    """Samples at sigma = 0, (P, S, *latent_shape), that nothing random but the initial noise goes into.

    The noise depends on seed, prompt index and number of the sample alone, so that two models can be compared on the
    same. `initial_noise`: the host's own, (P, S, *latent_shape). With `config.trained_model_share` below 1 the last
    steps use the policy's reference (hybrid inference, Mix §5, arXiv 2507.21802).
    """
    config = config or SampleConfig()
    index = integers(prompt_indices, "prompt_indices").reshape(-1)
    shape = (len(index), config.samples_per_prompt, *policy.latent_shape)
    noise = _noise(index, config, shape) if initial_noise is None else floats(initial_noise, "initial_noise")
    latents = torch.tensor(shaped(noise, shape, "initial_noise")).flatten(0, 1).to(policy.device)
    prompts = torch.tensor(index).repeat_interleave(config.samples_per_prompt)
    return array_of(_solve(policy, latents, prompts, config)).reshape(shape)


def _solve(policy: TorchPolicy, latents: torch.Tensor, prompts: torch.Tensor, config: SampleConfig) -> torch.Tensor:
    grid = time_grid(config.steps, shift=config.shift, image_tokens=config.image_tokens)
    trained = round_half_up(config.trained_model_share * config.steps)
    history = [torch.zeros_like(latents), torch.zeros_like(latents)]
    for number in range(config.steps):
        step = deterministic_step(config.solver, grid, number)
        sigmas = torch.full((len(latents),), model_sigma(step, config.sigma_rounding))
        velocity = policy.evaluate(latents, sigmas, prompts, reference=number >= trained).float()
        data = latents - step.sigma * velocity
        latents = step.latent * latents + step.velocity * velocity
        latents = latents + step.history[0] * history[0] + step.history[1] * history[1]
        history = [data, history[0]]
    return latents


def model_sigma(step: Step, rounding: SigmaRounding) -> float:
    """The noise level that the model is told."""
    return math.floor(1000 * step.sigma) / 1000 if rounding is SigmaRounding.THOUSANDTHS else step.sigma


def round_half_up(value: float) -> int:
    """The nearest integer."""
    return math.floor(value + 0.5)


def _noise(index: IntegerArray, config: SampleConfig, shape: tuple[int, ...]) -> FloatArray:
    noise = np.empty(shape, np.float32)
    for place, prompt in enumerate(index):
        for number in range(config.samples_per_prompt):
            normal_noise(config.seed, int(prompt), number, out=noise[place, number])
    return noise
