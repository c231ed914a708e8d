"""What a history of a trainer with the host's model gives in a fresh trainer, answered in one go with requests of any size.

trainer  ("host", learning, plan) | ("host trained", trainer, window, parts, runs)
parts    ((prompts, weights, rewards), ...)          as in `canon`; here weights are the host's two numbers
runs     ((weights, status, steps, faults), ...)     updates; `steps` were done and stayed, `faults` were reported
"""

import fixed
import host
import numpy as np
from canon import Cancel, digest, metrics_of, remembered, sample_config
from interface import OK, _abi, call, destroy, give, must, read, struct, take

ROLL_BACK_FACTOR = 0.5  # the default


class FreshHost:
    """A trainer that lives for one canonical run."""

    def __init__(self):
        self.context, self.trainer = fixed.new_context(1), None
        self.cancel = Cancel(self.context)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        destroy("trainer", self.trainer)
        destroy("context", self.context)

    def become(self, term):
        if term[0] == "host":
            _, learning, self.plan = term
            self.trainer = fixed.new_host_trainer(self.context, self.plan, learning, 0)
            return
        _, before, window, parts, runs = term
        self.become(before)
        self.draw(window, parts)
        done = 0
        for weights, status, steps, faults in runs:
            self.run(parts, weights, status, steps - done, faults)
            done = steps

    def draw(self, window, parts):
        must(call("trainer_set_window", self.trainer, window) == OK, "window")
        self.tickets = len({part[1] for part in parts}) > 1
        drawn = parts if self.tickets else ((sum((part[0] for part in parts), ()), parts[0][1], None),)
        call("trainer_drop_tickets", self.trainer)
        self.open = []
        return [self.rollout(prompts, weights) for prompts, weights, _ in drawn]

    def rollout(self, prompts, weights):
        chosen = give(prompts, np.int32)
        status = call("trainer_begin_rollout", self.trainer, chosen, len(prompts), int(self.tickets))
        must(status == OK, "begin_rollout")
        status = host.drive(self.trainer, host.HostModel(weights))
        return status, self.samples(len(prompts) * fixed.group_size(self.plan)) if status == OK else None

    def samples(self, count):
        out, ticket = take(np.float32, count * fixed.LATENT), take(np.int64, 1)
        must(call("trainer_get_samples", self.trainer, out, count * fixed.LATENT, ticket) == OK, "samples")
        if ticket.values[0]:
            self.open.append(int(ticket.values[0]))
        return digest(out.values)

    def run(self, parts, weights, status, steps, faults):
        """Begins the update and answers it; gives status, metrics and the weights after it. `steps`: of this run alone."""
        values = [
            fixed.rewards_of(3 if number is None else number, len(prompts) * fixed.group_size(self.plan))
            for prompts, _, number in parts
        ]
        if self.tickets:
            for ticket, rewards in zip(self.open, values, strict=True):
                call("trainer_submit_rewards", self.trainer, ticket, give(rewards), rewards.size)
            begun = call("trainer_begin_update_tickets", self.trainer, 0, None, 0)
        else:
            rewards = np.concatenate(values)
            begun = call("trainer_begin_update", self.trainer, give(rewards), rewards.size, None, 0)
        must(begun == OK, "begin_update")
        model = host.HostModel(weights)
        got = host.drive(self.trainer, model, faults, (status, steps) if status != OK else None)
        must(status in (OK, got), f"an update returned {status} where a fresh one returns {got}")
        return got, metrics(self.trainer) if got == OK else None, model.weights


def metrics(trainer):
    out = struct(_abi.Metrics)
    must(call("trainer_get_metrics", trainer, out) == OK, "metrics")
    return metrics_of(read(_abi.Metrics, out))


def rate_factor(trainer):
    """What the roll-backs of a history have left of the learning rate."""
    if trainer[0] == "host":
        return 1.0
    return rate_factor(trainer[1]) * ROLL_BACK_FACTOR ** was_rolled_back(trainer)


@remembered
def rollout(trainer, window, prompts, weights):
    """Status and samples."""
    with FreshHost() as fresh:
        fresh.become(trainer)
        return fresh.draw(window, ((prompts, weights, None),))[0]


@remembered
def update(trainer, window, parts, runs, last):
    """Status, metrics and weights after the run `last`, which follows `runs`."""
    with FreshHost() as fresh:
        fresh.become(("host trained", trainer, window, parts, runs))
        return fresh.run(parts, *last)


def was_rolled_back(trainer):
    """Whether the last update of a history was rolled back by that policy."""
    _, before, window, parts, runs = trainer
    learning = before
    while learning[0] != "host":
        learning = learning[1]
    if fixed.HOST_LEARNINGS[learning[1]]["fault_policy"] != fixed.ROLL_BACK:
        return False
    return dict(update(before, window, parts, runs[:-1], runs[-1])[1])["rolled_back"] == "1"


@remembered
def sample(weights, which, prompts, share):
    """Deterministic samples do not depend on the trainer."""
    with FreshHost() as fresh:
        fresh.become(("host", 0, 0))
        begun = begin_sample(fresh.trainer, which, prompts, share)
        must(begun == OK, "begin_sample")
        status = host.drive(fresh.trainer, host.HostModel(weights))
        return status, fresh.samples(len(prompts)) if status == OK else None


def begin_sample(trainer, which, prompts, share):
    return call(
        "trainer_begin_sample", trainer, which, sample_config(share), give(prompts, np.int32), len(prompts), None, 0
    )


@remembered
def evaluation_samples(weights, kind):
    with FreshHost() as fresh:
        fresh.become(("host", 0, 0))
        evaluation = fixed.new_evaluation(kind)
        must(call("evaluation_begin_sample", evaluation, fresh.trainer) == OK, "evaluation_begin_sample")
        destroy("evaluation", evaluation)
        status = host.drive(fresh.trainer, host.HostModel(weights))
        return status, fresh.samples(fixed.evaluated(kind)) if status == OK else None


@remembered
def place(trainer):
    """Where the window of the next iteration is, if the host gives none."""
    with FreshHost() as fresh:
        fresh.become(trainer)
        parts = (((0,), host.WEIGHTS[0], 0),)
        fresh.draw(-1, parts)
        metrics = fresh.run(parts, host.WEIGHTS[0], OK, 0, ())[1]
        return int(dict(metrics)["window_start"])
