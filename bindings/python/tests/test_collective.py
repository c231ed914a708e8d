"""Ranks that train one model together. Here they are threads."""

import numpy as np
import pytest
from rank_training import trained, trainer_of
from thread_ranks import Member, Table, on_threads


@pytest.fixture
def train(mixgrpo):
    """The result of each of so many ranks."""

    def run(size, failing=-1, seed=11):
        table = Table(size)

        def rank(index):
            return trained(Member(table, index, failing if index == 1 else -1), seed=seed if index else 11)

        return on_threads(size, rank)

    return run


def test_any_number_of_ranks_trains_to_the_same_bits(train):
    (one,) = train(1)
    for size in (2, 3, 7):
        for weights, loss, reward in train(size):
            assert np.array_equal(weights, one[0]) and (loss, reward) == one[1:]


def test_threads_train_to_the_bits_of_one_rank(train, mixgrpo):
    ((weights, loss, reward),) = train(1)
    for size in (2, 3):
        ranks = mixgrpo.LocalRanks(size, time_limit=60)
        assert len(ranks) == size and repr(ranks) == f"<LocalRanks, {size} ranks>"
        for result in on_threads(size, lambda rank, ranks=ranks: trained(ranks.collective(rank))):
            assert np.array_equal(result[0], weights) and result[1:] == (loss, reward)


def test_a_trainer_keeps_the_transport_of_threads(mixgrpo):
    with mixgrpo.LocalRanks(1) as ranks:
        rank = ranks.collective(0)
        trainer, _ = trainer_of(11)
        trainer.set_collective(rank)
    assert trainer.has_collective and trainer.rollout([0, 1]).shape[0] == 2
    with pytest.raises(mixgrpo.InvalidArgumentError, match="user_data: expected a live local rank handle"):
        trainer_of(11)[0].set_collective(rank)
    with pytest.raises(mixgrpo.InvalidStateError):
        ranks.collective(0)


def test_a_thread_that_gives_up_ends_the_others(mixgrpo):
    ranks = mixgrpo.LocalRanks(2)

    def rank(index):
        if index == 1:
            return ranks.abandon("no rewards")
        return trained(ranks.collective(0))

    first, _ = on_threads(2, rank)
    assert isinstance(first, mixgrpo.InputOutputError) and "one that has left: no rewards" in str(first)


def test_what_are_no_local_ranks_is_refused(mixgrpo):
    for arguments in ({"count": 0}, {"count": 2, "time_limit": 0}, {"count": 2, "time_limit": float("nan")}):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=list(arguments)[-1]):
            mixgrpo.LocalRanks(**arguments)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="rank: expected 0"):
        mixgrpo.LocalRanks(2).collective(2)


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
