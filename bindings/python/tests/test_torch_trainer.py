"""A whole run over a PyTorch model: loop, failures, and going on later."""

import contextlib
import copy
import gc
import json
import subprocess
import sys

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
from torch_fixtures import LINES, SHAPE, SmallFlow, torch, weights_of


@pytest.fixture
def run(mixgrpo, plan):
    """A trainer over a small model; keywords change it."""

    def make(velocity=None, optimizer=None, learning=None, **choices):
        module = SmallFlow()
        policy = mixtorch.TorchPolicy(velocity(module) if velocity else module, SHAPE, **choices.pop("policy", {}))
        optimizer = optimizer or torch.optim.AdamW(module.parameters(), lr=1e-2)
        learning = learning or mixgrpo.LearningConfig()
        trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, plan, learning, **choices)
        trainer.module = module
        return trainer

    return make


def score(samples):
    return samples.reshape(*samples.shape[:2], -1).mean(axis=2)


def iterate(trainer, count):
    return [trainer.update(score(trainer.rollout([0, 1]))) for _ in range(count)]


def test_training_increases_the_reward(mixgrpo, run):
    trainer = run(learning=mixgrpo.LearningConfig(clip_range=0.05))
    history = iterate(trainer, 15)
    assert history[-1].reward_mean > history[0].reward_mean + 0.1
    assert [metrics.iteration for metrics in history] == list(range(15)) and trainer.iteration == 15


def test_figures_are_those_of_the_run(mixgrpo, run, plan):
    trainer = run(policy=dict(batch_size=1))
    samples = trainer.rollout([0, 2])
    rewards = score(samples)
    rewards[1, 2] = np.nan
    metrics = trainer.update(rewards)
    work = plan.iteration(0, prompt_count=2, minibatches=4)
    assert samples.shape == (2, 4, *SHAPE)
    assert (metrics.window_start, metrics.window_length) == (work.window_start, work.window_length)
    assert metrics.model_calls_rollout == work.rollout_model_calls
    assert 0 < metrics.model_calls_update < work.update_model_calls
    assert (metrics.first_ratio_min, metrics.first_ratio_max) == (1, 1)
    assert metrics.failed_rewards == 1 and metrics.learning_rate == 1e-2 and metrics.gradient_norm > 0
    assert np.isclose(metrics.reward_mean, np.nanmean(rewards))
    assert np.isclose(metrics.reward_std, np.nanstd(rewards, ddof=1))


def test_the_loop_of_the_library_runs_it(mixgrpo, run):
    trainer = run(rewards=["bright", "even"])
    seen = []

    def bright(images, prompts):
        seen.append(prompts)
        return images.mean(axis=(1, 2, 3))

    def even(images, prompts):
        return -images.std(axis=(1, 2, 3))

    def decode(samples):
        return np.clip(128 + 60 * samples[:, :, :3], 0, 255).astype(np.uint8)[:, None]

    rewards = {"bright": bright, "even": even}
    history = mixgrpo.train(
        trainer, rewards, decode=decode, iterations=3, prompts_per_iteration=2, weights={"bright": 2, "even": 1}
    )
    assert len(history) == 3 and seen[0] == seen[-1] == LINES and seen[2] == [LINES[2]] * 4 + [LINES[0]] * 4


def test_the_gradient_is_clipped(mixgrpo, plan):
    """One part and plain SGD of rate 1: the step is as long as the limit."""
    module = SmallFlow()
    before = weights_of(module)
    learning = mixgrpo.LearningConfig(max_gradient_norm=1e-3, updates_per_iteration=1)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    trainer = mixtorch.TorchTrainer(mixtorch.TorchPolicy(module, SHAPE), optimizer, LINES, plan, learning)
    (metrics,) = iterate(trainer, 1)
    assert metrics.gradient_norm > 1e-3
    assert abs(float((weights_of(module) - before).norm()) - 1e-3) <= 1e-5


def test_scheduler_and_scaler_take_part(mixgrpo, run):
    module = SmallFlow()
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, total_iters=4)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    trainer = run(velocity=lambda _: module, optimizer=optimizer, scheduler=scheduler, scaler=scaler)
    plain = SmallFlow()
    other = run(velocity=lambda _: plain, optimizer=torch.optim.SGD(plain.parameters(), lr=1.0))
    first, second = iterate(trainer, 1)[0], iterate(other, 1)[0]
    assert first.learning_rate == 0.625 and scheduler.last_epoch == 4
    assert np.isclose(first.gradient_norm, second.gradient_norm, rtol=0.5) and first.gradient_norm > 0
    assert float((weights_of(module) - weights_of(plain)).norm()) > 0


def test_only_what_the_optimizer_holds_is_trained(run):
    module = SmallFlow()
    before = weights_of(module)
    module.requires_grad_(False)
    module.prompt.requires_grad_(True)
    trainer = run(velocity=lambda _: module, optimizer=torch.optim.AdamW([module.prompt], lr=1e-2))
    iterate(trainer, 1)
    after = SmallFlow()
    after.prompt.data.copy_(module.prompt.data)
    assert torch.equal(weights_of(module), weights_of(after)) and not torch.equal(weights_of(module), before)


class Failing:
    """A velocity that fails in one call of the updates."""

    def __init__(self, module, failure, at):
        self.module, self.failure, self.at, self.calls = module, failure, at, 0

    def __call__(self, *inputs):
        if torch.is_grad_enabled():
            self.calls += 1
            if self.calls == self.at:
                answer = self.failure
                if isinstance(answer, BaseException):
                    raise answer
                return self.module(*inputs) * answer
        return self.module(*inputs)


@pytest.mark.parametrize(
    "failure", [LookupError("gone"), KeyboardInterrupt(), float("nan")], ids=["raise", "Ctrl-C", "NaN"]
)
def test_an_update_is_all_or_nothing(mixgrpo, run, failure):
    expected = run()
    iterate(expected, 3)
    trainer = run(velocity=lambda module: Failing(module, failure, at=7))  # in the third part of the second update
    iterate(trainer, 1)
    samples = trainer.rollout([0, 1])
    before, state = weights_of(trainer.module), copy.deepcopy(trainer.optimizer.state_dict())
    with pytest.raises((LookupError, KeyboardInterrupt, mixgrpo.NotFiniteError)):
        trainer.update(score(samples))
    assert torch.equal(weights_of(trainer.module), before) and trainer.iteration == 1
    assert torch.equal(trainer.optimizer.state_dict()["state"][0]["exp_avg"], state["state"][0]["exp_avg"])
    assert all(weight.grad is None for weight in trainer.module.parameters())
    trainer.update(score(samples))
    iterate(trainer, 1)
    assert torch.equal(weights_of(trainer.module), weights_of(expected.module))


def test_a_gradient_that_is_not_finite_takes_no_step(mixgrpo, run):
    class Endless(torch.autograd.Function):
        @staticmethod
        def forward(context, value):
            return value.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * float("inf")

    trainer = run(velocity=lambda module: lambda *inputs: Endless.apply(module(*inputs)))
    before = weights_of(trainer.module)
    with pytest.raises(mixgrpo.NotFiniteError, match="gradient: expected a finite norm"):
        iterate(trainer, 1)
    assert torch.equal(weights_of(trainer.module), before)


def test_without_undo_finished_steps_stay_and_the_update_goes_on(mixgrpo, run):
    learning = mixgrpo.LearningConfig(undo=mixgrpo.Undo.NONE, max_velocity_change=0)
    expected = run(learning=learning)
    iterate(expected, 1)
    trainer = run(velocity=lambda module: Failing(module, LookupError(), at=3), learning=learning)
    before = weights_of(trainer.module)
    samples = trainer.rollout([0, 1])
    with pytest.raises(LookupError):
        trainer.update(score(samples))
    assert not torch.equal(weights_of(trainer.module), before) and trainer.iteration == 0
    assert all(weight.grad is None for weight in trainer.module.parameters())
    trainer.update(score(samples))
    assert torch.equal(weights_of(trainer.module), weights_of(expected.module)) and trainer.iteration == 1


def test_skipped_minibatches_and_roll_backs_are_reported_and_the_rate_shrinks(mixgrpo, run):
    def trainer(policy):
        learning = mixgrpo.LearningConfig(fault_policy=policy)
        return run(velocity=lambda module: Failing(module, float("nan"), at=2), learning=learning)

    skipping, rolling = trainer(mixgrpo.FaultPolicy.SKIP), trainer(mixgrpo.FaultPolicy.ROLL_BACK)
    before = weights_of(rolling.module)
    (skipped,), (undone,) = iterate(skipping, 1), iterate(rolling, 1)
    assert skipped.skipped_steps == 1 and not skipped.rolled_back and skipping.iteration == 1
    assert not torch.equal(weights_of(skipping.module), before)
    assert undone.rolled_back and torch.equal(weights_of(rolling.module), before) and rolling.iteration == 1
    assert iterate(rolling, 1)[0].learning_rate == 5e-3 and rolling.optimizer.param_groups[0]["lr"] == 1e-2


def test_a_learning_rate_that_takes_the_model_too_far_is_undone(mixgrpo, run):
    module = SmallFlow()
    trainer = run(velocity=lambda _: module, optimizer=torch.optim.SGD(module.parameters(), lr=1e6))
    before = weights_of(module)
    with pytest.raises(mixgrpo.DivergedError, match="max_velocity_change"):
        iterate(trainer, 1)
    assert torch.equal(weights_of(module), before) and trainer.iteration == 0


def test_rewards_may_be_scored_in_threads(mixgrpo, run):
    def bright(images, prompts):
        return images.mean(axis=(1, 2, 3))

    def decode(samples):
        return np.clip(128 + 60 * samples[:, :, :3], 0, 255).astype(np.uint8)[:, None]

    one, other = run(policy=dict(batch_size=1)), run(policy=dict(batch_size=1))
    options = dict(decode=decode, iterations=3, prompts_per_iteration=2, progress=False)
    mixgrpo.train(one, bright, **options)
    mixgrpo.train(other, bright, score_workers=2, **options)
    assert torch.equal(weights_of(one.module), weights_of(other.module))


def test_a_failed_rollout_is_drawn_again_the_same(run):
    class Once:
        def __init__(self, module):
            self.module, self.failed = module, False

        def __call__(self, latents, sigmas, prompts):
            if float(sigmas[0]) < 0.7 and not self.failed:
                self.failed = True
                raise TimeoutError("the other machine is down")
            return self.module(latents, sigmas, prompts)

    trainer = run(velocity=Once)
    with pytest.raises(TimeoutError):
        trainer.rollout([0, 1])
    with pytest.raises(RuntimeError, match="update: expected a rollout first, got none"):
        trainer.update(np.zeros((2, 4)))
    assert np.array_equal(trainer.rollout([0, 1]), run().rollout([0, 1]))


def test_a_run_continues_exactly_where_it_was_saved(run, tmp_path):
    whole = run()
    iterate(whole, 5)
    first = run()
    iterate(first, 2)
    path = tmp_path / "run.pt"
    torch.save(
        {
            "module": first.module.state_dict(), "optimizer": first.optimizer.state_dict(),
            "trainer": first.state_dict(),
        }, path,
    )  # fmt: skip
    second, saved = run(), torch.load(path, weights_only=True)
    second.module.load_state_dict(saved["module"])
    second.optimizer.load_state_dict(saved["optimizer"])
    second.load_state_dict(saved["trainer"])
    assert second.iteration == 2
    iterate(second, 3)
    assert torch.equal(weights_of(second.module), weights_of(whole.module))
    assert json.loads(json.dumps(second.state_dict())) == second.state_dict() == whole.state_dict()


def test_a_saved_run_of_other_settings_is_refused(mixgrpo, run):
    state = run().state_dict()
    other = run(learning=mixgrpo.LearningConfig(clip_range=0.2), rewards=["other"])
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match=r"clip_range: expected 0.0001, as saved, got 0.2; reward_names: expected"
    ):
        other.load_state_dict(state)
    seeded = {**state, "settings": {**state["settings"], "seed": "12"}}
    with pytest.raises(mixgrpo.InvalidArgumentError, match="seed: expected 12, as saved, got 11"):
        run().load_state_dict(seeded)
    for broken in (
        {},
        {**state, "format": 2},
        {**state, "progress": {"iteration": "x"}},
        {**state, "progress": {"iteration": -1}},
        {**state, "optimizer": {"rate_factor": 2}},
        {**state, "settings": 3},
    ):
        with pytest.raises(mixgrpo.InvalidFormatError, match="progress"):
            run().load_state_dict(broken)


def test_the_host_s_window_is_used_and_saved(mixgrpo, run):
    trainer = run()
    trainer.set_window(3)
    assert iterate(trainer, 1)[0].window_start == 3
    later = run()
    later.load_state_dict(trainer.state_dict())
    assert iterate(later, 1)[0].window_start == 3
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_start"):
        trainer.set_window(4)


def test_an_adaptive_window_moves_and_is_saved(mixgrpo):
    """With a gain that is never enough it moves every other iteration, as the plan itself says."""

    def make():
        sampling = mixgrpo.SamplingConfig(
            steps=6, window_length=2, group_size=4, window_mode=mixgrpo.WindowMode.ADAPTIVE, window_interval=2,
            window_minimum_interval=2, window_trend=2, window_minimum_gain=1000,
        )  # fmt: skip
        module = SmallFlow()
        policy = mixtorch.TorchPolicy(module, SHAPE)
        trainer = mixtorch.TorchTrainer(policy, torch.optim.AdamW(module.parameters(), lr=1e-2), LINES, sampling)
        trainer.module = module
        return trainer

    whole, first = make(), make()
    assert [metrics.window_start for metrics in iterate(whole, 6)] == [0, 0, 1, 1, 2, 2]
    iterate(first, 3)
    state = json.loads(json.dumps(first.state_dict()))
    second = make()
    second.module.load_state_dict(first.module.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(state)
    assert [metrics.window_start for metrics in iterate(second, 3)] == [1, 2, 2]
    assert torch.equal(weights_of(second.module), weights_of(whole.module))
    with pytest.raises(mixgrpo.InvalidFormatError, match="adaptive_window"):
        second.load_state_dict({**state, "adaptive_window": {"state": "3"}})


def test_what_nothing_would_obey_is_refused(mixgrpo, run):
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match="learning_rate: expected .*, got 0.5; ema_decay: expected .*, got 0.9"
    ):
        run(learning=mixgrpo.LearningConfig(learning_rate=0.5, ema_decay=0.9))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="reference: expected a frozen model in the policy"):
        run(learning=mixgrpo.LearningConfig(kl_reference=0.1))
    for rewards in ((), "reward", ("a", "a"), ("",)):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="reward"):
            run(rewards=rewards)
    trainer = run()
    with pytest.raises(mixgrpo.InvalidArgumentError, match="prompt_indices: expected 0…2, got"):
        trainer.rollout([0, 3])
    samples = trainer.rollout([0, 1])
    for rewards in (np.zeros((2, 3)), np.zeros((2, 2, 4)), {"other": np.zeros((2, 4))}):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="rewards"):
            trainer.update(rewards)
    trainer.update(score(samples))


def test_an_optimizer_of_other_weights_is_an_error(mixgrpo, run):
    stranger = SmallFlow(seed=5)
    trainer = run(optimizer=torch.optim.AdamW(stranger.parameters()))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="optimizer: expected weights that the velocity depends on"):
        iterate(trainer, 1)


SHUTDOWN = """
import sys, threading
sys.path[:0] = {path!r}
import torch
import mixgrpo, mixgrpo.torch as mixtorch

plan = mixgrpo.Plan(mixgrpo.SamplingConfig(steps=2000, window_length=2, group_size=4))
started = threading.Event()

def velocity(latents, sigmas, prompts):
    started.set()
    if float(sigmas[0]) < 0.999 and {where!r} == "main":
        sys.exit(7)
    return -latents

policy = mixtorch.TorchPolicy(velocity, (64, 64))
rollout = mixgrpo.Rollout(plan, [0, 1], latent_size=4096)
if {where!r} == "main":
    policy.run(rollout)
threading.Thread(target=policy.run, args=(rollout,), daemon=True).start()
started.wait()
"""


@pytest.mark.parametrize("where, status", [("main", 7), ("daemon", 0)])
def test_the_interpreter_may_end_in_the_middle_of_a_rollout(where, status):
    code = SHUTDOWN.format(path=sys.path, where=where)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == status and "terminate" not in result.stderr, result.stderr


def test_no_tensor_of_a_request_is_freed_after_the_interpreter_may_end(mixgrpo, run, monkeypatch):
    left = []

    def answers():
        return {id(one) for one in gc.get_objects() if type(one) is torch.Tensor and one.shape[1:] == SHAPE}

    @contextlib.contextmanager
    def answering():
        before = answers()
        yield
        left.append(len(answers() - before))

    monkeypatch.setattr("mixgrpo.torch.policy.answering", answering)
    trainer = run()
    trainer.update(score(trainer.rollout([0, 1])))
    assert len(left) > 8 and not any(left)


def test_nothing_is_begun_once_the_interpreter_ends(mixgrpo, run, monkeypatch):
    trainer = run()
    samples = trainer.rollout([0, 1])
    monkeypatch.setattr("mixgrpo.torch.shutdown._is_ending", True)
    with pytest.raises(mixgrpo.InvalidStateError, match="interpreter: expected it to run on"):
        trainer.update(score(samples))
    monkeypatch.undo()
    trainer.update(score(samples))
