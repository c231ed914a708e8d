"""`mixgrpo.train` over a PyTorch model: evaluations, and going on from checkpoints."""

import dataclasses
import resource

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
from small import StoppedError, brightness, darkness, stopping_at
from torch_fixtures import LINES, SHAPE, SmallFlow, torch, weights_of


def decode(samples):
    return np.clip(128 + 60 * samples[:, :, :3], 0, 255).astype(np.uint8)[:, None]


@pytest.fixture
def make(mixgrpo, plan):
    def make(learning=None, width=16, dtype=torch.float32):
        module = SmallFlow(width=width).to(dtype)
        policy = mixtorch.TorchPolicy(module, SHAPE)
        optimizer = torch.optim.AdamW(module.parameters(), lr=3e-2)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=30)
        scaler = torch.amp.GradScaler("cpu")
        learning = learning or mixgrpo.LearningConfig(clip_range=0.05, max_velocity_change=0)
        trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, plan, learning, scheduler=scheduler, scaler=scaler)
        trainer.module = module
        return trainer

    return make


def train(mixgrpo, trainer, iterations=6, **options):
    history = mixgrpo.train(
        trainer, brightness, decode=decode, iterations=iterations, prompts_per_iteration=2, progress=False, **options
    )
    return [metrics.iteration for metrics in history]


def test_evaluations_sample_with_the_policy_and_change_nothing(mixgrpo, make):
    plain, evaluated, seen = make(), make(), []
    train(mixgrpo, plain)
    sampling = mixgrpo.SampleConfig(steps=3, samples_per_prompt=2, seed=5)
    train(
        mixgrpo,
        evaluated,
        evaluation=mixgrpo.TrainingEvaluation(
            every=2,
            prompts=[0, 2],
            held_out={"dark": darkness},
            sampling=sampling,
            on_evaluation=lambda result, means: seen.append((result, means)),
        ),
    )
    assert torch.equal(weights_of(plain.module), weights_of(evaluated.module))
    assert [result.iteration for result, _ in seen] == [0, 2, 4, 6]
    images = decode(mixtorch.sample(evaluated.policy, [0, 2], sampling).reshape(4, *SHAPE))
    assert abs(seen[-1][1]["reward"] - brightness(images, None).mean()) <= 1e-12
    assert seen[-1][1]["reward"] > seen[0][1]["reward"] and seen[-1][0].score < seen[0][0].score


def test_the_host_keeps_its_best_model_itself(mixgrpo, make):
    trainer, kept, scores = make(), [], []
    train(
        mixgrpo,
        trainer,
        evaluation=mixgrpo.TrainingEvaluation(
            every=1,
            keep_best=lambda: kept.append(weights_of(trainer.module)),
            on_evaluation=lambda result, means: scores.append((result.is_best, result.best_iteration)),
        ),
    )
    assert len(kept) == sum(is_best for is_best, _ in scores) > 1
    if scores[-1][0]:
        assert torch.equal(kept[-1], weights_of(trainer.module))
    with pytest.raises(mixgrpo.InvalidArgumentError, match="keep_best: expected a function"):
        train(mixgrpo, trainer, evaluation=mixgrpo.TrainingEvaluation(every=1, keep_best="best"))


def test_the_watchdog_stops_a_pytorch_run(mixgrpo, make):
    stops = mixgrpo.TrainingEvaluation(every=1, held_out={"dark": darkness}, watchdog="stop")
    assert len(train(mixgrpo, make(), 8, evaluation=stops)) == 3
    with pytest.warns(mixgrpo.HackedRewardWarning, match="held-out"):
        assert len(train(mixgrpo, make(), 4, evaluation=dataclasses.replace(stops, watchdog="warn"))) == 4


def test_a_trainer_that_cannot_sample_is_refused(mixgrpo, make, tmp_path):
    class Bare:
        reward_names, lines, iteration = ("reward",), LINES, 0

        def rollout(self, prompt_indices):
            raise NotImplementedError

        update = rollout

    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"evaluation: expected None, as Bare has no sample"):
        train(mixgrpo, Bare(), evaluation=mixgrpo.TrainingEvaluation())
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"checkpoints: expected None, as Bare has no checkpoint"):
        train(mixgrpo, Bare(), checkpoints=tmp_path)


class Momentum:
    """What torch.load(weights_only=True) refuses."""


def test_a_state_that_could_not_be_read_again_is_refused_when_it_is_saved(mixgrpo, make, tmp_path):
    trainer = make()
    trainer.checkpoint(tmp_path)
    before = [path.read_bytes() for path in tmp_path.iterdir()]
    trainer.scheduler.momentum = Momentum()
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"LinearLR: expected a state of tensors, numbers and texts"):
        trainer.checkpoint(tmp_path)
    trainer.scheduler.momentum = lambda: 0
    with pytest.raises(mixgrpo.InvalidArgumentError, match="LinearLR"):
        trainer.checkpoint(tmp_path)
    del trainer.scheduler.momentum
    weight = next(trainer.module.parameters())
    trainer.optimizer.state[weight] = {"momentum": torch.zeros(2), "parts": [Momentum()]}
    with pytest.raises(mixgrpo.InvalidArgumentError, match="AdamW: expected a state of tensors"):
        trainer.checkpoint(tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == before


@pytest.mark.parametrize("stop", [0, 3])
def test_a_stopped_run_continues_to_the_same_bits(mixgrpo, make, tmp_path, stop):
    whole, expected, seen = make(), [], []

    def evaluation(receiver):
        return mixgrpo.TrainingEvaluation(
            every=2, held_out={"dark": darkness}, on_evaluation=lambda *figures: receiver.append(figures)
        )

    train(mixgrpo, whole, evaluation=evaluation(expected))
    options = dict(checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, keep_last=2), evaluation=evaluation(seen))
    with pytest.raises(StoppedError):
        train(mixgrpo, make(), on_iteration=stopping_at(stop), **options)
    again = make()
    assert train(mixgrpo, again, **options) == list(range(stop + 1, 6))
    assert torch.equal(weights_of(again.module), weights_of(whole.module)) and seen == expected
    assert again.scheduler.state_dict() == whole.scheduler.state_dict()
    assert again.state_dict() == whole.state_dict()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "evaluation-00000006", "iteration-00000005.pt", "iteration-00000006.pt", "pictures",
    ]  # fmt: skip


def test_damage_anywhere_in_a_checkpoint_is_found(mixgrpo, make, tmp_path):
    train(mixgrpo, make(), 3, checkpoints=mixgrpo.TrainingCheckpoints(tmp_path, keep_last=2))
    newest, older = tmp_path / "iteration-00000003.pt", tmp_path / "iteration-00000002.pt"
    whole = newest.read_bytes()
    weights = whole.index(weights_of_bytes(make, tmp_path))
    for damaged in (b"", whole[:-9], whole[: len(whole) // 2], whole[:weights] + b"\x55" + whole[weights + 1 :]):
        newest.write_bytes(damaged)
        trainer = make()
        assert trainer.resume(tmp_path) == mixgrpo.Resumption(iteration=2, skipped=1)
    trainer.checkpoint(tmp_path)  # a torn one of a later iteration is in nobody's way
    assert not newest.exists()
    older.write_bytes(b"torn")
    with pytest.raises(
        mixgrpo.InvalidFormatError, match=r"expected a complete checkpoint, got none: iteration-00000002\.pt"
    ):
        make().resume(tmp_path)


def weights_of_bytes(make, folder):
    """The first saved weight's bytes, as they stand in the newest file."""
    trainer = make()
    trainer.resume(folder)
    return next(trainer.module.parameters()).detach().numpy().tobytes()


def test_other_runs_are_refused_with_everything_as_before(mixgrpo, make, tmp_path):
    assert make().resume(tmp_path / "nothing") is None
    train(mixgrpo, make(), 2, checkpoints=tmp_path)
    for other, message in (
        (
            make(learning=mixgrpo.LearningConfig(clip_range=0.1, max_velocity_change=0)),
            "clip_range: expected 0.05, as saved, got 0.1",
        ),
        (make(width=8), r"optimizer: expected weight 0 to be \(12, 8\) in .*, got \(12, 16\) in "),
        (make(dtype=torch.float64), "in torch.float64, as here, got .* in torch.float32"),
    ):
        before = weights_of(other.module)
        with pytest.raises(mixgrpo.InvalidArgumentError, match=message):
            other.resume(tmp_path)
        assert torch.equal(weights_of(other.module), before) and other.iteration == 0
    with pytest.raises(mixgrpo.InvalidStateError, match="one of iteration 2"):
        make().checkpoint(tmp_path)
    for other in ({"something": "else"}, {"weights": [], "states": None, "trainer": {}}):
        torch.save(other, tmp_path / "iteration-00000009.pt")
        with pytest.raises(mixgrpo.InvalidFormatError, match="checkpoint: expected a trainer's"):
            make().resume(tmp_path)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="keep_last"):
        make().checkpoint(tmp_path / "new", keep_last=0)


def test_a_folder_that_cannot_be_looked_at_is_an_error(mixgrpo, make, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(mixgrpo.InputOutputError, match="loop"):
        make().resume(loop)


def test_a_full_disk_leaves_the_last_checkpoint(mixgrpo, make, tmp_path):
    trainer = make()
    train(mixgrpo, trainer, 2, checkpoints=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    trainer.update(np.random.default_rng(0).random((1, *trainer.rollout([0]).shape[:2]))[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(mixgrpo.InputOutputError):
            trainer.checkpoint(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert make().resume(tmp_path).iteration == 2
