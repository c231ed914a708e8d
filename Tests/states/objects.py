"""Live objects beside what the model knows of them, how calls are judged, and the steps that make and destroy objects."""

import shutil
import tempfile

import canon
import fixed
import numpy as np
from interface import (
    BUFFER_TOO_SMALL,
    INVALID_ARGUMENT,
    INVALID_STATE,
    OK,
    _abi,
    call,
    destroy,
    give,
    last_error,
    library,
    must,
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


class Objects:
    """Contexts, models and evaluators, and lists for all that other steps create."""

    def __init__(self):
        self.trace = []
        self.folder = tempfile.mkdtemp(prefix="mixgrpo-states-", dir="/dev/shm")
        self.dead = []
        self.contexts = [Context(1)]
        self.prompts = fixed.new_prompts(self.contexts[0].handle)
        self.models = [Model(self.contexts[0], ("named", "first"))]
        self.evaluators = [Evaluator(self.models[0], 3, 0)]
        self.trainers, self.hosts = [], []
        self.saved = {}  # by folder name: trainer history, iteration, window, settings, weights
        self.checkpoints = {}  # by folder name: the same by iteration; None for a file that was cut short
        self.progress = []  # of hosts: text, history, iteration, window, settings
        self.evaluations, self.saved_evaluations = [], {}
        self.rollouts, self.updates, self.optimizers = [], [], []
        self.frozen = Evaluator(Model(self.contexts[0], canon.FROZEN), 5, 0)  # the reference of updates by hand

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

    def do_destroy(self, a, b, c):
        """Objects keep alive what they were created from."""
        kinds = (
            ("trainer", self.trainers, 0), ("evaluator", self.evaluators, 1), ("trainer", self.hosts, 0),
            ("evaluation", self.evaluations, 0), ("rollout", self.rollouts, 0), ("update", self.updates, 0),
            ("optimizer", self.optimizers, 0),
        )  # fmt: skip
        kind, objects, first = kinds[b % len(kinds)]
        if objects[first:]:
            gone = objects.pop(first + a % len(objects[first:]))
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

    def disturbed(self, model):
        """A failed call may have changed the weights and brought them back: what was kept of them may be lost."""
        for evaluator in self.evaluators:
            evaluator.is_unsure |= evaluator.model is model and evaluator.kept is not None

    # ---- Cancels

    def arm(self, owner, c):
        """Now and then a cancel at one of the next reports of progress."""
        at = 1 + c % 6 if c >= 48 else 0
        owner.context.cancel.at(at)

    def disarm(self, owner):
        cancel = owner.context.cancel
        cancel.left = 0
        if cancel.fired and not owner.context.is_cancelled:
            library.mixgrpo_context_reset_cancel(owner.context.handle)
        fired, cancel.fired = cancel.fired, False
        return fired


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
