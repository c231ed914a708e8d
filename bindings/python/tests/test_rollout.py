"""Rollouts and updates answered by a model in NumPy, and by the built-in one."""

import gc

import numpy as np
import pytest

D = 10


def velocity(latents, sigmas, prompt_index):
    """Any smooth function of all three."""
    shift = 0.1 * prompt_index[:, None] + sigmas[:, None]
    return np.tanh(latents + shift, dtype=np.float32)


def answer(rollout):
    for request in rollout:
        rollout.submit(velocity(request.latents, request.sigmas, request.prompt_index))
    return rollout


def test_a_rollout_is_the_plan_s_steps(mixgrpo, plan):
    """Without the window's noise the samples are those of an Euler loop."""
    quiet = mixgrpo.Plan(mixgrpo.SamplingConfig(steps=6, window_length=2, group_size=4, noise_level=1e-9))
    noise = np.random.default_rng(1).standard_normal((2, D)).astype(np.float32)
    samples = answer(mixgrpo.Rollout(quiet, [7, 3], latent_size=D, initial_noise=noise)).samples()
    grid = mixgrpo.time_grid(6)
    x = noise.astype(np.float64)
    for sigma, after in zip(grid[:-1], grid[1:], strict=True):
        x = x + (after - sigma) * velocity(x, np.full(2, sigma), np.array([7, 3]))
    assert samples.shape == (2, 4, D)
    assert np.abs(samples - x[:, None]).max() <= 1e-5


def test_requests_state_what_to_evaluate(mixgrpo, plan):
    rollout = mixgrpo.Rollout(plan, [5, 9], latent_size=D)
    kinds = []
    for request in rollout:
        assert request.kind is mixgrpo.RequestKind.EVALUATE and not request.is_optimizer_step
        assert request.latents.shape == (len(request), D)
        assert request.sigmas.shape == request.prompt_index.shape == request.sample.shape == (len(request),)
        assert set(request.prompt_index) == {5, 9}
        assert np.array_equal(request.prompt_index, np.array([5, 9])[request.sample // 4])
        kinds.append((int(request.step[0]), len(request)))
        rollout.submit(velocity(request.latents, request.sigmas, request.prompt_index))
    assert kinds == [(0, 2), *((step, 8) for step in range(1, 6))]
    assert rollout.model_calls == plan.iteration(0, prompt_count=2).rollout_model_calls == 42


def test_views_are_read_only_and_keep_the_rollout_alive(mixgrpo, plan):
    rollout = mixgrpo.Rollout(plan, [0], latent_size=D)
    finalizer, latents = rollout._finalizer, rollout.request().latents
    with pytest.raises(ValueError, match="read-only"):
        latents[0] = 0
    del rollout
    gc.collect()
    assert finalizer.alive and latents.any()
    del latents
    gc.collect()
    assert not finalizer.alive


def test_a_new_loop_continues_where_the_last_one_stopped(mixgrpo, plan):
    whole = answer(mixgrpo.Rollout(plan, [0], latent_size=D)).samples()
    rollout = mixgrpo.Rollout(plan, [0], latent_size=D)
    with pytest.raises(LookupError):
        for number, request in enumerate(rollout):
            if number == 3:
                raise LookupError
            rollout.submit(velocity(request.latents, request.sigmas, request.prompt_index))
    assert np.array_equal(answer(rollout).samples(), whole)


def test_a_forgotten_submit_is_an_error_and_no_endless_loop(mixgrpo, plan):
    with pytest.raises(mixgrpo.InvalidStateError, match="submit"):
        for _ in mixgrpo.Rollout(plan, [0], latent_size=D):
            pass


def test_wrong_answers_leave_the_request_standing(mixgrpo, plan):
    rollout = mixgrpo.Rollout(plan, [0], latent_size=D)
    with pytest.raises(mixgrpo.InvalidStateError):
        rollout.submit(np.zeros((1, D)))
    with pytest.raises(mixgrpo.InvalidStateError):
        rollout.samples()
    request = rollout.request()
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"velocity: expected shape \(1, 10\)"):
        rollout.submit(np.zeros((D, 1)))
    with pytest.raises(mixgrpo.NotFiniteError):
        rollout.submit(np.full((1, D), np.nan))
    assert np.array_equal(rollout.request().latents, request.latents)
    answer(rollout)
    assert rollout.request() is None and list(rollout) == []


def test_noise_comes_in_both_shapes_and_no_other(mixgrpo, plan):
    own = np.random.default_rng(0).standard_normal((2, 4, D)).astype(np.float32)
    requests = [
        mixgrpo.Rollout(plan, [0, 1], latent_size=D, initial_noise=noise).request() for noise in (own, own[:, 0])
    ]
    assert [len(request) for request in requests] == [8, 2]
    with pytest.raises(mixgrpo.InvalidArgumentError, match="initial_noise: expected shape"):
        mixgrpo.Rollout(plan, [0, 1], latent_size=D, initial_noise=own.swapaxes(0, 1))


def test_smaller_requests_change_no_result(mixgrpo, plan):
    samples = [answer(mixgrpo.Rollout(plan, [0, 1], latent_size=D, max_batch=size)).samples() for size in (0, 3)]
    assert np.array_equal(*samples)
    others = [answer(mixgrpo.Rollout(plan, [0, 1], latent_size=D, iteration=i)).samples() for i in (0, 1)]
    assert np.array_equal(others[0], samples[0]) and not np.array_equal(*others)


def test_stored_steps_are_transitions_of_the_plan(mixgrpo, plan):
    rollout = answer(mixgrpo.Rollout(plan, [0, 1], latent_size=D))
    for index, step in enumerate(step for step in plan.steps(0) if step.trained):
        stored = rollout.stored_step(index)
        before = stored.latents.reshape(8, D)
        answers = velocity(before, np.full(8, step.sigma, np.float32), np.repeat([0, 1], 4))
        expected = mixgrpo.step_log_probability(step, before, answers, stored.next_latents.reshape(8, D))
        assert np.allclose(stored.log_probabilities.ravel(), expected, rtol=1e-5)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="index"):
        rollout.stored_step(2)


def test_what_a_rollout_is_made_of_is_checked(mixgrpo, plan):
    for arguments, field in (
        (dict(latent_size=0), "latent_size"),
        (dict(latent_size=D, iteration=-1), "iteration"),
        (dict(latent_size=D, window_start=4), "window_start"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=field):
            mixgrpo.Rollout(plan, [0], **arguments)
    for indices in ([], [1, 1], [-1]):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="prompt"):
            mixgrpo.Rollout(plan, indices, latent_size=D)


def test_the_built_in_model_gives_the_same_as_by_hand(mixgrpo, plan, evaluator, prompts, context):
    by_hand = mixgrpo.Rollout(plan, [0, 2], latent_size=48, context=context)
    for request in by_hand:
        by_hand.submit(evaluator.velocity(prompts, request.latents, request.sigmas, request.prompt_index))
    ran = mixgrpo.Rollout(plan, [0, 2], latent_size=48, context=context)
    ran.run(evaluator, prompts)
    assert np.array_equal(ran.samples(), by_hand.samples())


def test_a_cancelled_run_can_be_repeated(mixgrpo, plan, evaluator, prompts, context):
    whole = mixgrpo.Rollout(plan, [0], latent_size=48, context=context)
    whole.run(evaluator, prompts)
    rollout = mixgrpo.Rollout(plan, [0], latent_size=48, context=context)
    context.progress = lambda _: context.cancel()
    with pytest.raises(mixgrpo.CancelledError):
        rollout.run(evaluator, prompts)
    context.progress = None
    context.reset_cancel()
    rollout.run(evaluator, prompts)
    assert np.array_equal(rollout.samples(), whole.samples())
