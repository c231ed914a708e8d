"""Iterations of MixGRPO (arXiv 2507.21802) and DanceGRPO (arXiv 2505.07818) in PyTorch, written for speed on a CPU or a GPU.

All samples of a group start from the same noise. Steps of the window are stochastic (Flow-SDE or Dance-SDE), all others are
Euler steps, or, for MixGRPO-Flash, fewer steps of DPM-Solver++ after the window. MixGRPO trains all steps of the window.
DanceGRPO's window is all steps but the last, and each iteration trains a random share of them. Only trained steps are stored.
The update runs in a few optimizer steps, each over a minibatch of the group and all trained steps.
"""

import math
import time
from dataclasses import dataclass

import torch
from torch_flux import TorchFlux


@dataclass(frozen=True)
class Settings:
    window: int = 0
    flash: float = 0.0  # share of the steps after the window that remains; 0: all of them, with Euler
    group: int = 12
    steps: int = 25
    updates: int = 4
    window_length: int = 4
    trained_fraction: float = 1.0  # of the window's steps, drawn anew for each rollout
    shift: float = 3.0
    dynamics: str = "flow"  # or "dance"
    noise_level: float = 0.7
    clip_range: float = 1e-4
    learning_rate: float = 1e-5
    weight_decay: float = 1e-4
    batch: int = 0  # most latents in one call of the model; 0: all of a step or a minibatch

    def sigmas(self) -> list[float]:
        times = [1 - i / self.steps for i in range(self.steps + 1)]
        end = self.window + self.window_length
        if self.flash and end < self.steps:
            left = max(1, math.floor(self.flash * (self.steps - end)))
            times[end:] = [times[end] * (1 - i / left) for i in range(left + 1)]
        return [self.shift * t / (1 + (self.shift - 1) * t) for t in times]

    def stochastic_step(self, step: int) -> tuple[float, float, float]:
        """Scalars (a, b, s) of the mean a*x + b*v and its standard deviation."""
        sigmas = self.sigmas()
        sigma, dt = sigmas[step], sigmas[step + 1] - sigmas[step]
        clamped = sigmas[1] if sigma == 1 else sigma
        squared = self.noise_level**2 * (sigma / (1 - clamped) if self.dynamics == "flow" else 1)
        return (
            1 + squared * dt / (2 * sigma),
            (1 + squared * (1 - sigma) / (2 * sigma)) * dt,
            math.sqrt(-squared * dt),
        )


@dataclass
class Trajectory:
    """What is stored of the trained steps; the first two axes are members and trained steps."""

    latents: torch.Tensor  # (G, steps, tokens, channels)
    next_latents: torch.Tensor  # (G, steps, tokens, channels)
    log_probabilities: torch.Tensor  # (G, steps)
    sigmas: torch.Tensor  # (steps,)
    scalars: torch.Tensor  # (steps, 3): a, b, s


def group_advantages(rewards: torch.Tensor) -> torch.Tensor:
    """(G) or (rewards, G) to (G): the mean over the rewards of each one's normalised values."""
    rewards = rewards.reshape(-1, rewards.shape[-1])
    mean, std = rewards.mean(dim=1, keepdim=True), rewards.std(dim=1, keepdim=True)
    return ((rewards - mean) / (std + 1e-8)).mean(dim=0).clamp(-5, 5)


def log_probability(x, next_x, velocity, scalars):
    """Mean over a sample's values of the log-density of the step; scalars (..., 3) belong to the leading axes."""
    a, b, s = (scalars[..., k, None, None] for k in range(3))
    z = (next_x - a * x - b * velocity) / s
    return (-0.5 * z.square() - s.log() - 0.5 * math.log(2 * math.pi)).mean(dim=(-2, -1))


class SecondOrder:
    """DPM-Solver++ of order 2, midpoint (arXiv 2211.01095), for x = (1 - sigma)*data + sigma*noise."""

    def __init__(self):
        self.last = None  # data and log((1 - sigma) / sigma) of the previous step

    def step(self, x, velocity, sigma: float, following: float):
        data = x - sigma * velocity
        level = math.log((1 - sigma) / sigma) if sigma < 1 else None
        estimate = data
        if following == 0:
            return data
        span = None if level is None else math.log((1 - following) / following) - level
        if self.last is not None and span is not None and self.last[1] is not None:
            ratio = (level - self.last[1]) / span
            estimate = data + (data - self.last[0]) / (2 * ratio)
        self.last = (data, level)
        return following / sigma * x + ((1 - following) - following / sigma * (1 - sigma)) * estimate


class Trainer:
    """Batched: a step of all members is one call of the model. One by one: each sample separately, as public trainers do."""

    def __init__(self, flux: TorchFlux, settings: Settings, one_by_one: bool):
        self.flux, self.settings, self.one_by_one = flux, settings, one_by_one
        self.optimizer = torch.optim.AdamW(
            flux.trained_weights(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    @torch.no_grad()
    def rollout(self) -> tuple[torch.Tensor, Trajectory]:
        """Samples (G, tokens, channels) and their trajectory."""
        noise = torch.randn(1, self.flux.tokens, self.flux.channels, device=self.flux.device)
        trained = self._trained_steps()
        if not self.one_by_one:
            return self._sample(noise.expand(self.settings.group, -1, -1).contiguous(), trained)
        samples, parts = zip(*(self._sample(noise, trained) for _ in range(self.settings.group)), strict=True)
        joined = {
            name: torch.cat([getattr(part, name) for part in parts])
            for name in ("latents", "next_latents", "log_probabilities")
        }
        return torch.cat(samples), Trajectory(**joined, sigmas=parts[0].sigmas, scalars=parts[0].scalars)

    def _trained_steps(self) -> list[int]:
        settings = self.settings
        count = math.floor(settings.trained_fraction * settings.window_length)
        return sorted((settings.window + torch.randperm(settings.window_length)[:count]).tolist())

    def _sample(self, x: torch.Tensor, trained: list[int]) -> tuple[torch.Tensor, Trajectory]:
        settings, sigmas = self.settings, self.settings.sigmas()
        window = range(settings.window, settings.window + settings.window_length)
        scalars = torch.tensor([settings.stochastic_step(step) for step in window], device=x.device)
        stored, solver = [], SecondOrder()
        for step in range(len(sigmas) - 1):
            velocity = self._velocity(x, torch.full((len(x),), sigmas[step], device=x.device))
            if step in window:
                a, b, s = scalars[step - settings.window]
                following = a * x + b * velocity + s * torch.randn_like(x)
                if step in trained:
                    old = log_probability(x, following, velocity, scalars[step - settings.window])
                    stored.append((x, following, old))
                x = following
            elif settings.flash and step >= window.stop:
                x = solver.step(x, velocity, sigmas[step], sigmas[step + 1])
            else:
                x = x + velocity * (sigmas[step + 1] - sigmas[step])
        latents, next_latents, log_probabilities = (torch.stack(kind, dim=1) for kind in zip(*stored, strict=True))
        levels = torch.tensor([sigmas[step] for step in trained], device=x.device)
        kept = scalars[[step - settings.window for step in trained]]
        return x, Trajectory(latents, next_latents, log_probabilities, levels, kept)

    def _velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        size = self.settings.batch or len(x)
        pieces = [self.flux.velocity(*piece) for piece in zip(x.split(size), sigma.split(size), strict=True)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def update(self, trajectory: Trajectory, rewards: torch.Tensor):
        """`rewards`: (G), or (rewards, G) for several."""
        advantages = group_advantages(rewards)
        for members in torch.arange(self.settings.group, device=rewards.device).chunk(self.settings.updates):
            self.backward_of_minibatch(trajectory, members, advantages)
            torch.nn.utils.clip_grad_norm_(self.flux.trained_weights(), 1.0, foreach=True)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def backward_of_minibatch(self, trajectory: Trajectory, members: torch.Tensor, advantages: torch.Tensor):
        """Adds the gradients of the loss over all trained steps of some members."""
        steps = torch.arange(len(trajectory.sigmas), device=members.device)
        pairs = torch.cartesian_prod(members, steps)
        size = 1 if self.one_by_one else self.settings.batch or len(pairs)
        for some in pairs.split(size):
            (self._loss(trajectory, *some.unbind(1), advantages) * (len(some) / len(pairs))).backward()

    def _loss(self, trajectory: Trajectory, members, steps, advantages: torch.Tensor) -> torch.Tensor:
        """The clipped loss of (member, step) pairs, (n) each, their velocities in one call."""
        x, next_x = trajectory.latents[members, steps], trajectory.next_latents[members, steps]
        old, advantage = trajectory.log_probabilities[members, steps], advantages[members]
        velocity = self.flux.velocity(x, trajectory.sigmas[steps])
        ratio = (log_probability(x, next_x, velocity, trajectory.scalars[steps]) - old).exp()
        clipped = ratio.clamp(1 - self.settings.clip_range, 1 + self.settings.clip_range)
        return torch.maximum(-advantage * ratio, -advantage * clipped).mean()

    def iteration(self) -> dict[str, float]:
        """One rollout and update; the seconds of each."""
        begin = seconds_on(self.flux.device)
        samples, trajectory = self.rollout()
        middle = seconds_on(self.flux.device)
        self.update(trajectory, rewards=samples[:, 0, 0])
        return {"rollout": middle - begin, "update": seconds_on(self.flux.device) - middle}


def seconds_on(device: torch.device) -> float:
    """The time, when the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
