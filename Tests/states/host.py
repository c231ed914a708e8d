"""A model of the host's with two weights. Its gradients are exact sums, so no result depends on the size of requests."""

import math

import numpy as np
from interface import DIVERGED, NOT_FINITE, OK, _abi, call, give, must, read, struct, take

FINISHED, EVALUATE, OPTIMIZER_STEP, KEEP_STATE, RESTORE_STATE, ZERO_GRADIENTS = range(6)
# By name; with the last one latents overflow.
WEIGHTS = ((0.5, 0.01), (0.3, -0.2), (0.4, 0.1), (1e30, 0.0))
# What never learns: the base and the reference, and the average.
FROZEN = {1: (0.4, 0.1), 2: (0.45, -0.1)}
RATE = 0.05


class Request:
    """A copy of what the library asks for."""

    def __init__(self, struct):
        for name in ("kind", "minibatch", "needs_reference", "needs_gradient", "weights", "count", "rate_factor"):
            setattr(self, name, getattr(struct, name))
        self.values = self.count * struct.latent_size
        if self.count:
            as_array = lambda pointer, *shape: np.ctypeslib.as_array(pointer, shape).copy()  # noqa: E731
            self.latents = as_array(struct.latents, self.count, struct.latent_size)
            self.sigmas = as_array(struct.sigmas, self.count)
            self.prompts = as_array(struct.prompt_index, self.count)
            must(
                np.isfinite(self.latents).all() and np.isfinite(self.sigmas).all(),
                "asked for values that are not finite",
            )
        else:
            must(not struct.latents and not struct.sigmas, "a request without latents has pointers")

    def same(self, other):
        return (self.kind, self.minibatch, self.count, self.weights) == (
            other.kind,
            other.minibatch,
            other.count,
            other.weights,
        ) and (not self.count or self.latents.tobytes() == other.latents.tobytes())


def ask(kind, handle):
    """The next request of a rollout, an update or a trainer: status and `Request`."""
    out = struct(_abi.VelocityRequest)
    status = call(f"{kind}_next", handle, out)
    return status, Request(read(_abi.VelocityRequest, out)) if status == OK else None


class HostModel:
    def __init__(self, weights):
        self.weights, self.kept, self.products = weights, None, []

    def velocity(self, request, which=0):
        scale, slope = FROZEN.get(which, self.weights)
        latents, sigmas, prompts = (
            getattr(request, name).astype(np.float64) for name in ("latents", "sigmas", "prompts")
        )
        with np.errstate(over="ignore"):
            return (scale * latents + (slope * sigmas + 0.05 * prompts)[:, None]).astype(np.float32)

    def backward(self, request, d_velocity):
        d_velocity = d_velocity.reshape(request.latents.shape).astype(np.float64)
        self.products.append((d_velocity * request.latents, d_velocity * request.sigmas[:, None].astype(np.float64)))

    def gradients(self):
        return tuple(math.fsum(np.concatenate([pair[i].ravel() for pair in self.products] or [[]])) for i in (0, 1))

    def step(self, rate_factor):
        """Gives the norm and the rate."""
        gradients, rate = self.gradients(), RATE * rate_factor
        self.weights = tuple(weight - rate * gradient for weight, gradient in zip(self.weights, gradients, strict=True))
        self.products = []
        return math.hypot(*gradients), rate

    # ---- What a trainer asks for

    def answer(self, trainer, request, poison=False):
        """Does what `request` asks for; gives the status."""
        if request.kind == EVALUATE:
            return self.submit("trainer", trainer, request, poison)
        if request.kind == OPTIMIZER_STEP:
            return call("trainer_submit_step", trainer, *self.step(request.rate_factor))
        if request.kind == KEEP_STATE:
            self.kept = self.weights
        elif request.kind == RESTORE_STATE:
            must(self.kept is not None, "asked to restore a state that was never kept")
            self.weights = self.kept
        else:
            must(request.kind == ZERO_GRADIENTS, f"a request of kind {request.kind}")
            self.products = []
        return OK

    def submit(self, kind, handle, request, poison=False):
        """Answers an EVALUATE; `kind` is "rollout", "update" or "trainer"."""
        values = self.velocity(request, request.weights)
        if poison:
            values[-1, -1] = np.nan
        if kind == "rollout":
            return call("rollout_submit", handle, give(values), request.values)
        reference = give(self.velocity(request, 1)) if request.needs_reference else None
        out = take(np.float32, request.values) if request.needs_gradient else None
        status = call(
            f"{kind}_submit", handle, give(values), reference, request.values, out, request.values if out else 0
        )
        if status == OK and out:
            self.backward(request, out.values)
        return status


def drive(trainer, model, faults=(), stop=None):
    """Answers until nothing is left. `faults`: minibatches that fail, or "measure". `stop`: (status, steps) of a run that the
    host ends after so many optimizer steps."""
    steps, faults, minibatch = 0, set(faults), 0
    while True:
        status, request = ask("trainer", trainer)
        if status == OK and request.kind == FINISHED:
            return OK
        if status == OK:
            is_update = request.kind != EVALUATE or request.needs_gradient
            minibatch = request.minibatch if request.kind == EVALUATE and is_update else minibatch
            place = minibatch if is_update else "measure"
            if stop and steps >= stop[1]:
                status, stop = stop[0], None
            elif request.kind == EVALUATE and place in faults:
                faults.discard(place)
                status = NOT_FINITE
            else:
                status = model.answer(trainer, request)
                steps += request.kind == OPTIMIZER_STEP
        if status != OK:
            status = call("trainer_fail", trainer, status, "the host's model failed")
        if status != OK:
            return status


__all__ = ["DIVERGED", "HostModel", "ask", "drive"]
