"""What a run over a PyTorch model must remember, beside the host's own weights and optimizer, to go on exactly."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..enums import WindowMode
from ..errors import InvalidArgument, InvalidFormat
from ..plan import SCHEDULED_WINDOW, AdaptiveWindow, Plan
from ..settings import LearningConfig

FORMAT = 1


def settings_of(plan: Plan, learning: LearningConfig, **facts: Any) -> dict[str, Any]:
    """Everything that a run's numbers depend on, as plain numbers, texts and lists."""
    start = 0 if plan.config.window_mode is WindowMode.GIVEN else SCHEDULED_WINDOW
    steps = plan.steps(0, window_start=start)
    return {
        **_plain(plan.config, "sampling"),
        **_plain(learning, "learning"),
        "sigmas": [*(step.sigma for step in steps), steps[-1].next_sigma],
        **facts,
    }


def progress_in(state: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[int, int]:
    """The iteration and the host's window of a saved state that was made with these settings.

    Raises `InvalidFormat` for what is no saved state; `InvalidArgument` naming the settings that differ.
    """
    try:
        version, saved = state["format"], dict(state["settings"])
        iteration, window_start = int(state["iteration"]), int(state["window_start"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFormat(f"state: expected what state_dict() gave, got {type(error).__name__}: {error}") from None
    if version != FORMAT or iteration < 0:
        raise InvalidFormat(f"state: expected format {FORMAT} at iteration 0 or later, got {version} at {iteration}")
    _require_equal(saved, settings)
    return iteration, window_start


def saved_window(window: AdaptiveWindow | None) -> dict[str, Any] | None:
    """An adaptive window as plain numbers: no NaN, which equals nothing and is not in JSON."""
    if window is None:
        return None
    return {
        **dataclasses.asdict(window),
        "sums": list(window.sums),
        "gain": window.gain if window.iterations > 1 else None,
    }


def window_in(state: Mapping[str, Any]) -> AdaptiveWindow | None:
    """The adaptive window of a saved state. Raises `InvalidFormat`."""
    saved = state.get("adaptive_window")
    if saved is None:
        return None
    try:
        gain = float("nan") if saved["gain"] is None else float(saved["gain"])
        return AdaptiveWindow(**{**saved, "sums": tuple(map(float, saved["sums"])), "gain": gain})
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFormat(f"state: expected an adaptive window, got {type(error).__name__}: {error}") from None


def _require_equal(saved: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    differing = [
        f"{name}: expected {settings.get(name, 'none')!r}, got {saved.get(name, 'none')!r}"
        for name in sorted(saved.keys() | settings.keys())
        if saved.get(name) != settings.get(name)
    ]
    if differing:
        raise InvalidArgument("; ".join(differing))


def _plain(config: Any, prefix: str) -> dict[str, Any]:
    """Fields by name; enumerations as their names, which tell more than numbers in a message."""
    values = ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config))
    return {f"{prefix}.{name}": getattr(value, "name", value) for name, value in values}
