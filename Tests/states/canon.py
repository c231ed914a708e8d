"""What a history gives when it is run alone: fresh objects, one thread, one large batch, nothing shared.

A history is a term, nested tuples:

    weights  ("named", name) | ("after", trainer) | ("average", trainer)
             | ("by", optimizer)                             after its last step, see canon_hand
    trainer  ("new", weights, learning, plan, keep_base)
             | ("trained", trainer, window, parts, runs)      one iteration, or its beginning
    parts    ((prompts, weights, rewards), ...)               its rollouts; rewards: a number of `rewards_of`, or None
    runs     ((weights, status, steps), ...)                  calls of update; `steps` were done and stayed
    gradients  ((weights, rows), ...), one for each backward

Results are kept by term: `outcomes` survives from walk to walk.
"""

import hashlib

import fixed
import numpy as np
from interface import CANCELLED, OK, _abi, call, configured, destroy, give, library, must, read, struct, take

outcomes = {}
learned = {}  # the entries of `outcomes` that this process has added
COUNT = 0
FROZEN = ("named", "second")  # the reference of updates by hand
# Set by canon_hand and canon_evaluation.
after_optimizer = average = None


def remembered(function):
    def wrapped(*term):
        key = (function.__name__, *term)
        if key not in outcomes:
            outcomes[key] = learned[key] = function(*term)
        return outcomes[key]

    return wrapped


def digest(values):
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=12).hexdigest()


class Cancel:
    """Cancels a context at the n-th report of its progress; what reaches `callback` must live as long as the context."""

    def __init__(self, context):
        self.context, self.left, self.fired, self.at_end = context, 0, False, False
        self.callback = _abi.ProgressCallback(self.report)
        must(library.mixgrpo_context_set_progress(context, self.callback, None) == OK, "progress")

    def at(self, count):
        self.left, self.fired = count, False

    def report(self, _user_data, progress):
        if self.left:
            self.left -= 1
            if not self.left:
                self.fired, self.at_end = True, progress.contents.done == progress.contents.total
                library.mixgrpo_context_cancel(self.context)


class Fresh:
    """Objects of one canonical run; all are destroyed at its end."""

    def __init__(self, weights):
        self.context = fixed.new_context(1)
        self.cancel = Cancel(self.context)
        self.model = fixed.new_model(self.context, weights)
        self.evaluator = fixed.new_evaluator(self.model, fixed.CANON_BATCH)
        self.prompts = fixed.new_prompts(self.context)
        self.trainer, self.open = None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        destroy("trainer", self.trainer)
        for kind in ("evaluator", "prompts", "model", "context"):
            destroy(kind, getattr(self, kind))

    def set_weights(self, term):
        values = weights(term)
        must(call("model_set_weights", self.model, 0, give(values), values.size) == OK, "weights")

    def get_weights(self):
        out = take(np.float32, COUNT)
        must(call("model_get_weights", self.model, 0, out, COUNT) == OK, "weights")
        return out.values.copy()

    def forget(self):
        """Makes the evaluator forget what it may have kept of a rollout."""
        latents = np.zeros(fixed.LATENT, np.float32)
        out = take(np.float32, fixed.LATENT)
        call(
            "evaluator_velocity", self.evaluator, self.prompts, give(latents), give(np.ones(1, np.float32)),
            give(np.zeros(1, np.int32)), 1, 0, out, fixed.LATENT,
        )  # fmt: skip

    def become(self, term):
        """Runs the history of a trainer."""
        if term[0] == "new":
            _, start, learning, plan, keep_base = term
            self.set_weights(start)
            self.plan = plan
            handle = fixed.new_plan(plan)
            self.trainer = fixed.new_trainer(self.evaluator, self.prompts, handle, learning, keep_base)
            destroy("plan", handle)
            return
        _, before, window, parts, runs = term
        self.become(before)
        self.draw(window, parts)
        rewards = self.rewards(parts)
        for start, status, steps in runs:
            result = self.run(start, rewards, steps + 1 if status == CANCELLED else 0)
            must(result[0] == status, f"an update returned {status} where a fresh run returns {result[0]}")

    def draw(self, window, parts):
        """All parts as one rollout where they have the same weights, otherwise with tickets."""
        must(call("trainer_set_window", self.trainer, window) == OK, "window")
        self.tickets = len({part[1] for part in parts}) > 1
        drawn = parts if self.tickets else ((sum((part[0] for part in parts), ()), parts[0][1], None),)
        if not self.tickets:
            must(call("trainer_drop_tickets", self.trainer) == OK, "tickets")
        results = []
        for prompts, start, _ in drawn:
            self.set_weights(start)
            results.append(self.rollout(prompts))
        return results

    def rollout(self, prompts):
        count = len(prompts) * fixed.group_size(self.plan) * fixed.LATENT
        out = take(np.float32, count)
        chosen = give(prompts, np.int32)
        if self.tickets:
            ticket = take(np.int64, 1)
            status = call("trainer_rollout_ticket", self.trainer, chosen, len(prompts), out, count, ticket)
            if status == OK:
                self.open.append(int(ticket.values[0]))
        else:
            status = call("trainer_rollout", self.trainer, chosen, len(prompts), out, count)
        return status, digest(out.values) if status == OK else None

    def rewards(self, parts):
        values = []
        for prompts, _, number in parts:
            samples = len(prompts) * fixed.group_size(self.plan)
            values.append(fixed.rewards_of(3 if number is None else number, samples))
        return values

    def run(self, start, rewards, cancel_at):
        self.set_weights(start)
        self.forget()
        self.cancel.at(cancel_at)
        if self.tickets:
            for ticket, values in zip(self.open, rewards, strict=True):
                call("trainer_submit_rewards", self.trainer, ticket, give(values), values.size)
            out = struct(_abi.Metrics)
            status = call("trainer_update_tickets", self.trainer, 0, None, 0, out)
            if status == OK:
                self.open = []
        else:
            values = np.concatenate(rewards)
            out = struct(_abi.Metrics)
            status = call("trainer_update", self.trainer, give(values), values.size, None, 0, out)
        self.cancel.at(0)
        library.mixgrpo_context_reset_cancel(self.context)
        return status, metrics_of(read(_abi.Metrics, out)) if status == OK else None


def metrics_of(metrics):
    """All figures except times; those of an iteration with a fault may depend on the size of batches."""
    kept = [
        "iteration",
        "window_start",
        "window_length",
        "failed_rewards",
        "degenerate_groups",
        "reward_mean",
        "reward_std",
    ]
    kept += ["skipped_steps", "rolled_back", "model_calls_rollout"]
    if not metrics.skipped_steps and not metrics.rolled_back:
        kept += ["model_calls_update", "loss", "first_ratio_min", "first_ratio_max", "ratio_min", "ratio_max"]
        kept += ["clip_fraction", "max_log_ratio_nats", "kl_old_nats", "kl_reference_nats", "velocity_change"]
        kept += ["gradient_norm", "learning_rate"]
    return tuple((name, repr(getattr(metrics, name))) for name in kept)


# ---- Results by term


@remembered
def weights(term):
    if term[0] == "named":
        return fixed.palette_weights(term[1], COUNT)
    if term[0] == "by":
        return after_optimizer(term[1])
    if term[0] == "average":
        return average(term[1])
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        fresh.become(term[1])
        return fresh.get_weights()


@remembered
def scheduled(plan, iteration):
    """Where the plan's window is."""
    handle, out = fixed.new_plan(plan), struct(_abi.IterationPlan)
    must(call("plan_get_iteration", handle, iteration, -1, 1, 1, out) == OK, "plan")
    destroy("plan", handle)
    return read(_abi.IterationPlan, out).window_start


@remembered
def place(trainer):
    """Where an adaptive window is in the next iteration."""
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        fresh.become(trainer)
        parts = (((0,), ("named", "first"), 0),)
        fresh.draw(-1, parts)
        status, metrics = fresh.run(("named", "first"), fresh.rewards(parts), 0)
        must(status == OK, "update")
        return int(dict(metrics)["window_start"])


@remembered
def rollout(trainer, window, prompts, start):
    """Status and samples."""
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        fresh.become(trainer)
        return fresh.draw(window, ((prompts, start, None),))[0]


@remembered
def update(trainer, window, parts, runs, start):
    """Status and metrics of the next run of an update, after `runs`."""
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        fresh.become(("trained", trainer, window, parts, runs))
        return fresh.run(start, fresh.rewards(parts), 0)


@remembered
def sample(trainer, start, which, prompts, share):
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        fresh.become(trainer)
        fresh.set_weights(start)
        return draw_samples(fresh.trainer, which, prompts, share)


def sample_config(share):
    return configured(fixed.SAMPLE, trained_model_share=share)


def draw_samples(trainer, which, prompts, share):
    count = len(prompts) * fixed.LATENT
    out = take(np.float32, count)
    status = call(
        "trainer_sample",
        trainer,
        which,
        sample_config(share),
        give(prompts, np.int32),
        len(prompts),
        None,
        0,
        out,
        count,
    )
    return status, digest(out.values) if status == OK else None


def batch(rows):
    """Inputs of one evaluation, by its number of rows."""
    return (
        fixed.noise(70 + rows, rows * fixed.LATENT), np.linspace(0.1, 0.9, rows, dtype=np.float32),
        (np.arange(rows) % fixed.PROMPTS).astype(np.int32),
    )  # fmt: skip


def evaluate(evaluator, prompts, rows, keep):
    latents, sigmas, index = batch(rows)
    out = take(np.float32, latents.size)
    status = call(
        "evaluator_velocity",
        evaluator,
        prompts,
        give(latents),
        give(sigmas),
        give(index),
        rows,
        keep,
        out,
        latents.size,
    )
    return status, digest(out.values) if status == OK else None


def backward(evaluator, rows, room):
    """dL/dlatents of `rows`; `room` is how many values the host has room for."""
    d_velocity = fixed.noise(90 + rows, rows * fixed.LATENT)
    out = take(np.float32, room)
    status = call("evaluator_backward", evaluator, give(d_velocity), d_velocity.size, out, room)
    return status, digest(out.values) if status == OK else None


@remembered
def velocity(start, rows):
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        fresh.set_weights(start)
        return evaluate(fresh.evaluator, fresh.prompts, rows, 0)


@remembered
def gradients(term):
    """The gradients after these backwards, and what the last one wrote."""
    with Fresh(fixed.palette_weights("first", COUNT)) as fresh:
        written = None
        for start, rows in term:
            fresh.set_weights(start)
            must(evaluate(fresh.evaluator, fresh.prompts, rows, 1)[0] == OK, "velocity")
            written = backward(fresh.evaluator, rows, rows * fixed.LATENT)
        return written, digest(read_gradients(fresh.model))


def read_gradients(model):
    out = take(np.float32, COUNT)
    must(call("model_get_gradients", model, 0, out, COUNT) == OK, "gradients")
    return out.values.copy()


def last_steps(message):
    """How many optimizer steps an update that stopped has kept, from its message."""
    _, found, rest = message.rpartition("; ")
    return int(rest.split()[0]) if found and "optimizer steps are done and stay" in rest else 0


def start():
    global COUNT
    COUNT = fixed.weight_count()
