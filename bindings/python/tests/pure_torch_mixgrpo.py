"""MixGRPO in plain PyTorch and float64, written from the papers alone, to hold the library to.

Mix = arXiv 2507.21802, Flow = arXiv 2505.05470, Dance = arXiv 2505.07818, DPM++ = arXiv 2211.01095. Nothing of the
library is used: grid, steps, log-probabilities, advantages and loss are computed here; autograd makes the gradients.
"""

import math
from dataclasses import dataclass

from torch_fixtures import torch


def shifted(t: torch.Tensor, shift: float) -> torch.Tensor:
    """sigma = s*t / (1 + (s - 1)*t)."""
    return shift * t / (1 + (shift - 1) * t)


def grid(steps: int, shift: float, window_end: int, flash_ratio: float) -> list[float]:
    """The noise levels; those after the window thinned out by Flash (Mix §3.3), evenly in t."""
    t = 1 - torch.arange(steps + 1, dtype=torch.float64) / steps
    remaining = steps - window_end
    if flash_ratio > 0 and remaining > 0:
        count = max(1, math.floor(flash_ratio * remaining))
        t = torch.cat([t[:window_end], torch.linspace(float(t[window_end]), 0, count + 1, dtype=torch.float64)])
    return shifted(t, shift).tolist()


@dataclass
class Policy:
    """x' = mean + std * noise with mean = a*x + b*v, a stochastic step."""

    a: float
    b: float
    std: float

    @staticmethod
    def flow(sigma: float, after: float, eta: float, sigma_below_one: float) -> "Policy":
        """Flow §4.1: g = eta * sqrt(sigma / (1 - sigma)), at sigma = 1 with the next level in the denominator."""
        below = sigma_below_one if sigma == 1 else sigma
        return Policy.sde(sigma, after, eta * math.sqrt(sigma / (1 - below)))

    @staticmethod
    def sde(sigma: float, after: float, g: float) -> "Policy":
        """The SDE with the flow's marginals and diffusion g, one Euler-Maruyama step."""
        dt = after - sigma
        return Policy(1 + g * g * dt / (2 * sigma), (1 + g * g * (1 - sigma) / (2 * sigma)) * dt, g * math.sqrt(-dt))

    def mean(self, x, velocity):
        return self.a * x + self.b * velocity

    def log_probability(self, x, velocity, after):
        """Mean over the values of a latent (dimension 1)."""
        square = (after - self.mean(x, velocity)) ** 2 / (2 * self.std**2)
        return (-square - math.log(self.std) - 0.5 * math.log(2 * math.pi)).mean(dim=1)


def dpm_2_midpoint(x, data, data_before, sigma: float, after: float, sigma_before: float):
    """DPM++ eq. 12 and 13: second order from the data predictions at two levels."""

    def lam(level: float) -> float:
        return math.log((1 - level) / level)

    h, h_before = lam(after) - lam(sigma), lam(sigma) - lam(sigma_before)
    slope = (data - data_before) / (h_before / h)
    factor = (1 - after) * (math.exp(-h) - 1)
    return after / sigma * x - factor * data - 0.5 * factor * slope


def advantages(rewards):
    """(P, G): per group, with n - 1 under the root."""
    return (rewards - rewards.mean(dim=1, keepdim=True)) / (rewards.std(dim=1, keepdim=True) + 1e-8)


@dataclass
class Settings:
    """What a preset amounts to in the first iteration."""

    dynamics: str  # "flow" or "dance"
    eta: float
    window: range  # stochastic steps
    trained: list[int]
    flash_ratio: float = 0.0
    kl_reference: float = 0.0
    steps: int = 25
    shift: float = 3.0
    clip: float = 1e-4
    parts: int = 4


class PureMixGRPO:
    """One iteration over a model (latents, sigmas, prompts) -> velocity.

    `noise`: (P*G, D) initial noise; `step_noise`: step -> (P*G, D), for the stochastic steps.
    """

    def __init__(self, model, reference, settings: Settings, prompts, group: int):
        self.model, self.reference, self.settings, self.group = model, reference, settings, group
        self.prompts = prompts  # (P*G)
        self.sigmas = grid(settings.steps, settings.shift, settings.window.stop, settings.flash_ratio)
        self.stored = {}  # step -> x, x', log p

    def velocity(self, model, x, step, rows=slice(None)):
        sigmas = torch.full((len(x),), self.sigmas[step], dtype=torch.float32)
        return model(x, sigmas, self.prompts[rows])

    def policy(self, step: int) -> Policy:
        sigma, after = self.sigmas[step], self.sigmas[step + 1]
        if self.settings.dynamics == "dance":
            return Policy.sde(sigma, after, self.settings.eta)
        return Policy.flow(sigma, after, self.settings.eta, self.sigmas[1])

    @torch.no_grad()
    def rollout(self, noise, step_noise):
        x, data_before = noise, None
        last = len(self.sigmas) - 2
        for step, (sigma, after) in enumerate(zip(self.sigmas[:-1], self.sigmas[1:], strict=True)):
            velocity = self.velocity(self.model, x, step)
            data = x - sigma * velocity
            if step in self.settings.window:
                policy = self.policy(step)
                following = policy.mean(x, velocity) + policy.std * step_noise[step]
                if step in self.settings.trained:
                    self.stored[step] = (x, following, policy.log_probability(x, velocity, following))
            elif self.settings.flash_ratio > 0 and step >= self.settings.window.stop and step < last:
                following = dpm_2_midpoint(x, data, data_before, sigma, after, self.sigmas[step - 1])
            else:
                following = x + (after - sigma) * velocity
            x, data_before = following, data
        return x

    def update(self, rewards, optimizer):
        """`rewards`: (P, G)."""
        weights = advantages(rewards).flatten()
        for part in range(self.settings.parts):
            members = range(part * self.group // self.settings.parts, (part + 1) * self.group // self.settings.parts)
            rows = torch.tensor([p * self.group + m for p in range(len(rewards)) for m in members])
            losses = [self.loss(step, rows, weights[rows]) for step in self.settings.trained]
            torch.stack(losses).mean().backward()
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()

    def loss(self, step, rows, advantage):
        """Mix eq. 7 over some samples of one step, with the KL to the reference of Flow §4.2."""
        x, following, old = (value[rows] for value in self.stored[step])
        policy, clip = self.policy(step), self.settings.clip
        velocity = self.velocity(self.model, x, step, rows)
        ratio = torch.exp(policy.log_probability(x, velocity, following) - old)
        loss = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip))
        if self.settings.kl_reference:
            with torch.no_grad():
                frozen = policy.mean(x, self.velocity(self.reference, x, step, rows))
            apart = ((policy.mean(x, velocity) - frozen) ** 2).mean(dim=1)
            loss = loss + self.settings.kl_reference * apart / (2 * policy.std**2)
        return loss.mean()
