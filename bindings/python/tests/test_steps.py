"""Grids, steps, losses and noise as values, against the formulas in NumPy."""

import dataclasses

import numpy as np
import pytest


def test_time_grid_is_the_shifted_line(mixgrpo):
    t = 1 - np.arange(11) / 10
    assert np.allclose(mixgrpo.time_grid(10, shift=3), 3 * t / (1 + 2 * t), rtol=1e-14)
    assert np.allclose(mixgrpo.time_grid(10, shift=1), t, rtol=1e-14)
    mu = 0.5 + (1024 - 256) * (1.15 - 0.5) / (4096 - 256)
    with np.errstate(divide="ignore"):
        assert np.allclose(mixgrpo.time_grid(10, image_tokens=1024), np.exp(mu) / (np.exp(mu) + 1 / t - 1), rtol=1e-12)
    grid = mixgrpo.time_grid(25)
    assert (grid[0], grid[-1]) == (1, 0) and (np.diff(grid) < 0).all()
    for steps in (0, -3, 10001):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="steps"):
            mixgrpo.time_grid(steps)


def test_stochastic_steps_follow_their_formulas(mixgrpo):
    sigma, after, eta = 0.8, 0.7, 0.7
    dt = after - sigma
    for dynamics, g in ((mixgrpo.Dynamics.FLOW, eta * np.sqrt(sigma / (1 - sigma))), (mixgrpo.Dynamics.DANCE, eta)):
        step = mixgrpo.stochastic_step(dynamics, eta, sigma, after)
        assert np.isclose(step.latent, 1 + g * g * dt / (2 * sigma), rtol=1e-13)
        assert np.isclose(step.velocity, (1 + g * g * (1 - sigma) / (2 * sigma)) * dt, rtol=1e-13)
        assert np.isclose(step.noise, g * np.sqrt(-dt), rtol=1e-13)
        assert step.kind.name == dynamics.name and not step.trained and step.history == (0, 0)
    s = after * np.sin(eta * np.pi / 2)
    step = mixgrpo.stochastic_step(mixgrpo.Dynamics.CPS, eta, sigma, after)
    root = np.sqrt(after**2 - s**2)
    assert np.isclose(step.noise, s, rtol=1e-13)
    assert np.isclose(step.latent, (1 - after) + root, rtol=1e-13)
    assert np.isclose(step.velocity, -(1 - after) * sigma + root * (1 - sigma), rtol=1e-12)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.stochastic_step(mixgrpo.Dynamics.FLOW, eta, after, sigma)


def test_euler_is_x_plus_v_dt(mixgrpo):
    grid = mixgrpo.time_grid(5)
    step = mixgrpo.deterministic_step(mixgrpo.Solver.EULER, grid, 2)
    assert (step.latent, step.noise) == (1, 0) and step.kind is mixgrpo.StepKind.EULER
    assert np.isclose(step.velocity, grid[3] - grid[2], rtol=1e-14)
    assert mixgrpo.deterministic_step(mixgrpo.Solver.DPM_3, grid, 4).history == (0, 0)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.deterministic_step(mixgrpo.Solver.EULER, grid, 5)


@pytest.fixture
def transition(mixgrpo):
    """One step of four latents: step, x, v, x', mean."""
    generator = np.random.default_rng(12)
    step = mixgrpo.stochastic_step(mixgrpo.Dynamics.FLOW, 0.7, 0.8, 0.7)
    x, v, e = generator.standard_normal((3, 4, 2, 5)).astype(np.float32)
    mean = step.latent * x + step.velocity * v
    return step, x, v, (mean + step.noise * e).astype(np.float32), mean


def log_density(step, mean, after):
    squares = (after.astype(np.float64) - mean) ** 2 / (2 * step.noise**2)
    return -squares - np.log(step.noise) - 0.5 * np.log(2 * np.pi)


def test_log_probability_is_the_normal_density(mixgrpo, transition):
    step, x, v, after, mean = transition
    density = log_density(step, mean, after).reshape(4, -1)
    assert np.allclose(mixgrpo.step_log_probability(step, x, v, after), density.mean(1), rtol=1e-5)
    total = mixgrpo.step_log_probability(step, x, v, after, form=mixgrpo.LogProbability.SUM)
    assert np.allclose(total, density.sum(1), rtol=1e-5)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.step_log_probability(dataclasses.replace(step, noise=0.0), x, v, after)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="velocity: expected shape"):
        mixgrpo.step_log_probability(step, x, v[:3], after)


def test_policy_loss_and_its_gradient(mixgrpo, transition):
    step, x, v, after, _ = transition
    advantages = np.array([1.0, -1.0, 0.5, -2.0])
    old = mixgrpo.step_log_probability(step, x, v, after) + np.array([0, 1e-3, -0.3, 0.3])
    config = mixgrpo.LearningConfig(clip_range=0.1, kl_reference=0.2, kl_old=0.3)
    reference = np.float32(0.9) * v

    def loss(velocity):
        return mixgrpo.policy_loss(
            step, x, velocity, after, old, advantages, config=config, reference_velocity=reference
        )

    result = loss(v)
    new = mixgrpo.step_log_probability(step, x, v, after)
    ratio = np.exp(new - old)
    assert np.allclose(result.ratios, ratio, rtol=1e-6)
    surrogate = np.maximum(-advantages * ratio, -advantages * np.clip(ratio, 0.9, 1.1))
    difference = (v - reference).astype(np.float64).reshape(4, -1)
    kl = step.velocity**2 * (difference**2).mean(1) / (2 * step.noise**2)
    expected = (surrogate + 0.2 * kl + 0.3 * 0.5 * (new - old) ** 2).mean()
    assert np.isclose(result.loss, expected, rtol=1e-5)

    direction = np.random.default_rng(1).standard_normal(v.shape).astype(np.float32)
    h = np.float32(1e-3)
    measured = (loss(v + h * direction).loss - loss(v - h * direction).loss) / (2 * h)
    assert result.d_velocity.shape == v.shape
    assert abs(measured - np.sum(result.d_velocity * direction)) <= 2e-3 * abs(measured)


def test_first_ratio_is_exactly_one(mixgrpo, transition):
    step, x, v, after, _ = transition
    old = mixgrpo.step_log_probability(step, x, v, after)
    assert (mixgrpo.policy_loss(step, x, v, after, old, np.ones(4)).ratios == 1).all()


def test_noise_depends_on_its_key_alone(mixgrpo):
    long = mixgrpo.normal_noise(1, 2, 3, 1000)
    assert np.array_equal(mixgrpo.normal_noise(1, 2, 3, 10), long[:10])
    assert not np.array_equal(mixgrpo.normal_noise(1, 2, 4, 1000), long)
    assert abs(long.mean()) <= 0.1 and abs(long.std() - 1) <= 0.1
    out = np.empty((5, 2), np.float32)
    assert mixgrpo.normal_noise(1, 2, 3, out=out) is out
    assert np.array_equal(out.ravel(), long[:10])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="count, out"):
        mixgrpo.normal_noise(1, 2, 3)


def test_advantages_are_the_group_s_standard_scores(mixgrpo):
    rewards = np.random.default_rng(4).standard_normal((2, 3, 5))
    z = (rewards - rewards.mean(2, keepdims=True)) / rewards.std(2, ddof=1, keepdims=True)
    result = mixgrpo.advantages(rewards, weights=[3, 1])
    assert np.allclose(result.values, (3 * z[0] + z[1]) / 4, rtol=1e-6)
    assert (result.included == 1).all() and result.failed_rewards == 0
    assert np.allclose(mixgrpo.advantages(rewards[0]).values, z[0], rtol=1e-6)
    sums = mixgrpo.LearningConfig(advantage_mode=mixgrpo.AdvantageMode.REWARD_AGGREGATION)
    total = rewards.sum(0)
    expected = (total - total.mean(1, keepdims=True)) / total.std(1, ddof=1, keepdims=True)
    assert np.allclose(mixgrpo.advantages(rewards, config=sums).values, expected, rtol=1e-6)


def test_samples_with_failed_rewards_are_excluded_and_counted(mixgrpo):
    result = mixgrpo.advantages([[1.0, 2.0, np.nan, 3.0], [5.0, 5.0, 5.0, 5.0]])
    assert result.included.tolist() == [[1, 1, 0, 1], [1, 1, 1, 1]]
    assert np.allclose(result.values, [[-1, 0, 0, 1], [0, 0, 0, 0]])
    assert (result.failed_rewards, result.excluded_samples, result.degenerate_groups) == (1, 1, 1)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="rewards: expected shape"):
        mixgrpo.advantages([1.0, 2.0])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="weights"):
        mixgrpo.advantages(np.ones((1, 2, 2)), weights=[0.0])
