"""Iterations in parts, whose rewards come later, and training that scores in threads."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from small import brightness


def figures(metrics):
    return {name: value for name, value in vars(metrics).items() if not name.startswith("seconds")}


def test_tickets_in_any_order_give_the_numbers_of_one_rollout(mixgrpo, make_trainer, score):
    trainer = make_trainer()
    weights = trainer.evaluator.model.weights
    start = weights.read()
    samples = trainer.rollout([2, 0])
    expected, trained = trainer.update(score(samples)), weights.read()

    weights.write(start)
    trainer = make_trainer()
    parts = [trainer.rollout_ticket([2]), trainer.rollout_ticket([0])]
    assert [part.prompt_indices for part in parts] == [(2,), (0,)] and trainer.open_tickets == (1, 2)
    assert np.array_equal(np.concatenate([part.samples for part in parts]), samples)
    trainer.submit_rewards(parts[1], {"brightness": score(parts[1].samples)})
    assert trainer.open_tickets == (1,)
    with pytest.raises(mixgrpo.InvalidStateError, match=r"\[1\]"):
        trainer.update_tickets()
    trainer.submit_rewards(parts[0], score(parts[0].samples))
    assert figures(trainer.update_tickets()) == figures(expected)
    assert np.array_equal(weights.read(), trained)


def test_tickets_are_answered_once_and_in_their_iteration(mixgrpo, make_trainer, score):
    trainer = make_trainer()
    part = trainer.rollout_ticket([1])
    rewards = score(part.samples)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="rewards: expected shape"):
        trainer.submit_rewards(part, rewards[:, :2])
    for call in (lambda: trainer.rollout([0]), lambda: trainer.update(rewards)):
        with pytest.raises(mixgrpo.InvalidStateError, match="tickets"):
            call()
    trainer.submit_rewards(part, rewards)
    with pytest.raises(mixgrpo.InvalidStateError, match="once"):
        trainer.submit_rewards(part, rewards)
    trainer.update_tickets(weights={"brightness": 2.0})
    with pytest.raises(mixgrpo.InvalidStateError, match="over"):
        trainer.submit_rewards(part, rewards)
    late = trainer.rollout_ticket([1])
    trainer.drop_tickets()
    with pytest.raises(mixgrpo.InvalidStateError):
        trainer.submit_rewards(late, rewards)
    trainer.rollout_ticket([0])
    metrics = trainer.update_tickets(missing=mixgrpo.MissingRewards.EXCLUDE)
    assert metrics.failed_rewards == 4 and metrics.iteration == 1


def test_scoring_in_threads_changes_no_number(mixgrpo, make_trainer, codec):
    trainer = make_trainer()
    weights = trainer.evaluator.model.weights
    start = weights.read()
    options = dict(decode=codec.decode, iterations=2, prompts_per_iteration=3, progress=False)
    expected, trained = mixgrpo.train(trainer, brightness, **options), weights.read()
    weights.write(start)
    threaded = mixgrpo.train(make_trainer(), brightness, score_workers=2, **options)
    assert [figures(one) for one in threaded] == [figures(one) for one in expected]
    assert np.array_equal(weights.read(), trained)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="score_workers"):
        mixgrpo.train(trainer, brightness, score_workers=-1, **options)


def test_a_slow_reward_overlaps_with_the_next_rollout(mixgrpo, context, make_trainer, codec):
    """The second prompt's rollout goes on only when the first prompt's score has begun, which ends only after that."""
    trainer = make_trainer()
    scoring, drawing = threading.Event(), threading.Event()
    overlaps, rollouts = [], []

    def slow(images, prompts):
        if prompts[0] == trainer.prompts.lines[0]:
            scoring.set()
            overlaps.append(drawing.wait(60))
        return brightness(images, prompts)

    def receive(report):
        if report.stage == mixgrpo.Stage.ROLLOUT and rollouts and scoring.wait(60):
            drawing.set()
        if report.done == report.total:
            rollouts.append(report.stage)

    context.progress = receive
    (metrics,) = mixgrpo.train(
        trainer,
        slow,
        decode=codec.decode,
        iterations=1,
        choose=lambda iteration: [0, 1, 2],
        evaluation=None,
        progress=False,
        score_workers=1,
    )
    context.progress = None
    assert overlaps == [True] and metrics.failed_rewards == 0


def test_an_exception_in_a_scoring_thread_comes_out_and_training_can_go_on(mixgrpo, make_trainer, codec):
    trainer, calls = make_trainer(), []

    def reward(images, prompts):
        calls.append(threading.current_thread())
        if len(calls) == 2:
            raise ConnectionError("no scores today")
        return brightness(images, prompts)

    options = dict(
        decode=codec.decode, iterations=1, prompts_per_iteration=3, evaluation=None, progress=False, score_workers=2
    )
    with pytest.raises(ConnectionError, match="no scores today"):
        mixgrpo.train(trainer, reward, **options)
    assert trainer.iteration == 0 and trainer.open_tickets == ()
    assert threading.main_thread() not in calls
    assert [metrics.iteration for metrics in mixgrpo.train(trainer, reward, **options)] == [0]


def test_rewards_that_come_after_the_ranks_exchanged_them_are_refused(mixgrpo):
    from mixgrpo._rank_tickets import RankTickets

    tickets = RankTickets(("reward",))
    tickets.add(7, prompts=2, share=2, group_size=3)
    given = []
    tickets.exchange(SimpleNamespace(count=1), lambda number, rewards: given.append((number, np.isnan(rewards).all())))
    assert given == [(7, True)]
    with pytest.raises(
        mixgrpo.InvalidStateError, match="ticket: expected one of the current iteration without rewards, got 7"
    ):
        tickets.submit(7, np.zeros((1, 2, 3)))
