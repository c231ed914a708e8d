"""A warning when rollout and update saw different models."""

from .._warnings import warn
from ..metrics import Metrics


class FirstRatioWarning(UserWarning):
    """Before the first optimizer step of an iteration a ratio was outside 1 ± `clip_range`, where it should be 1: rollout
    and update computed different velocities for the same latents. `warnings.simplefilter("error", FirstRatioWarning)`
    makes it an error, raised after the update."""


class FirstRatioWatch:
    """Warns once."""

    def __init__(self, clip_range: float) -> None:
        self._clip_range = clip_range
        self._has_warned = False

    def see(self, metrics: Metrics) -> None:
        """Looks at the figures of an update."""
        low, high = metrics.first_ratio_min, metrics.first_ratio_max
        if self._has_warned or max(1 - low, high - 1) <= self._clip_range:
            return
        self._has_warned = True
        warn(
            f"first ratio: expected 1 ± {self._clip_range:g} (clip_range) before the first optimizer step of iteration "
            f"{metrics.iteration}, got {low:.6g}…{high:.6g}: rollout and update computed different velocities for the "
            "same latents. Likely a random part of the model, weights that changed between the two, or a module that "
            "rounds a row differently in another batch, which batch_size=1 rules out",
            FirstRatioWarning,
        )
