"""A training in a folder that ends itself with SIGKILL at the n-th boundary: killed_training.py FOLDER N (0: never)."""

import os
import signal
import sys
from pathlib import Path

import mixgrpo
import small
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


context = mixgrpo.Context(1)
trainer = mixgrpo.Trainer(
    small.evaluator(small.model(context)),
    small.prompts(["a red circle", "a blue square"], context),
    mixgrpo.Plan(mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=4, seed=11)),
    mixgrpo.LearningConfig(learning_rate=3e-3, updates_per_iteration=2),
    rewards=("brightness",),
)
mixgrpo.train(
    trainer, small.brightness, decode=mixgrpo.PixelCodec(4, 4, patch=2).decode, iterations=3, prompts_per_iteration=1,
    progress=False, checkpoints=mixgrpo.TrainingCheckpoints(folder / "checkpoints", every=2), metrics=folder / "metrics.jsonl",
    evaluation=mixgrpo.TrainingEvaluation(every=1, held_out={"dark": small.darkness}, keep_best=folder / "best"),
)  # fmt: skip
