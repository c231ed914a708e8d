"""Evaluations: fixed noise, the best weights, the watchdog."""

import dataclasses
import re
import warnings

import numpy as np
import pytest
from small import brightness, darkness
from tree import ROOT


def evaluation(mixgrpo, held_out=(), **settings):
    return mixgrpo.Evaluation(
        [0, 2],
        {"bright": 1.0, "dark": 0.0},
        held_out=held_out,
        config=mixgrpo.EvaluationConfig(**settings),
        sampling=mixgrpo.SampleConfig(steps=4, samples_per_prompt=2),
    )


def scores(bright, dark):
    spread = np.array([[-0.5, 0.5], [-0.5, 0.5]])
    return {"bright": bright + spread, "dark": dark + spread}


def test_evaluations_are_due_every_k_iterations(mixgrpo):
    checked = evaluation(mixgrpo, every=3)
    assert [checked.is_due(iteration) for iteration in (-3, 0, 1, 2, 3)] == [False, True, False, False, True]


def test_the_watchdog_triggers_when_only_the_trained_reward_rises(mixgrpo, tmp_path):
    checked = evaluation(mixgrpo, held_out=["dark"], watchdog=mixgrpo.Watchdog.STOP, watchdog_patience=2)
    with pytest.raises(mixgrpo.InvalidStateError):
        checked.means()
    first = checked.submit(0, scores(1.0, 5.0))
    assert (first.is_best, first.score, first.verdict, first.message) == (True, 1.0, mixgrpo.Verdict.CONTINUE, "")
    assert checked.means() == {"bright": 1.0, "dark": 5.0}
    assert checked.submit(1, scores(2.0, 4.0)).worsening == 1
    last = checked.submit(2, scores(1.5, 3.0))
    assert last.verdict is mixgrpo.Verdict.STOP and "iteration 2" in last.message
    assert (checked.latest_iteration, checked.verdict) == (2, mixgrpo.Verdict.STOP)
    checked.save(tmp_path)
    again = evaluation(mixgrpo, held_out=["dark"], watchdog=mixgrpo.Watchdog.STOP, watchdog_patience=2)
    assert (again.latest_iteration, again.verdict) == (-1, mixgrpo.Verdict.CONTINUE)
    again.restore(tmp_path)
    assert (again.latest_iteration, again.verdict) == (2, mixgrpo.Verdict.STOP)
    assert (last.is_best, last.best_iteration, last.best_score) == (False, 1, 2.0)
    assert checked.submit(3, scores(2.5, np.nan)).failed == 4
    with pytest.raises(mixgrpo.InvalidArgumentError, match="iteration"):
        checked.submit(3, scores(1.0, 1.0))


def test_the_best_weights_come_back(mixgrpo, make_trainer, model, tmp_path):
    trainer, checked = make_trainer(), evaluation(mixgrpo)
    with pytest.raises(mixgrpo.InvalidStateError):
        checked.get_best(model)
    samples, start = checked.sample(trainer), model.weights.read()
    trainer.update(trainer.rollout([0, 1]).mean(axis=(2, 3)))
    checked.submit(0, scores(1.0, 1.0))  # late
    assert not np.array_equal(checked.sample(trainer), samples)
    assert not checked.submit(1, scores(0.5, 1.0)).is_best
    checked.save(tmp_path)
    checked.save_best(tmp_path / "best")
    assert np.array_equal(mixgrpo.Model.load(tmp_path / "best").weights.read(), start)
    again = evaluation(mixgrpo)
    again.restore(tmp_path)
    again.get_best(model)
    assert np.array_equal(model.weights.read(), start)
    assert np.array_equal(again.sample(trainer), samples)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="rewards"):
        evaluation(mixgrpo, held_out=["dark"]).restore(tmp_path)


def test_all_wrong_settings_are_reported_at_once(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="every.*watchdog_patience"):
        evaluation(mixgrpo, every=0, watchdog_patience=0)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="weights"):
        evaluation(mixgrpo, weights=mixgrpo.Weights.BASE)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="held_out"):
        evaluation(mixgrpo, watchdog=mixgrpo.Watchdog.WARN)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="held_out"):
        evaluation(mixgrpo, held_out=["nothing"])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="scores"):
        evaluation(mixgrpo).submit(0, np.zeros((2, 2, 3)))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="scores"):
        evaluation(mixgrpo).submit(0, {"bright": 0.0})


def train(mixgrpo, trainer, codec, **options):
    return mixgrpo.train(
        trainer, brightness, decode=codec.decode, iterations=6, prompts_per_iteration=2, progress=False, **options
    )


def test_training_evaluates_and_keeps_the_best(mixgrpo, make_trainer, codec, model, tmp_path):
    seen = []
    trainer = make_trainer(learning_rate=3e-3)
    history = train(
        mixgrpo, trainer, codec, evaluation=mixgrpo.TrainingEvaluation(
            every=2, keep_best=tmp_path / "best", on_evaluation=lambda result, means: seen.append((result, means))
        ),
    )  # fmt: skip
    assert len(history) == 6 and [result.iteration for result, _ in seen] == [0, 2, 4, 6]
    best = max(seen, key=lambda entry: entry[1]["brightness"])[0]
    assert best.best_iteration == best.iteration > 0
    if best.iteration == 6:
        assert np.array_equal(mixgrpo.Model.load(tmp_path / "best").weights.read(), model.weights.read())


def test_evaluation_changes_nothing_about_training(mixgrpo, make_trainer, codec, model):
    start = model.weights.read()
    train(mixgrpo, make_trainer(), codec)
    plain = model.weights.read()
    model.weights.write(start)
    train(mixgrpo, make_trainer(), codec, evaluation=mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}))
    assert np.array_equal(model.weights.read(), plain)


def test_training_evaluates_unless_it_is_asked_not_to(mixgrpo, make_trainer, codec, tmp_path):
    """At first, at the end and every tenth iteration; pictures of all of them stay in the folder of the run."""
    calls = []

    def reward(images, prompts):
        calls.append(len(images))
        return brightness(images, prompts)

    options = dict(decode=codec.decode, prompts_per_iteration=2, progress=False)
    mixgrpo.train(make_trainer(), reward, iterations=12, checkpoints=tmp_path, **options)
    assert calls == [3] + 10 * [8] + [3] + 2 * [8] + [3]
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [file.name for file in pictures] == ["000000.png", "000010.png", "000012.png"]
    assert len({file.read_bytes() for file in pictures}) == 3
    assert mixgrpo.Image.load(pictures[0]).pixels().shape == (4, 3 * 4 + 2 * 4, 3)
    calls.clear()
    mixgrpo.train(make_trainer(), reward, iterations=1, checkpoints=tmp_path / "none", evaluation=None, **options)
    assert calls == [8] and not (tmp_path / "none/pictures").exists()


def test_prompts_of_an_evaluation_are_spread_over_all(mixgrpo, make_trainer):
    from mixgrpo.training.evaluation import evaluation_of

    def rows(prompts):
        return evaluation_of(mixgrpo.TrainingEvaluation(prompts=prompts), trainer).prompts

    trainer = make_trainer()
    assert (rows(2), rows(3), rows(16), rows([2, 0])) == ([0, 1], [0, 1, 2], [0, 1, 2], [2, 0])
    assert evaluation_of(None, trainer) is None


def test_the_defaults_of_evaluations_are_those_of_the_command(mixgrpo):
    source = (ROOT / "Sources/MixCommand/Settings/EvaluationSettings.swift").read_text()
    usual = mixgrpo.TrainingEvaluation()
    assert "var record = mixgrpo_evaluation_config.standard" in source
    assert usual.every == mixgrpo.EvaluationConfig().every
    for name, value in (("prompts", usual.prompts), ("samplesPerPrompt", 1)):
        (found,) = re.findall(rf"var {name} = (\d+)", source)
        assert int(found) == value, name
    assert repr(usual) == "TrainingEvaluation()"
    assert repr(mixgrpo.TrainingEvaluation(every=3)) == "TrainingEvaluation(every=3)"


def test_a_trainer_that_cannot_be_evaluated_trains_unless_an_evaluation_is_wanted(mixgrpo):
    from mixgrpo.training.evaluation import USUAL_EVALUATION, evaluation_of

    assert evaluation_of(USUAL_EVALUATION, object()) is None
    with pytest.raises(mixgrpo.InvalidArgumentError, match="evaluation: expected None, as object has no sample"):
        evaluation_of(mixgrpo.TrainingEvaluation(), object())


def test_a_hacked_reward_warns_or_stops(mixgrpo, make_trainer, codec):
    stops = mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}, watchdog="stop")
    with warnings.catch_warnings():
        warnings.simplefilter("error", mixgrpo.HackedRewardWarning)
        stopped = train(mixgrpo, make_trainer(learning_rate=3e-3), codec, evaluation=stops)
    assert len(stopped) == 3  # patience 3: brightness rises, so darkness falls
    with pytest.warns(mixgrpo.HackedRewardWarning, match="held-out"):
        assert (
            len(
                train(
                    mixgrpo,
                    make_trainer(learning_rate=3e-3),
                    codec,
                    evaluation=dataclasses.replace(stops, watchdog="warn"),
                )
            )
            == 6
        )


def test_evaluation_settings_that_do_not_fit_are_refused(mixgrpo, make_trainer, codec):
    for wrong, message in (
        ({"every": 0}, "every: expected a whole number, 1…1000000, got 0"),
        ({"prompts": 0}, "prompts: expected a whole number, 1 or more, got 0"),
        ({"watchdog": "stop"}, "held_out: expected at least one reward"),
        (
            {"watchdog": "stopp", "held_out": {"dark": darkness}},
            "watchdog: expected one of off, warn, stop such as 'stop'",
        ),
        ({"held_out": darkness}, r"held_out: expected functions by name, got a function \(darkness\)"),
        ({"held_out": {"dark": 3}}, r"held_out\['dark'\]: expected a function of images and prompts, got 3"),
        ({"sampling": 20}, "sampling: expected a SampleConfig, got 20"),
        ({"on_evaluation": "log"}, "on_evaluation: expected a function"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=message):
            mixgrpo.TrainingEvaluation(**wrong)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="held_out: expected other names"):
        train(mixgrpo, make_trainer(), codec, evaluation=mixgrpo.TrainingEvaluation(held_out={"brightness": darkness}))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="evaluation: expected a TrainingEvaluation, got 10"):
        train(mixgrpo, make_trainer(), codec, evaluation=10)


def test_the_trained_model_draws_its_share_of_the_steps(mixgrpo, make_trainer, codec):
    trainer = make_trainer(keep_base=True, learning_rate=3e-3)
    settings = mixgrpo.SampleConfig(steps=4, samples_per_prompt=2, seed=5)
    base = trainer.sample([0, 1], settings)
    train(mixgrpo, trainer, codec)

    def drawn(trainer, share):
        return trainer.sample([0, 1], dataclasses.replace(settings, trained_model_share=share))

    assert np.array_equal(drawn(trainer, 0), base)
    assert not np.array_equal(drawn(trainer, 0.5), base)
    assert not np.array_equal(drawn(trainer, 0.5), trainer.sample([0, 1], settings))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="trained_model_share"):
        drawn(trainer, 2.0)
    with pytest.raises(mixgrpo.InvalidStateError, match="base"):
        drawn(make_trainer(), 0.5)
