"""Statuses as exceptions."""

import ctypes

import numpy as np
import pytest


def test_every_status_has_its_exception(mixgrpo):
    from mixgrpo import errors
    from mixgrpo._library import library

    for status in mixgrpo.Status:
        assert library.mixgrpo_status_name(status).decode() == status.name.lower()
        if status is not mixgrpo.Status.OK:
            error = errors.error_of(status, "field: expected, got")
            assert error.status is status and str(error) == "field: expected, got"


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("InvalidArgumentError", ValueError),
        ("InvalidStateError", RuntimeError),
        ("OutOfMemoryError", MemoryError),
        ("InputOutputError", OSError),
        ("InvalidFormatError", ValueError),
        ("UnsupportedError", NotImplementedError),
        ("NotFiniteError", ArithmeticError),
        ("DivergedError", ArithmeticError),
    ],
)
def test_exceptions_are_python_s_too(mixgrpo, name, base):
    assert issubclass(getattr(mixgrpo, name), (base, mixgrpo.MixGRPOError))
    assert issubclass(getattr(mixgrpo, name), base)


def test_an_unknown_status_is_an_internal_error(mixgrpo):
    from mixgrpo import errors

    assert type(errors.error_of(-99, "")) is mixgrpo.InternalError


def test_numbers_that_c_would_cut_off_are_refused(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="threads: expected -2147483648…2147483647, got 4294967297"):
        mixgrpo.Context(2**32 + 1)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="threads: expected an integer, got 1.5"):
        mixgrpo.Context(1.5)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="seed: expected 0…18446744073709551615, got -1"):
        mixgrpo.Plan(mixgrpo.SamplingConfig(seed=-1))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="shift: expected a number, got '3'"):
        mixgrpo.Plan(mixgrpo.SamplingConfig(shift="3"))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="axes_dims_rope: expected 3 values, got \\(4, 4\\)"):
        mixgrpo.Model(mixgrpo.ModelConfig(axes_dims_rope=(4, 4)))


def test_text_that_c_would_cut_off_is_refused(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="folder: expected text without zero bytes"):
        mixgrpo.Model.load("base\0other")
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"lines\[1\]"):
        mixgrpo.hashed_words(["whole", "half \ud800"], text_length=2, text_width=2, pooled_width=2)


def test_closed_objects_say_so(mixgrpo):
    plan = mixgrpo.Plan()
    with plan:
        assert not plan.closed
    plan.close()
    assert plan.closed
    with pytest.raises(mixgrpo.InvalidStateError, match="Plan: expected an open object"):
        plan.iteration(0)


def test_handles_go_back_when_objects_are_collected(mixgrpo):
    from mixgrpo._library import library

    plan = mixgrpo.Plan()
    handle = plan.handle
    del plan
    out = mixgrpo._abi.IterationPlan()
    assert library.mixgrpo_plan_get_iteration(handle, 0, -1, 1, 1, ctypes.byref(out)) == mixgrpo.Status.INVALID_ARGUMENT


def test_arrays_are_used_as_they_are_when_they_fit(mixgrpo):
    from mixgrpo import _arrays

    fit = np.zeros((2, 3), np.float32)
    assert _arrays.floats(fit, "x") is fit
    assert _arrays.floats(fit.T, "x").flags.c_contiguous
    assert _arrays.floats([1, 2], "x").dtype == np.float32
    with pytest.raises(mixgrpo.InvalidArgumentError, match="x: expected real numbers, got a list of complex128"):
        _arrays.floats([1j], "x")
    with pytest.raises(mixgrpo.InvalidArgumentError, match="x: expected integers, got a list of float64"):
        _arrays.integers([0.5], "x")
    with pytest.raises(mixgrpo.InvalidArgumentError, match="x: expected integers of 32 bits"):
        _arrays.integers([2**31], "x")


@pytest.mark.parametrize(
    "out",
    [np.empty((2, 3)), np.empty((3, 2), np.float32), np.empty((2, 6), np.float32)[:, ::2], [[0.0] * 3] * 2],
    ids=["type", "shape", "strides", "list"],
)
def test_outputs_that_do_not_fit_are_refused(mixgrpo, out):
    from mixgrpo import _arrays

    with pytest.raises(mixgrpo.InvalidArgumentError, match="^out: expected"):
        _arrays.output(out, (2, 3), np.float32)


def test_read_only_and_overlapping_outputs_are_refused(mixgrpo):
    from mixgrpo import _arrays

    frozen = np.empty(3, np.float32)
    frozen.flags.writeable = False
    with pytest.raises(mixgrpo.InvalidArgumentError, match="writeable"):
        _arrays.output(frozen, (3,), np.float32)
    both = np.empty(4, np.float32)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="overlap"):
        _arrays.output(both[:3], (3,), np.float32, apart_from=(both[1:],))
