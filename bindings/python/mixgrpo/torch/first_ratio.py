"""What happens when rollout and update saw different models."""

from typing import Literal, TypeAlias

from .._arguments import one_of
from .._warnings import warn
from ..errors import InvalidStateError
from ..results import Metrics

FirstRatioAction: TypeAlias = Literal["warn", "error", "ignore"]
"""What a trainer does about a first ratio outside 1 ± `clip_range`: warn once, undo the update and raise, or nothing."""


class FirstRatioWarning(UserWarning):
    """Before the first optimizer step of an iteration a ratio was outside 1 ± `clip_range`, where it should be 1: rollout
    and update computed different velocities for the same latents. `TorchTrainer(first_ratio="error")` makes it an
    error."""


class FirstRatioError(InvalidStateError):
    """The same as an error: the update was undone, and the rollout is gone. With `Undo.NONE` its steps stay."""


class FirstRatioWatch:
    """Warns once, or raises each time."""

    def __init__(self, clip_range: float, action: FirstRatioAction) -> None:
        self._action = one_of(action, ("warn", "error", "ignore"), "first_ratio")
        self._clip_range = clip_range
        self._has_warned = False

    @property
    def raises(self) -> bool:
        """Whether `see` may raise."""
        return self._action == "error"

    def see(self, metrics: Metrics) -> None:
        """Looks at the figures of an update. Raises `FirstRatioError`."""
        low, high = metrics.first_ratio_min, metrics.first_ratio_max
        if self._action == "ignore" or self._has_warned or max(1 - low, high - 1) <= self._clip_range:
            return
        text = (
            f"first ratio: expected 1 ± {self._clip_range:g} (clip_range) before the first optimizer step of iteration "
            f"{metrics.iteration}, got {low:.6g}…{high:.6g}: rollout and update computed different velocities for the "
            "same latents. Likely a random part of the model, weights that changed between the two, or a module that "
            "rounds a row differently in another batch, which batch_size=1 rules out; mixgrpo.torch.check(policy) looks "
            "for the cause"
        )
        if self.raises:
            raise FirstRatioError(text)
        self._has_warned = True
        warn(text, FirstRatioWarning)
