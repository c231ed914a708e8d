"""What the ranks of the tests do; each returns what the test looks at."""

import json
import os
import signal
import subprocess
import time
import warnings
from pathlib import Path

import mixgrpo.torch
import numpy as np
import ranked_runs as runs
import torch
from ranked_runs import Case, iterate, result_of, scores_of, trainer_of, whole

warnings.simplefilter("ignore")


def cases(rank, count, folder, *texts):
    """Runs each case and gives weights and metrics."""
    found = {}
    for text in texts:
        case = Case(**json.loads(text))
        trainer = trainer_of(case, world=True)
        found[str(case)] = result_of(trainer, iterate(case, trainer))
    return found


def accelerated(rank, count, folder):
    """A module and an optimizer that accelerate has prepared, with bfloat16 mixed precision left out."""
    from accelerate import Accelerator

    case = Case(optimizer="adamw")
    accelerator = Accelerator(cpu=True)
    module = runs.Flow()
    prepared, optimizer = accelerator.prepare(module, torch.optim.AdamW(module.parameters(), lr=1e-3))
    policy = mixgrpo.torch.TorchPolicy(prepared, runs.SHAPE, batch_size=3, dtype=torch.float64)
    trainer = mixgrpo.torch.TorchTrainer(
        policy, optimizer, runs.LINES, case.sampling(), case.learning(), rewards=["one"]
    )
    trainer.module = module
    found = result_of(trainer, iterate(case, trainer))
    return {"weights": found["weights"], "is_ddp": isinstance(prepared, torch.nn.parallel.DistributedDataParallel)}


def several(rank, count, folder, *programs):
    """Runs programs one after the other, each given as JSON: name and arguments."""
    found = {}
    for text in programs:
        name, *arguments = json.loads(text)
        inner = folder / f"{len(found)}-{name}"
        inner.mkdir(exist_ok=True)
        key = " ".join([name, *arguments])[:60]
        found[f"{key} {len(found)}"] = globals()[name](rank, count, inner, *arguments)
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
        if self.failure.startswith("cut "):
            subprocess.run(["ip", "link", "set", self.failure.removeprefix("cut "), "down"], check=True)
        if self.failure == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return self.module(*inputs) * (float("nan") if self.failure == "nan" else 1)


def _failing(wrap, failure, at, **learning):
    """A run in which rank 1 fails, or the only one."""
    case = Case(wrap=wrap, optimizer="adamw")
    here = torch.distributed.get_rank() == min(1, torch.distributed.get_world_size() - 1)
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
    options = {"decode": decode, "prompts_per_iteration": 3, "evaluation": None, "progress": False}
    try:
        mixgrpo.train(trainer, reward, iterations=3, **options)
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
    history = mixgrpo.train(trainer, reward, iterations=3 - trainer.iteration, **options)
    return {"error": error, "left": len(history), "iteration": trainer.iteration}


def decode(samples):
    return np.clip(128 + 60 * samples[:, :, :3], 0, 255).astype(np.uint8)[:, None]


def cut(rank, count, folder, link, run):
    """The link between two machines is cut in the second update, after a checkpoint."""
    case, trainer = _failing("ddp", f"cut {link}", at=5)
    iterate(case, trainer, 1)
    trainer.checkpoint(run)
    return _lost(case, trainer)


def killed(rank, count, folder, wrap):
    """Rank 1 is killed in the middle of an update."""
    return _lost(*_failing(wrap, "kill", at=3))


def _lost(case, trainer):
    """What an update leaves in which a rank is lost."""
    samples = trainer.rollout([0, 1, 2, 3])
    lines = [runs.LINES[index] for index in trainer.share([0, 1, 2, 3])]
    weights = trainer.optimizer.param_groups[0]["params"]
    before = [runs.local(weight).clone() for weight in weights]
    start, error = time.monotonic(), None
    try:
        trainer.update(scores_of(case, samples, lines, 0))
    except BaseException as caught:
        error = f"{type(caught).__name__}: {caught}"
    after = [runs.local(weight) for weight in weights]
    is_before = all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    return {"error": error, "seconds": time.monotonic() - start, "is_before": is_before}


def saves(rank, count, folder, wrap):
    """Two iterations, a checkpoint, and one more: what a continuation must arrive at."""
    case = Case(wrap=wrap, optimizer="adamw")
    trainer = trainer_of(case, world=True)
    iterate(case, trainer, 2)
    trainer.checkpoint(folder / f"run-{wrap}")
    kept = sorted(path.name for path in (folder / f"run-{wrap}").iterdir())
    iterate(case, trainer, 1)
    return {"weights": _weights(trainer).tolist(), "files": kept}


def resumes(rank, count, folder, wrap, run, more=1):
    """Continues a run of other ranks, once it is there."""
    while not list(Path(run).glob("iteration-*")):
        time.sleep(0.1)
    case = Case(wrap=wrap, optimizer="adamw")
    trainer = trainer_of(case, world=True)
    iterate(case, trainer, 1)  # so that there is something to replace
    found = trainer.resume(run)
    iterate(case, trainer, int(more))
    return {"weights": _weights(trainer).tolist(), "iteration": found.iteration, "skipped": found.skipped}


def cannot_save(rank, count, folder):
    """Rank 0 cannot write, rank 1 learns of it."""
    found = {}
    for wrap in ("ddp", "fsdp"):
        trainer = trainer_of(Case(wrap=wrap), world=True)
        (folder / "file").write_text("")
        try:
            trainer.checkpoint(folder / "file" / "run")
        except mixgrpo.InputOutputError as error:
            found[wrap] = str(error)
    return found


def refused(rank, count, folder):
    """What ranks must have in common."""
    odd = rank == count - 1
    plan = {"plan": mixgrpo.SamplingConfig(steps=6, window_length=2, group_size=4, seed=12 if odd else 11)}
    learning = {"learning": mixgrpo.LearningConfig(clip_range=0.3 if odd else 0.2)}
    policy = {"learning": mixgrpo.LearningConfig(fault_policy="skip" if odd else "stop")}
    found = {}
    for name, options in {"seed": plan, "clip_range": learning, "fault_policy": policy}.items():
        found[name] = _error(lambda options=options: trainer_of(Case(), world=True, **options))
    found["rewards"] = _error(lambda: trainer_of(Case(), world=True, rewards=["two" if odd else "one"]))
    runs.LINES[0] = "pink" if odd else "red"
    found["prompts"] = _error(lambda: trainer_of(Case(), world=True))
    runs.LINES[0] = "red"
    found["sizes"] = _error(lambda: trainer_of(Case(adapted=odd), world=True))
    runs.SEED = rank
    found["values"] = _error(lambda: trainer_of(Case(), world=True))
    runs.SEED = 1
    found["settings of one rank"] = _error(
        lambda: trainer_of(Case(), world=True, rewards=["one", "one"] if odd else ["one"])
    )
    trainer = trainer_of(Case(), world=True)
    found["chosen"] = _error(lambda: trainer.rollout([0, 1, 2 + rank]))
    found["calls"] = _error(lambda: trainer.update(np.zeros((1, 4))) if odd else trainer.rollout([0, 1]))
    trainer.rollout([0, 1, 2])
    found["shape"] = _error(lambda: trainer.update(np.zeros((3 if odd else len(trainer.share([0, 1, 2])), 4))))
    found["no group"] = _error(lambda: trainer_of(Case(), world=True, process_group="world"))
    return found


def _error(work):
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def destroyed(rank, count, folder):
    """The host destroys the group before the trainer."""
    trainer = trainer_of(Case(), world=True)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return {"error": _error(lambda: trainer.rollout([0, 1]))}


def alone(rank, count, folder):
    """A group of one, and more ranks than prompts."""
    groups = [torch.distributed.new_group([other]) for other in range(count)]
    case = Case()
    trainer = trainer_of(case, process_group=groups[rank])
    one = result_of(trainer, iterate(case, trainer))
    together = trainer_of(case)
    few = [together.rollout([2]).shape[0]]
    together.update(scores_of(case, together.rollout([2]), [runs.LINES[2]] * few[0], 0))
    return {"weights": one["weights"], "few": few, "with few": _weights(together).tolist()}


def trains(rank, count, folder, workers):
    """`mixgrpo.train` with everything: files, pictures, evaluations, checkpoints."""
    case, calls = Case(wrap="ddp" if count > 1 else "plain", optimizer="adamw"), []
    trainer = trainer_of(case, world=count > 1)

    def bright(images, prompts):
        calls.append(list(prompts))
        return images.mean(axis=(1, 2, 3))

    def dark(images, prompts):
        return -images.max(axis=(1, 2, 3)).astype(float)

    evaluations = []
    sampling = mixgrpo.SampleConfig(steps=4, samples_per_prompt=2)
    evaluation = mixgrpo.TrainingEvaluation(
        every=1, held_out={"dark": dark}, sampling=sampling, on_evaluation=lambda result, means: evaluations.append(means)
    )  # fmt: skip
    history = mixgrpo.train(
        trainer, bright, decode=decode, iterations=3, prompts_per_iteration=3, evaluation=evaluation,
        checkpoints=folder / "run", metrics=folder / "metrics.jsonl", report=folder / "report.html",
        score_workers=int(workers),
    )  # fmt: skip
    return {
        "weights": _weights(trainer).tolist(), "rewards": [one.reward_mean for one in history],
        "evaluations": evaluations, "scored": [len(prompts) for prompts in calls], "iteration": trainer.iteration,
    }  # fmt: skip
