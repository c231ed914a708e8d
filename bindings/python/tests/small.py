"""A small model, rewards for its pictures and a stop: what the tests share with the programs that they start."""

import numpy as np


def sizes():
    """2 x 2 tokens of 12 channels, two blocks."""
    import mixgrpo

    return mixgrpo.ModelConfig(
        in_channels=12, out_channels=12, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=6, pooled_projection_dim=5, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip


def model(context):
    """Random weights everywhere, so that no output is trivially 0."""
    import mixgrpo

    made = mixgrpo.Model(sizes(), seed=7, context=context)
    weights = made.weights.read()
    noise = np.random.default_rng(3).standard_normal(weights.size).astype(np.float32)
    made.weights.write(weights + 0.05 * noise)
    return made


def prompts(lines, context):
    import mixgrpo

    return mixgrpo.Prompts.hashed_words(lines, text_length=4, text_width=6, pooled_width=5, context=context)


def evaluator(model, max_batch=8):
    import mixgrpo

    return mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4, max_batch=max_batch)


def brightness(images, prompts):
    return images.mean(axis=(1, 2, 3)) / 255


def darkness(images, prompts):
    return 1 - brightness(images, prompts)


class StoppedError(Exception):
    """A stop at an arbitrary place."""


def stopping_at(iteration):
    """Stops a training after an iteration."""

    def stop(metrics):
        if metrics.iteration == iteration:
            raise StoppedError

    return stop
