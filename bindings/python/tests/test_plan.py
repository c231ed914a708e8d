"""Plans: windows, steps, model calls, memory."""

import math

import numpy as np
import pytest


def test_the_window_moves_as_set(mixgrpo):
    plan = mixgrpo.Plan(mixgrpo.SamplingConfig(steps=8, window_length=2, window_interval=3))
    starts = [plan.iteration(i).window_start for i in range(18)]
    assert starts == [i // 3 % 6 for i in range(18)]


def test_steps_run_from_one_to_zero_and_the_window_is_trained(mixgrpo, plan):
    steps = plan.steps(0)
    assert steps[0].sigma == 1 and steps[-1].next_sigma == 0
    assert [step.next_sigma for step in steps[:-1]] == [step.sigma for step in steps[1:]]
    window = plan.iteration(0)
    trained = [index for index, step in enumerate(steps) if step.trained]
    assert trained == list(range(window.window_start, window.window_start + window.window_length))
    assert all((step.noise > 0) == step.trained for step in steps)
    assert window.trained_step_count == len(trained) == 2


def test_model_calls_are_counted_before_anything_runs(mixgrpo, plan):
    shared = plan.iteration(0, prompt_count=3)
    assert shared.model_calls_per_image == 6
    assert shared.rollout_model_calls == 3 * (1 + 4 * 5)
    own = mixgrpo.Plan(mixgrpo.SamplingConfig(steps=6, window_length=2, group_size=4, exact_sharing=False))
    assert own.iteration(0, prompt_count=3).rollout_model_calls == 3 * 4 * 6


def test_the_host_gives_grids_and_windows(mixgrpo):
    grid = np.linspace(1, 0, 7) ** 2
    plan = mixgrpo.Plan(
        mixgrpo.SamplingConfig(steps=6, window_length=2, window_mode=mixgrpo.WindowMode.GIVEN), sigmas=grid
    )
    assert [step.sigma for step in plan.steps(0, window_start=1)] == grid[:-1].tolist()
    assert plan.iteration(5, window_start=3).window_start == 3
    with pytest.raises(mixgrpo.InvalidArgumentError):
        plan.iteration(5)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_start"):
        plan.iteration(5, window_start=4)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.Plan(mixgrpo.SamplingConfig(steps=6), sigmas=grid[::-1])


def test_memory_grows_with_the_run(mixgrpo, plan, config):
    def predicted(prompts, **options):
        workload = mixgrpo.Workload(prompt_count=prompts, token_count=4, channels=12, text_length=4, max_batch=8)
        return plan.memory(0, workload, **options)

    alone = predicted(2)
    assert (alone.weight_bytes, alone.activation_bytes) == (0, 0)
    assert alone.peak_bytes >= alone.trajectory_bytes > 0
    assert predicted(4).trajectory_bytes > alone.trajectory_bytes
    whole = predicted(2, model=config, learning=mixgrpo.LearningConfig())
    assert whole.weight_bytes > 0 and whole.activation_bytes > 0 and whole.peak_bytes > alone.peak_bytes


def test_a_budget_is_kept_or_refused_with_the_bytes_needed(mixgrpo, plan, model, config, prompts):
    def predicted(max_bytes=0, recompute=False, precision=mixgrpo.Precision.FLOAT32):
        workload = mixgrpo.Workload(
            prompt_count=1,
            token_count=4,
            channels=12,
            text_length=4,
            max_batch=8,
            threads=2,
            recompute_activations=recompute,
            precision=precision,
            max_bytes=max_bytes,
        )
        return plan.memory(0, workload, model=config, learning=mixgrpo.LearningConfig())

    whole = predicted()
    assert whole.update_batch > 0
    assert predicted(whole.peak_bytes) == whole
    assert predicted(recompute=True).peak_bytes < whole.peak_bytes
    assert predicted(precision=mixgrpo.Precision.BFLOAT16).activation_bytes != whole.activation_bytes
    with pytest.raises(mixgrpo.OutOfMemoryError, match="max_bytes: expected at least"):
        predicted(1000)
    sizes = dict(height_tokens=2, width_tokens=2, text_length=4, max_batch=8)
    with pytest.raises(mixgrpo.OutOfMemoryError, match="max_bytes"):
        mixgrpo.Evaluator(model, **sizes, max_bytes=1000)
    tight = mixgrpo.Evaluator(model, **sizes, max_bytes=whole.peak_bytes, recompute_activations=True)
    mixgrpo.Trainer(tight, prompts, plan, mixgrpo.LearningConfig(), rewards=["brightness"])


def test_wrong_numbers_are_named(mixgrpo, plan):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="iteration"):
        plan.iteration(-1)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="prompt_count"):
        plan.iteration(0, prompt_count=0)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_length"):
        mixgrpo.Plan(mixgrpo.SamplingConfig(steps=4, window_length=4))


def adaptive(mixgrpo, **settings):
    return mixgrpo.Plan(mixgrpo.SamplingConfig(window_mode=mixgrpo.WindowMode.ADAPTIVE, window_trend=3, **settings))


def test_an_adaptive_window_moves_when_the_gain_flattens(mixgrpo):
    plan = adaptive(mixgrpo, window_minimum_gain=0.1)

    def starts(rewards):
        state, seen = mixgrpo.AdaptiveWindow(), []
        for reward in rewards:
            seen.append(state.window_start)
            state = plan.advance(state, reward, 1.0)
        return seen

    assert starts([0.5] * 7) == [0, 0, 0, 1, 1, 1, 2]
    assert starts([0.5, math.nan, 0.5, 0.5, 0.5]) == [0, 0, 0, 0, 1]
    assert starts(0.2 * iteration for iteration in range(27)) == [0] * 25 + [1] * 2
    assert plan.iteration(25).window_start == 1  # the forecast
    state = mixgrpo.AdaptiveWindow()
    for reward in (1.0, 1.25, 1.5):
        state = plan.advance(state, reward, 1.0)
    assert abs(state.gain - 0.25) <= 1e-12 and state.first_reward == 1.0


def test_an_adaptive_window_that_cannot_be_is_refused(mixgrpo):
    plan, state = adaptive(mixgrpo), mixgrpo.AdaptiveWindow
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_start"):
        plan.advance(state(window_start=21), 0.0, 1.0)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_mode"):
        mixgrpo.Plan().advance(state(), 0.0, 1.0)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_trend") as error:
        mixgrpo.check(
            mixgrpo.SamplingConfig(
                window_mode=mixgrpo.WindowMode.ADAPTIVE, window_trend=1, window_minimum_gain=math.inf, window_stride=0
            )
        )
    assert "window_minimum_gain" in str(error.value) and "window_stride" in str(error.value)
