"""Settings: defaults asked of the library, as the header states them; presets; checks."""

import dataclasses
import re
from enum import IntEnum

import numpy as np
import pytest
from generate.model import Struct
from tree import HEADER

CONFIGURATIONS = {
    "ModelConfig": "mixgrpo_model_config",
    "SamplingConfig": "mixgrpo_sampling_config",
    "LearningConfig": "mixgrpo_learning_config",
    "SampleConfig": "mixgrpo_sample_config",
    "EvaluationConfig": "mixgrpo_evaluation_config",
}


def written_like(value, text):
    """What stands at the beginning of a comment, read as the kind of thing that `value` is."""
    if isinstance(value, IntEnum):
        return type(value)[re.match(r"\w+", text)[0]]
    if isinstance(value, tuple):
        return tuple(int(number) for number in re.findall(r"\d+", text)[: len(value)])
    return float(re.match(r"[-\de.]*[\d]", text)[0])


def stated_defaults(struct):
    """What the comments of a struct of the header say after "Default ", by field."""
    fields = next(item.fields for item in HEADER.of(Struct) if item.name == struct)
    stated = {field.name: field.comment.partition("Default ")[2] for field in fields}
    return {name: text for name, text in stated.items() if text}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_defaults_are_those_the_header_states(mixgrpo, name):
    defaults = {field.name: field.default for field in dataclasses.fields(getattr(mixgrpo, name))}
    written = stated_defaults(CONFIGURATIONS[name])
    assert set(written) == set(defaults)
    assert defaults == {key: written_like(value, written[key]) for key, value in defaults.items()}


def test_unknown_settings_are_refused(mixgrpo):
    with pytest.raises(TypeError, match="window_len"):
        mixgrpo.SamplingConfig(window_len=3)


def test_settings_survive_the_way_through_c(mixgrpo):
    from mixgrpo import _abi
    from mixgrpo._structs import from_struct, to_struct

    settings = mixgrpo.SamplingConfig(
        steps=9,
        shift=1.5,
        dynamics=mixgrpo.Dynamics.CPS,
        window_mode=mixgrpo.WindowMode.RANDOM,
        exact_sharing=False,
        seed=2**64 - 1,
    )
    assert from_struct(mixgrpo.SamplingConfig, to_struct(_abi.SamplingConfig, settings)) == settings
    learning = mixgrpo.LearningConfig(learning_rate=1e-4, advantage_mode=mixgrpo.AdvantageMode.GDPO, warmup_steps=7)
    assert from_struct(mixgrpo.LearningConfig, to_struct(_abi.LearningConfig, learning)) == learning


def test_presets_are_settings(mixgrpo):
    assert mixgrpo.preset_names() == ("mixgrpo", "mixgrpo_flash", "mixgrpo_flash_star", "flow_grpo", "dance_grpo")
    start = mixgrpo.SamplingConfig(group_size=8, seed=5)
    for name in mixgrpo.preset_names():
        sampling, learning = mixgrpo.preset(name, start)
        assert (sampling.group_size, sampling.seed) == (8, 5)
        mixgrpo.check(sampling, learning)
    sampling, learning = mixgrpo.preset("mixgrpo", start)
    assert (sampling, learning) == (start, mixgrpo.LearningConfig())
    assert mixgrpo.preset("mixgrpo_flash")[0].flash_ratio == 0.4
    sampling, learning = mixgrpo.preset("flow_grpo")
    assert sampling.window_mode is mixgrpo.WindowMode.ALL and learning.kl_reference == 0.04
    with pytest.raises(mixgrpo.InvalidArgument):
        mixgrpo.preset("no_such")


def test_check_names_every_wrong_field(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgument) as caught:
        mixgrpo.check(mixgrpo.SamplingConfig(steps=1, noise_level=0), mixgrpo.LearningConfig(beta1=1))
    for field in ("steps", "noise_level", "beta1"):
        assert re.search(rf"\b{field}\b", str(caught.value))
    with pytest.raises(mixgrpo.InvalidArgument, match="updates_per_iteration"):
        mixgrpo.check(mixgrpo.SamplingConfig(group_size=2), mixgrpo.LearningConfig(updates_per_iteration=3))


def test_describe_tells_what_will_run(mixgrpo):
    text = mixgrpo.describe(mixgrpo.SamplingConfig(steps=17), mixgrpo.LearningConfig())
    lines = dict(line.split(" = ", 1) for line in text.strip().splitlines())
    assert lines["steps"] == "17"
    assert "learning_rate" in lines
    assert "learning_rate" not in mixgrpo.describe(mixgrpo.SamplingConfig())


@pytest.mark.parametrize(
    ("field", "sampling", "learning"),
    [
        ("flash_ratio", {"window_mode": 5, "flash_ratio": 0.4}, {}),  # Flash with all steps
        ("flash_ratio", {"flash_ratio": 1.01}, {}),
        ("flash_ratio", {"flash_ratio": -0.1}, {}),
        ("window_length", {"window_length": 25}, {}),  # longer than the range
        ("window_length", {"steps": 4, "window_length": 4}, {}),
        ("window_start", {"window_mode": 0, "window_start": 21}, {}),
        ("noise_level", {"noise_level": 0.0}, {}),
        ("noise_level", {"noise_level": float("nan")}, {}),
        ("noise_level", {"dynamics": 2, "noise_level": 1.1}, {}),  # coefficient-preserving: an angle of at most pi/2
        ("group_size", {"group_size": 1}, {}),
        ("log_probability", {"log_probability": 2}, {}),  # the peers' form is for coefficient-preserving steps
        ("trained_fraction", {"window_mode": 5, "trained_fraction": 0.0}, {}),
        ("window_minimum_interval", {"window_mode": 2, "window_minimum_interval": 26}, {}),
        ("window_trend", {"window_mode": 7, "window_trend": 1}, {}),
        ("updates_per_iteration", {"group_size": 2}, {"updates_per_iteration": 3}),
        ("clip_range", {}, {"clip_range": 1.0}),
        ("trim_fraction", {}, {"trim_fraction": 0.5}),
        ("total_steps", {}, {"schedule": 1, "total_steps": 0}),
    ],
)
def test_impossible_combinations_name_their_field(mixgrpo, field, sampling, learning):
    with pytest.raises(mixgrpo.InvalidArgument, match=rf"\b{field}\b"):
        mixgrpo.check(mixgrpo.SamplingConfig(**sampling), mixgrpo.LearningConfig(**learning))


def test_impossible_settings_are_told_all_at_once(mixgrpo):
    sampling = mixgrpo.SamplingConfig(
        window_mode=mixgrpo.WindowMode.ALL, flash_ratio=2.0, noise_level=11.0, group_size=1, trained_fraction=0.0
    )
    with pytest.raises(mixgrpo.InvalidArgument) as caught:
        mixgrpo.check(sampling, mixgrpo.LearningConfig(clip_range=0.0, learning_rate=-1.0, kl_reference=-1.0))
    wrong = (
        "flash_ratio",
        "noise_level",
        "group_size",
        "trained_fraction",
        "clip_range",
        "learning_rate",
        "kl_reference",
    )
    assert all(re.search(rf"\b{field}\b", str(caught.value)) for field in wrong), str(caught.value)


def test_weights_that_sum_to_zero_are_refused(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgument, match="weights"):
        mixgrpo.advantages(np.zeros((2, 1, 4)), weights=[0.0, 0.0])
