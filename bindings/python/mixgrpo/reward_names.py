"""Rewards and their weights, given by name or in order."""

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from ._arrays import DoubleArray, doubles, shaped
from .errors import InvalidArgumentError


def scores_in_order(
    rewards: ArrayLike | Mapping[str, ArrayLike], names: Sequence[str], groups: tuple[int, ...] | None
) -> DoubleArray:
    """Rewards as (K, P, G), in the order of the K names; `groups` is (P, G), None when it is not known yet.

    Takes (K, P, G), or (P, G) when K is 1, or (P, G) by name.
    """
    scores = doubles(_in_order(rewards, names, "rewards"), "rewards")
    if scores.ndim == 2 and len(names) == 1:
        scores = scores.reshape(1, *scores.shape)
    if groups is None:
        return scores
    return shaped(scores, (len(names), *groups), "rewards", "rewards, prompts, samples of a prompt")


def weights_in_order(weights: ArrayLike | Mapping[str, float] | None, names: Sequence[str]) -> DoubleArray | None:
    """The rewards' weights as (K), in the order of the names; None stays None."""
    if weights is None:
        return None
    return shaped(doubles(_in_order(weights, names, "weights"), "weights"), (len(names),), "weights")


def _in_order(by_name: ArrayLike | Mapping[str, ArrayLike], names: Sequence[str], field: str) -> ArrayLike:
    if not isinstance(by_name, Mapping):
        return by_name
    if set(by_name) != set(names):
        raise InvalidArgumentError(f"{field}: expected {list(names)}, got {list(by_name)}")
    return [by_name[name] for name in names]  # type: ignore[return-value]
