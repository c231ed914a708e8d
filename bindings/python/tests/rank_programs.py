"""What the ranks of the tests do; each returns what the test looks at."""

import json
import os
import signal
import time
import warnings

import numpy as np
import ranked_runs as runs
import torch
from ranked_runs import Case, iterate, result_of, scores_of, trainer_of, whole

import mixgrpo

warnings.simplefilter("ignore")


def cases(rank, count, folder, *texts):
    """Runs each case and gives weights and metrics."""
    found = {}
    for text in texts:
        case = Case(**json.loads(text))
        trainer = trainer_of(case, world=True)
        found[str(case)] = result_of(trainer, iterate(case, trainer))
    return found


class Failing:
    """A velocity that fails in one of its calls with gradients."""

    def __init__(self, module, failure, at):
        self.module, self.failure, self.at, self.calls = module, failure, at, 0

    def __call__(self, *inputs):
        self.calls += torch.is_grad_enabled()
        if not torch.is_grad_enabled() or self.calls != self.at:
            return self.module(*inputs)
        if self.failure == "raise":
            raise LookupError("gone")
        if self.failure == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        if self.failure == "Ctrl-C":
            os.kill(os.getpid(), signal.SIGINT)
        if self.failure == "cancel":
            self.trainer.context.cancel()
        if self.failure == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return self.module(*inputs) * (float("nan") if self.failure == "nan" else 1)


def _failing(wrap, failure, at, culprit=1, **learning):
    case = Case(wrap=wrap, optimizer="adamw")
    here = torch.distributed.get_rank() == culprit
    settings = mixgrpo.LearningConfig(updates_per_iteration=2, clip_range=0.2, max_gradient_norm=0.02, **learning)
    trainer = trainer_of(
        case, world=True, velocity=lambda module: Failing(module, failure if here else "", at), learning=settings,
        context=mixgrpo.Context(threads=1),
    )  # fmt: skip
    trainer.policy.velocity.trainer = trainer
    return case, trainer


def _weights(trainer):
    return torch.cat([whole(weight) for weight in trainer.module.parameters()])


def failures(rank, count, folder, *kinds):
    """One rank fails in the second update, then all repeat it."""
    found = {}
    for kind in kinds:
        wrap, failure = kind.split(",")
        undisturbed_case, undisturbed = _failing(wrap, "", 0)
        iterate(undisturbed_case, undisturbed, 2)
        case, trainer = _failing(wrap, failure, at=calls_of_an_update(trainer_calls(undisturbed)) + 2)
        iterate(case, trainer, 1)
        chosen = [1, 2, 3, 4]
        samples = trainer.rollout(chosen)
        lines = [runs.LINES[index] for index in trainer.share(chosen)]
        before, error, start = _weights(trainer), None, time.monotonic()
        try:
            trainer.update(scores_of(case, samples, lines, 1))
        except BaseException as caught:
            error = caught
        seconds = time.monotonic() - start
        is_before = bool(torch.equal(_weights(trainer), before)) and trainer.iteration == 1
        has_gradient = any(weight.grad is not None for weight in trainer.module.parameters())
        trainer.context.reset_cancel()
        trainer.update(scores_of(case, samples, lines, 1))
        found[kind] = {
            "error": f"{type(error).__name__}: {error}", "seconds": seconds, "is_before": is_before,
            "has_gradient": has_gradient, "is_same": bool(torch.equal(_weights(trainer), _weights(undisturbed))),
        }  # fmt: skip
    return found


def trainer_calls(trainer):
    return trainer.policy.velocity.calls


def calls_of_an_update(two_updates):
    return two_updates // 2


def policies(rank, count, folder):
    """One rank's velocity is NaN in the second minibatch; all ranks skip it, or roll back."""
    found = {}
    for policy in (mixgrpo.FaultPolicy.SKIP, mixgrpo.FaultPolicy.ROLL_BACK):
        for wrap in ("plain", "fsdp"):
            case, trainer = _failing(wrap, "nan", at=4, fault_policy=policy)
            before = _weights(trainer)
            (metrics,) = iterate(case, trainer, 1)
            found[f"{wrap} {policy.name}"] = {
                "skipped": metrics.skipped_steps, "rolled_back": metrics.rolled_back, "iteration": trainer.iteration,
                "is_before": bool(torch.equal(_weights(trainer), before)), "weights": _weights(trainer).tolist(),
            }  # fmt: skip
    return found


def rewards_fail(rank, count, folder):
    """A reward raises on one rank, in `train`; training goes on afterwards."""
    case, trainer = _failing("plain", "", 0)
    calls = []

    def reward(images, prompts):
        calls.append(prompts)
        if rank == 1 and len(calls) == 2:
            raise TimeoutError("the judge does not answer")
        return images.mean(axis=(1, 2, 3))

    error = None
    options = {"decode": decode, "prompts_per_iteration": 3, "progress": False}
    try:
        mixgrpo.train(trainer, reward, iterations=3, **options)
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
    history = mixgrpo.train(trainer, reward, iterations=3 - trainer.iteration, **options)
    return {"error": error, "left": len(history), "iteration": trainer.iteration}


def decode(samples):
    return np.clip(128 + 60 * samples[:, :, :3], 0, 255).astype(np.uint8)[:, None]


def killed(rank, count, folder, wrap):
    """Rank 1 is killed in the middle of an update."""
    case, trainer = _failing(wrap, "kill", at=3)
    samples = trainer.rollout([0, 1, 2, 3])
    lines = [runs.LINES[index] for index in trainer.share([0, 1, 2, 3])]
    before = [runs.local(weight).clone() for weight in trainer.module.parameters()]
    start, error = time.monotonic(), None
    try:
        trainer.update(scores_of(case, samples, lines, 0))
    except BaseException as caught:
        error = f"{type(caught).__name__}: {caught}"
    after = [runs.local(weight) for weight in trainer.module.parameters()]
    is_before = all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    return {"error": error, "seconds": time.monotonic() - start, "is_before": is_before}
