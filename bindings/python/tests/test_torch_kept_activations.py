"""Activations of a rollout that the update uses again: the same result with fewer forwards."""

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
from torch_fixtures import LINES, SHAPE, SmallFlow, torch, weights_of

KEPT = 64  # more latents than a first minibatch has


class Counting(torch.nn.Module):
    """Counts the latents that are evaluated with and without autograd, and the backward passes."""

    def __init__(self):
        super().__init__()
        self.inside = SmallFlow()
        self.followed, self.free, self.backwards = 0, 0, 0

    def forward(self, latents, sigmas, prompt_index):
        velocity = self.inside(latents, sigmas, prompt_index)
        if velocity.requires_grad:
            self.followed += len(latents)
            velocity.register_hook(self._count)
        else:
            self.free += len(latents)
        return velocity

    def _count(self, _):
        self.backwards += 1


@pytest.fixture
def run(mixgrpo):
    """A trainer of groups of 4 in two minibatches with a window of 2; keywords change it."""

    def make(keep, *, size=2, start=1, learning=None, optimizer=None, **choices):
        module = Counting()
        policy = mixtorch.TorchPolicy(module, SHAPE, batch_size=size, reference=SmallFlow(seed=5))
        sampling = mixgrpo.SamplingConfig(
            steps=5, group_size=4, window_length=2, window_mode=mixgrpo.WindowMode.GIVEN, seed=3
        )
        learning = mixgrpo.LearningConfig(updates_per_iteration=2, clip_range=0.1, **(learning or {}))
        optimizer = optimizer or (lambda weights: torch.optim.AdamW(weights, lr=1e-2))
        trainer = mixtorch.TorchTrainer(
            policy, optimizer(module.parameters()), LINES, sampling, learning, keep_activations=keep, **choices
        )
        trainer.set_window(start)
        trainer.module = module
        return trainer

    return make


def iterate(trainer, count, change=lambda rewards: rewards):
    history = []
    for _ in range(count):
        samples = trainer.rollout([0, 1])
        history.append(trainer.update(change(samples.mean(axis=(2, 3)))))
    return history


def figures(metrics):
    return metrics.reward_mean, metrics.loss, metrics.gradient_norm, metrics.first_ratio_min, metrics.first_ratio_max


@pytest.mark.parametrize("start", [0, 1], ids=["from-noise", "later"])
@pytest.mark.parametrize("learning", [{}, {"kl_reference": 0.1}], ids=["plain", "KL"])
def test_one_by_one_no_bit_changes(run, start, learning):
    kept, plain = (run(keep, size=1, start=start, learning=learning) for keep in (KEPT, 0))
    assert [figures(one) for one in iterate(kept, 3)] == [figures(one) for one in iterate(plain, 3)]
    assert torch.equal(weights_of(kept.module), weights_of(plain.module))
    assert kept.module.free < plain.module.free


@pytest.mark.parametrize("size", [2, 3, 4, 0])
def test_in_batches_the_sums_differ_by_rounding_alone(run, size):
    kept, plain = (run(keep, size=size) for keep in (KEPT, 0))
    for one, other in zip(iterate(kept, 3), iterate(plain, 3), strict=True):
        assert np.allclose(figures(one), figures(other), rtol=1e-3, atol=1e-6)
    apart = weights_of(kept.module) - weights_of(plain.module)
    assert float(apart.abs().max()) <= 1e-3


def test_the_first_minibatch_needs_no_forward(run):
    """2 prompts at the step whose latent is shared, and 2 members of each at the next: 3 calls of 2."""
    kept, plain = run(KEPT), run(0)
    iterate(kept, 1), iterate(plain, 1)
    assert kept.module.backwards == plain.module.backwards == 6
    assert kept.module.followed == plain.module.followed == 12
    assert kept.module.free == plain.module.free - 6


def test_kept_activations_hold_no_memory_of_the_library(run):
    """The latents of a request are the library's, and valid until it is answered."""
    trainer = run(KEPT)
    evaluate, forward, where = trainer.evaluate, trainer.module.inside.forward, []

    def watched(request):
        where.append(request.latents.ctypes.data)
        evaluate(request)

    def seen(latents, sigmas, prompt_index):
        where.append((torch.is_grad_enabled(), latents.data_ptr() == where[-1]))
        return forward(latents, sigmas, prompt_index)

    trainer.evaluate, trainer.module.inside.forward = watched, seen
    trainer.rollout([0, 1])
    assert set(where[1::2]) == {(True, False), (False, True)}


@pytest.mark.parametrize(("capacity", "saved"), [(1, 0), (2, 2), (5, 4), (6, 6)])
def test_no_more_latents_are_kept_than_asked_for(run, capacity, saved):
    kept, plain = run(capacity), run(0)
    iterate(kept, 1), iterate(plain, 1)
    assert plain.module.free - kept.module.free == saved
    assert torch.allclose(weights_of(kept.module), weights_of(plain.module), atol=1e-3)


def test_activations_of_samples_without_reward_are_left_out(run):
    def change(rewards):
        rewards[0, 1] = np.nan  # in the first minibatch
        return rewards

    kept, plain = run(KEPT, start=0), run(0, start=0)
    for one, other in zip(iterate(kept, 2, change), iterate(plain, 2, change), strict=True):
        assert np.allclose(figures(one), figures(other), rtol=1e-3, atol=1e-6)
    assert torch.allclose(weights_of(kept.module), weights_of(plain.module), atol=1e-3)


def test_weights_that_changed_since_the_rollout_are_noticed(run):
    def changed(keep):
        trainer = run(keep)
        samples = trainer.rollout([0, 1])
        with torch.no_grad():
            trainer.module.inside.leave.mul_(1.0001)
        return trainer, trainer.update(samples.mean(axis=(2, 3)))

    (kept, seen), (plain, expected) = changed(KEPT), changed(0)
    assert figures(seen) == figures(expected) and seen.first_ratio_min < 1
    assert torch.equal(weights_of(kept.module), weights_of(plain.module))


@pytest.mark.parametrize("failing", ["first", "second"])
def test_a_failed_update_may_be_repeated(run, failing):
    """Its backward fails, before or after the first optimizer step."""
    trainer, expected = run(KEPT), run(0)
    iterate(expected, 1)
    samples = trainer.rollout([0, 1])
    before = weights_of(trainer.module)
    step, calls = trainer.optimizer.step, []

    def failing_step(*arguments, **keywords):
        calls.append(None)
        if len(calls) == (1 if failing == "first" else 2):
            raise LookupError("gone")
        return step(*arguments, **keywords)

    trainer.optimizer.step = failing_step
    with pytest.raises(LookupError):
        trainer.update(samples.mean(axis=(2, 3)))
    assert torch.equal(weights_of(trainer.module), before)
    trainer.update(samples.mean(axis=(2, 3)))
    assert torch.allclose(weights_of(trainer.module), weights_of(expected.module), atol=1e-3)


def test_a_skipped_minibatch_leaves_no_gradient_behind(mixgrpo, run):
    """It is skipped when one of two latents of a call has its gradient."""

    def skipping(keep):
        trainer = run(keep, start=0, learning={"fault_policy": mixgrpo.FaultPolicy.SKIP})
        backward, calls = trainer.policy.backward, []

        def failing(*arguments, **keywords):
            calls.append(None)
            if len(calls) == 2:
                raise mixgrpo.NotFiniteError("the device is too hot")
            backward(*arguments, **keywords)

        trainer.policy.backward = failing
        samples = trainer.rollout([0])
        metrics = trainer.update(samples.mean(axis=(2, 3)))
        assert metrics.skipped_steps == 1 and len(calls) == 4
        return weights_of(trainer.module), metrics.gradient_norm

    (kept, kept_norm), (plain, norm) = skipping(KEPT), skipping(0)
    assert np.isclose(kept_norm, norm, rtol=1e-4) and torch.allclose(kept, plain, atol=1e-5)


def test_nothing_outlives_its_use(run):
    trainer = run(KEPT)
    trainer.rollout([0, 1])
    assert len(trainer._activations._places) == 6
    trainer.sample([0])
    assert len(trainer._activations._places) == 6
    samples = trainer.rollout([1, 2])
    trainer.update(samples.mean(axis=(2, 3)))
    assert not trainer._activations._places
    trainer.rollout_ticket([0])
    assert not trainer._activations._places


def test_fewer_latents_than_none_are_refused(mixgrpo, run):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="keep_activations: expected 0"):
        run(-1)
