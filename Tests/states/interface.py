"""Calls of the C interface, each with guarded buffers.

A buffer ends where a page begins that may not be touched. Outputs are filled with a pattern. A call that fails must leave
every output as it was and have one line of error text.
"""

import ctypes
import mmap

import numpy as np
from mixgrpo import _abi
from mixgrpo._library import library

OK, CANCELLED, INVALID_ARGUMENT, INVALID_STATE, BUFFER_TOO_SMALL = 0, 1, -1, -2, -3
INPUT_OUTPUT, INVALID_FORMAT, UNSUPPORTED, NOT_FINITE, DIVERGED = -5, -6, -7, -8, -10

PAGE = mmap.PAGESIZE
ROOM = 16 * PAGE
PATTERN, MARGIN = 0x5A, 64
UNTOUCHED = bytes([PATTERN]) * MARGIN
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Violation(AssertionError):
    """The library did something that the model of the interface does not allow."""


def must(holds, what):
    if not holds:
        raise Violation(what)


class Buffer:
    """Memory that ends at a guard page, seen as an array."""

    def __init__(self, memory, start, end, dtype, count, is_output):
        dtype = np.dtype(dtype)
        self.size, self.is_output = dtype.itemsize * count, is_output
        self.address = start + end - self.size
        ctypes.memset(self.address - MARGIN, PATTERN, MARGIN + self.size)
        self.bytes = memory[end - self.size : end]
        self.values = self.bytes.view(dtype)

    def now(self):
        return ctypes.string_at(self.address, self.size)


class Buffers:
    """The buffers of one call; the next call uses the same memory again."""

    def __init__(self, count=12):
        self.mapping = mmap.mmap(-1, count * (ROOM + PAGE))
        self.memory = np.frombuffer(self.mapping, np.uint8)
        self.start = self.memory.ctypes.data
        self.ends = [i * (ROOM + PAGE) + ROOM for i in range(count)]
        for end in self.ends:
            must(libc.mprotect(self.start + end, PAGE, 0) == 0, "guard page")
        self.used = []

    def take(self, dtype, count, is_output):
        buffer = Buffer(self.memory, self.start, self.ends[len(self.used)], dtype, count, is_output)
        self.used.append(buffer)
        return buffer

    def check(self, failed):
        for buffer in self.used:
            must(ctypes.string_at(buffer.address - MARGIN, MARGIN) == UNTOUCHED, "wrote before a buffer")
            if not buffer.is_output or failed:
                must(buffer.now() == buffer.before, "changed a buffer that it should not touch")


buffers = Buffers()


def give(values, dtype=None):
    """An input with these values."""
    values = np.ascontiguousarray(values, dtype)
    buffer = buffers.take(values.dtype, values.size, False)
    buffer.values[:] = values.ravel()
    return buffer


def take(dtype, count):
    """An output."""
    return buffers.take(dtype, count, True)


def struct(kind, is_output=True, **fields):
    """A struct; `size_change` makes its struct_size wrong."""
    value = kind()
    value.struct_size += fields.pop("size_change", 0)
    for name, field in fields.items():
        setattr(value, name, field)
    buffer = buffers.take(np.uint8, ctypes.sizeof(kind), is_output)
    if is_output:
        buffer.bytes[:4] = np.frombuffer(bytes(value)[:4], np.uint8)
    else:
        buffer.bytes[:] = np.frombuffer(bytes(value), np.uint8)
    return buffer


def read(kind, buffer):
    return kind.from_buffer_copy(buffer.now())


functions = {}


def call(name, *arguments):
    """Calls a fallible function; returns its status after checking what it may not touch."""
    function = functions.get(name) or functions.setdefault(name, getattr(library, "mixgrpo_" + name))
    for buffer in buffers.used:
        buffer.before = buffer.now()
    passed = [
        ctypes.cast(argument.address, kind) if isinstance(argument, Buffer) else argument
        for argument, kind in zip(arguments, function.argtypes, strict=True)
    ]
    status = function(*passed)
    try:
        if status != OK and name != "trainer_fail":  # which gives back the status that it was given
            text = library.mixgrpo_last_error()
            must(text and b"\n" not in text, f"{name}: an error without one line of text")
        buffers.check(failed=status != OK)
    except Violation as violation:
        raise Violation(f"{name} returned {status} and {violation}") from None
    finally:
        buffers.used = []
    return status


def create(name, *arguments):
    """Creates an object; returns status and handle."""
    place = take(np.uint64, 1)
    status = call(name, *arguments, place)
    return status, int(place.values[0]) if status == OK else None


def made(name, *arguments):
    status, handle = create(name, *arguments)
    must(status == OK and handle, f"{name}: expected a handle, got status {status}: {last_error()}")
    return handle


def done(name, *arguments):
    status = call(name, *arguments)
    must(status == OK, f"{name}: expected OK, got {status}: {last_error()}")


def last_error():
    return library.mixgrpo_last_error().decode(errors="replace")


def destroy(kind, handle):
    getattr(library, f"mixgrpo_{kind}_destroy")(handle)


def defaults(kind, function):
    value = kind()
    must(getattr(library, function)(ctypes.byref(value), ctypes.sizeof(kind)) == OK, function)
    return value


def configured(value, **fields):
    """An input struct: the defaults in `value` with some fields replaced."""
    buffer = buffers.take(np.uint8, ctypes.sizeof(value), False)
    copy = type(value).from_buffer_copy(bytes(value))
    for name, field in fields.items():
        setattr(copy, name, field)
    buffer.bytes[:] = np.frombuffer(bytes(copy), np.uint8)
    return buffer


__all__ = [name for name in dir() if not name.startswith("__")] + ["_abi"]
