"""growth.c through the Python package. Usage: growth.py ITERATIONS MEASURE_LIBRARY"""

import ctypes
import os
import sys

import mixgrpo
import numpy as np


def new_evaluator(context):
    sizes = mixgrpo.ModelConfig(
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=6,
        pooled_projection_dim=5,
        axes_dims_rope=(2, 2, 4),
    )
    model = mixgrpo.Model(sizes, seed=1, context=context)
    model.weights.write(0.2 * np.random.default_rng(3).standard_normal(model.weights.read().size).astype(np.float32))
    return mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=3, max_batch=3)


def live_once(evaluator, prompts, plan, learning, folder):
    with mixgrpo.Trainer(evaluator, prompts, plan, learning, rewards=("taste", "match")) as trainer:
        samples = trainer.rollout([2, 0])
        first = samples.reshape(2, 4, -1)[:, :, 0]
        trainer.update({"taste": first, "match": -np.abs(first)})
        trainer.save(folder)
        trainer.restore(folder)
        try:
            trainer.rollout([])
        except mixgrpo.InvalidArgumentError:
            pass
        else:
            raise AssertionError("a rollout without prompts was made")
    mixgrpo.Image(np.zeros((2, 2, 3), np.uint8))


def main():
    iterations, measure = int(sys.argv[1]), ctypes.CDLL(sys.argv[2]).growth_measure
    folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), "growth")
    lines = ["a red circle", "a blue square", "two greens", "night"]
    with mixgrpo.Context(2) as context:
        evaluator = new_evaluator(context)
        prompts = mixgrpo.Prompts.hashed_words(lines, text_length=3, text_width=6, pooled_width=5, context=context)
        plan = mixgrpo.Plan(mixgrpo.SamplingConfig(steps=5, window_length=2, group_size=4))
        # All iterations train one model.
        learning = mixgrpo.LearningConfig(updates_per_iteration=2, learning_rate=1e-9)
        for iteration in range(iterations):
            if iteration == iterations // 10:
                measure()
            live_once(evaluator, prompts, plan, learning, folder)
        measure()


if __name__ == "__main__":
    main()
