"""Ranks that train one model together. Here they are threads."""

import numpy as np
import pytest
from thread_ranks import Member, Table, on_threads


@pytest.fixture
def train(mixgrpo, config):
    """The weights of each of so many ranks after two iterations."""

    def run(size, failing=-1, seed=11):
        table = Table(size)

        def rank(index):
            with mixgrpo.Context(1) as context:
                model = mixgrpo.Model(config, seed=7, context=context)
                noise = np.random.default_rng(3).standard_normal(model.weights.read().size).astype(np.float32)
                model.weights.write(model.weights.read() + 0.05 * noise)
                lines = ["a red circle", "a blue square", "a green triangle", "nothing", "a star"]
                prompts = mixgrpo.Prompts.hashed_words(
                    lines, text_length=4, text_width=6, pooled_width=5, context=context
                )
                evaluator = mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4, max_batch=3)
                plan = mixgrpo.SamplingConfig(steps=5, window_length=2, group_size=4, seed=seed if index else 11)
                trainer = mixgrpo.Trainer(evaluator, prompts, plan, mixgrpo.LearningConfig(learning_rate=1e-3))
                trainer.set_collective(Member(table, index, failing if index == 1 else -1))
                for _ in range(2):
                    samples = trainer.rollout(range(5))
                    assert len(samples) == len(range(5)[trainer.share(5)])
                    metrics = trainer.update(samples.mean(axis=(2, 3))[None])
                return model.weights.read(), metrics.loss, metrics.reward_mean

        return on_threads(size, rank)

    return run


def test_any_number_of_ranks_trains_to_the_same_bits(train):
    (one,) = train(1)
    for size in (2, 3, 7):
        for weights, loss, reward in train(size):
            assert np.array_equal(weights, one[0]) and (loss, reward) == one[1:]


def test_an_exception_of_a_collective_ends_the_call_on_all_ranks(train, mixgrpo):
    first, second = train(2, failing=9)
    assert isinstance(second, OSError) and "the cable is cut" in str(second)
    assert isinstance(first, mixgrpo.InputOutputError) and "rank 1: collective" in str(first)


def test_other_settings_are_refused_with_rank_and_field(train, mixgrpo):
    for error in train(2, seed=12):
        assert isinstance(error, mixgrpo.InvalidArgumentError)
        assert str(error) == "rank 1: seed: expected 11, as on rank 0, got 12"


def test_mpi_without_mpi4py_says_what_is_missing():
    try:
        import mpi4py.MPI  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="expected the package mpi4py"):
            import mixgrpo.mpi  # noqa: F401
