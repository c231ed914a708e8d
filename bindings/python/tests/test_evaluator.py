"""Velocity, backward and samples of the built-in model; prompts."""

import numpy as np
import pytest


@pytest.fixture
def batch():
    generator = np.random.default_rng(5)
    latents = generator.standard_normal((3, 4, 12)).astype(np.float32)
    return latents, np.array([0.9, 0.5, 0.1], np.float32), np.array([0, 1, 2], np.int32)


def test_velocity_has_the_latents_shape_and_depends_on_all_inputs(evaluator, prompts, batch):
    latents, sigmas, index = batch
    velocity = evaluator.velocity(prompts, latents, sigmas, index)
    assert velocity.shape == latents.shape and velocity.dtype == np.float32
    for other in ((latents + 1, sigmas, index), (latents, sigmas / 2, index), (latents, sigmas, index[::-1])):
        assert not np.array_equal(evaluator.velocity(prompts, *other), velocity)


def test_inputs_are_converted_and_out_is_filled(evaluator, prompts, batch):
    latents, sigmas, index = batch
    velocity = evaluator.velocity(prompts, latents, sigmas, index)
    out = np.empty_like(velocity)
    converted = (latents.reshape(3, -1).astype(np.float64), sigmas.tolist(), index.astype(np.int64))
    assert evaluator.velocity(prompts, *converted, out=out) is out
    assert np.array_equal(out, velocity)
    fortran = np.asfortranarray(latents)
    assert np.array_equal(evaluator.velocity(prompts, fortran, sigmas, index), velocity)


def test_misfits_are_named(mixgrpo, evaluator, prompts, batch):
    latents, sigmas, index = batch
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"latents: expected shape \(3, 48\)"):
        evaluator.velocity(prompts, latents.T, sigmas, index)
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"prompt_index: expected shape \(3,\), got \(2,\)"):
        evaluator.velocity(prompts, latents, sigmas, index[:2])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="prompt_index"):
        evaluator.velocity(prompts, latents, sigmas, index + 5)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="overlap"):
        evaluator.velocity(prompts, latents, sigmas, index, out=latents)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        evaluator.velocity(prompts, latents * np.nan, sigmas, index)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="image_ids"):
        mixgrpo.Evaluator(evaluator.model, height_tokens=2, width_tokens=2, text_length=4, image_ids=np.zeros((3, 3)))


def test_backward_agrees_with_finite_differences(evaluator, prompts, batch):
    latents, sigmas, index = batch
    d_velocity = np.random.default_rng(6).standard_normal(latents.shape).astype(np.float32)

    def loss(values):
        return float(np.sum(evaluator.velocity(prompts, values, sigmas, index).astype(np.float64) * d_velocity))

    evaluator.velocity(prompts, latents, sigmas, index, keep_activations=True)
    gradient = evaluator.backward(d_velocity, latents=True)
    direction = np.random.default_rng(8).standard_normal(latents.shape).astype(np.float32)
    step = np.float32(1e-2)
    measured = (loss(latents + step * direction) - loss(latents - step * direction)) / (2 * step)
    assert abs(measured - np.sum(gradient * direction)) <= 5e-3 * max(1, abs(measured))

    name = "single_transformer_blocks.0.proj_out.weight"
    slope = np.sum(evaluator.model.gradients[name].astype(np.float64) ** 2)
    weights, unit = evaluator.model.weights[name], evaluator.model.gradients[name] / np.sqrt(slope)
    values = []
    for sign in (1, -1):
        evaluator.model.weights[name] = weights + sign * step * unit
        values.append(loss(latents))
    measured = (values[0] - values[1]) / (2 * step)
    assert abs(measured - np.sqrt(slope)) <= 5e-3 * max(1, abs(measured))


def test_backward_adds_and_uses_its_activations_up(mixgrpo, evaluator, prompts, batch):
    d_velocity = np.ones((3, 4, 12), np.float32)
    gradients = []
    for _ in range(2):
        evaluator.velocity(prompts, *batch, keep_activations=True)
        assert evaluator.backward(d_velocity) is None
        gradients.append(evaluator.model.gradients.read())
    assert np.allclose(gradients[1], 2 * gradients[0], rtol=1e-4, atol=1e-6)
    with pytest.raises(mixgrpo.InvalidStateError):
        evaluator.backward(d_velocity)


def test_samples_depend_on_seed_and_not_on_threads(mixgrpo, config, prompts):
    settings = mixgrpo.SampleConfig(steps=4, samples_per_prompt=2, seed=9)
    samples = []
    for threads in (1, 2):
        context = mixgrpo.Context(threads)
        model = mixgrpo.Model(config, seed=1, context=context)
        model.weights.write(0.1 * mixgrpo.normal_noise(1, 2, 3, model.parameter_count))
        evaluator = mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4)
        samples.append(evaluator.sample(prompts, [0, 2], settings))
    assert samples[0].shape == (2, 2, 4, 12)
    assert np.array_equal(*samples)
    other = evaluator.sample(prompts, [0, 2], mixgrpo.SampleConfig(steps=4, samples_per_prompt=2, seed=10))
    assert not np.array_equal(other, samples[0])


def test_own_noise_is_where_samples_begin(mixgrpo, config, context, prompts):
    """A fresh model's velocity is 0, so that samples are the noise they began with."""
    evaluator = mixgrpo.Evaluator(
        mixgrpo.Model(config, context=context), height_tokens=2, width_tokens=2, text_length=4
    )
    noise = np.random.default_rng(2).standard_normal((1, 1, 4, 12)).astype(np.float32)
    assert np.array_equal(evaluator.sample(prompts, [1], initial_noise=noise), noise)


def test_an_own_time_grid_takes_the_place_of_steps_and_shift(mixgrpo, evaluator, prompts):
    def samples(**settings):
        return evaluator.sample(prompts, [0, 2], mixgrpo.SampleConfig(**settings))

    grid = mixgrpo.time_grid(5, shift=2.0)
    config = mixgrpo.SampleConfig(steps=9, sigmas=grid)
    assert config.sigmas == tuple(grid) and config == mixgrpo.SampleConfig(steps=9, sigmas=list(grid))
    assert np.array_equal(samples(steps=9, sigmas=grid), samples(steps=5, shift=2.0))
    assert not np.array_equal(samples(sigmas=[1, 0.9, 0.8, 0.4, 0.2, 0]), samples(steps=5, shift=2.0))
    for wrong, error in (
        ([1, 0.5, 0.5, 0], r"sigmas\[2\]: expected a value below sigmas\[1\] = 0.5, got 0.5"),
        ([1.1, 0], r"sigmas\[0\]: expected at most 1, got 1.1"),
        ([1, 0.5], r"sigmas\[1\]: expected 0, as the last value, got 0.5"),
        ([0], "sigma_count: expected 2…10001, got 1"),
        ("half", "sigmas: expected real numbers"),
    ):
        with pytest.raises(ValueError, match=error):
            samples(sigmas=wrong)


def test_hybrid_samples_need_a_base(mixgrpo, evaluator, prompts):
    half = mixgrpo.SampleConfig(steps=4, trained_model_share=0.5)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="base"):
        evaluator.sample(prompts, [0], half)
    base = mixgrpo.Evaluator(evaluator.model.copy(), height_tokens=2, width_tokens=2, text_length=4)
    whole = evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=4))
    assert np.array_equal(evaluator.sample(prompts, [0], half, base=base), whole)
    base.model.weights.write(0.9 * base.model.weights.read())
    assert not np.array_equal(evaluator.sample(prompts, [0], half, base=base), whole)


def test_hashed_words_are_what_prompts_hold(mixgrpo, evaluator, batch, context, prompts):
    text, pooled = mixgrpo.hashed_words(prompts.lines, text_length=4, text_width=6, pooled_width=5)
    assert text.shape == (3, 4, 6) and pooled.shape == (3, 5)
    own = mixgrpo.Prompts(text, pooled, lines=prompts.lines, context=context)
    assert len(own) == len(prompts) == 3 and own.lines == prompts.lines
    assert np.array_equal(evaluator.velocity(own, *batch), evaluator.velocity(prompts, *batch))


def test_prompts_say_what_is_wrong(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="text, pooled: expected"):
        mixgrpo.Prompts(np.zeros((2, 3, 4)), np.zeros((3, 4)))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="lines: expected one for each of 2 prompts, got 1"):
        mixgrpo.Prompts(np.zeros((2, 3, 4)), np.zeros((2, 4)), lines=["one"])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="lines: expected a sequence of texts, got 'one"):
        mixgrpo.hashed_words("one", text_length=2, text_width=2, pooled_width=2)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="text_length: expected"):
        mixgrpo.hashed_words(["one"], text_length=0, text_width=2, pooled_width=2)


def test_bfloat16_changes_velocities_by_its_rounding(mixgrpo, model, prompts, batch):
    sizes = dict(height_tokens=2, width_tokens=2, text_length=4, max_batch=8)
    whole = mixgrpo.Evaluator(model, **sizes).velocity(prompts, *batch)
    half = mixgrpo.Evaluator(model, **sizes, precision="bfloat16")
    velocity = half.velocity(prompts, *batch)
    difference = np.linalg.norm(velocity - whole) / np.linalg.norm(whole)
    assert 0 < difference <= 1e-2
    assert np.array_equal(half.velocity(prompts, *(part[1:2] for part in batch))[0], velocity[1])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="precision"):
        mixgrpo.Evaluator(model, **sizes, precision="float16")
