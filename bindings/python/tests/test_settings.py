"""Settings: defaults as the library has them, choices by name, presets, checks."""

import ctypes
import dataclasses
import inspect
import operator
import pydoc
import re
from enum import IntEnum

import numpy as np
import pytest


def default_text(value):
    """A default as `mixgrpo_setting_info` writes it."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else f"{float(value):g}"


@pytest.fixture
def table(mixgrpo):
    """The defaults of the loaded library, by configuration and key."""
    from mixgrpo import _abi
    from mixgrpo._library import call, library

    defaults = {}
    for index in range(library.mixgrpo_setting_count()):
        setting = _abi.Setting()
        call("mixgrpo_setting_info", index, ctypes.byref(setting))
        text = setting.default_text.decode()
        is_number = re.fullmatch(r"-?[\d.]+(e-?\d+)?", text)
        defaults.setdefault(setting.config.decode(), {})[setting.key.decode()] = (
            f"{float(text):g}" if is_number else text
        )
    return defaults


@pytest.mark.parametrize(
    "name", ["ModelConfig", "SamplingConfig", "LearningConfig", "SampleConfig", "EvaluationConfig"]
)
def test_configurations_have_the_settings_and_defaults_of_the_library(mixgrpo, table, name):
    struct = "mixgrpo_" + re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()
    fields = dataclasses.fields(getattr(mixgrpo, name))
    settings = [field for field in fields if field.default is not None]  # an array of the host is none
    assert {field.name: default_text(field.default) for field in settings} == table[struct]


@pytest.mark.parametrize(
    ("name", "struct"), [("Evaluator", "evaluator"), ("Rollout", "rollout"), ("Model.adapt", "lora")]
)
def test_keyword_arguments_have_the_defaults_of_the_library(mixgrpo, table, name, struct):
    parameters = inspect.signature(operator.attrgetter(name)(mixgrpo)).parameters
    defaults = table[f"mixgrpo_{struct}_config"]
    assert set(defaults) <= set(parameters)
    stated = {
        key: parameters[key].default for key in defaults if parameters[key].default is not inspect.Parameter.empty
    }
    assert {key: default_text(value) for key, value in stated.items()} == {key: defaults[key] for key in stated}


def test_time_grid_has_the_defaults_of_sampling(mixgrpo):
    parameters = inspect.signature(mixgrpo.time_grid).parameters
    sampling = mixgrpo.SamplingConfig()
    assert parameters["shift"].default == sampling.shift
    assert parameters["image_tokens"].default == sampling.image_tokens


def test_defaults_are_visible_in_help(mixgrpo):
    text = pydoc.render_doc(mixgrpo.SamplingConfig, renderer=pydoc.plaintext)
    assert "steps: int = 25" in text and "noise_level: float = 0.7" in text


def test_choices_are_taken_by_name_and_number(mixgrpo):
    config = mixgrpo.SamplingConfig(dynamics="dance", solver=3)
    assert config.dynamics is mixgrpo.Dynamics.DANCE and config.solver is mixgrpo.Solver.DPM_2_HEUN
    assert config == mixgrpo.SamplingConfig(dynamics=mixgrpo.Dynamics.DANCE, solver=mixgrpo.Solver.DPM_2_HEUN)
    assert dataclasses.replace(config, dynamics="cps").dynamics is mixgrpo.Dynamics.CPS


@pytest.mark.parametrize("value", ["danse", "DANCE", "", 3, -1, 1.5, None])
def test_unknown_choices_are_refused_with_the_known_ones(mixgrpo, value):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="dynamics: expected one of flow, dance, cps"):
        mixgrpo.SamplingConfig(dynamics=value)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="such as 'dance'"):
        mixgrpo.SamplingConfig(dynamics="danse")


def test_a_default_that_does_not_fit_is_called_one(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"1…3 .* got 4; set what is a default: window_length=4$"):
        mixgrpo.SamplingConfig(steps=4)
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"got 5$"):
        mixgrpo.SamplingConfig(steps=4, window_length=5)


def test_unknown_settings_are_refused(mixgrpo):
    with pytest.raises(TypeError, match="window_len"):
        mixgrpo.SamplingConfig(window_len=3)


def test_settings_round_trip_through_c(mixgrpo):
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
    assert mixgrpo.preset_names() == (
        "mixgrpo",
        "mixgrpo_flash",
        "mixgrpo_flash_star",
        "flow_grpo",
        "dance_grpo",
        "person",
    )
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
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.preset("no_such")


def test_every_wrong_field_is_named(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"steps.*noise_level"):
        mixgrpo.SamplingConfig(steps=1, noise_level=0)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="updates_per_iteration"):
        mixgrpo.check(mixgrpo.SamplingConfig(group_size=2), mixgrpo.LearningConfig(updates_per_iteration=3))


def test_describe_lists_what_will_run(mixgrpo):
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
    with pytest.raises(mixgrpo.InvalidArgumentError, match=rf"\b{field}\b"):
        mixgrpo.check(mixgrpo.SamplingConfig(**sampling), mixgrpo.LearningConfig(**learning))


def test_impossible_settings_are_reported_all_at_once(mixgrpo):
    for kind, wrong in (
        ("SamplingConfig", dict(flash_ratio=2.0, noise_level=11.0, group_size=1, trained_fraction=0.0)),
        ("LearningConfig", dict(clip_range=0.0, learning_rate=-1.0, kl_reference=-1.0)),
        ("ModelConfig", dict(num_layers=-1, in_channels=0, attention_head_dim=1)),
        ("SampleConfig", dict(steps=0, shift=-1.0, trained_model_share=2.0)),
        ("EvaluationConfig", dict(every=0, watchdog_patience=0, weights="base")),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError) as caught:
            getattr(mixgrpo, kind)(**wrong)
        assert all(re.search(rf"\b{field}: expected", str(caught.value)) for field in wrong), str(caught.value)


def test_weights_that_sum_to_zero_are_refused(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="weights"):
        mixgrpo.advantages(np.zeros((2, 1, 4)), weights=[0.0, 0.0])
