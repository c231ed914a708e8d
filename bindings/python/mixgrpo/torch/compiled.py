"""Modules that `torch.compile` has made faster, which want batches of few sizes."""

import sys
from collections.abc import Iterator
from typing import Any

import torch


def is_compiled(velocity: Any) -> bool:
    """Whether a velocity, or a module that it holds, went through `torch.compile`, as a whole or block by block."""
    if "torch._dynamo" not in sys.modules:
        return False
    return any(_has_compiled_parts(part) for part in _parts(velocity))


def _parts(velocity: Any) -> Iterator[Any]:
    """The velocity and what it holds, such as its transformer; also what a velocity inside it holds."""
    yield velocity
    if isinstance(velocity, torch.nn.Module) or not hasattr(velocity, "__dict__"):
        return
    for part in vars(velocity).values():
        yield part
        if callable(part) and not isinstance(part, torch.nn.Module) and hasattr(part, "__dict__"):
            yield from vars(part).values()


def _has_compiled_parts(part: Any) -> bool:
    if not isinstance(part, torch.nn.Module):
        return hasattr(part, "_torchdynamo_orig_callable")  # a compiled function
    return any(
        module._compiled_call_impl is not None or type(module).__name__ == "OptimizedModule"
        for module in part.modules()
    )


def size_of_batch(count: int, largest: int) -> int:
    """The smallest of `largest`, its half, its quarter and so on, rounded up, that holds `count` latents: a compiled model
    is compiled once for each size, and at most half of a batch is spare."""
    size = largest
    while size > 1 and (half := -(-size // 2)) >= count:
        size = half
    return max(size, count)
