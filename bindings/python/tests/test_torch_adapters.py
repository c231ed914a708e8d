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
    pipe = tiny.made(tiny.flux)
    pipe.transformer.requires_grad_(False)
    config = peft.LoraConfig(**{"r": 2, "lora_alpha": 2, "target_modules": TARGETS, **settings})
    if wrapped:
        pipe.transformer = peft.get_peft_model(pipe.transformer, config)
    else:
        pipe.transformer.add_adapter(config)
    pipe.transformer.eval()
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
    noise = torch.Generator().manual_seed(0)

    def random(latents, sigmas, prompt_index):
        velocity = policy.velocity(latents, sigmas, prompt_index)
        return velocity + 0.1 * torch.randn(velocity.shape, generator=noise)

    random.module = pipe.transformer
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
