"""References of runs that train adapters, and what makes a model answer differently each time."""

import warnings

import mixgrpo.torch as mixtorch
import pytest
import tiny_pipelines as tiny
from torch_fixtures import required, torch

peft = required("peft")

LINES = ["a red circle", "an old dog"]
TARGETS = ["to_q", "to_v"]


def adapted(wrapped=False, **settings):
    """A pipeline whose transformer has an adapter, and the policy."""
    config = peft.LoraConfig(**{"r": 2, "lora_alpha": 2, "target_modules": TARGETS, **settings})
    pipe = tiny.adapted(tiny.made(tiny.flux), config, wrapped)
    return pipe, mixtorch.from_pipeline(pipe, LINES, height=8, width=8, batch_size=1)[0]


def trained(mixgrpo, pipe, policy, rate=0.1):
    """After one update: the KL to the reference during it, how far the reference and the model are from before."""
    question = (torch.randn(2, *policy.latent_shape), torch.tensor([0.9, 0.3]), torch.tensor([0, 1]))
    before = policy.evaluate(*question)
    weights = [weight for weight in pipe.transformer.parameters() if weight.requires_grad]
    trainer = mixtorch.TorchTrainer(
        policy, torch.optim.SGD(weights, lr=rate), LINES, mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2),
        mixgrpo.LearningConfig(updates_per_iteration=1, kl_reference=0.1, max_gradient_norm=1.0),
    )  # fmt: skip
    samples = trainer.rollout([0, 1])
    metrics = trainer.update(samples.reshape(2, 2, -1).mean(axis=2))
    reference = policy.evaluate(*question, reference=True)
    return (
        metrics.kl_reference_nats,
        (reference - before).abs().max(),
        (policy.evaluate(*question) - before).abs().max(),
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"init_lora_weights": False}, {"bias": "lora_only"}, {"bias": "all"}, {"use_dora": True},
     {"modules_to_save": ["proj_out"]}, {"wrapped": True, "modules_to_save": ["proj_out"]}],
    ids=lambda settings: "-".join(settings) or "new",
)  # fmt: skip
def test_the_reference_of_a_pipeline_is_the_adapter_as_loaded_and_does_not_move(mixgrpo, settings):
    pipe, policy = adapted(**settings)
    divergence, moved, learned = trained(mixgrpo, pipe, policy)
    assert divergence == 0 and moved == 0 and learned > 0


def test_several_adapters_keep_their_places(mixgrpo):
    pipe, _ = adapted(init_lora_weights=False)
    pipe.transformer.add_adapter(peft.LoraConfig(r=2, target_modules=TARGETS, init_lora_weights=False), "second")
    pipe.transformer.set_adapters(["default", "second"])
    pipe.transformer.eval()
    policy = mixtorch.from_pipeline(pipe, LINES, height=8, width=8, batch_size=1)[0]
    divergence, moved, learned = trained(mixgrpo, pipe, policy)
    assert divergence == 0 and moved == 0 and learned > 0
    assert pipe.transformer.active_adapters() == ["default", "second"]


@pytest.mark.parametrize("settings", [{"bias": "lora_only"}, {"bias": "all"}, {"modules_to_save": ["proj_out"]}])
def test_a_reference_without_adapters_refuses_weights_that_would_move_it(settings):
    pipe, policy = adapted(**settings)
    with pytest.raises(
        ValueError, match="module: expected only weights of adapters .*(bias|proj_out).*WithInitialWeights"
    ):
        mixtorch.WithoutAdapters(policy.velocity, pipe.transformer)
    unfrozen, policy = adapted()
    unfrozen.transformer.requires_grad_(True)
    with pytest.raises(ValueError, match="module: expected only weights of adapters"):
        mixtorch.WithoutAdapters(policy.velocity, unfrozen.transformer)


@pytest.mark.parametrize("settings", [{}, {"use_dora": True}, {"wrapped": True, "modules_to_save": ["proj_out"]}])
def test_a_reference_without_adapters_takes_adapters_that_can_be_switched_off(settings):
    pipe, policy = adapted(**settings)
    mixtorch.WithoutAdapters(policy.velocity, pipe.transformer)


def test_a_reference_of_initial_weights_needs_weights():
    pipe = tiny.made(tiny.flux)
    pipe.transformer.requires_grad_(False)
    policy = mixtorch.from_pipeline(pipe, LINES, height=8, width=8)[0]
    assert policy.reference is None
    with pytest.raises(ValueError, match="module: expected weights that require gradients, got none; add the adapters"):
        mixtorch.WithInitialWeights(policy.velocity, pipe.transformer)


def test_dropout_in_training_mode_is_refused_and_named(mixgrpo):
    pipe, policy = adapted(lora_dropout=0.1)
    optimizer = torch.optim.SGD([weight for weight in pipe.transformer.parameters() if weight.requires_grad], lr=0.1)
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2)
    learning = mixgrpo.LearningConfig(updates_per_iteration=1)
    trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, sampling, learning)
    samples = trainer.rollout([0])
    pipe.transformer.add_adapter(peft.LoraConfig(r=2, target_modules=TARGETS, lora_dropout=0.2), "late")
    for call in (lambda: trainer.update(samples.reshape(1, 2, -1).mean(axis=2)), lambda: trainer.rollout([0])):
        with pytest.raises(ValueError, match=r"lora_dropout.late: expected evaluation mode.*p=0.2.*eval\(\)"):
            call()
    pipe.transformer.set_adapter("default")
    pipe.transformer.eval()
    metrics = trainer.update(samples.reshape(1, 2, -1).mean(axis=2))
    assert metrics.iteration == 0
    counting = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    with pytest.raises(ValueError, match="0: expected evaluation mode.*BatchNorm1d"):
        mixtorch.TorchPolicy(counting, (3,)).require_repeatable()


def test_a_first_ratio_beyond_the_clip_range_is_one_warning(mixgrpo):
    pipe, policy = adapted()
    random = with_noise(policy)
    optimizer = torch.optim.SGD([weight for weight in pipe.transformer.parameters() if weight.requires_grad], lr=1e-6)
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2)
    learning = mixgrpo.LearningConfig(updates_per_iteration=1)

    def update(velocity):
        made = mixtorch.TorchPolicy(velocity, policy.latent_shape, batch_size=1)
        trainer = mixtorch.TorchTrainer(made, optimizer, LINES, sampling, learning)
        while True:
            yield trainer.update(trainer.rollout([0]).reshape(1, 2, -1).mean(axis=2))

    updates = update(random)
    with pytest.warns(
        mixtorch.FirstRatioWarning, match=r"first ratio: expected 1 ± 0.0001 .* iteration 0, got .*random"
    ):
        next(updates)
    with warnings.catch_warnings():
        warnings.simplefilter("error", mixtorch.FirstRatioWarning)
        next(updates)
        next(update(policy.velocity))
        with pytest.raises(mixtorch.FirstRatioWarning):
            next(update(random))


def with_noise(policy):
    """The velocity of a policy and something random."""
    noise = torch.Generator().manual_seed(0)

    def velocity(latents, sigmas, prompt_index):
        exact = policy.velocity(latents, sigmas, prompt_index)
        return exact + 0.1 * torch.randn(exact.shape, generator=noise)

    velocity.module = policy.velocity.module
    return velocity


def test_a_first_ratio_beyond_the_clip_range_can_be_an_error_that_undoes_the_update(mixgrpo):
    pipe, policy = adapted()
    weights = [weight for weight in pipe.transformer.parameters() if weight.requires_grad]
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2)

    def trainer(action, undo=mixgrpo.Undo.MEMORY):
        learning = mixgrpo.LearningConfig(updates_per_iteration=1, undo=undo, max_velocity_change=0)
        made = mixtorch.TorchPolicy(with_noise(policy), policy.latent_shape, batch_size=1)
        optimizer = torch.optim.SGD(weights, lr=1e-2, momentum=0.9)
        return mixtorch.TorchTrainer(made, optimizer, LINES, sampling, learning, first_ratio=action)

    def scores(trainer):
        return trainer.rollout([0]).reshape(1, 2, -1).mean(axis=2)

    strict = trainer("error")
    before, progress = [weight.clone() for weight in weights], strict.state_dict()
    with pytest.raises(mixtorch.FirstRatioError, match=r"first ratio: expected 1 ± 0.0001 .*torch.check"):
        strict.update(scores(strict))
    assert all(torch.equal(*pair) for pair in zip(weights, before, strict=True))
    assert strict.state_dict() == progress and strict.iteration == 0 and not strict.optimizer.state_dict()["state"]
    with pytest.raises(RuntimeError, match="update: expected a rollout first"):
        strict.update([[0.0, 1.0]])
    ticketed = strict.rollout_ticket([0])
    strict.submit_rewards(ticketed, [[0.0, 1.0]])
    with pytest.raises(mixtorch.FirstRatioError):
        strict.update_tickets()
    strict.policy.velocity = policy.velocity
    assert strict.update(scores(strict)).iteration == 0
    kept = trainer("error", mixgrpo.Undo.NONE)
    with pytest.raises(mixtorch.FirstRatioError):
        kept.update(scores(kept))
    assert kept.iteration == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent = trainer("ignore")
        assert silent.update(scores(silent)).first_ratio_max != 1
    with pytest.raises(ValueError, match="first_ratio: expected one of warn, error, ignore, got 'erorr'|such as"):
        trainer("erorr")


def test_switching_adapters_off_and_on_unfreezes_none():
    pipe, _ = adapted(init_lora_weights=False)
    pipe.transformer.add_adapter(peft.LoraConfig(r=2, target_modules=TARGETS, init_lora_weights=False), "second")
    pipe.transformer.set_adapters(["default", "second"])
    for name, weight in pipe.transformer.named_parameters():
        weight.requires_grad_("second" in name)
    pipe.transformer.eval()
    policy = mixtorch.from_pipeline(pipe, LINES, height=8, width=8)[0]
    before = {name for name, weight in pipe.transformer.named_parameters() if weight.requires_grad}
    policy.reference = mixtorch.WithoutAdapters(policy.velocity, pipe.transformer)
    question = (torch.randn(1, *policy.latent_shape), torch.tensor([0.9]), torch.tensor([0]))
    assert not torch.equal(policy.evaluate(*question, reference=True), policy.evaluate(*question))
    after = {name for name, weight in pipe.transformer.named_parameters() if weight.requires_grad}
    assert before == after and all("second" in name for name in before)


def test_adapters_that_are_only_loaded_need_no_reference():
    pipe, _ = adapted(init_lora_weights=False)
    pipe.transformer.requires_grad_(False)
    assert mixtorch.from_pipeline(pipe, LINES, height=8, width=8)[0].reference is None


@pytest.mark.parametrize("replaces", [False, True], ids=["in place", "by new weights"])
def test_a_reference_of_initial_weights_follows_its_module(replaces):
    pipe, policy = adapted(init_lora_weights=False)
    question = (torch.randn(1, *policy.latent_shape), torch.tensor([0.9]), torch.tensor([0]))
    before = policy.evaluate(*question)
    torch.__future__.set_overwrite_module_params_on_conversion(replaces)
    try:
        torch.nn.Module.to(pipe.transformer, torch.float64).to(torch.float32)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
    with torch.no_grad():
        for weight in pipe.transformer.parameters():
            weight.add_(0.1 if weight.requires_grad else 0)
    assert (policy.evaluate(*question) - before).abs().max() > 1e-3
    assert torch.equal(policy.evaluate(*question, reference=True), before)
    pipe.transformer.delete_adapters("default")
    with pytest.raises(RuntimeError, match="reference: expected a module with .*lora_A.default.weight, as when With"):
        policy.evaluate(*question, reference=True)
