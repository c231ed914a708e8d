"""Presets, checks and descriptions of the settings of sampling and learning."""

import ctypes

from . import _abi
from ._arguments import instance, one_of, optional
from ._library import call, library, read_text
from ._structs import from_struct, optional_struct, to_struct
from .configurations import LearningConfig, SamplingConfig


def preset_names() -> tuple[str, ...]:
    """The names that `preset` knows."""
    names: list[str] = []
    while (name := library.mixgrpo_preset_name(len(names))) is not None:
        names.append(name.decode())
    return tuple(names)


def preset(
    name: str, sampling: SamplingConfig = SamplingConfig(), learning: LearningConfig = LearningConfig()
) -> tuple[SamplingConfig, LearningConfig]:
    """A preset as settings; the seed and group size of `sampling` stay as they are.

    "mixgrpo" (the defaults), "mixgrpo_flash", "mixgrpo_flash_star" (Mix §3, arXiv 2507.21802), "flow_grpo" (arXiv
    2505.05470), "dance_grpo" (arXiv 2505.07818) are published methods. "person" are the settings with which a person as
    the reward needs the fewest votes. Raises `InvalidArgumentError` for another name.
    """
    sampling_struct = to_struct(_abi.SamplingConfig, instance(sampling, SamplingConfig, "sampling"))
    learning_struct = to_struct(_abi.LearningConfig, instance(learning, LearningConfig, "learning"))
    one_of(name, preset_names(), "name")
    call("mixgrpo_config_init_preset", name, ctypes.byref(sampling_struct), ctypes.byref(learning_struct))
    return from_struct(SamplingConfig, sampling_struct), from_struct(LearningConfig, learning_struct)


def check(sampling: SamplingConfig | None = None, learning: LearningConfig | None = None) -> None:
    """Checks configurations and how they go together. Raises `InvalidArgumentError` naming every field that is wrong."""
    call(
        "mixgrpo_config_check",
        optional_struct(_abi.SamplingConfig, optional(sampling, SamplingConfig, "sampling")),
        optional_struct(_abi.LearningConfig, optional(learning, LearningConfig, "learning")),
    )


def describe(sampling: SamplingConfig | None = None, learning: LearningConfig | None = None) -> str:
    """What the configurations will really do, in lines of "field = value": settings in force, first windows, model
    calls."""
    return read_text(
        "mixgrpo_config_describe",
        optional_struct(_abi.SamplingConfig, optional(sampling, SamplingConfig, "sampling")),
        optional_struct(_abi.LearningConfig, optional(learning, LearningConfig, "learning")),
    )
