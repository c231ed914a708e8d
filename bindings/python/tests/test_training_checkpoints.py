"""`mixgrpo.train` with a folder of checkpoints: what was stopped goes on to the same bits."""

import dataclasses

import numpy as np
import pytest
from small import StoppedError, brightness, darkness, stopping_at


@pytest.fixture
def start(mixgrpo, model, make_trainer, codec):
    """Runs six iterations from the same weights each time, as a program that is started again would."""
    weights = model.weights.read()

    def run(iterations=6, reward=brightness, **options):
        model.weights.write(weights)
        trainer = make_trainer(learning_rate=3e-3, **options.pop("learning", {}))
        options = dict(decode=codec.decode, prompts_per_iteration=2, progress=False) | options
        history = mixgrpo.train(trainer, reward, iterations=iterations, **options)
        return [metrics.iteration for metrics in history], model.weights.read()

    return run


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_stopped_run_continues_to_the_same_bits(mixgrpo, start, tmp_path):
    _, expected = start()
    for stop in (1, 3):
        with pytest.raises(StoppedError):
            start(checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, every=2), on_iteration=stopping_at(stop))
    iterations, weights = start(checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, every=2))
    assert iterations == [4, 5] and np.array_equal(weights, expected)
    again, weights = start(checkpoints=tmp_path)
    assert again == [] and np.array_equal(weights, expected)
    assert start(8, checkpoints=tmp_path)[0] == [6, 7]


def test_a_reward_that_raises_loses_no_finished_iteration(start, tmp_path):
    calls = []

    def failing(images, prompts):
        calls.append(1)
        if len(calls) == 4:
            raise StoppedError
        return brightness(images, prompts)

    _, expected = start()
    with pytest.raises(StoppedError):
        start(reward=failing, checkpoints=tmp_path, evaluation=None)
    iterations, weights = start(checkpoints=tmp_path, score_workers=2)
    assert iterations == [3, 4, 5] and np.array_equal(weights, expected)


def test_the_newest_stay(mixgrpo, start, tmp_path):
    start(5, checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, keep_last=2))
    assert files(tmp_path)[1:3] == ["iteration-00000004.safetensors", "iteration-00000005.safetensors"]
    assert [files(tmp_path)[0], *files(tmp_path)[3:]] == ["evaluation-00000005", "pictures"]


def test_an_incomplete_checkpoint_is_skipped(start, tmp_path):
    _, expected = start()
    start(4, checkpoints=tmp_path)
    newest = tmp_path / "iteration-00000004.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    iterations, weights = start(checkpoints=tmp_path)
    assert iterations == [3, 4, 5] and np.array_equal(weights, expected)


@pytest.mark.parametrize("stop", [0, 2, 3])
def test_evaluations_go_on_too(mixgrpo, start, tmp_path, stop):
    """The best model, its score and the watchdog's verdict are those of a run without a stop."""

    def run(folder, **options):
        start(
            checkpoints=folder,
            evaluation=mixgrpo.TrainingEvaluation(
                every=1,
                held_out={"dark": darkness},
                keep_best=folder / "best",
                on_evaluation=lambda result, means: seen.append((result, means["dark"])),
            ),
            **options,
        )

    seen = []
    run(tmp_path / "whole")
    expected, seen = seen, []
    with pytest.raises(StoppedError):
        run(tmp_path / "parts", on_iteration=stopping_at(stop))
    run(tmp_path / "parts")
    assert seen == expected
    best = [mixgrpo.Model.load(tmp_path / name / "best").weights.read() for name in ("whole", "parts")]
    assert np.array_equal(*best)
    run(tmp_path / "parts")
    assert seen == expected and len([name for name in files(tmp_path / "parts") if name.startswith("evaluation")]) == 1


def test_the_watchdog_remembers(mixgrpo, start, tmp_path):
    options = dict(evaluation=mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}, watchdog="stop"))
    whole, _ = start(**options)
    with pytest.raises(StoppedError):
        start(checkpoints=tmp_path, on_iteration=stopping_at(1), **options)
    rest, _ = start(checkpoints=tmp_path, **options)
    assert [0, 1, *rest] == whole and len(whole) < 6


@pytest.mark.parametrize("resume", [True, False])
def test_the_watchdog_stops_a_resumed_run_where_it_stopped_it(mixgrpo, start, tmp_path, resume):
    """All that led to the verdict is saved, also between two checkpoints; then nothing is left to do."""
    watched = mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}, watchdog="stop")
    stopped, weights = start(
        evaluation=watched, checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, every=2, resume=resume)
    )
    assert stopped == [0, 1, 2] and files(tmp_path)[0] == "evaluation-00000003"
    options = dict(checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, every=2))
    again, after = start(evaluation=watched, **options)
    assert again == [] and np.array_equal(after, weights)
    with pytest.warns(mixgrpo.HackedRewardWarning):
        assert start(evaluation=dataclasses.replace(watched, watchdog="warn"), **options)[0] == [3, 4, 5]


def test_the_verdict_is_kept_when_the_checkpoint_after_it_was_not_written(mixgrpo, start, tmp_path):
    options = dict(evaluation=mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}, watchdog="stop"))
    start(checkpoints=tmp_path, **options)
    (tmp_path / "iteration-00000003.safetensors").unlink()
    assert start(checkpoints=tmp_path, **options)[0] == [2]


def test_a_damaged_evaluation_is_told(mixgrpo, start, tmp_path):
    options = dict(checkpoints=tmp_path, evaluation=mixgrpo.TrainingEvaluation(every=1))
    start(2, **options)
    (tmp_path / "evaluation-00000002" / "evaluation.safetensors").write_bytes(b"torn")
    with pytest.warns(RuntimeWarning, match=r"damaged evaluation: .*evaluation-00000002: .*expected") as warned:
        assert start(3, **options)[0] == [2]
    assert warned[0].filename == __file__.replace(".pyc", ".py")


def test_damaged_evaluations_and_their_best_model_are_kept(mixgrpo, start, tmp_path):
    options = dict(checkpoints=tmp_path, evaluation=mixgrpo.TrainingEvaluation(every=1, keep_best=tmp_path / "best"))
    start(2, **options)
    state = tmp_path / "evaluation-00000002" / "evaluation.safetensors"
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    best = contents(tmp_path / "best")
    with pytest.warns(RuntimeWarning, match="kept the best model so far: .*best-until-000002"):
        start(3, **options)
    assert (tmp_path / "evaluation-00000002-damaged" / state.name).read_bytes() == data
    kept = contents(tmp_path / "best-until-000002")
    assert {path.name: data for path, data in kept.items()} == {path.name: data for path, data in best.items()}


def test_an_evaluation_that_cannot_be_read_is_an_error_and_stays(mixgrpo, start, tmp_path):
    options = dict(checkpoints=tmp_path, evaluation=mixgrpo.TrainingEvaluation(every=1))
    start(2, **options)
    state = tmp_path / "evaluation-00000002" / "evaluation.safetensors"
    state.rename(tmp_path / "moved")
    state.symlink_to(state)
    with pytest.raises(mixgrpo.InputOutputError, match="symbolic links"):
        start(3, **options)
    assert state.is_symlink() and (tmp_path / "iteration-00000002.safetensors").exists()


def test_a_folder_that_cannot_be_looked_at_is_an_error(mixgrpo, start, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(mixgrpo.InputOutputError, match="loop"):
        start(1, checkpoints=loop)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_another_run_is_refused(mixgrpo, start, make_trainer, codec, tmp_path):
    evaluating = dict(evaluation=mixgrpo.TrainingEvaluation(every=1, keep_best=tmp_path / "best"), checkpoints=tmp_path)
    anew = evaluating | dict(checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, resume=False))
    start(3, **evaluating)
    before = contents(tmp_path)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="clip_range"):
        start(learning={"clip_range": 0.1}, **evaluating)
    with pytest.raises(mixgrpo.InvalidStateError, match="no checkpoint after iteration 0"):
        start(**anew)
    trainer, options = make_trainer(), dict(decode=codec.decode, progress=False)
    mixgrpo.train(trainer, brightness, iterations=1, **options)
    with pytest.raises(mixgrpo.InvalidStateError, match="no checkpoint after iteration 1"):
        mixgrpo.train(trainer, brightness, iterations=1, **evaluating, **options)
    assert contents(tmp_path) == before
    for path in tmp_path.glob("iteration-*"):
        path.write_bytes(b"torn")
    with pytest.raises(mixgrpo.InvalidFormatError, match="none"):
        start(**evaluating)
    assert start(1, **anew)[0] == [0]  # what nobody can go on from is in nobody's way
    assert files(tmp_path)[1:] == [
        "evaluation-00000001",
        "iteration-00000000.safetensors",
        "iteration-00000001.safetensors",
        "pictures",
    ]


def test_a_checkpoint_that_fails_leaves_the_evaluations_of_the_one_before(
    mixgrpo, start, make_trainer, codec, tmp_path
):
    start(2, checkpoints=tmp_path, evaluation=mixgrpo.TrainingEvaluation(every=1))
    before = contents(tmp_path / "evaluation-00000002")

    class Full(mixgrpo.Trainer):
        def checkpoint(self, folder, *, keep_last=3, keep_every=0):
            raise mixgrpo.InputOutputError("no room")

    trainer = make_trainer(learning_rate=3e-3)
    trainer.__class__ = Full
    with pytest.raises(mixgrpo.InputOutputError):
        mixgrpo.train(
            trainer, brightness, decode=codec.decode, iterations=4, prompts_per_iteration=2, progress=False,
            checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, every=2), evaluation=mixgrpo.TrainingEvaluation(every=1),
        )  # fmt: skip
    assert contents(tmp_path / "evaluation-00000002") == before


def test_a_trainer_that_has_trained_goes_on_from_its_memory(mixgrpo, make_trainer, codec, tmp_path):
    trainer = make_trainer()
    options = dict(decode=codec.decode, iterations=2, progress=False, checkpoints=tmp_path)
    mixgrpo.train(trainer, brightness, **options)
    assert [metrics.iteration for metrics in mixgrpo.train(trainer, brightness, **options)] == [2, 3]


def test_unfit_settings_are_refused(mixgrpo, start, tmp_path):
    for wrong, message in (
        (dict(folder=3), "folder: expected a path, got 3"),
        (dict(folder=tmp_path, every=0), "every: expected a whole number, 1 or more, got 0"),
        (dict(folder=tmp_path, keep_last=0), "keep_last: expected a whole number, 1…1000000, got 0"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=message):
            mixgrpo.TrainingCheckpoints(**wrong)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="checkpoints: expected a path, got True"):
        start(checkpoints=True)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(mixgrpo.InputOutputError):
        start(checkpoints=tmp_path / "file")
