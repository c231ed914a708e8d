"""The trainer and the training loop with Python rewards."""

import json
import math
import os
import signal

import numpy as np
import pytest
from small import brightness


def test_an_iteration_is_rollout_rewards_update(mixgrpo, make_trainer, score):
    trainer = make_trainer()
    before = trainer.evaluator.model.weights.read()
    samples = trainer.rollout([0, 2])
    assert samples.shape == (2, 4, 4, 12)
    metrics = trainer.update(score(samples))
    assert (metrics.iteration, trainer.iteration) == (0, 1)
    assert (metrics.first_ratio_min, metrics.first_ratio_max) == (1, 1)
    assert math.isclose(metrics.reward_mean, score(samples).mean(), rel_tol=1e-12)
    assert metrics == trainer.metrics()
    assert metrics.window_length == 2 and metrics.seconds_rollout > 0
    assert not np.array_equal(trainer.evaluator.model.weights.read(), before)


def test_an_unanswered_rollout_is_drawn_again_alike(make_trainer):
    trainer = make_trainer()
    out = np.empty((1, 4, 4, 12), np.float32)
    first = trainer.rollout([1]).copy()
    assert trainer.rollout([1], out=out) is out
    assert np.array_equal(first, out)


def test_rewards_have_names_and_weights(mixgrpo, make_trainer, score):
    trainer = make_trainer(rewards=("bright", "dark"))
    bright = score(trainer.rollout([0, 1]))
    metrics = trainer.update({"dark": 1 - bright, "bright": bright}, weights={"bright": 3.0, "dark": 1.0})
    assert math.isclose(metrics.reward_mean, (3 * bright.mean() + 1 - bright.mean()) / 4, rel_tol=1e-9)
    by_name = trainer.reward_metrics()
    assert list(by_name) == ["bright", "dark"]
    assert math.isclose(by_name["dark"].mean, 1 - bright.mean(), rel_tol=1e-9)
    assert by_name["bright"].name == "bright" and by_name["bright"].failed == 0


def test_samples_with_failed_rewards_are_excluded_and_counted(make_trainer, score):
    trainer = make_trainer()
    rewards = score(trainer.rollout([0, 1]))
    rewards[1, 2] = np.nan
    metrics = trainer.update(rewards)
    assert metrics.failed_rewards == trainer.reward_metrics()["brightness"].failed == 1
    assert math.isclose(metrics.reward_mean, np.nanmean(rewards), rel_tol=1e-9)


def test_wrong_rewards_are_refused_and_may_be_repeated(mixgrpo, make_trainer, score):
    trainer = make_trainer()
    with pytest.raises(mixgrpo.InvalidStateError):
        trainer.metrics()
    with pytest.raises(mixgrpo.InvalidStateError):
        trainer.update(np.zeros((1, 2, 4)))
    rewards = score(trainer.rollout([0, 1]))
    for wrong in (rewards.T, rewards[:1], {"sharpness": rewards}):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="rewards: expected"):
            trainer.update(wrong)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="weights"):
        trainer.update(rewards, weights=[1, 2])
    assert trainer.update(rewards).iteration == 0


def test_what_a_trainer_is_made_of_is_checked(mixgrpo, evaluator, prompts, sampling):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="updates_per_iteration"):
        mixgrpo.Trainer(evaluator, prompts, sampling, mixgrpo.LearningConfig(updates_per_iteration=5))
    for names in ((), ("a", "a"), ("",)):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="reward"):
            mixgrpo.Trainer(evaluator, prompts, sampling, rewards=names)
    other = mixgrpo.Prompts.hashed_words(["x"], text_length=4, text_width=7, pooled_width=5)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.Trainer(evaluator, other, sampling).rollout([0])


def test_train_increases_its_reward(mixgrpo, make_trainer, codec):
    trainer = make_trainer(updates_per_iteration=1, learning_rate=3e-3)
    history = mixgrpo.train(
        trainer, brightness, decode=codec.decode, iterations=12, prompts_per_iteration=3, progress=False
    )
    assert [metrics.iteration for metrics in history] == list(range(12))
    rewards = [metrics.reward_mean for metrics in history]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.005


def test_rewards_see_images_with_their_prompts(mixgrpo, make_trainer, codec):
    trainer, seen = make_trainer(), []

    def reward(images, prompts):
        seen.append((images.shape, images.dtype, list(prompts)))
        return brightness(images, prompts)

    mixgrpo.train(
        trainer, {"brightness": reward}, decode=codec.decode, iterations=2, prompts_per_iteration=2, evaluation=None
    )
    lines = trainer.prompts.lines
    assert [prompts for *_, prompts in seen] == [[lines[0]] * 4 + [lines[1]] * 4, [lines[2]] * 4 + [lines[0]] * 4]
    assert {(shape, dtype) for shape, dtype, _ in seen} == {((8, 4, 4, 3), np.dtype(np.uint8))}


def test_an_exception_in_a_reward_comes_out_and_training_can_go_on(mixgrpo, make_trainer, codec):
    trainer, calls = make_trainer(), []

    def reward(images, prompts):
        calls.append(1)
        if len(calls) == 2:
            raise ConnectionError("no scores today")
        return brightness(images, prompts)

    options = dict(decode=codec.decode, iterations=3, prompts_per_iteration=2, evaluation=None, progress=False)
    with pytest.raises(ConnectionError, match="no scores today"):
        mixgrpo.train(trainer, reward, **options)
    assert trainer.iteration == 1
    assert [metrics.iteration for metrics in mixgrpo.train(trainer, reward, **options)] == [1, 2, 3]


def test_what_a_reward_returns_is_checked(mixgrpo, make_trainer, codec):
    trainer = make_trainer()
    options = dict(decode=codec.decode, iterations=1, prompts_per_iteration=2, evaluation=None, progress=False)
    with pytest.raises(
        mixgrpo.InvalidArgumentError,
        match=r"reward brightness: expected shape \(8,\) \(one number for each image\), got \(2,\)",
    ):
        mixgrpo.train(trainer, lambda images, prompts: [1.0, 2.0], **options)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="brightness: expected real numbers"):
        mixgrpo.train(trainer, lambda images, prompts: ["good"] * 8, **options)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="rewards: expected"):
        mixgrpo.train(trainer, {"other": brightness}, **options)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="prompts_per_iteration: expected a whole number, 1 or more"):
        mixgrpo.train(trainer, brightness, **{**options, "prompts_per_iteration": 0})


def test_prompts_and_stops_are_the_host_s(mixgrpo, make_trainer, codec):
    trainer, chosen = make_trainer(), []

    def choose(iteration):
        chosen.append(iteration)
        return [2 - iteration]

    def stop(metrics):
        if metrics.iteration == 1:
            raise StopIteration

    with pytest.raises(StopIteration):
        mixgrpo.train(
            trainer, brightness, decode=codec.decode, iterations=9, choose=choose, on_iteration=stop, progress=False
        )
    assert chosen == [0, 1] and trainer.iteration == 2


def test_ctrl_c_in_an_update_leaves_everything_as_before(mixgrpo, context, make_trainer, score):
    trainer = make_trainer()
    rewards = score(trainer.rollout([0, 1]))
    before = trainer.evaluator.model.weights.read()
    sent = []
    context.progress = lambda report: sent or (sent.append(report.stage), os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        trainer.update(rewards)
    assert sent == [mixgrpo.Stage.UPDATE]
    assert trainer.iteration == 0
    assert np.array_equal(trainer.evaluator.model.weights.read(), before)
    context.progress = None
    assert trainer.update(rewards).iteration == 0


def test_a_saved_run_continues_bit_for_bit(mixgrpo, make_trainer, codec, tmp_path):
    options = dict(decode=codec.decode, prompts_per_iteration=2, progress=False)
    trainer = make_trainer(ema_decay=0.9)
    start = trainer.evaluator.model.weights.read()
    mixgrpo.train(trainer, brightness, iterations=2, **options)
    trainer.save(tmp_path / "half")
    mixgrpo.train(trainer, brightness, iterations=2, **options)
    whole = trainer.evaluator.model.weights.read()

    trainer.evaluator.model.weights.write(start)
    again = make_trainer(ema_decay=0.9)
    again.restore(tmp_path / "half")
    assert again.iteration == 2
    mixgrpo.train(again, brightness, iterations=2, **options)
    assert np.array_equal(again.evaluator.model.weights.read(), whole)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="learning_rate: expected"):
        make_trainer(ema_decay=0.9, learning_rate=0.5).restore(tmp_path / "half")
    with pytest.raises(mixgrpo.InputOutputError):
        again.restore(tmp_path / "nowhere")


def test_a_run_resumes_from_the_newest_complete_checkpoint(mixgrpo, context, make_trainer, score, tmp_path):
    trainer, warnings = make_trainer(), []
    folder = tmp_path / "checkpoints"
    assert trainer.resume(folder) is None
    weights = []
    for _ in range(4):
        trainer.checkpoint(folder, keep_last=2, keep_every=3)
        weights.append(trainer.evaluator.model.weights.read())
        trainer.update(score(trainer.rollout([0, 1])))
    assert [path.name for path in sorted(folder.iterdir())] == [f"iteration-{i:08}.safetensors" for i in (0, 2, 3)]
    newest = folder / "iteration-00000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    context.log = lambda level, message: warnings.append(message)
    again = make_trainer()
    assert again.resume(folder) == mixgrpo.Resumption(iteration=2, skipped=1)
    context.log = None
    assert again.iteration == 2 and np.array_equal(again.evaluator.model.weights.read(), weights[2])
    assert len(warnings) == 1 and newest.name in warnings[0]
    with pytest.raises(mixgrpo.InvalidArgumentError, match="learning_rate: expected"):
        make_trainer(learning_rate=0.5).resume(folder)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="keep_last"):
        again.checkpoint(folder, keep_last=0)
    with pytest.raises(mixgrpo.InvalidStateError):
        make_trainer().checkpoint(folder)
    for path in folder.iterdir():
        path.write_bytes(b"torn")
    with pytest.raises(mixgrpo.InvalidFormatError):
        again.resume(folder)


def test_a_learning_rate_far_too_large_ends_in_a_clear_stop(mixgrpo, make_trainer, codec, tmp_path):
    trainer = make_trainer(learning_rate=3.0)
    before = trainer.evaluator.model.weights.read()
    options = dict(decode=codec.decode, prompts_per_iteration=2, progress=False)
    with pytest.raises(mixgrpo.DivergedError, match="max_velocity_change"):
        mixgrpo.train(trainer, brightness, iterations=3, **options)
    assert np.array_equal(trainer.evaluator.model.weights.read(), before)
    trainer.save_model(tmp_path / "last_good")
    assert np.isfinite(mixgrpo.Model.load(tmp_path / "last_good").weights.read()).all()
    patient = make_trainer(learning_rate=3.0, fault_policy=mixgrpo.FaultPolicy.ROLL_BACK, roll_back_rate_factor=0.001)
    first, *_, last = mixgrpo.train(patient, brightness, iterations=3, **options)
    assert first.rolled_back and not last.rolled_back and last.learning_rate < 0.01


def test_three_sets_of_weights_are_sampled_and_saved(mixgrpo, make_trainer, codec, tmp_path):
    trainer = make_trainer(keep_base=True, ema_decay=0.5)
    settings = mixgrpo.SampleConfig(steps=4, seed=3)
    before = trainer.sample([0, 1], settings)
    mixgrpo.train(trainer, brightness, decode=codec.decode, iterations=3, prompts_per_iteration=2, progress=False)
    samples = {weights: trainer.sample([0, 1], settings, weights=weights) for weights in mixgrpo.Weights}
    assert np.array_equal(samples[mixgrpo.Weights.BASE], before)
    assert len({values.tobytes() for values in samples.values()}) == 3
    assert np.array_equal(samples[mixgrpo.Weights.TRAINED], trainer.evaluator.sample(trainer.prompts, [0, 1], settings))
    trainer.save_model(tmp_path / "base", mixgrpo.Weights.BASE)
    model = mixgrpo.Model.load(tmp_path / "base")
    evaluator = mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4)
    assert np.array_equal(evaluator.sample(trainer.prompts, [0, 1], settings), before)
    with pytest.raises(mixgrpo.InvalidStateError):
        make_trainer().sample([0], settings, weights=mixgrpo.Weights.AVERAGE)


def test_metrics_are_json_lines(mixgrpo, make_trainer, score, tmp_path):
    trainer = make_trainer()
    for _ in range(2):
        metrics = trainer.update(score(trainer.rollout([0])))
        trainer.append_metrics(tmp_path / "metrics.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [0, 1]
    assert json.loads(trainer.metrics_json()) == lines[1]
    assert math.isclose(lines[1]["reward_mean"], metrics.reward_mean, rel_tol=1e-12)


def test_the_host_moves_the_window(mixgrpo, make_trainer, score):
    trainer = make_trainer()
    trainer.set_window(3)
    assert trainer.update(score(trainer.rollout([0]))).window_start == 3
    trainer.set_window()
    assert trainer.update(score(trainer.rollout([0]))).window_start == 0
    with pytest.raises(mixgrpo.InvalidArgumentError, match="window_start"):
        trainer.set_window(4)


def test_objects_may_be_closed_in_any_order(mixgrpo, make_trainer, model, evaluator, prompts, plan, score):
    trainer = make_trainer()
    for part in (model, evaluator, prompts, plan):
        part.close()
    assert trainer.update(score(trainer.rollout([0]))).iteration == 0


def test_without_undo_a_cancelled_update_keeps_its_steps_and_goes_on(mixgrpo, make_trainer, context):
    trainer = make_trainer(undo=mixgrpo.Undo.NONE, max_velocity_change=0)
    trainer.rollout([0])
    rewards = [[1.0, 2.0, 3.0, 5.0]]

    def cancel_late(progress):
        if 2 * progress.done > progress.total:
            context.cancel()

    context.progress = cancel_late
    with pytest.raises(mixgrpo.CancelledError, match="1 of 2 optimizer steps are done and stay"):
        trainer.update(rewards)
    context.progress = None
    context.reset_cancel()
    assert trainer.iteration == 0
    assert trainer.update(rewards).iteration == 0
    assert trainer.iteration == 1
