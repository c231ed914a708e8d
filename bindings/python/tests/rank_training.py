"""A short training as one rank of several. As a program under mpirun it prints what the first rank has reached.

Usage: rank_training.py [RANK], whose iteration raises an error.
"""

import hashlib
import sys

import small

LINES = ["a red circle", "a blue square", "a green triangle", "nothing", "a star"]


def trainer_of(seed):
    """A trainer of the small model, and the model."""
    import mixgrpo

    context = mixgrpo.Context(1)
    model = small.model(context)
    plan = mixgrpo.SamplingConfig(steps=5, window_length=2, group_size=4, seed=seed)
    learning = mixgrpo.LearningConfig(learning_rate=1e-3)
    return mixgrpo.Trainer(small.evaluator(model, max_batch=3), small.prompts(LINES, context), plan, learning), model


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
