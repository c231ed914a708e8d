"""A host's program as type checkers see it; it is checked, not run."""

from collections.abc import Sequence

import mixgrpo
import numpy as np
from numpy.typing import NDArray


def brightness(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
    return np.asarray(images.mean(axis=(1, 2, 3)) / 255)


def program(model: mixgrpo.Model, prompts: mixgrpo.Prompts) -> list[mixgrpo.Metrics]:
    sampling = mixgrpo.SamplingConfig(steps=12, dynamics="dance", window_mode=mixgrpo.WindowMode.RANDOM)
    learning = mixgrpo.LearningConfig(fault_policy="skip")
    dynamics: mixgrpo.Dynamics = sampling.dynamics
    trainer = mixgrpo.Trainer(mixgrpo.Evaluator(model), prompts, sampling, learning, rewards=["brightness"])
    trainer.save_model("base", weights="base", storage="bf16")
    print(dynamics.name, trainer.sample([0], weights="average").shape)
    return mixgrpo.train(
        trainer,
        {"brightness": brightness},
        decode=mixgrpo.PixelCodec(32, 32, patch=4).decode,
        iterations=20,
        evaluation=mixgrpo.TrainingEvaluation(held_out={"dark": lambda images, prompts: [0.0]}, watchdog="stop"),
        checkpoints=mixgrpo.TrainingCheckpoints("run", every=5),
        report="run.html",
    )
