"""Arguments of the wrong kind are errors that name the argument; choices may be names."""

import copy
import dataclasses
import inspect
import pickle
import pydoc
import threading

import numpy as np
import pytest
from small import brightness


def chosen_of_one(index):
    """What `train` makes of an index that `choose` gives when there is one prompt."""
    from mixgrpo.training.train import _checked_choice

    return _checked_choice(lambda iteration: [index], 1)(0)


@pytest.fixture
def refused(mixgrpo):
    """Calls and compares the whole message of the error."""

    def check(message, function, *arguments, **keywords):
        with pytest.raises(mixgrpo.InvalidArgumentError) as caught:
            function(*arguments, **keywords)
        assert str(caught.value) == message

    return check


def test_objects_of_another_kind_are_named(mixgrpo, refused, model, evaluator, prompts, plan, make_trainer):
    trainer = make_trainer()
    model_wanted = "model: expected a Model, such as mixgrpo.Model.load(folder), got"
    refused(f"{model_wanted} 'examples/base'", mixgrpo.Evaluator, "examples/base")
    refused(f"{model_wanted} the class Model itself", mixgrpo.Evaluator, mixgrpo.Model)
    evaluator_wanted = "evaluator: expected an Evaluator, such as mixgrpo.Evaluator(model, …), got"
    refused(f"{evaluator_wanted} a Model", mixgrpo.Trainer, model, prompts)
    prompts_wanted = "prompts: expected Prompts, such as mixgrpo.Prompts.hashed_words(lines, …), got"
    refused(f"{prompts_wanted} a list", mixgrpo.Trainer, evaluator, ["a red circle"])
    refused("plan: expected a Plan or a SamplingConfig, got a dict", mixgrpo.Trainer, evaluator, prompts, {"steps": 3})
    refused("learning: expected a LearningConfig, got 0.1", mixgrpo.Trainer, evaluator, prompts, plan, 0.1)
    refused("plan: expected a Plan, got a SamplingConfig", mixgrpo.Rollout, plan.config, [0], latent_size=3)
    refused("rollout: expected a Rollout, got an array of float64 (2, 4)", mixgrpo.Update, np.zeros((2, 4)), [[1.0]])
    refused("config: expected a SampleConfig, got 20", trainer.sample, [0], 20)
    config_wanted = (
        "config: expected a ModelConfig, such as mixgrpo.ModelConfig(num_layers=2); Model.load(folder) reads a model"
    )
    refused(f"{config_wanted}, got 'small'", mixgrpo.Model, "small")
    refused("context: expected a Context, got 4", mixgrpo.Model, context=4)
    refused("ticketed: expected TicketedSamples, got 1", trainer.submit_rewards, 1, [[1.0] * 4])
    refused("folder: expected a text or a path, got 3", mixgrpo.Model.load, 3)
    refused("rewards: expected a sequence of names, got the text 'bright'", mixgrpo.Evaluation, [0], "bright")


def test_values_of_another_type_are_named(mixgrpo, refused, make_trainer, codec):
    trainer, whole = make_trainer(), "expected a whole number"
    sizes = dict(text_length=4, text_width=6, pooled_width=5)
    refused("lines: expected a sequence of texts, got None", mixgrpo.Prompts.hashed_words, None, **sizes)
    refused("lines[0]: expected a text, got 1", mixgrpo.Prompts.hashed_words, [1], **sizes)
    refused(f"text_length: {whole}, 1…16384, got '4'", mixgrpo.hashed_words, ["a"], **sizes | {"text_length": "4"})
    refused("prompt_indices: expected integers, got None", trainer.rollout, None)
    refused("prompt_indices: expected integers, got a list of texts", trainer.rollout, ["a red circle"])
    refused("rewards: expected shape (1, 1, 4) (rewards, prompts, samples of a prompt), got (4,)", rewarded, trainer)
    refused("latents: expected shape (…, 4, 12), got (2, 5)", codec.decode, np.zeros((2, 5)))
    refused("latents: expected real numbers, got 'noise'", codec.decode, "noise")
    refused(f"height: {whole}, 1…65535, got 8.0", mixgrpo.PixelCodec, 8.0, 8, patch=4)
    refused(f"height: {whole}, 1…65535, got -8", mixgrpo.PixelCodec, -8, 8, patch=4)
    refused("texts value[0]: expected a text, got 3", mixgrpo.Image, np.zeros((2, 2, 3), np.uint8), {"seed": 3})
    refused(f"steps: {whole}, 1…10000, got '3'", mixgrpo.time_grid, "3")
    refused("choose: prompt index: expected a whole number, 0…0, got 1", chosen_of_one, 1)
    refused(f"count: {whole}, 0 or more, got 2.5", mixgrpo.normal_noise, 1, 2, 3, 2.5)
    refused("log: expected a function of a level and a line, got 3", mixgrpo.Context, 1, log=3)
    refused("axes_dims_rope: expected 3 values, got 4", mixgrpo.ModelConfig, axes_dims_rope=4)
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match="name: expected one of mixgrpo, .* such as 'flow_grpo', got"
    ):
        mixgrpo.preset("flow-grpo")
    with pytest.raises(TypeError, match="SamplingConfig: no setting 'stepz'; did you mean 'steps'"):
        mixgrpo.SamplingConfig(stepz=3)


def rewarded(trainer):
    trainer.rollout([0])
    trainer.update([1, 2, 3, 4])


def test_choices_are_taken_by_name_everywhere(mixgrpo, refused, model, make_trainer, tmp_path):
    trainer = make_trainer(keep_base=True)
    base = trainer.sample([0], weights="base")
    assert np.array_equal(base, trainer.sample([0], weights=mixgrpo.Weights.BASE))
    trainer.save_model(tmp_path / "model", "trained", "bf16")
    model.save(tmp_path / "again", storage="f32")
    step = mixgrpo.stochastic_step("dance", 0.5, 0.6, 0.5)
    assert step == mixgrpo.stochastic_step(mixgrpo.Dynamics.DANCE, 0.5, 0.6, 0.5)
    refused("storage: expected one of f32, bf16 such as 'bf16', got 'bf15'", model.save, tmp_path / "x", storage="bf15")
    refused(
        "weights: expected one of trained, base, average such as 'average', got 'averaged'",
        trainer.sample, [0], weights="averaged",
    )  # fmt: skip


def test_what_train_takes_is_checked_before_anything_runs(mixgrpo, refused, make_trainer, codec):
    trainer = make_trainer()
    good = dict(rewards=brightness, decode=codec.decode, iterations=1, progress=False)
    takes = "images and prompts, or a mapping of such functions by name"
    trainer_wanted = "trainer: expected a Trainer, such as mixgrpo.Trainer(evaluator, prompts, …), got"
    refused(f"{trainer_wanted} a Model", mixgrpo.train, trainer.evaluator.model, **good)
    for wrong, message in (
        (dict(rewards=3), f"rewards: expected a function of {takes}, got 3"),
        (dict(rewards={"brightness": 3}), "rewards['brightness']: expected a function of images and prompts, got 3"),
        (dict(rewards={"dark": brightness}), "rewards: expected ['brightness'], as the trainer has them, got ['dark']"),
        (dict(decode=codec), "decode: expected a function of samples, got a PixelCodec"),
        (dict(rewards=lambda images: 0), f"rewards: expected a function of {takes}, got one that takes (images)"),
        (dict(weights={"dark": 1}), "weights: expected ['brightness'], got ['dark']"),
        (dict(iterations="10"), "iterations: expected a whole number, 0 or more, got '10'"),
        (dict(iterations=2.5), "iterations: expected a whole number, 0 or more, got 2.5"),
        (dict(choose=[0, 1]), "choose: expected a function of an iteration, got a list"),
        (dict(choose=lambda iteration: [7]), "choose: prompt index: expected a whole number, 0…2, got 7"),
        (dict(on_iteration="print"), "on_iteration: expected a function of an iteration's figures, got 'print'"),
        (dict(metrics=3), "metrics: expected a path, got 3"),
        (dict(report=True), "report: expected a path, got True"),
        (dict(score_workers=1.5), "score_workers: expected a whole number, 0 or more, got 1.5"),
    ):  # fmt: skip
        refused(message, mixgrpo.train, trainer, **(good | wrong))
    for places in ("metrics", "report"):
        with pytest.raises(mixgrpo.InputOutputError, match="/nowhere/at"):
            mixgrpo.train(trainer, **good | {places: "/nowhere/at/all"})
    best = mixgrpo.TrainingEvaluation(keep_best="/nowhere/at/all")
    with pytest.raises(mixgrpo.InputOutputError, match="/nowhere/at/all: expected an existing folder around it"):
        mixgrpo.train(trainer, **good, evaluation=best)
    refused(
        "prompts: expected indices of 0…2, got [3]",
        mixgrpo.train, trainer, **good, evaluation=mixgrpo.TrainingEvaluation(prompts=[0, 3]),
    )  # fmt: skip
    assert trainer.iteration == 0


def test_a_trainer_refuses_a_second_thread(mixgrpo, context, make_trainer):
    trainer, problems = make_trainer(), []

    def second():
        try:
            trainer.update([[1.0, 2.0, 3.0, 4.0]])
        except mixgrpo.InvalidStateError as error:
            problems.append(str(error))

    def meanwhile(progress):
        if not problems:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    context.progress = meanwhile
    trainer.rollout([0])
    context.progress = None
    assert problems == ["Trainer: expected calls of one thread at a time, got update while another runs"]


def test_what_rewards_and_decoders_give_is_checked(mixgrpo, refused, make_trainer, codec):
    trainer = make_trainer()
    options = dict(iterations=1, prompts_per_iteration=2, evaluation=None, progress=False)
    for reward, message in (
        (lambda images, prompts: None, "reward brightness: expected 8 numbers, one for each image, got None; does it return?"),
        (lambda images, prompts: 0.5, "reward brightness: expected shape (8,) (one number for each image), got ()"),
        (
            lambda images, prompts: np.zeros((8, 1)),
            "reward brightness: expected shape (8,) (one number for each image), got (8, 1)",
        ),
    ):  # fmt: skip
        refused(message, mixgrpo.train, trainer, reward, decode=codec.decode, **options)
    options["evaluation"] = mixgrpo.TrainingEvaluation(sampling=mixgrpo.SampleConfig(steps=2, samples_per_prompt=2))
    refused(
        "reward brightness: expected shape (6,) (one number for each image), got ()",
        mixgrpo.train,
        trainer,
        lambda *_: 0.5,
        decode=codec.decode,
        **options,
    )
    refused(
        "decode: expected a function that makes 6 images of samples, got None",
        mixgrpo.train,
        trainer,
        brightness,
        decode=lambda samples: None,
        **options,
    )
    options["evaluation"] = None
    wanted = "decode: expected a function that makes 8 images of samples, got"
    refused(f"{wanted} None", mixgrpo.train, trainer, brightness, decode=lambda samples: None, **options)
    refused(f"{wanted} 1 images", mixgrpo.train, trainer, brightness, decode=lambda samples: samples[:1], **options)


def test_defaults_are_visible(mixgrpo):
    for function, name, default in (
        (mixgrpo.Trainer, "plan", "SamplingConfig()"),
        (mixgrpo.Trainer, "learning", "LearningConfig()"),
        (mixgrpo.Evaluator.sample, "config", "SampleConfig()"),
        (mixgrpo.Evaluation, "config", "EvaluationConfig()"),
        (mixgrpo.train, "prompts_per_iteration", "4"),
    ):
        assert repr(inspect.signature(function).parameters[name].default) == default


def test_help_of_train_fits_a_screen_and_names_its_types(mixgrpo):
    text = pydoc.render_doc(mixgrpo.train, renderer=pydoc.plaintext)
    assert sum(max(1, -(-len(line) // 80)) for line in text.splitlines()) <= 50
    assert "rewards: 'Reward | Mapping[str, Reward]'" in text and "prompts_per_iteration: 'int' = 4" in text
    grouped = pydoc.render_doc(mixgrpo.TrainingEvaluation, renderer=pydoc.plaintext)
    assert "every: 'int' = 10" in grouped and "sampling: 'SampleConfig | None' = None" in grouped
    for parameter in inspect.signature(mixgrpo.train).parameters:
        assert parameter in text.partition("Runs iterations")[2] or parameter in ("trainer", "iterations")


def test_objects_show_their_sizes_and_state(mixgrpo, context, model, evaluator, prompts, plan, make_trainer):
    trainer = make_trainer()
    rollout = mixgrpo.Rollout(plan, [0, 1], latent_size=3, context=context)
    weights = model.parameter_count
    for shown, expected in (
        (context, "<Context, threads 2>"),
        (model, f"<Model, {weights} weights, 1 + 1 blocks, 12 channels>"),
        (model.weights, f"<weights of <Model, {weights} weights, 1 + 1 blocks, 12 channels>>"),
        (evaluator, "<Evaluator, latents (4, 12), text_length 4>"),
        (prompts, "<Prompts, 3 prompts, 'a red circle at the left', 'a blue square at the top', …>"),
        (plan, "<Plan, 6 steps, window progressive of 2, groups of 4>"),
        (rollout, "<Rollout, iteration 0, samples (2, 4, 3), model calls 0>"),
        (trainer, "<Trainer, iteration 0, rewards brightness>"),
        (mixgrpo.Optimizer(5), "<Optimizer, 5 weights, learning rate 1e-05>"),
        (mixgrpo.Evaluation([0], ["a", "b"]), "<Evaluation, rewards a, b, no result yet>"),
        (mixgrpo.Image(np.zeros((2, 3, 3), np.uint8)), "<Image, 2 x 3>"),
    ):
        assert repr(shown) == expected
    for request in rollout:
        assert "latents=float32 (2, 3)" in repr(request)
        break
    assert "samples=float32 (1, 4, 4, 12)" in repr(trainer.rollout_ticket([0]))
    plan.close()
    assert repr(plan) == "<Plan, closed>"
    assert repr(mixgrpo.Plan.__new__(mixgrpo.Plan)) == "<Plan, not created>"


def test_configurations_show_what_is_not_default(mixgrpo):
    config = mixgrpo.SamplingConfig(steps=9, dynamics="dance", noise_level=0.3)
    assert repr(config) == "SamplingConfig(steps=9, dynamics='dance', noise_level=0.3)"
    assert eval(repr(config), vars(mixgrpo)) == config


def test_figures_print_as_one_line(make_trainer):
    trainer = make_trainer()
    trainer.rollout([0])
    text = str(trainer.update([[1.0, 2.0, 3.0, 4.0]]))
    assert text.startswith("iteration 0: reward 2.50 ± 1.29") and ", gradient norm 0." in text and text.endswith(" s")


def test_objects_of_this_process_are_not_copied_or_pickled(mixgrpo, model):
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(mixgrpo.UnsupportedError, match="Model: expected an object that can be copied or pickled"):
            take(model)
    config = mixgrpo.SamplingConfig(steps=9)
    assert pickle.loads(pickle.dumps(config)) == config == copy.deepcopy(config)


def test_names_of_exceptions_end_in_error(mixgrpo):
    kinds = [kind for kind in vars(mixgrpo).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    errors = [kind for kind in kinds if not issubclass(kind, Warning)]
    assert len(errors) == 12 and all(kind.__name__.endswith("Error") for kind in errors)


def test_a_subclass_may_state_another_default_for_a_choice(mixgrpo):
    @dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
    class Deterministic(mixgrpo.SamplingConfig):
        solver: mixgrpo.Solver = mixgrpo.Solver.DPM_3

    assert Deterministic().solver is mixgrpo.Solver.DPM_3
    assert Deterministic(solver="euler").solver is mixgrpo.Solver.EULER
    with pytest.raises(mixgrpo.InvalidArgumentError, match="solver"):
        Deterministic(solver="eule")
