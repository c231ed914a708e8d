"""A short training as one rank of several. As a program under mpirun it prints what the first rank has reached.

Usage: rank_training.py [RANK], whose iteration raises an error.
"""

import hashlib
import sys

import numpy as np

LINES = ["a red circle", "a blue square", "a green triangle", "nothing", "a star"]


def trainer_of(seed):
    """A trainer of a tiny model whose weights are random everywhere, and the model."""
    import mixgrpo

    context = mixgrpo.Context(1)
    sizes = mixgrpo.ModelConfig(
        in_channels=12, out_channels=12, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=6, pooled_projection_dim=5, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    model = mixgrpo.Model(sizes, seed=7, context=context)
    noise = np.random.default_rng(3).standard_normal(model.weights.read().size).astype(np.float32)
    model.weights.write(model.weights.read() + 0.05 * noise)
    prompts = mixgrpo.Prompts.hashed_words(LINES, text_length=4, text_width=6, pooled_width=5, context=context)
    evaluator = mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4, max_batch=3)
    plan = mixgrpo.SamplingConfig(steps=5, window_length=2, group_size=4, seed=seed)
    return mixgrpo.Trainer(evaluator, prompts, plan, mixgrpo.LearningConfig(learning_rate=1e-3)), model


def trained(collective, seed=11, failing=None):
    """Weights, loss and mean reward after two iterations."""
    trainer, model = trainer_of(seed)
    trainer.set_collective(collective)
    for _ in range(2):
        samples = trainer.rollout(range(len(LINES)))
        assert len(samples) == len(range(len(LINES))[trainer.share(len(LINES))])
        if collective.rank == failing:
            raise ValueError("this rank has no rewards")
        metrics = trainer.update(samples.mean(axis=(2, 3))[None])
    return model.weights.read(), metrics.loss, metrics.reward_mean


def main(failing=None):
    from mixgrpo.mpi import MPICollective

    collective = MPICollective()
    weights, loss, reward = trained(collective, failing=None if failing is None else int(failing))
    if collective.rank == 0:
        print(hashlib.sha256(weights.tobytes()).hexdigest(), loss, reward)


if __name__ == "__main__":
    main(*sys.argv[1:])
