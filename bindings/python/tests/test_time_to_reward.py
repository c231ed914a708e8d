"""The race to a reward: both sides compute the same method, and a race that was stopped goes on to the same figures."""

import importlib.util
import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from torch_fixtures import required, torch
from tree import ROOT

required("diffusers")
MODULES = ("time_to_reward", "reward_page", "results", "arms", "world_task", "torch_grpo", "torch_flux")


@pytest.fixture
def race(mixgrpo, monkeypatch):
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(str(ROOT / "examples/lab/benchmark"))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["torch-mixgrpo", "torch-dance"])
def test_steps_in_pytorch_are_those_of_the_library(race, mixgrpo, name):
    settings = next(arm for arm in race.arms.ARMS if arm.name == name).torch
    sigmas = mixgrpo.time_grid(settings.steps, shift=settings.shift)
    assert settings.sigmas() == pytest.approx(sigmas.tolist(), rel=1e-12)
    rng = np.random.default_rng(1)
    x, velocity, after = (rng.standard_normal((2, 6, 4)).astype(np.float32) for _ in range(3))
    for index in range(settings.window_length):
        step = mixgrpo.stochastic_step(settings.dynamics, settings.noise_level, sigmas[index], sigmas[index + 1])
        found = settings.stochastic_step(index)
        assert found == pytest.approx((step.latent, step.velocity, step.noise), rel=1e-9)
        expected = mixgrpo.step_log_probability(step, x, velocity, after)
        tensors = (torch.from_numpy(each).double() for each in (x, after, velocity))
        assert race.torch_grpo.log_probability(*tensors, torch.tensor(found)).numpy() == pytest.approx(
            expected, rel=1e-5
        )


def test_advantages_in_pytorch_are_those_of_the_library(race, mixgrpo):
    rewards = np.random.default_rng(2).random((2, 12))
    expected = mixgrpo.advantages(rewards[:, None]).values[0]
    assert race.torch_grpo.group_advantages(torch.from_numpy(rewards)).numpy() == pytest.approx(expected, abs=1e-6)


def test_both_sides_train_the_same_steps(race, mixgrpo):
    """The place of a moving window, and the numbers of steps of DanceGRPO and of Flash*."""
    sampling = mixgrpo.SamplingConfig(window_interval=race.arms.INTERVAL)
    plan = mixgrpo.Plan(sampling)
    for iteration in range(60):
        assert plan.iteration(iteration).window_start == race.arms.window_at(iteration, sampling.steps - 4)
    arms = {arm.name: arm for arm in race.arms.ARMS}
    for torch_arm, preset, changes in (
        ("torch-dance", "dance_grpo", {}),
        ("torch-best", arms["best"].preset, arms["best"].sampling),
    ):
        steps = mixgrpo.Plan(replace(mixgrpo.preset(preset)[0], **changes)).steps(0)
        settings = arms[torch_arm].torch
        trained = race.torch_grpo.Trainer(SimpleNamespace(trained_weights=lambda: [torch.zeros(1)]), settings, False)
        assert len(trained._trained_steps()) == sum(step.trained for step in steps)
        assert settings.sigmas()[:-1] == pytest.approx([step.sigma for step in steps])


def test_rates_are_the_tuned_ones(race):
    source = (ROOT / "Sources/MixCompare/Methods/TunedRates.swift").read_text()
    rates = {
        name: rate for names, rate in re.findall(r"case ([.\w, ]+): ([\d.e-]+)", source) for name in names.split(", ")
    }
    assert {float(rates[name]) for name in (".danceGRPO14", ".mixGRPO", ".flashStar")} == {race.arms.RATE}


def test_the_nearest_prompt_is_found_among_all(race):
    world, rng = race.world_task.world, np.random.default_rng(3)
    for noise in (0, 250):
        prompt = int(rng.integers(world.PROMPTS))
        image = world.render(prompt, world.Jitter(1, -2, 6, 100)).astype(int)
        image = np.clip(image + rng.integers(-noise, noise + 1, image.shape), 0, 255).astype(np.uint8)
        expected = min(range(world.PROMPTS), key=lambda each: world.smallest_error(image, each))
        assert race.world_task.nearest_prompt(image) == expected
        assert noise or (expected == prompt and race.world_task.clean_sky(image) == 1)


def test_a_stopped_race_goes_on_to_the_same_figures(race, mixgrpo, monkeypatch, tmp_path):
    monkeypatch.setattr(race.world_task, "EVALUATION", mixgrpo.SampleConfig(steps=1, seed=2024))
    if importlib.util.find_spec("matplotlib") is None:
        monkeypatch.setattr(race.reward_page, "draw", lambda summary, path: None)
        monkeypatch.setattr(race.results, "pyplot", lambda: None)
    arguments = "--arms torch-best,best --seeds 1 --every 1 --iterations 2 --target 1 --mode eager --out".split()
    race.time_to_reward.main([*arguments, str(tmp_path / "whole")])

    turn = race.time_to_reward.Run.turn
    turns = []

    def interrupted(run):
        if len(turns) == 3:
            raise KeyboardInterrupt
        turns.append(turn(run))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(race.time_to_reward.Run, "turn", interrupted)
        race.time_to_reward.main([*arguments, str(tmp_path / "stopped")])
    race.time_to_reward.main([*arguments, str(tmp_path / "stopped")])

    whole, stopped = (
        json.loads((tmp_path / name / "reward.json").read_text())["runs"] for name in ("whole", "stopped")
    )
    for one, other in zip(whole, stopped, strict=True):
        assert len(one["points"]) == 3 and len(one["seconds"]) == 2
        for point, again in zip(one["points"], other["points"], strict=True):
            assert point | {"seconds": 0} == again | {"seconds": 0}
    page = (tmp_path / "whole/time-to-a-reward.md").read_text()
    assert page.count("did not arrive") == 2 and "the library, with these settings on both sides" in page
    assert not list(tmp_path.glob("*/runs/*/*"))  # no checkpoint is left
