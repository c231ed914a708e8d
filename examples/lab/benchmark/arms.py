"""The arms of the race to a reward: methods in PyTorch and in the library, with the tuned rates of `mixgrpo compare`."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mixgrpo
import numpy as np
import torch
from torch_flux import MODES, Inputs, TorchFlux
from torch_grpo import Settings, Trainer
from world_task import GROUP, MINIBATCHES, SHIFT, STEPS, TEXT, WorldTask

RATE = 8e-5  # of all methods here that train all weights; TunedRates.swift
LORA_RATE = 4e-4  # of an adapter of rank 16; TunedRates.swift
INTERVAL = 2  # iterations at each place of a moving window


@dataclass(frozen=True)
class Arm:
    name: str
    label: str
    # For PyTorch; None for the library.
    torch: Settings | None = None
    moving: bool = False
    # For the library.
    preset: str = "mixgrpo"
    sampling: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    lora_rank: int = 0  # of an adapter that is trained in place of all weights
    rate: float = RATE

    @property
    def settings(self) -> str:
        """Everything that a run depends on."""
        if self.torch:
            return f"{self.torch}, {self.moving}"
        return f"{self.preset}, {self.sampling}, {self.precision}, LoRA {self.lora_rank}, rate {self.rate}"


_TORCH = Settings(group=GROUP, steps=STEPS, updates=MINIBATCHES, shift=SHIFT, learning_rate=RATE)
_DANCE = replace(_TORCH, window_length=STEPS - 1, trained_fraction=0.6, dynamics="dance", noise_level=0.3)
_STAR = "mixgrpo_flash_star"

ARMS = [
    Arm("torch-dance", "DanceGRPO, PyTorch", torch=_DANCE),
    Arm("torch-mixgrpo", "MixGRPO, PyTorch", torch=_TORCH, moving=True),
    Arm("torch-best", "Flash*, a window of one step, PyTorch", torch=replace(_TORCH, window_length=1, flash=0.2)),
    Arm("unshared", "MixGRPO, nothing shared", sampling={"exact_sharing": False}),
    Arm("mixgrpo", "MixGRPO"),
    Arm("bfloat16", "MixGRPO, bfloat16", precision="bfloat16"),
    Arm("lora", "MixGRPO, LoRA of rank 16", lora_rank=16, rate=LORA_RATE),
    Arm("flash-star", "Flash*", preset=_STAR),
    Arm("best", "Flash*, a window of one step", preset=_STAR, sampling={"window_length": 1}),
    Arm(
        "best-lora",
        "Flash*, a window of one step, LoRA of rank 16",
        preset=_STAR,
        sampling={"window_length": 1},
        lora_rank=16,
        rate=LORA_RATE,
    ),
]

# What is changed, and the arms before and after it.
FACTORS = [
    ("4 trained steps, not 14", "torch-dance", "torch-mixgrpo"),
    ("the library's kernels", "torch-mixgrpo", "unshared"),
    ("latents that a group shares are evaluated once", "unshared", "mixgrpo"),
    ("bfloat16", "mixgrpo", "bfloat16"),
    ("LoRA of rank 16, not all weights", "mixgrpo", "lora"),
    ("Flash*: a short tail, and a window that stays at the start", "mixgrpo", "flash-star"),
    ("a window of one step", "flash-star", "best"),
    ("LoRA of rank 16, not all weights", "best", "best-lora"),
    ("the library, with these settings on both sides", "torch-best", "best"),
]


class LibraryTrainer:
    def __init__(self, task: WorldTask, arm: Arm, seed: int):
        sampling, learning = mixgrpo.preset(arm.preset)
        changes = {"window_interval": INTERVAL, "group_size": GROUP, "steps": STEPS, "shift": SHIFT, **arm.sampling}
        sampling = replace(sampling, seed=seed, **changes)
        learning = replace(
            learning, learning_rate=arm.rate, clip_range=task.clip_range, updates_per_iteration=MINIBATCHES
        )
        model = mixgrpo.Model.load(task.folder, context=task.context)
        self.model = model.adapt(rank=arm.lora_rank, seed=seed) if arm.lora_rank else model
        evaluator = task.evaluator(self.model, arm.precision)
        self.trainer = mixgrpo.Trainer(evaluator, task.prompts, sampling, learning, rewards=["taste", "match"])

    def rollout(self, iteration: int, prompt: int) -> np.ndarray:
        return self.trainer.rollout([prompt])[0]

    def update(self, rewards: np.ndarray) -> None:
        self.trainer.update(rewards[:, None])

    def weights(self) -> np.ndarray:
        """Of the whole model, an adapter merged into it."""
        return (self.model if self.model.base is None else self.model.merge()).weights.read()

    def save(self, folder: Path) -> None:
        self.trainer.save(folder)

    def load(self, folder: Path) -> None:
        self.trainer.restore(folder)


class TorchTrainer:
    """Its compilation is done before the first iteration."""

    def __init__(self, task: WorldTask, arm: Arm, seed: int, mode: str):
        self.arm, self.seed = arm, seed
        self.names = list(task.judged.parameters)
        self.flux = TorchFlux(task.folder, inputs_of(task), MODES[mode])
        self.settings = replace(arm.torch, clip_range=task.clip_range)
        self.trainer = Trainer(self.flux, self.settings, one_by_one=False)
        self._warm_up()

    def rollout(self, iteration: int, prompt: int) -> np.ndarray:
        torch.manual_seed(1_000_000 * self.seed + iteration)
        if self.arm.moving:
            window = window_at(iteration, self.settings.steps - self.settings.window_length)
            self.trainer.settings = replace(self.settings, window=window)
        self.flux.prompt = prompt
        samples, self.trajectory = self.trainer.rollout()
        return samples.numpy()

    def update(self, rewards: np.ndarray) -> None:
        self.trainer.update(self.trajectory, torch.from_numpy(rewards).float())

    def weights(self) -> np.ndarray:
        """In the library's order."""
        state = self.flux.model.state_dict()
        return torch.cat([state[name].float().flatten() for name in self.names]).numpy()

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        state = {"model": self.flux.model.state_dict(), "optimizer": self.trainer.optimizer.state_dict()}
        torch.save(state, folder / "new.pt")
        (folder / "new.pt").replace(folder / "torch.pt")

    def load(self, folder: Path) -> None:
        state = torch.load(folder / "torch.pt")
        self.flux.model.load_state_dict(state["model"])
        self.trainer.optimizer.load_state_dict(state["optimizer"])

    def _warm_up(self) -> None:
        """A rollout, and a backward of each size of minibatch, without an optimizer step."""
        samples, trajectory = self.trainer.rollout()
        self.trainer.backward_of_minibatch(trajectory, torch.arange(GROUP // MINIBATCHES), torch.zeros(GROUP))
        self.flux.model.zero_grad(set_to_none=True)


def window_at(iteration: int, places: int) -> int:
    """The first step of a moving window, which after its last place starts anew."""
    return iteration // INTERVAL % places


def inputs_of(task: WorldTask) -> Inputs:
    text, pooled = mixgrpo.hashed_words(task.captions, **TEXT)
    side = round(task.judge.latent_shape[0] ** 0.5)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    ids = torch.stack([torch.zeros(side * side), rows.flatten().float(), columns.flatten().float()], dim=1)
    return Inputs(torch.from_numpy(text), torch.from_numpy(pooled), ids, guidance=None)


def check_velocity(task: WorldTask, mode: str) -> float:
    """The relative error of PyTorch's velocity of the shipped model against the library's."""
    latents = np.random.default_rng(0).standard_normal((GROUP, *task.judge.latent_shape)).astype(np.float32)
    sigmas, prompt = np.linspace(1, 0.03125, GROUP, dtype=np.float32), int(task.trained[0])
    task.judged.weights.write(mixgrpo.Model.load(task.folder, context=task.context).weights.read())
    expected = task.judge.velocity(task.prompts, latents, sigmas, [prompt] * GROUP)
    flux = TorchFlux(task.folder, inputs_of(task), MODES[mode])
    flux.prompt = prompt
    return flux.check(*(torch.from_numpy(each) for each in (latents, sigmas, expected)))


def timed_iteration(trainer: LibraryTrainer | TorchTrainer, task: WorldTask, iteration: int, seed: int) -> float:
    """Trains one iteration; the processor time that all threads of this process spent on rollout and update."""
    prompt = task.prompt(iteration, seed)
    started = time.process_time()
    samples = trainer.rollout(iteration, prompt)
    sampled = time.process_time()
    rewards = task.rewards(samples, prompt)
    scored = time.process_time()
    trainer.update(rewards)
    return sampled - started + time.process_time() - scored
