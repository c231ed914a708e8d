"""The transformers of diffusers as velocities: the pipelines' conventions, LoRA, VAE."""

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
from torch_fixtures import LINES, required, torch, weights_of

diffusers, peft = required("diffusers"), required("peft")

LORA = peft.LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False)


def embeddings(seed=0, count=3, length=4, width=6, pooled=5):
    generator = torch.Generator().manual_seed(seed)
    return mixtorch.TextEmbeddings(
        torch.randn(count, length, width, generator=generator), torch.randn(count, pooled, generator=generator)
    )


@pytest.fixture
def flux():
    torch.manual_seed(0)
    return diffusers.FluxTransformer2DModel(
        in_channels=8, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=6, pooled_projection_dim=5, guidance_embeds=True, axes_dims_rope=(2, 2, 4),
    ).eval()  # fmt: skip


@pytest.fixture
def sd3():
    torch.manual_seed(0)
    return diffusers.SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=6, caption_projection_dim=16, pooled_projection_dim=5, out_channels=4,
        pos_embed_max_size=8,
    ).eval()  # fmt: skip


def inputs(shape):
    torch.manual_seed(1)
    return torch.randn(2, *shape), torch.tensor([0.9, 0.25]), torch.tensor([2, 0])


def test_packing_is_the_pipeline_s():
    latents = torch.randn(2, 3, 6, 4)
    packed = mixtorch.pack_latents(latents)
    assert torch.equal(packed, diffusers.FluxPipeline._pack_latents(latents, 2, 3, 6, 4))
    assert torch.equal(mixtorch.unpack_latents(packed, 3, 2), latents)
    for bad in (lambda: mixtorch.pack_latents(latents[..., 1:]), lambda: mixtorch.unpack_latents(packed, 2, 2)):
        with pytest.raises(ValueError, match="expected"):
            bad()


@torch.no_grad()
def test_flux_is_asked_as_its_pipeline_asks(flux):
    texts = embeddings()
    velocity = mixtorch.FluxVelocity(flux, texts, height_tokens=2, width_tokens=3, guidance=4.0)
    assert velocity.latent_shape == (6, 8)
    latents, sigmas, index = inputs(velocity.latent_shape)
    expected = flux(
        hidden_states=latents, encoder_hidden_states=texts.text[index], pooled_projections=texts.pooled[index],
        timestep=1000 * sigmas / 1000, guidance=torch.tensor([4.0, 4.0]), txt_ids=torch.zeros(4, 3),
        img_ids=diffusers.FluxPipeline._prepare_latent_image_ids(1, 2, 3, "cpu", torch.float32),
    ).sample  # fmt: skip
    assert float(abs(velocity(latents, sigmas, index) - expected).max()) <= 1e-6
    other = mixtorch.FluxVelocity(flux, texts, height_tokens=2, width_tokens=3, guidance=1.0)
    assert float(abs(other(latents, sigmas, index) - expected).max()) > 1e-4


@torch.no_grad()
def test_sd3_is_asked_as_its_pipeline_asks(sd3):
    texts = embeddings()
    velocity = mixtorch.SD3Velocity(sd3, texts, height=8, width=4)
    latents, sigmas, index = inputs(velocity.latent_shape)
    expected = sd3(
        hidden_states=latents, encoder_hidden_states=texts.text[index], pooled_projections=texts.pooled[index],
        timestep=torch.tensor([900.0, 250.0]),
    ).sample  # fmt: skip
    assert velocity.latent_shape == (4, 8, 4)
    assert float(abs(velocity(latents, sigmas, index) - expected).max()) <= 1e-6


@torch.no_grad()
@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_true_cfg_leads_away_from_the_negative_prompt(request, kind):
    module = request.getfixturevalue(kind)

    def velocity(texts, **guidance):
        if kind == "flux":
            return mixtorch.FluxVelocity(module, texts, height_tokens=2, width_tokens=2, **guidance)
        return mixtorch.SD3Velocity(module, texts, height=4, width=4, **guidance)

    for negative in (embeddings(9, count=1, length=2), embeddings(9, length=2)):
        guided = velocity(embeddings(), true_cfg_scale=3.0, negative=negative)
        latents, sigmas, index = inputs(guided.latent_shape)
        apart = torch.zeros_like(index) if len(negative) == 1 else index
        toward, away = velocity(embeddings())(latents, sigmas, index), velocity(negative)(latents, sigmas, apart)
        expected = away + 3.0 * (toward - away)
        assert float(abs(guided(latents, sigmas, index) - expected).max()) <= 1e-5
    with pytest.raises(ValueError, match="negative: expected embeddings"):
        velocity(embeddings(), true_cfg_scale=2.0)
    with pytest.raises(ValueError, match="negative: expected 1 or 3 prompts, got 2"):
        velocity(embeddings(), true_cfg_scale=2.0, negative=embeddings(count=2))


def test_the_built_in_model_and_diffusers_draw_the_same(mixgrpo, model, evaluator, prompts, plan, tmp_path):
    """One set of weights, two implementations: the rollouts agree, through all steps and the noise between them."""
    model.save(tmp_path / "model")
    module = diffusers.FluxTransformer2DModel.from_pretrained(tmp_path / "model").eval()
    words = mixgrpo.hashed_words(LINES, text_length=4, text_width=6, pooled_width=5)
    texts = mixtorch.TextEmbeddings(*map(torch.tensor, words))
    prompts = mixgrpo.Prompts(*words)
    velocity = mixtorch.FluxVelocity(module, texts, height_tokens=2, width_tokens=2)
    policy = mixtorch.TorchPolicy(velocity, velocity.latent_shape)
    ours = mixgrpo.Rollout(plan, [0, 2], latent_size=policy.latent_size, context=model.context)
    ours.run(evaluator, prompts)
    theirs = mixgrpo.Rollout(plan, [0, 2], latent_size=policy.latent_size)
    policy.run(theirs)
    assert abs(ours.samples() - theirs.samples()).max() <= 1e-4 * abs(ours.samples()).max()


def lora_run(mixgrpo, velocity, module, plan):
    policy = mixtorch.TorchPolicy(
        velocity, velocity.latent_shape, reference=mixtorch.WithoutAdapters(velocity, module), batch_size=3
    )
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    learning = mixgrpo.LearningConfig(kl_reference=0.1, clip_range=0.1)
    return mixtorch.TorchTrainer(policy, torch.optim.AdamW(weights, lr=1e-2), LINES, plan, learning)


@pytest.mark.parametrize("wrapped", [False, True], ids=["diffusers", "peft"])
def test_lora_alone_is_trained_and_off_in_the_reference(mixgrpo, flux, plan, wrapped):
    base = flux.state_dict()
    base = {name: weight.clone() for name, weight in base.items()}
    velocity = mixtorch.FluxVelocity(flux, embeddings(), height_tokens=2, width_tokens=2)
    latents, sigmas, index = inputs(velocity.latent_shape)
    with torch.no_grad():
        before = velocity(latents, sigmas, index)
    flux.requires_grad_(False)
    module = flux
    if wrapped:
        module = peft.get_peft_model(flux, LORA)
        velocity = mixtorch.FluxVelocity(module, embeddings(), height_tokens=2, width_tokens=2)
    else:
        flux.add_adapter(LORA)
    trainer = lora_run(mixgrpo, velocity, module, plan)
    start = weights_of(module)
    for _ in range(2):
        samples = trainer.rollout([0, 1])
        metrics = trainer.update(samples.mean(axis=(2, 3)))
    assert metrics.kl_reference_nats > 0 and not torch.equal(weights_of(module), start)
    after = {
        name.replace(".base_layer", "").removeprefix("base_model.model."): weight
        for name, weight in module.state_dict().items()
    }
    assert all(torch.equal(after[name], weight) for name, weight in base.items())
    with torch.no_grad():
        assert torch.equal(trainer.policy.reference(latents, sigmas, index), before)
        assert float(abs(velocity(latents, sigmas, index) - before).max()) > 1e-3


def test_a_reference_without_adapters_needs_adapters():
    with pytest.raises(ValueError, match="module: expected one with adapters"):
        mixtorch.WithoutAdapters(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))


def test_a_vae_makes_pictures_of_samples():
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        latent_channels=4, block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4, scaling_factor=0.3, shift_factor=0.1,
    ).eval()  # fmt: skip
    latents = torch.randn(3, 4, 4, 6)
    with torch.no_grad():
        decoded = vae.decode(latents / 0.3 + 0.1).sample
    expected = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().numpy().astype(np.uint8).transpose(0, 2, 3, 1)
    for samples, grid in ((latents, None), (mixtorch.pack_latents(latents), (2, 3))):
        pictures = mixtorch.VAEDecoder(vae, token_grid=grid, batch_size=2)(samples.numpy())
        assert pictures.shape == (3, 8, 12, 3) and pictures.dtype == np.uint8
        assert int(abs(pictures.astype(int) - expected.astype(int)).max()) <= 1
    with pytest.raises(ValueError, match="batch_size"):
        mixtorch.VAEDecoder(vae, batch_size=0)


def test_embeddings_and_sizes_are_checked(flux, sd3):
    for text, pooled in ((torch.zeros(2, 4), torch.zeros(2, 5)), (torch.zeros(2, 4, 6), torch.zeros(1, 5))):
        with pytest.raises(ValueError, match="embeddings: expected text"):
            mixtorch.TextEmbeddings(text, pooled)
    with pytest.raises(ValueError, match="height_tokens"):
        mixtorch.FluxVelocity(flux, embeddings(), height_tokens=0, width_tokens=2)
    with pytest.raises(ValueError, match="height, width: expected multiples of 2, got 4, 3"):
        mixtorch.SD3Velocity(sd3, embeddings(), height=4, width=3)
