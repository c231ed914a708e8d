"""Updates and the optimizer, answered in NumPy and by the built-in model."""

import numpy as np
import pytest

D = 10
LEARNING = dict(updates_per_iteration=2, learning_rate=1e-2, clip_range=0.1, weight_decay=0.01)


class Linear:
    """v = x W, with the gradient of W: the smallest model that learns."""

    def __init__(self):
        self.weights = (0.3 * np.random.default_rng(2).standard_normal((D, D))).astype(np.float32)
        self.gradients = np.zeros((D, D), np.float32)

    def velocity(self, request):
        return request.latents @ self.weights

    def backward(self, request, d_velocity):
        self.gradients += request.latents.T @ d_velocity


@pytest.fixture
def finished(mixgrpo, plan):
    model = Linear()
    rollout = mixgrpo.Rollout(plan, [0, 1], latent_size=D)
    for request in rollout:
        rollout.submit(model.velocity(request))
    rewards = -np.linalg.norm(rollout.samples(), axis=2)
    return model, rollout, mixgrpo.advantages(rewards)


def test_an_update_asks_for_evaluations_and_optimizer_steps(mixgrpo, finished):
    model, rollout, advantages = finished
    learning = mixgrpo.LearningConfig(**LEARNING)
    optimizer = mixgrpo.Optimizer(D * D, learning)
    update = mixgrpo.Update(rollout, advantages, learning)
    kinds, before = [], model.weights.copy()
    for request in update:
        kinds.append((request.kind.name, request.minibatch))
        if request.is_optimizer_step:
            assert len(request) == 0
            report = optimizer.step(model.weights, model.gradients)
            model.gradients[:] = 0
        else:
            out = np.empty((len(request), D), np.float32)
            d_velocity = update.submit(model.velocity(request), out=out)
            assert d_velocity is out
            model.backward(request, d_velocity)
    statistics = update.statistics()
    assert [kind for kind in kinds if kind[0] == "OPTIMIZER_STEP"] == [("OPTIMIZER_STEP", 0), ("OPTIMIZER_STEP", 1)]
    assert kinds[-1] == ("OPTIMIZER_STEP", 1)
    assert (statistics.first_ratio_min, statistics.first_ratio_max) == (1, 1)
    assert statistics.ratio_min < 1 < statistics.ratio_max
    assert statistics.optimizer_steps == 2 and report.step == 2
    assert not np.array_equal(model.weights, before)


def test_submit_returns_the_gradient_of_the_policy_loss(mixgrpo, plan, finished):
    """One part, all members: the sum over requests is the mean over samples and trained steps."""
    model, rollout, advantages = finished
    learning = mixgrpo.LearningConfig(updates_per_iteration=1)
    update = mixgrpo.Update(rollout, advantages, learning)
    for request in update:
        if not request.is_optimizer_step:
            model.backward(request, update.submit(model.velocity(request)))
    expected = np.zeros((D, D))
    trained = [step for step in plan.steps(0) if step.trained]
    for index, step in enumerate(trained):
        stored = rollout.stored_step(index)
        before, after = stored.latents.reshape(8, D), stored.next_latents.reshape(8, D)
        result = mixgrpo.policy_loss(
            step, before, before @ model.weights, after, stored.log_probabilities.ravel(), advantages.values.ravel(),
            config=learning,
        )  # fmt: skip
        expected += before.T @ result.d_velocity / len(trained)
    assert np.abs(model.gradients - expected).max() <= 1e-4 * np.abs(expected).max()


def test_excluded_samples_are_not_trained(mixgrpo, finished):
    model, rollout, _ = finished
    rewards = np.random.default_rng(0).standard_normal((2, 4))
    rewards[0, 1] = np.nan
    update = mixgrpo.Update(rollout, mixgrpo.advantages(rewards), mixgrpo.LearningConfig(updates_per_iteration=1))
    seen = set()
    for request in update:
        seen |= set(request.sample.tolist())
        if not request.is_optimizer_step:
            update.submit(model.velocity(request))
    assert 1 not in seen and {2, 3} <= seen
    assert (
        update.statistics().model_calls
        < mixgrpo.Plan(rollout.plan.config).iteration(0, prompt_count=2).update_model_calls
    )


def test_a_reference_is_asked_for_when_it_is_needed(mixgrpo, finished):
    model, rollout, advantages = finished
    update = mixgrpo.Update(rollout, advantages, mixgrpo.LearningConfig(**LEARNING, kl_reference=0.1))
    request = update.request()
    assert request.needs_reference
    with pytest.raises(mixgrpo.InvalidArgumentError, match="reference"):
        update.submit(model.velocity(request))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="reference_velocity: expected shape"):
        update.submit(model.velocity(request), reference_velocity=np.zeros(3))
    update.submit(model.velocity(request), reference_velocity=0.5 * model.velocity(request))
    assert update.statistics().kl_reference_nats > 0


def test_an_update_needs_a_finished_rollout_and_fitting_advantages(mixgrpo, plan, finished):
    _, rollout, advantages = finished
    with pytest.raises(mixgrpo.InvalidStateError):
        mixgrpo.Update(mixgrpo.Rollout(plan, [0, 1], latent_size=D), advantages)
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"advantages: expected shape \(2, 4\), got \(8,\)"):
        mixgrpo.Update(rollout, np.zeros(8))
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.Update(rollout, np.full((2, 4), np.nan))
    with pytest.raises(mixgrpo.InvalidStateError, match="submit"):
        for _ in mixgrpo.Update(rollout, advantages):
            pass


def test_adamw_is_the_textbook_s(mixgrpo):
    config = mixgrpo.LearningConfig(learning_rate=0.01, weight_decay=0.1, max_gradient_norm=0, warmup_steps=0)
    optimizer = mixgrpo.Optimizer(6, config)
    generator = np.random.default_rng(1)
    weights = generator.standard_normal((2, 3)).astype(np.float32)
    expected, m, v = weights.astype(np.float64), 0, 0
    for step in range(1, 5):
        gradients = generator.standard_normal((2, 3)).astype(np.float32)
        report = optimizer.step(weights, gradients)
        m, v = 0.9 * m + 0.1 * gradients, 0.999 * v + 0.001 * gradients.astype(np.float64) ** 2
        expected *= 1 - 0.01 * 0.1
        expected -= 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        assert report.step == step and report.learning_rate == 0.01
        assert np.isclose(report.gradient_norm, np.linalg.norm(gradients), rtol=1e-6)
    assert np.allclose(weights, expected, rtol=1e-4, atol=1e-6)


def test_an_optimizer_refuses_what_it_cannot_write_or_trust(mixgrpo):
    optimizer = mixgrpo.Optimizer(3)
    weights = np.ones(3, np.float32)
    with pytest.raises(mixgrpo.NotFiniteError):
        optimizer.step(weights, [0, np.nan, 0])
    assert (weights == 1).all()
    with pytest.raises(mixgrpo.InvalidArgumentError, match="weights: expected an array of float32"):
        optimizer.step(np.ones(3), np.ones(3))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="overlap"):
        optimizer.step(weights, weights)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="gradients"):
        optimizer.step(weights, np.ones(4))
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.Optimizer(0)


def test_the_built_in_model_updates_as_by_hand(mixgrpo, plan, evaluator, prompts, context):
    learning = mixgrpo.LearningConfig(updates_per_iteration=2, learning_rate=1e-3)
    rollout = mixgrpo.Rollout(plan, [0, 1], latent_size=48, context=context)
    rollout.run(evaluator, prompts)
    advantages = mixgrpo.advantages(rollout.samples().mean(2))
    start = evaluator.model.weights.read()

    optimizer = mixgrpo.Optimizer(start.size, learning, context=context)
    update = mixgrpo.Update(rollout, advantages, learning, max_batch=8)
    for request in update:
        if request.is_optimizer_step:
            optimizer.step_model(evaluator.model)
        else:
            inputs = (prompts, request.latents, request.sigmas, request.prompt_index)
            d_velocity = update.submit(evaluator.velocity(*inputs, keep_activations=True))
            evaluator.backward(d_velocity)
    by_hand = evaluator.model.weights.read()

    evaluator.model.weights.write(start)
    again = mixgrpo.Update(rollout, advantages, learning)
    report = again.run(evaluator, prompts, mixgrpo.Optimizer(start.size, learning, context=context))
    assert np.array_equal(evaluator.model.weights.read(), by_hand)
    assert not np.array_equal(by_hand, start)
    assert again.statistics() == update.statistics()
    assert report.step == 2 and report.gradient_norm > 0
    assert not evaluator.model.gradients.read().any()
