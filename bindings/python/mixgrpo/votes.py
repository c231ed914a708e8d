"""Scores of a group's images from the votes of a person."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import DoubleArray, doubles, pointer, size
from ._library import call
from .errors import InvalidArgumentError


def scores_from_ratings(ratings: ArrayLike) -> DoubleArray:
    """A reward from a person's ratings of one group (G): mean normalised ranks, 0 to 1.

    A score is the share of the other rated images that an image beats; a tie counts as half. Stars are ratings; so are
    favourites, as 1 for a favourite and 0 for the others. NaN for no rating, in and out. G in 1…4096.
    """
    values = doubles(ratings, "ratings").reshape(-1)
    scores = np.empty_like(values)
    call("mixgrpo_scores_from_ratings", pointer(values), size(values), pointer(scores), size(scores))
    return scores


def scores_from_pairs(pairs: Sequence[tuple[int, int]], group_size: int) -> DoubleArray:
    """A reward from pairs (winner, loser) of one group: strengths of the model of Bradley and Terry, 0 to 1.

    A score is the probability to beat an average image, against which each image of a pair counts as having drawn once.
    A pair may come several times, and in both orders. NaN for an image in no pair. G in 1…4096, at most 65536 pairs.
    """
    indices = np.array([index for pair in pairs for index in pair], np.int32)
    if len(indices) != 2 * len(pairs):
        raise InvalidArgumentError("pairs: expected a winner and a loser each, got another number of indices")
    scores = np.empty(max(group_size, 0), np.float64)
    call("mixgrpo_scores_from_pairs", pointer(indices), len(pairs), group_size, pointer(scores), size(scores))
    return scores
