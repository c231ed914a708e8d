"""A training in a folder that ends itself with SIGKILL at the n-th boundary: killed_training.py FOLDER N (0: never)."""

import os
import signal
import sys
from pathlib import Path

import mixgrpo
import numpy as np
from mixgrpo.training.checkpoints import Checkpoints
from mixgrpo.training.evaluations import Evaluations
from mixgrpo.training.metrics_file import MetricsFile

folder, kill_at = Path(sys.argv[1]), int(sys.argv[2])
boundaries = 0


def boundary():
    global boundaries
    boundaries += 1
    if boundaries == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


def with_boundaries(owner, name):
    function = getattr(owner, name)

    def wrapped(*arguments, **options):
        boundary()
        return function(*arguments, **options)

    setattr(owner, name, wrapped)


for owner, names in (
    (mixgrpo.Trainer, ("update", "checkpoint", "append_metrics")),
    (mixgrpo.Evaluation, ("submit", "save", "save_best")),
    (Evaluations, ("remove_outdated",)),
    (Checkpoints, ("save",)),
    (MetricsFile, ("resume",)),
):
    for name in names:
        with_boundaries(owner, name)


def brightness(images, prompts):
    return images.mean(axis=(1, 2, 3)) / 255


def darkness(images, prompts):
    return 1 - brightness(images, prompts)


config = mixgrpo.ModelConfig(
    in_channels=12, out_channels=12, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
    joint_attention_dim=6, pooled_projection_dim=5, axes_dims_rope=(2, 2, 4),
)  # fmt: skip
context = mixgrpo.Context(1)
model = mixgrpo.Model(config, seed=7, context=context)
weights = model.weights.read()
model.weights.write(weights + 0.05 * np.random.default_rng(3).standard_normal(weights.size).astype(np.float32))
prompts = mixgrpo.Prompts.hashed_words(
    ["a red circle", "a blue square"], text_length=4, text_width=6, pooled_width=5, context=context
)
trainer = mixgrpo.Trainer(
    mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4, max_batch=8),
    prompts,
    mixgrpo.Plan(mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=4, seed=11)),
    mixgrpo.LearningConfig(learning_rate=3e-3, updates_per_iteration=2),
    rewards=("brightness",),
)
mixgrpo.train(
    trainer, brightness, decode=mixgrpo.PixelCodec(4, 4, patch=2).decode, iterations=3, prompts_per_iteration=1,
    progress=False, checkpoints=mixgrpo.TrainingCheckpoints(folder / "checkpoints", every=2), metrics=folder / "metrics.jsonl",
    evaluation=mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}, keep_best=folder / "best"),
)  # fmt: skip
