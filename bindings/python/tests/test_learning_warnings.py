"""When nothing is learned `train` says why, once for each reason."""

import json
import warnings

import numpy as np
import pytest


class Judged:
    """A trainer whose iterations find fault with themselves."""

    reward_names, lines, iteration = ("reward",), ["a circle"], 0

    def __init__(self, mixgrpo, found):
        self._mixgrpo, self._found = mixgrpo, found

    def rollout(self, prompt_indices):
        return np.zeros((len(prompt_indices), 2, 3), np.float32)

    def update(self, rewards, *, weights=None):
        self.iteration += 1
        fields = self._mixgrpo.Metrics.__dataclass_fields__
        return self._mixgrpo.Metrics(**{name: 0 for name in fields} | {"iteration": self.iteration - 1})

    def metrics_json(self):
        return json.dumps({"iteration": self.iteration - 1, "warnings": self._found[self.iteration - 1]})


def train(mixgrpo, trainer, iterations, **options):
    return mixgrpo.train(
        trainer, lambda images, prompts: [0.0] * len(images), decode=lambda samples: samples, iterations=iterations,
        progress=False, **options,
    )  # fmt: skip


def test_each_reason_is_given_once(mixgrpo):
    rate, constant = {"learning_rate_zero": "the learning rate was 0"}, {"rewards_constant": "reward was 0.5 for all"}
    trainer = Judged(mixgrpo, [rate, rate | constant, rate | constant])
    with pytest.warns(mixgrpo.LearningWarning) as caught:
        train(mixgrpo, trainer, 3)
    assert [str(warning.message) for warning in caught] == [
        "iteration 0: the learning rate was 0",
        "iteration 1: reward was 0.5 for all",
    ]
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    ("reward", "learning", "expected"),
    [
        (lambda images, prompts: [0.5] * len(images), {}, r"reward brightness was 0\.5 for all samples, so nothing"),
        (lambda images, prompts: [np.nan] * len(images), {}, "reward brightness was NaN or infinite for all 8 samples"),
        (lambda images, prompts: range(len(images)), {"learning_rate": 0}, "the learning rate was 0, so the model did not"),
    ],
    ids=["constant", "failed", "rate"],
)  # fmt: skip
def test_the_library_says_why_nothing_is_learned(mixgrpo, make_trainer, codec, reward, learning, expected):
    options = dict(decode=codec.decode, iterations=2, prompts_per_iteration=2, progress=False)
    with pytest.warns(mixgrpo.LearningWarning, match=rf"^iteration 0: {expected}.*\(docs/.*\.md") as caught:
        mixgrpo.train(make_trainer(**learning), reward, **options)
    assert len(caught) == 1


def test_a_warning_that_is_an_error_loses_no_finished_iteration(mixgrpo, tmp_path):
    trainer = Judged(mixgrpo, [{"gradient_zero": "the gradient was 0"}])
    saved = []
    trainer.checkpoint = lambda folder, *, keep_last: saved.append(trainer.iteration)
    trainer.resume = lambda folder: None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(mixgrpo.LearningWarning, match="iteration 0: the gradient was 0"):
            train(mixgrpo, trainer, 1, checkpoints=tmp_path)
    assert saved == [1]


def test_a_trainer_that_does_not_judge_gives_no_warning(mixgrpo):
    class Silent(Judged):
        metrics_json = None

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(mixgrpo, Silent(mixgrpo, []), 1)
