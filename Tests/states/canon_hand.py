"""What rollouts, updates and optimizers give when they are answered in one go, without a trainer.

rollout    ("rolled", plan, iteration, window, prompts, owner)
owner      ("host", weights) | ("built-in", weights)          who answers it; weights as in `host` or in `canon`
update     ("update", rollout, learning, rewards)
optimizer  ("optimizer", learning)
           | ("stepped", optimizer, weights, gradients)       a step on a model
           | ("stepped alone", optimizer, name, number)       a step on an array
           | ("ran", optimizer, weights, update)              all steps of an update
"""

import canon
import fixed
import host
import numpy as np
from canon import Fresh, backward, digest, evaluate, remembered
from interface import OK, _abi, call, configured, create, destroy, give, must, read, struct, take


class FreshHand(Fresh):
    """A fresh model beside rollouts and updates that live for one canonical run."""

    def __init__(self):
        super().__init__(fixed.palette_weights("first", canon.COUNT))
        self.frozen = fixed.new_model(self.context, canon.weights(canon.FROZEN))
        self.reference = fixed.new_evaluator(self.frozen, fixed.CANON_BATCH)
        self.made = []

    def __exit__(self, *_):
        for kind, handle in reversed(self.made):
            destroy(kind, handle)
        destroy("evaluator", self.reference)
        destroy("model", self.frozen)
        super().__exit__()

    def keep(self, kind, handle):
        self.made.append((kind, handle))
        return handle

    def roll(self, term):
        """Status and handle."""
        _, plan, iteration, window, prompts, (owner, weights) = term
        status, rollout = create_rollout(self.context, plan, iteration, window, prompts, 0)
        must(status == OK, "rollout")
        self.keep("rollout", rollout)
        if owner == "host":
            return answer_rollout(rollout, host.HostModel(weights)), rollout
        self.set_weights(weights)
        return call("rollout_run", rollout, self.evaluator, self.prompts), rollout

    def begin(self, term):
        _, rolled, learning, number = term
        status, rollout = self.roll(rolled)
        must(status == OK, "rollout of an update")
        status, update = create_update(rollout, learning, number, rolled, 0)
        must(status == OK, "update")
        return self.keep("update", update)

    def optimizer(self, term):
        """An optimizer after these steps, with what the last one reported; the model is as the last step has left it."""
        if term[0] == "optimizer":
            return self.keep("optimizer", fixed.new_optimizer(self.context, term[1], canon.COUNT)), None
        optimizer, _ = self.optimizer(term[1])
        if term[0] == "stepped alone":
            return optimizer, step_alone(optimizer, *term[2:])
        if term[0] == "ran":
            update = self.begin(term[3])
            self.set_weights(term[2])
            return optimizer, run_update(update, self.evaluator, self.prompts, optimizer, self.reference)
        call("model_zero_gradients", self.model)
        for start, rows in term[3]:
            self.set_weights(start)
            must(evaluate(self.evaluator, self.prompts, rows, 1)[0] == OK, "velocity")
            backward(self.evaluator, rows, rows * fixed.LATENT)
        self.set_weights(term[2])
        return optimizer, step_model(optimizer, self.model)


def create_rollout(context, plan, iteration, window, prompts, max_batch):
    handle = fixed.new_plan(plan)
    config = configured(
        fixed.ROLLOUT, iteration=iteration, window_start=window, latent_size=fixed.LATENT, max_batch=max_batch
    )
    made = create("rollout_create", context, handle, config, give(prompts, np.int32), len(prompts), None, 0)
    destroy("plan", handle)
    return made


def answer_rollout(rollout, model):
    while True:
        status, request = host.ask("rollout", rollout)
        if status != OK or request.kind == host.FINISHED:
            return status
        status = model.submit("rollout", rollout, request)
        if status != OK:
            return status


def advantages(learning, number, rolled):
    samples = len(rolled[4]) * fixed.group_size(rolled[1])
    rewards = fixed.rewards_of(number, samples)
    out, included, report = take(np.float64, samples), take(np.uint8, samples), struct(_abi.AdvantageReport)
    config = configured(fixed.LEARNING, **fixed.LEARNINGS[learning])
    status = call(
        "advantages", config, give(rewards), 1, len(rolled[4]), fixed.group_size(rolled[1]), None, 0, out, included,
        samples, report,
    )  # fmt: skip
    must(status == OK, "advantages")
    return out.values.copy(), included.values.copy()


def create_update(rollout, learning, number, rolled, max_batch):
    values, included = advantages(learning, number, rolled)
    config = configured(fixed.LEARNING, **fixed.LEARNINGS[learning])
    return create("update_create", rollout, config, give(values), give(included), values.size, max_batch)


def step_model(optimizer, model):
    out = struct(_abi.OptimizerReport)
    return report_of(call("optimizer_step_model", optimizer, model, out), out)


def step_alone(optimizer, name, number):
    """A step on an array; with number 7 a gradient is not finite."""
    gradients = fixed.noise(300 + number, canon.COUNT).copy()
    if number == 7:
        gradients[3] = np.inf
    weights, given, out = take(np.float32, canon.COUNT), give(gradients), struct(_abi.OptimizerReport)
    weights.values[:] = fixed.palette_weights(name, canon.COUNT)
    status = call("optimizer_step", optimizer, weights, given, canon.COUNT, out)
    return (*report_of(status, out), digest(weights.values))


def run_update(update, evaluator, prompts, optimizer, reference):
    out = struct(_abi.OptimizerReport)
    return report_of(call("update_run", update, evaluator, prompts, optimizer, reference, out), out)


def report_of(status, out):
    report = read(_abi.OptimizerReport, out)
    return status, (report.step, repr(report.gradient_norm), repr(report.learning_rate)) if status == OK else None


def statistics(update):
    out = struct(_abi.UpdateStatistics)
    must(call("update_get_statistics", update, out) == OK, "statistics")
    found = read(_abi.UpdateStatistics, out)
    return tuple(repr(getattr(found, name)) for name, _ in found._fields_)


def look(rollout, rolled):
    """The samples, and what the first trained step has stored."""
    samples = len(rolled[4]) * fixed.group_size(rolled[1])
    count = samples * fixed.LATENT
    out = take(np.float32, count)
    must(call("rollout_get_samples", rollout, out, count) == OK, "samples")
    drawn = digest(out.values)
    before, after, logs = take(np.float32, count), take(np.float32, count), take(np.float64, samples)
    must(call("rollout_get_step", rollout, 0, before, count, after, count, logs, samples) == OK, "step")
    return drawn, digest(before.values), digest(after.values), digest(logs.values)


# ---- Results by term


@remembered
def rolled(term):
    """Status and what is in the finished rollout."""
    with FreshHand() as fresh:
        status, rollout = fresh.roll(term)
        return status, look(rollout, term) if status == OK else None


@remembered
def updated(term):
    """By the host: the statistics and the host's weights."""
    with FreshHand() as fresh:
        update, model = fresh.begin(term), host.HostModel(term[1][5][1])
        while True:
            status, request = host.ask("update", update)
            must(status == OK, "next")
            if request.kind == host.FINISHED:
                return statistics(update), model.weights
            if request.kind == host.OPTIMIZER_STEP:
                model.step(1)
            else:
                must(model.submit("update", update, request) == OK, "submit")


@remembered
def optimized(term):
    """What the last step reported, and the statistics of the update when that has made it."""
    with FreshHand() as fresh:
        result = fresh.optimizer(term)[1]
        updates = [handle for kind, handle in fresh.made if kind == "update"]
        return result, statistics(updates[-1]) if term[0] == "ran" and result[0] == OK else None


def after_optimizer(term):
    """The weights after the last step."""
    with FreshHand() as fresh:
        fresh.optimizer(term)
        return fresh.get_weights()


canon.after_optimizer = after_optimizer
