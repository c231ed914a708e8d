"""Time grids, single steps and their log-probabilities, as values."""

import ctypes

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance, whole
from ._arrays import DoubleArray, FloatArray, doubles, floats, output, pointer, rows
from ._library import call
from ._structs import read_struct, to_struct
from .enums import Dynamics, DynamicsName, LogProbability, LogProbabilityName, Solver, SolverName
from .errors import InvalidArgumentError
from .results import Step


def time_grid(steps: int, *, shift: float = 3.0, image_tokens: int = 0) -> DoubleArray:
    """The `steps` + 1 noise levels from 1 to 0 exactly. Bounds as in `SamplingConfig`, steps from 1."""
    sigmas = output(None, (whole(steps, "steps", 1, 10000) + 1,), np.float64, "steps")
    call("mixgrpo_time_grid", steps, shift, image_tokens, pointer(sigmas), sigmas.size)
    return np.asarray(sigmas)


def stochastic_step(dynamics: Dynamics | DynamicsName, noise_level: float, sigma: float, next_sigma: float) -> Step:
    """The stochastic step from `sigma` to `next_sigma`, 1 >= sigma > next_sigma >= 0.

    At sigma = 1 FLOW takes next_sigma for the sigma in its denominator. Raises `InvalidArgumentError` also where no real
    step exists.
    """
    return read_struct(
        Step, "mixgrpo_stochastic_step", chosen(Dynamics, dynamics, "dynamics"), noise_level, sigma, next_sigma
    )


def deterministic_step(solver: Solver | SolverName, sigmas: ArrayLike, index: int) -> Step:
    """Step `index` of the time grid `sigmas` (strictly decreasing, from at most 1 to 0), its order lowered to what the
    place allows."""
    grid = doubles(sigmas, "sigmas")
    return read_struct(
        Step, "mixgrpo_deterministic_step", chosen(Solver, solver, "solver"), pointer(grid), grid.size, index
    )


def step_log_probability(
    step: Step,
    latents: ArrayLike,
    velocity: ArrayLike,
    next_latents: ArrayLike,
    *,
    form: LogProbability | LogProbabilityName = LogProbability.MEAN,
    out: DoubleArray | None = None,
) -> DoubleArray:
    """Log-probability of a stochastic step x -> x' for each of B latents, (B), nats; mu = latent*x + velocity*v.

    `latents`, `velocity`, `next_latents`: (B, …), D values in each row. `form`: any but GUARDED, whose noise a step
    that stands alone does not know. Raises `InvalidArgumentError` for a step whose noise is 0.
    """
    before = batch(latents, "latents")
    count, row_size = len(before), before.size // max(1, len(before))
    answer = rows(velocity, count, row_size, "velocity")
    after = rows(next_latents, count, row_size, "next_latents")
    out = output(out, (count,), np.float64)
    call(
        "mixgrpo_step_log_probability",
        ctypes.byref(to_struct(_abi.Step, instance(step, Step, "step"))),
        chosen(LogProbability, form, "form"),
        pointer(before),
        pointer(answer),
        pointer(after),
        count,
        row_size,
        pointer(out),
        out.size,
    )
    return out


def normal_noise(
    seed: int, stream: int, index: int, count: int | None = None, *, out: FloatArray | None = None
) -> FloatArray:
    """`count` standard normal float32 that depend on nothing but (seed, stream, index), each 0…2**64 - 1.

    The same on every machine and in any order of calls; independent of all that the library draws. `out`: an array to
    fill, of any shape, in place of `count`.
    """
    if (count is None) == (out is None):
        raise InvalidArgumentError("count, out: expected one of the two, got both or none")
    shape = out.shape if isinstance(out, np.ndarray) else (whole(count, "count", 0),)
    out = output(out, shape, np.float32)
    call("mixgrpo_normal_noise", seed, stream, index, pointer(out), out.size)
    return out


def batch(values: ArrayLike, name: str) -> FloatArray:
    """float32 of shape (B, …) with at least two dimensions."""
    array = floats(values, name)
    if array.ndim < 2:
        raise InvalidArgumentError(f"{name}: expected shape (B, D), got {array.shape}")
    return array
