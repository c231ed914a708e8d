"""The reference model of the interface: what is legal when, and what a call changes.

`World` holds live objects beside what the model knows of them. Each `do_` method is one step: it works out the statuses that
the header allows, makes the call, compares status and bits, and changes the model's state. A step's three numbers choose
objects and arguments.
"""

import shutil
import tempfile

import canon
import fixed
import numpy as np
from fixed import STOP, UNDO_NONE
from interface import (
    BUFFER_TOO_SMALL,
    CANCELLED,
    INPUT_OUTPUT,
    INVALID_ARGUMENT,
    INVALID_STATE,
    OK,
    _abi,
    call,
    create,
    destroy,
    give,
    last_error,
    library,
    must,
    read,
    struct,
    take,
)  # fmt: skip

PALETTES = ("first", "second", "first", "second", "first", "second", "first", "large")
CHOICES = ((0,), (2, 0), (1,), (3, 1))


class Context:
    def __init__(self, threads):
        self.handle, self.threads = fixed.new_context(threads), threads
        self.cancel = canon.Cancel(self.handle)
        self.is_cancelled = False


class Model:
    def __init__(self, context, weights):
        self.context, self.weights, self.gradients = context, weights, ()
        self.handle = fixed.new_model(context.handle, canon.weights(weights))


class Evaluator:
    def __init__(self, model, max_batch, recompute):
        self.model, self.max_batch = model, max_batch
        self.handle = fixed.new_evaluator(model.handle, max_batch, recompute)
        self.kept = None  # (weights, rows)
        self.is_unsure = False  # whether a failed update has changed the weights and brought them back


class Trainer:
    """`term` is the history of what is finished; the rest is the iteration at work."""

    def __init__(self, evaluator, prompts, learning, plan, keep_base):
        model = evaluator.model
        self.evaluator, self.learning, self.plan = evaluator, learning, plan
        self.settings = fixed.LEARNINGS[learning]
        self.term = ("new", model.weights, learning, plan, keep_base)
        self.has_base = keep_base or "kl_reference" in self.settings
        handle = fixed.new_plan(plan)
        self.handle = fixed.new_trainer(evaluator.handle, prompts, handle, learning, keep_base)
        destroy("plan", handle)
        self.iteration, self.window, self.last_ticket = 0, -1, 0
        self.pending = None  # (prompts, weights) of the rollout that waits for rewards
        self.tickets = []  # [number, prompts, weights, rewards or None]
        self.drawn_window = -1  # of the pending rollout, or of the tickets
        self.runs = ()  # of an update that was stopped and may go on
        self.stopped_rewards = None
        self.metrics = None

    @property
    def model(self):
        return self.evaluator.model

    @property
    def context(self):
        return self.model.context

    def samples(self, prompts):
        return len(prompts) * fixed.group_size(self.plan)

    def saved_term(self):
        """What a checkpoint holds: with a stopped update, also the optimizer steps that stay."""
        if not self.runs:
            return self.term
        return ("trained", self.term, self.drawn_window, self.parts(self.stopped_rewards), self.runs)

    def parts(self, rewards):
        drawn = [ticket[1:3] for ticket in self.tickets] or [self.pending]
        return tuple((prompts, start, number) for (prompts, start), number in zip(drawn, rewards, strict=True))

    def forget(self):
        self.pending, self.tickets, self.runs, self.stopped_rewards = None, [], (), None


class World:
    def __init__(self):
        self.trace = []
        self.folder = tempfile.mkdtemp(prefix="mixgrpo-states-", dir="/dev/shm")
        self.saved = {}  # by folder name: trainer history, iteration, window, settings, weights
        self.dead = []
        self.contexts = [Context(2)]
        self.prompts = fixed.new_prompts(self.contexts[0].handle)
        self.models = [Model(self.contexts[0], ("named", "first"))]
        self.evaluators = [Evaluator(self.models[0], 3, 0)]
        self.trainers = []

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def step(self, name, a, b, c):
        self.trace.append(f"{name}({a}, {b}, {c})")
        getattr(self, "do_" + name)(a, b, c)

    # ---- Judging

    def judge(self, status, allowed, what):
        """`allowed`: the errors that the call must return one of; empty: it must succeed."""
        self.trace[-1] += f" -> {what}: {status}"
        expected = sorted(allowed) or [OK]
        must(status in expected, f"{what}: expected {expected}, got {status} ({last_error() if status else ''})")
        return status == OK

    def same(self, got, expected, what):
        must(got == expected, f"{what}: differs from the same history in fresh objects: {got} != {expected}")

    def check_weights(self, model):
        if model.handle not in self.dead:
            out = take(np.float32, canon.COUNT)
            must(call("model_get_weights", model.handle, 0, out, canon.COUNT) == OK, "weights")
            must(
                out.values.tobytes() == canon.weights(model.weights).tobytes(),
                f"weights: differ from those of the same history in fresh objects, {model.weights}",
            )

    def check_trainer(self, trainer):
        """What must hold of a trainer after every call."""
        must(library.mixgrpo_trainer_iteration(trainer.handle) == trainer.iteration, "iteration")
        size = take(np.uint64, 1)
        tickets = take(np.int64, 16)
        self.judge(call("trainer_get_open_tickets", trainer.handle, tickets, 16, size), (), "open tickets")
        opened = [ticket[0] for ticket in trainer.tickets if ticket[3] is None]
        must(tickets.values[: int(size.values[0])].tolist() == opened, f"open tickets: expected {opened}")
        self.check_weights(trainer.model)

    def bad_handles(self):
        return [handle for handle in self.dead if handle] + [1, self.prompts + (1 << 40)]

    # ---- Objects

    def do_context(self, a, b, c):
        if len(self.contexts) < 2:
            self.contexts.append(Context(1 + a % 3))

    def do_cancel(self, a, b, c):
        context = self.contexts[a % len(self.contexts)]
        self.judge(call("context_cancel", context.handle), (), "cancel")
        context.is_cancelled = True

    def do_reset_cancel(self, a, b, c):
        for context in self.contexts:
            self.judge(call("context_reset_cancel", context.handle), (), "reset")
            context.is_cancelled = False
            must(library.mixgrpo_context_is_cancelled(context.handle) == 0, "is_cancelled")

    def do_model(self, a, b, c):
        if len(self.models) < 3:
            self.models.append(Model(self.contexts[a % len(self.contexts)], ("named", PALETTES[b % 8])))

    def do_set_weights(self, a, b, c):
        model = self.models[a % len(self.models)]
        values = canon.weights(("named", PALETTES[b % 8]))
        if c % 8 == 0:
            values = values.copy()
            values[c] = np.nan
            self.judge(call("model_set_weights", model.handle, 0, give(values), values.size), {INVALID_ARGUMENT}, "NaN")
            return self.check_weights(model)
        self.judge(call("model_set_weights", model.handle, 0, give(values), values.size), (), "set_weights")
        model.weights = ("named", PALETTES[b % 8])
        self.changed(model)

    def changed(self, model):
        """A model's weights have changed: activations that were kept of it are of no use any more."""
        for evaluator in self.evaluators:
            if evaluator.model is model:
                evaluator.kept = None

    def do_zero_gradients(self, a, b, c):
        model = self.models[a % len(self.models)]
        self.judge(call("model_zero_gradients", model.handle), (), "zero_gradients")
        model.gradients = ()

    def do_evaluator(self, a, b, c):
        if len(self.evaluators) < 4:
            self.evaluators.append(Evaluator(self.models[a % len(self.models)], fixed.BATCHES[b % 3], c % 2))

    def do_trainer(self, a, b, c):
        evaluator = self.evaluators[a % len(self.evaluators)]
        if len(self.trainers) < 3:
            learning, plan = b % len(fixed.LEARNINGS), c % len(fixed.PLANS)
            self.trainers.append(Trainer(evaluator, self.prompts, learning, plan, (b // 8) % 2))

    def do_destroy(self, a, b, c):
        """Objects keep alive what they were created from."""
        lists = {"trainer": self.trainers, "evaluator": self.evaluators[1:]}
        kind = ("trainer", "evaluator")[b % 2]
        if lists[kind]:
            gone = lists[kind][a % len(lists[kind])]
            {"trainer": self.trainers, "evaluator": self.evaluators}[kind].remove(gone)
            destroy(kind, gone.handle)
            destroy(kind, gone.handle)
            self.dead.append(gone.handle)

    def do_bad_handle(self, a, b, c):
        """Every function refuses a handle that is none, destroyed or of another kind."""
        functions = functions_of_handles()
        name = functions[(a + 64 * b) % len(functions)]
        kinds = [kind for kind in _abi.FUNCTIONS[name].parameters.values()][1:]
        handles = [None, *self.bad_handles()]
        rest = [None if issubclass(kind, _abi.ctypes._Pointer) or kind in POINTERS else 0 for kind in kinds]
        rest = [b"x" if kind is _abi.Text else value for kind, value in zip(kinds, rest, strict=True)]
        rest = [
            kind() if issubclass(kind, _abi.ctypes._CFuncPtr) else value
            for kind, value in zip(kinds, rest, strict=True)
        ]
        status = call(name.removeprefix("mixgrpo_"), handles[c % len(handles)], *rest)
        self.judge(status, {INVALID_ARGUMENT}, name)

    # ---- Evaluator

    def do_velocity(self, a, b, c):
        evaluator = self.evaluators[a % len(self.evaluators)]
        rows, keep = (1, 2, 3, 4)[b % 4], c % 3 != 0
        allowed = {INVALID_ARGUMENT} if keep and rows > evaluator.max_batch else set()
        status, values = canon.evaluate(evaluator.handle, self.prompts, rows, int(keep))
        if not allowed:
            evaluator.is_unsure = False
            expected = canon.velocity(evaluator.model.weights, rows)
            allowed = {expected[0]} - {OK}
            evaluator.kept = None  # also by a call that fails: its activations take their place
        if self.judge(status, allowed, f"velocity of {rows}, keep {keep}"):
            self.same(values, expected[1], "velocity")
            evaluator.kept = (evaluator.model.weights, rows) if keep else None

    def do_backward(self, a, b, c):
        evaluator = self.evaluators[a % len(self.evaluators)]
        model = evaluator.model
        if evaluator.is_unsure:
            return
        rows = evaluator.kept[1] if evaluator.kept else 1 + b % 4
        if c % 4 == 0:
            rows += 1
        room = rows * fixed.LATENT - (c % 8 == 1)
        allowed = set()
        if not evaluator.kept:
            allowed = {INVALID_STATE}
        elif rows != evaluator.kept[1]:
            allowed = {INVALID_ARGUMENT}
        elif room < rows * fixed.LATENT:
            allowed = {BUFFER_TOO_SMALL}
        status, values = canon.backward(evaluator.handle, rows, room)
        if self.judge(status, allowed, f"backward of {rows}"):
            model.gradients = (*model.gradients, evaluator.kept)
            evaluator.kept = None
            written, sums = canon.gradients(model.gradients)
            self.same((status, values), written, "dL/dlatents")
            self.same(canon.digest(canon.read_gradients(model.handle)), sums, "gradients")

    # ---- Trainer

    def pick(self, a):
        if not self.trainers:
            self.do_trainer(a, a, a)
        return self.trainers[a % len(self.trainers)]

    def arm(self, trainer, c):
        """Now and then a cancel at one of the next reports of progress."""
        at = 1 + c % 6 if c >= 48 else 0
        trainer.context.cancel.at(at)

    def disarm(self, trainer):
        cancel = trainer.context.cancel
        cancel.left = 0
        if cancel.fired and not trainer.context.is_cancelled:
            library.mixgrpo_context_reset_cancel(trainer.context.handle)
        fired, cancel.fired = cancel.fired, False
        return fired

    def evaluated(self, trainer):
        trainer.evaluator.kept = None

    def do_set_window(self, a, b, c):
        trainer = self.pick(a)
        most = fixed.window_starts(trainer.plan)
        start = b % (most + 2) - 1
        allowed = {INVALID_ARGUMENT} if start >= most else set()
        if self.judge(call("trainer_set_window", trainer.handle, start), allowed, f"window {start}"):
            trainer.window = start

    def place_of(self, trainer, window):
        """Where the window is: what a ticket's rollout is compared with."""
        if window >= 0:
            return window
        plan = fixed.new_plan(trainer.plan)
        out = struct(_abi.IterationPlan)
        must(call("plan_get_iteration", plan, trainer.iteration, -1, 1, 1, out) == OK, "plan")
        destroy("plan", plan)
        return read(_abi.IterationPlan, out).window_start

    def do_rollout(self, a, b, c):
        trainer = self.pick(a)
        prompts = CHOICES[b % 4]
        count = trainer.samples(prompts) * fixed.LATENT
        room = count - (c % 16 == 5)
        allowed = set()
        if trainer.tickets:
            allowed.add(INVALID_STATE)
        if room < count:
            allowed.add(BUFFER_TOO_SMALL)
        expected, at_work = self.expected_rollout(trainer, prompts, allowed)
        out = take(np.float32, room)
        self.arm(trainer, c)
        status = call("trainer_rollout", trainer.handle, give(prompts, np.int32), len(prompts), out, room)
        if self.disarm(trainer) and not trainer.context.cancel.at_end:
            allowed = {CANCELLED}
        if at_work:
            self.evaluated(trainer)
        if self.judge(status, allowed, f"rollout of {prompts}"):
            self.same(canon.digest(out.values), expected[1], "samples")
            self.abandon(trainer)
            trainer.pending, trainer.drawn_window = (prompts, trainer.model.weights), trainer.window
        self.check_trainer(trainer)

    def expected_rollout(self, trainer, prompts, allowed):
        """What a fresh run gives; whether the model is evaluated at all. Adds to `allowed`."""
        if allowed:
            return None, False
        if trainer.context.is_cancelled:
            allowed.add(CANCELLED)
            return None, False
        expected = canon.rollout(trainer.saved_term(), trainer.window, prompts, trainer.model.weights)
        allowed |= {expected[0]} - {OK}
        return expected, True

    def do_ticket(self, a, b, c):
        trainer = self.pick(a)
        prompts = CHOICES[b % 4]
        count = trainer.samples(prompts) * fixed.LATENT
        allowed = set()
        if trainer.runs and trainer.tickets:
            allowed.add(INVALID_STATE)
        if trainer.tickets:
            if any(prompt in ticket[1] for ticket in trainer.tickets for prompt in prompts):
                allowed.add(INVALID_ARGUMENT)
            if self.place_of(trainer, trainer.window) != self.place_of(trainer, trainer.drawn_window):
                allowed.add(INVALID_ARGUMENT)
        expected, at_work = self.expected_rollout(trainer, prompts, allowed)
        out, number = take(np.float32, count), take(np.int64, 1)
        self.arm(trainer, c)
        status = call(
            "trainer_rollout_ticket", trainer.handle, give(prompts, np.int32), len(prompts), out, count, number
        )
        if self.disarm(trainer) and not trainer.context.cancel.at_end:
            allowed = {CANCELLED}
        if at_work:
            self.evaluated(trainer)
        if self.judge(status, allowed, f"ticket for {prompts}"):
            self.same(canon.digest(out.values), expected[1], "samples")
            if not trainer.tickets:
                self.abandon(trainer)
                trainer.drawn_window = trainer.window
            trainer.last_ticket += 1
            must(int(number.values[0]) == trainer.last_ticket, f"ticket: expected {trainer.last_ticket}")
            trainer.tickets.append([trainer.last_ticket, prompts, trainer.model.weights, None])
        self.check_trainer(trainer)

    def do_rewards(self, a, b, c):
        trainer = self.pick(a)
        number = b % (trainer.last_ticket + 2)
        ticket = next((ticket for ticket in trainer.tickets if ticket[0] == number), None)
        samples = trainer.samples(ticket[1]) if ticket else 3
        values = fixed.rewards_of(c % 5, samples + (c % 16 == 7))
        allowed = set()
        if not 1 <= number <= trainer.last_ticket:
            allowed = {INVALID_ARGUMENT}
        elif not ticket:
            allowed = {INVALID_STATE}
        else:
            if ticket[3] is not None:
                allowed.add(INVALID_STATE)
            if values.size != samples:
                allowed.add(INVALID_ARGUMENT)
        status = call("trainer_submit_rewards", trainer.handle, number, give(values), values.size)
        if self.judge(status, allowed, f"rewards for {number}"):
            ticket[3] = c % 5
        self.check_trainer(trainer)

    def do_update(self, a, b, c):
        trainer = self.pick(a)
        samples = trainer.samples(trainer.pending[0]) if trainer.pending else 3
        values = fixed.rewards_of(b % 5, samples + (c % 16 == 9))
        allowed = set()
        if trainer.tickets or not trainer.pending:
            allowed.add(INVALID_STATE)
        elif values.size != samples:
            allowed.add(INVALID_ARGUMENT)
        self.run_update(
            trainer, (b % 5,), allowed, c,
            lambda out: call("trainer_update", trainer.handle, give(values), values.size, None, 0, out),
        )  # fmt: skip

    def do_update_tickets(self, a, b, c):
        trainer = self.pick(a)
        allowed = set()
        rewards = tuple(ticket[3] for ticket in trainer.tickets)
        if not trainer.tickets or (b % 2 == 0 and None in rewards):
            allowed.add(INVALID_STATE)
        self.run_update(
            trainer, rewards, allowed, c,
            lambda out: call("trainer_update_tickets", trainer.handle, b % 2, None, 0, out),
        )  # fmt: skip

    def run_update(self, trainer, rewards, allowed, c, update):
        model = trainer.model
        if model.gradients:
            allowed.add(INVALID_STATE)
        elif not allowed and trainer.runs and self.advantages_differ(trainer, rewards):
            allowed.add(INVALID_ARGUMENT)
        expected, begins = None, not allowed
        if begins and trainer.context.is_cancelled:
            allowed.add(CANCELLED)
        elif begins:
            expected = canon.update(
                trainer.term, trainer.drawn_window, trainer.parts(rewards), trainer.runs, model.weights
            )
            allowed |= {expected[0]} - {OK}
            # No sample has an advantage: perhaps nothing is evaluated and no weight changes.
            if all(number in (2, 3, 4, None) for number in rewards):
                for evaluator in self.evaluators:
                    evaluator.is_unsure |= evaluator.model is model and evaluator.kept is not None
            self.evaluated(trainer)
        out = struct(_abi.Metrics)
        self.arm(trainer, c)
        status = update(out)
        if self.disarm(trainer):
            allowed = {CANCELLED}  # also at the last report, which an optimizer step follows
        if expected and status != OK:
            for evaluator in self.evaluators:
                evaluator.is_unsure |= evaluator.model is model and evaluator.kept is not None
        if self.judge(status, allowed, f"update with {rewards}"):
            self.same(canon.metrics_of(read(_abi.Metrics, out)), expected[1], "metrics")
            self.finish(trainer, rewards, expected[1])
        elif begins and trainer.settings.get("undo") == UNDO_NONE:
            self.stop(trainer, rewards, status, canon.last_steps(last_error()))
        self.check_trainer(trainer)

    def advantages_differ(self, trainer, rewards):
        samples = [trainer.samples(part[0]) for part in trainer.parts(rewards)]
        return any(
            first != second
            and not np.array_equal(
                fixed.rewards_of(3 if first is None else first, count),
                fixed.rewards_of(3 if second is None else second, count), equal_nan=True,
            )
            for first, second, count in zip(trainer.stopped_rewards, rewards, samples, strict=True)
        )  # fmt: skip

    def finish(self, trainer, rewards, metrics):
        runs = (*trainer.runs, (trainer.model.weights, OK, 0))
        trainer.term = ("trained", trainer.term, trainer.drawn_window, trainer.parts(rewards), runs)
        trainer.model.weights = ("after", trainer.term)
        self.changed(trainer.model)
        trainer.metrics = metrics
        trainer.iteration += 1
        trainer.forget()

    def stop(self, trainer, rewards, status, steps):
        """An update with UNDO_NONE has failed: `steps` optimizer steps are done and stay."""
        before = trainer.runs[-1][2] if trainer.runs else 0
        if not steps:
            return
        if steps == before and trainer.runs:
            return
        trainer.runs = (*trainer.runs, (trainer.model.weights, status, steps))
        trainer.stopped_rewards = rewards
        trainer.model.weights = ("after", trainer.saved_term())

    def do_drop_tickets(self, a, b, c):
        trainer = self.pick(a)
        self.judge(call("trainer_drop_tickets", trainer.handle), (), "drop tickets")
        if trainer.tickets:
            self.abandon(trainer)
        self.check_trainer(trainer)

    def abandon(self, trainer):
        """Gives up the iteration's samples; the optimizer steps of a stopped update stay."""
        trainer.term = trainer.saved_term()
        trainer.forget()

    def do_metrics(self, a, b, c):
        trainer = self.pick(a)
        wrong = 4 if c % 8 == 3 else 0
        allowed = {INVALID_STATE} if trainer.metrics is None else set()
        if wrong:
            allowed |= {INVALID_ARGUMENT}
        out = struct(_abi.Metrics, size_change=wrong)
        if self.judge(call("trainer_get_metrics", trainer.handle, out), allowed, "metrics"):
            self.same(canon.metrics_of(read(_abi.Metrics, out)), trainer.metrics, "metrics")

    def do_sample(self, a, b, c):
        trainer = self.pick(a)
        which, share = b % 3, (1.0, 0.5)[c % 2]
        prompts = CHOICES[c % 4]
        allowed = set()
        needs_base = which == 1 or share < 1
        if (needs_base and not trainer.has_base) or (which == 2 and "ema_decay" not in trainer.settings):
            allowed.add(INVALID_STATE)
        elif trainer.context.is_cancelled:
            allowed.add(CANCELLED)
        else:
            expected = canon.sample(trainer.saved_term(), trainer.model.weights, which, prompts, share)
            allowed |= {expected[0]} - {OK}
            self.evaluated(trainer) if which == 0 else None
        status, samples = canon.draw_samples(trainer.handle, which, prompts, share)
        if self.judge(status, allowed, f"sample {which}, share {share}"):
            self.same(samples, expected[1], "samples")
        self.check_trainer(trainer)

    # ---- Checkpoints

    def do_save(self, a, b, c):
        trainer = self.pick(a)
        name = f"folder{b % 2}"
        self.judge(call("trainer_save", trainer.handle, f"{self.folder}/{name}"), (), "save")
        self.saved[name] = (
            trainer.saved_term(), trainer.iteration, trainer.window, (trainer.learning, trainer.plan, trainer.has_base),
            trainer.model.weights,
        )  # fmt: skip
        self.check_trainer(trainer)

    def do_restore(self, a, b, c):
        trainer = self.pick(a)
        name = f"folder{b % 2}"
        saved = self.saved.get(name)
        allowed = {INPUT_OUTPUT} if not saved else set()
        if saved and saved[3][:2] != (trainer.learning, trainer.plan):
            allowed = {INVALID_ARGUMENT}
        elif saved and saved[3] != (trainer.learning, trainer.plan, trainer.has_base):
            allowed = {INVALID_ARGUMENT}
        status = call("trainer_restore", trainer.handle, f"{self.folder}/{name}")
        if self.judge(status, allowed, "restore"):
            trainer.forget()
            trainer.term, trainer.iteration, trainer.window = saved[:3]
            trainer.model.weights, trainer.metrics = saved[4], None
            self.changed(trainer.model)
        self.check_trainer(trainer)


# Their results are no statuses.
ANSWERS = ("mixgrpo_context_threads", "mixgrpo_context_is_cancelled", "mixgrpo_evaluation_is_due")


def functions_of_handles():
    """The functions that return a status and take a handle first."""
    found = []
    for name, function in _abi.FUNCTIONS.items():
        kinds = list(function.parameters.values())
        if name not in ANSWERS and function.result is _abi.Status and kinds and kinds[0] is _abi.Handle:
            found.append(name)
    return found


POINTERS = (
    _abi.Floats,
    _abi.Doubles,
    _abi.Integers,
    _abi.Bytes,
    _abi.ctypes.c_char_p,
    _abi.ctypes.c_void_p,
    _abi.Handle,
)
STEPS = {name.removeprefix("do_"): getattr(World, name) for name in dir(World) if name.startswith("do_")}
__all__ = ["STEPS", "STOP", "World", "create"]
