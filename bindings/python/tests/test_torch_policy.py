"""A PyTorch model answers the library: what crosses, how exactly, and what is refused."""

import gc
import subprocess
import sys
import weakref

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
from torch_fixtures import SHAPE, D, SmallFlow, torch, weights_of


def rollout_of(mixgrpo, plan, policy, **choices):
    return mixgrpo.Rollout(plan, [0, 2], latent_size=D, max_batch=policy.batch_size, **choices)


def finished(mixgrpo, plan, policy):
    rollout = rollout_of(mixgrpo, plan, policy)
    policy.run(rollout)
    return rollout


def spread(rollout):
    return rollout.samples().mean(axis=2)


def test_importing_the_package_imports_no_torch(mixgrpo):
    code = "import sys, mixgrpo; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=60)


def test_latents_are_the_library_s_own_memory(mixgrpo, plan):
    addresses = []

    def velocity(latents, sigmas, prompt_index):
        addresses.append(latents.data_ptr())
        assert latents.dtype == torch.float32 and latents.shape[1:] == SHAPE
        assert sigmas.dtype == torch.float32 and prompt_index.dtype == torch.int64
        return -latents

    rollout = rollout_of(mixgrpo, plan, policy := mixtorch.TorchPolicy(velocity, SHAPE))
    first = rollout.request().latents.ctypes.data
    policy.run(rollout)
    assert addresses[0] == first


def test_answers_are_the_model_s(mixgrpo, plan):
    """The same rollout as when the host calls the model by hand."""
    model = SmallFlow()
    by_hand = rollout_of(mixgrpo, plan, policy := mixtorch.TorchPolicy(model, SHAPE))
    for request in by_hand:
        latents = torch.tensor(request.latents).reshape(-1, *SHAPE)
        answer = model(latents, torch.tensor(request.sigmas), torch.tensor(request.prompt_index).long())
        by_hand.submit(answer.detach().numpy())
    assert np.array_equal(finished(mixgrpo, plan, policy).samples(), by_hand.samples())


@pytest.mark.parametrize("size", [1, 3])
def test_the_first_ratio_is_exactly_1(mixgrpo, plan, size):
    """With one latent in a call always; with more where a module computes a row alike at each place of a batch."""
    model = SmallFlow()
    policy = mixtorch.TorchPolicy(model if size == 1 else row_by_row(model), SHAPE, batch_size=size)
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout), max_batch=size)
    for request in update:
        if not request.is_optimizer_step:
            policy.backward(update, request)
    seen = update.statistics()
    assert (seen.ratio_min, seen.ratio_max, seen.max_log_ratio_nats) == (1, 1, 0)
    assert seen.model_calls > 0


def row_by_row(model):
    return lambda latents, sigmas, prompts: torch.cat(
        [model(latents[i : i + 1], sigmas[i : i + 1], prompts[i : i + 1]) for i in range(len(latents))]
    )


def test_what_is_evaluated_again_comes_in_batches_of_one_size(mixgrpo, plan):
    sizes = []
    model = SmallFlow()

    def velocity(latents, sigmas, prompt_index):
        sizes.append(len(latents))
        return model(latents, sigmas, prompt_index)

    policy = mixtorch.TorchPolicy(velocity, SHAPE, batch_size=5)
    rollout = finished(mixgrpo, plan, policy)
    trained = {index for index, step in enumerate(plan.steps(0)) if step.trained}
    assert trained == {0, 1} and sizes[0] == 5 and max(sizes) == 5  # the first step's 2 latents were filled up
    assert 3 in sizes  # 8 = 5 + 3 latents of a step that no update sees again
    sizes.clear()
    update = mixgrpo.Update(rollout, spread(rollout), max_batch=policy.batch_size)
    for request in update:
        if not request.is_optimizer_step:
            policy.backward(update, request)
    assert set(sizes) == {5}


def test_smaller_batches_add_up_to_the_same_gradients(mixgrpo, plan):
    gradients = []
    for size in (0, 3):
        model = SmallFlow()
        policy = mixtorch.TorchPolicy(model, SHAPE, batch_size=size)
        rollout = finished(mixgrpo, plan, policy)
        learning = mixgrpo.LearningConfig(updates_per_iteration=1)
        update = mixgrpo.Update(rollout, spread(rollout), learning, max_batch=size)
        for request in update:
            if not request.is_optimizer_step:
                policy.backward(update, request)
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert float((gradients[0] - gradients[1]).norm()) <= 1e-3 * float(gradients[0].norm())
    assert float(gradients[0].norm()) > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_cross_as_float32(mixgrpo, plan, dtype):
    model = SmallFlow(dtype=dtype)
    policy = mixtorch.TorchPolicy(model, SHAPE)
    assert policy.dtype == dtype and policy.device.type == "cpu"
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout))
    policy.backward(update, update.request())
    assert all(weight.grad is not None and weight.grad.dtype == dtype for weight in model.parameters())
    whole = finished(mixgrpo, plan, mixtorch.TorchPolicy(SmallFlow(), SHAPE)).samples()
    assert abs(rollout.samples() - whole).max() <= 0.3 * abs(whole).max()


def test_autocast_is_in_force_both_ways(mixgrpo, plan):
    seen = set()
    model = SmallFlow()

    def velocity(latents, sigmas, prompt_index):
        seen.add((torch.is_grad_enabled(), (latents.reshape(-1, D) @ model.enter).dtype))
        return model(latents, sigmas, prompt_index)

    policy = mixtorch.TorchPolicy(velocity, SHAPE, autocast=torch.bfloat16)
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout))
    policy.backward(update, update.request())
    assert seen == {(False, torch.bfloat16), (True, torch.bfloat16)}


def test_a_backward_may_read_the_latents_of_its_request(mixgrpo, plan):
    """The weight's gradient of v = x W is x^T dL/dv, with x in the library's memory."""
    weight = torch.eye(D).requires_grad_()
    policy = mixtorch.TorchPolicy(lambda x, sigmas, prompts: (x.reshape(-1, D) @ weight).reshape(x.shape), SHAPE)
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout))
    request = update.request()
    latents = request.latents.copy()
    policy.backward(update, request)
    again = mixgrpo.Update(rollout, spread(rollout))
    d_velocity = again.submit(again.request().latents @ np.eye(D, dtype=np.float32))
    expected = latents.T @ d_velocity
    assert abs(weight.grad.numpy() - expected).max() <= 1e-5 * abs(expected).max()


BAD = {
    "no tensor": (lambda x, s, p: x.numpy(), "velocity: expected a tensor"),
    "a tuple": (lambda x, s, p: (x,), "velocity: expected a tensor"),
    "one row less": (lambda x, s, p: x[1:], "velocity: expected shape"),
    "rows flattened": (lambda x, s, p: x.flatten(1), "velocity: expected shape"),
    "broadcast": (lambda x, s, p: x[:1], "velocity: expected shape"),
    "integers": (lambda x, s, p: x.long(), "velocity: expected floating-point values, got torch.int64"),
    "complex": (lambda x, s, p: torch.complex(x, x), "velocity: expected floating-point values"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_answer_is_an_error_and_the_rollout_goes_on(mixgrpo, plan, kind):
    wrong, message = BAD[kind]
    model = SmallFlow()
    whole = finished(mixgrpo, plan, mixtorch.TorchPolicy(model, SHAPE)).samples()
    rollout = rollout_of(mixgrpo, plan, policy := mixtorch.TorchPolicy(model, SHAPE))
    calls = fail_at(policy, 3, wrong)
    with pytest.raises(mixgrpo.InvalidArgumentError, match=message):
        policy.run(rollout)
    policy.velocity = model
    policy.run(rollout)
    assert len(calls) == 4 and np.array_equal(rollout.samples(), whole)


def fail_at(policy, number, wrong):
    """Lets the policy's call of this number, counted from 0, give what `wrong` gives."""
    model, calls = policy.velocity, []

    def velocity(*inputs):
        calls.append(None)
        return (wrong if len(calls) > number else model)(*inputs)

    policy.velocity = velocity
    return calls


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_nan_and_overflow_are_named(mixgrpo, plan, value):
    model = SmallFlow(dtype=torch.float64)
    rollout = rollout_of(mixgrpo, plan, policy := mixtorch.TorchPolicy(model, SHAPE))
    fail_at(policy, 2, lambda x, s, p: torch.full_like(x, value))
    with pytest.raises(mixgrpo.NotFiniteError, match="step 2"):
        policy.run(rollout)
    policy.velocity = model
    policy.run(rollout)
    assert np.isfinite(rollout.samples()).all()


def test_what_the_model_raises_comes_out_as_it_is(mixgrpo, plan):
    def velocity(*_):
        raise LookupError("no such prompt")

    policy = mixtorch.TorchPolicy(velocity, SHAPE)
    with pytest.raises(LookupError, match="no such prompt"):
        policy.run(rollout_of(mixgrpo, plan, policy))


def test_writing_to_the_latents_is_an_error(mixgrpo, plan):
    policy = mixtorch.TorchPolicy(lambda x, s, p: x.mul_(0.5), SHAPE)
    with pytest.raises(mixgrpo.InvalidStateError, match="latents: expected to be left as they are"):
        policy.run(rollout_of(mixgrpo, plan, policy))


def test_a_velocity_cut_off_from_autograd_is_an_error(mixgrpo, plan):
    model = SmallFlow()
    policy = mixtorch.TorchPolicy(lambda *inputs: model(*inputs).detach(), SHAPE)
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="autograd"):
        policy.backward(update, update.request())
    policy.velocity = model
    policy.backward(update, update.request())
    assert update.statistics().model_calls > 0


def test_a_submit_without_a_request_is_an_error(mixgrpo, plan):
    policy = mixtorch.TorchPolicy(SmallFlow(), SHAPE)
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout))
    request = update.request()
    policy.backward(update, request)
    with pytest.raises(mixgrpo.InvalidStateError, match="submit"):
        policy.backward(update, request)


def test_a_reference_is_needed_where_it_is_asked_for(mixgrpo, plan):
    learning = mixgrpo.LearningConfig(kl_reference=0.1)
    policy = mixtorch.TorchPolicy(SmallFlow(), SHAPE)
    rollout = finished(mixgrpo, plan, policy)
    update = mixgrpo.Update(rollout, spread(rollout), learning)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="reference: expected a frozen model, got none"):
        policy.backward(update, update.request())
    policy.reference = lambda x, s, p: x[:1]
    with pytest.raises(mixgrpo.InvalidArgumentError, match="reference_velocity: expected shape"):
        policy.backward(update, update.request())
    policy.reference = SmallFlow(seed=3)
    policy.backward(update, update.request())
    assert update.statistics().kl_reference_nats > 0
    assert all(weight.grad is None for weight in policy.reference.parameters())


def test_a_policy_s_own_settings_are_checked(mixgrpo):
    for arguments, field in (
        (dict(latent_shape=()), "latent_shape"),
        (dict(latent_shape=(3, 0)), "latent_shape"),
        (dict(latent_shape=SHAPE, batch_size=-1), "batch_size"),
        (dict(latent_shape=SHAPE, dtype=torch.int32), "dtype"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=field):
            mixtorch.TorchPolicy(SmallFlow(), **arguments)


def test_tensors_keep_the_rollout_s_memory_alive(mixgrpo, plan):
    kept = []
    policy = mixtorch.TorchPolicy(lambda x, s, p: (kept.append(x), -x)[1], SHAPE)
    rollout = finished(mixgrpo, plan, policy)
    there = weakref.ref(rollout)
    del rollout
    gc.collect()
    assert there() is not None and bool(kept[0].isfinite().all())
    kept.clear()
    gc.collect()
    assert there() is None


@pytest.mark.parametrize("solver", ["EULER", "DPM_2_MIDPOINT", "DPM_3"])
def test_samples_follow_the_flow_to_its_end(mixgrpo, solver):
    """v = (x - target)/sigma has the exact solution target at sigma = 0, for every solver."""
    target = torch.linspace(-1, 1, D).reshape(SHAPE)
    policy = mixtorch.TorchPolicy(lambda x, s, p: (x - target) / s[:, None, None], SHAPE, batch_size=3)
    config = mixgrpo.SampleConfig(steps=7, samples_per_prompt=2, solver=mixgrpo.Solver[solver])
    samples = mixtorch.sample(policy, [1, 0], config)
    assert samples.shape == (2, 2, *SHAPE) and abs(samples - target.numpy()).max() <= 1e-5


def test_samples_are_those_of_the_library_s_own_sampler(mixgrpo, model, evaluator, prompts):
    """The same built-in model, asked through PyTorch, on the same noise."""

    def velocity(latents, sigmas, prompt_index):
        shape = (len(latents), *evaluator.latent_shape)
        answer = evaluator.velocity(prompts, latents.reshape(len(latents), -1), sigmas, prompt_index.int())
        return torch.tensor(answer).reshape(shape)

    config = mixgrpo.SampleConfig(steps=6, samples_per_prompt=2, solver=mixgrpo.Solver.DPM_2_HEUN)
    policy = mixtorch.TorchPolicy(velocity, evaluator.latent_shape, batch_size=8)
    noise = np.random.default_rng(1).standard_normal((2, 2, *evaluator.latent_shape)).astype(np.float32)
    expected = evaluator.sample(prompts, [0, 2], config, initial_noise=noise)
    got = mixtorch.sample(policy, [0, 2], config, initial_noise=noise)
    assert abs(got - expected).max() <= 1e-4 * abs(expected).max()


def test_hybrid_samples_end_with_the_reference(mixgrpo):
    called = []
    policy = mixtorch.TorchPolicy(
        lambda x, s, p: (called.append("trained"), x)[1], SHAPE, reference=lambda x, s, p: (called.append("base"), x)[1]
    )
    mixtorch.sample(policy, [0], mixgrpo.SampleConfig(steps=5, trained_model_share=0.6))
    assert called == ["trained"] * 3 + ["base"] * 2


def test_noise_of_samples_depends_on_seed_place_and_number_alone(mixgrpo):
    policy = mixtorch.TorchPolicy(SmallFlow(), SHAPE)
    config = mixgrpo.SampleConfig(steps=2, samples_per_prompt=2)
    both, one = mixtorch.sample(policy, [1, 1], config), mixtorch.sample(policy, [1], config)
    assert abs(both[0] - one[0]).max() <= 1e-6 and not np.allclose(both[0], both[1])
    assert weights_of(policy.velocity).isfinite().all()
