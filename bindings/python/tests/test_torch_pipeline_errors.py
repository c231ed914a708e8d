"""What `from_pipeline` refuses, and settings of a policy with its own time grid."""

import mixgrpo.torch as mixtorch
import pytest
import tiny_pipelines as tiny
from torch_fixtures import torch

LINES = ["a red circle", "an old dog"]


@pytest.fixture(scope="module")
def flux():
    return tiny.made(tiny.flux)


def policy_of(pipe, prompts=LINES, height=8, width=8, **settings):
    return mixtorch.from_pipeline(pipe, prompts, height=height, width=width, **settings)


def test_an_unknown_pipeline_gets_the_list_of_known_ones():
    with pytest.raises(
        ValueError, match="pipe: expected one of FluxPipeline, .*WanPipeline, got Linear; .*TorchPolicy"
    ):
        policy_of(torch.nn.Linear(1, 1))


def test_settings_that_a_pipeline_does_not_take_are_refused(flux):
    with pytest.raises(ValueError, match="num_frames: expected none, as FluxPipeline takes only .*guidance_scale"):
        policy_of(flux, num_frames=3)
    schnell = tiny.made(lambda: tiny.flux(guidance_embeds=False))
    with pytest.raises(ValueError, match="guidance_scale: expected none, as this transformer takes no guidance value"):
        policy_of(schnell, guidance_scale=2.0)
    distilled = tiny.made(tiny.flux2_klein, is_distilled=True)
    with pytest.raises(ValueError, match="guidance_scale: expected none, as this pipeline is distilled"):
        policy_of(distilled, guidance_scale=4.0)
    with pytest.raises(ValueError, match="guidance_scale_2: expected none, as this pipeline has one transformer"):
        policy_of(tiny.made(tiny.wan), height=32, width=32, num_frames=3, guidance_scale_2=4.0)


def test_a_guidance_value_for_chroma_is_refused():
    prompts = mixtorch.TextEmbeddings(torch.zeros(1, 4, tiny.J), mask=torch.ones(1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="guidance: expected None, as this transformer takes no such value, got 3.5"):
        mixtorch.ChromaVelocity(
            tiny.made(tiny.chroma).transformer, prompts, height_tokens=2, width_tokens=2, guidance=3.5
        )


@pytest.mark.parametrize(("sizes", "error"), [((6, 8), "height: .*multiple of 4 .*got 6"), ((8, 0), "width: .*got 0")])
def test_sizes_must_be_multiples_of_the_patch(flux, sizes, error):
    with pytest.raises(ValueError, match=error):
        policy_of(flux, height=sizes[0], width=sizes[1])


def test_prompts_must_be_texts_or_embeddings_that_fit(flux):
    for wrong in ("one text", [], [1]):
        with pytest.raises(ValueError, match="prompts: expected at least one text in a sequence, or embeddings"):
            policy_of(flux, wrong)
    with pytest.raises(ValueError, match="pooled: expected pooled text"):
        policy, _ = policy_of(flux, mixtorch.TextEmbeddings(torch.zeros(2, 3, 16)))
        policy.evaluate(torch.zeros(1, *policy.latent_shape), torch.ones(1), torch.tensor([0]))
    with pytest.raises(ValueError, match="negative: expected 1 or 2 prompts, got 3"):
        policy_of(flux, true_cfg_scale=2.0, negative_prompt=["a", "a", "a"])


def test_embeddings_of_another_encoder_or_of_too_few_prompts_are_refused(mixgrpo, flux):
    text, pooled = torch.zeros(2, 3, 16), torch.zeros(2, 5)
    for wrong, error in (
        (
            mixtorch.TextEmbeddings(text[..., 1:], pooled),
            "prompts: expected text of width 16, the joint_attention_dim .*15",
        ),
        (
            mixtorch.TextEmbeddings(text, pooled[:, 1:]),
            "prompts: expected pooled text of width 5, the pooled_proj.*, got 4",
        ),
    ):
        with pytest.raises(ValueError, match=error):
            policy_of(flux, wrong)
    negative = mixtorch.TextEmbeddings(text[:1, :, 1:], pooled[:1])
    with pytest.raises(ValueError, match="negative: expected text of width 16"):
        policy_of(flux, true_cfg_scale=2.0, negative_prompt=negative)
    other_width = mixtorch.TextEmbeddings(torch.zeros(1, 3, 15))
    for build, sizes in ((tiny.sana, 64), (tiny.wan, 32), (tiny.z_image, 8)):
        with pytest.raises(ValueError, match="expected text of width 16, the (caption_channels|text_dim|cap_feat_dim)"):
            policy_of(tiny.made(build), other_width, sizes, sizes)
    for shapes in (((2, 3), None, None), ((2, 3, 4), (3, 5), None), ((2, 3, 4), None, (2, 4))):
        with pytest.raises(ValueError, match=r"embeddings: expected text \(P, L, J\), pooled \(P, K\) and mask"):
            mixtorch.TextEmbeddings(*(None if shape is None else torch.zeros(shape) for shape in shapes))
    policy, _ = policy_of(flux)
    optimizer = torch.optim.SGD(flux.transformer.parameters(), lr=0.1)
    with pytest.raises(
        ValueError, match="lines: expected at most 2, as the velocity has embeddings of as many .*got 3"
    ):
        mixtorch.TorchTrainer(policy, optimizer, [*LINES, "a boat"])
    with pytest.raises(ValueError, match="prompt_indices: expected indices of the 2 prompts .*, got 2"):
        mixtorch.sample(policy, [0, 2], mixgrpo.SampleConfig(steps=2))


def test_parts_that_are_missing_are_named():
    pipe = tiny.made(tiny.flux)
    embedded = policy_of(pipe)[0].velocity.prompts
    pipe.text_encoder = pipe.text_encoder_2 = None
    with pytest.raises(
        ValueError, match="prompts: expected embeddings, as the text_encoder of this FluxPipeline is None"
    ):
        policy_of(pipe)
    assert len(policy_of(pipe, embedded)[0].velocity.prompts) == 2
    pipe.vae = None
    with pytest.raises(ValueError, match="pipe: expected a FluxPipeline with its vae, got one without"):
        policy_of(pipe, embedded)
    pipe.transformer = None
    with pytest.raises(ValueError, match="with its transformer"):
        policy_of(pipe, embedded)


def test_a_scheduler_of_another_process_is_refused(flux):
    own, flux.scheduler = flux.scheduler, tiny.diffusers.DDIMScheduler()
    try:
        with pytest.raises(ValueError, match="scheduler: expected one of flow matching.*got DDIMScheduler"):
            policy_of(flux)
    finally:
        flux.scheduler = own


def test_a_conditioned_transformer_needs_its_condition():
    fill = tiny.made(lambda: tiny.flux("FluxFillPipeline", in_channels=48))
    with pytest.raises(ValueError, match="image: expected one picture, or one for each prompt, got none"):
        policy_of(fill)
    texts = mixtorch.TextEmbeddings(torch.zeros(1, 2, 16), torch.zeros(1, 5))
    with pytest.raises(ValueError, match="condition: expected 32 channels, as the transformer takes 48 and gives 16"):
        mixtorch.FluxVelocity(fill.transformer, texts, height_tokens=2, width_tokens=2)


def test_a_vae_that_gives_nan_is_named(mixgrpo, flux):
    policy, decode = policy_of(flux)
    with pytest.raises(ArithmeticError, match="decode: .*NaN.*AutoencoderKL in torch.float32; in half precision"):
        decode(torch.full((1, *policy.latent_shape), torch.nan).numpy())


def test_a_policy_s_own_grid_and_a_shift_exclude_each_other(mixgrpo, flux):
    policy, _ = policy_of(flux)
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2, shift=2.0)
    optimizer = torch.optim.SGD(flux.transformer.parameters(), lr=0.1)
    learning = mixgrpo.LearningConfig(updates_per_iteration=1)
    with pytest.raises(ValueError, match="shift: expected none, as the policy has its own time grid, got 2.0"):
        mixtorch.TorchTrainer(policy, optimizer, LINES, sampling, learning)
    with pytest.raises(ValueError, match="image_tokens: expected none"):
        mixtorch.sample(policy, [0], mixgrpo.SampleConfig(image_tokens=9))
    trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, mixgrpo.Plan(sampling), learning)
    assert [step.sigma for step in trainer.plan.steps(0)] == mixgrpo.time_grid(4, shift=2.0)[:-1].tolist()
    own = mixgrpo.SampleConfig(sigmas=[1, 0.5, 0])
    assert (trainer.sample([0], own) != trainer.sample([0], mixgrpo.SampleConfig(steps=2))).any()


def test_evaluations_of_a_training_use_the_policy_s_own_grid(mixgrpo, flux):
    policy, decode = policy_of(flux)
    levels = set()

    def watched(latents, sigmas, prompt_index):
        levels.update(sigmas.tolist())
        return policy.velocity(latents, sigmas, prompt_index)

    watched.module = policy.velocity.module
    seen = mixtorch.TorchPolicy(watched, policy.latent_shape, time_grid=policy.time_grid)
    optimizer = torch.optim.SGD(flux.transformer.parameters(), lr=1e-6)
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2)
    learning = mixgrpo.LearningConfig(updates_per_iteration=1)
    trainer = mixtorch.TorchTrainer(seen, optimizer, LINES, sampling, learning, rewards=["light"])
    mixgrpo.train(
        trainer, {"light": lambda images, _: images.mean(axis=(1, 2, 3)) / 255}, decode=decode, iterations=1,
        prompts_per_iteration=2, progress=False,
        evaluation=mixgrpo.TrainingEvaluation(every=1, sampling=mixgrpo.SampleConfig(steps=3)),
    )  # fmt: skip
    wanted = {*policy.time_grid(4)[:-1], *policy.time_grid(3)[:-1]}
    assert sorted(levels) == pytest.approx(sorted(wanted), abs=1e-7)


def test_large_embeddings_stay_in_the_memory_of_the_cpu(monkeypatch):
    pipe, question = tiny.made(tiny.sd3), (torch.ones(3), torch.tensor([1, 0, 1]))
    near, _ = policy_of(pipe, max_sequence_length=10)
    noise = torch.randn(3, *near.latent_shape)
    expected = near.evaluate(noise, *question)
    monkeypatch.setattr(mixtorch.embeddings, "LARGE", 0)
    moves = []
    monkeypatch.setattr(mixtorch.TextEmbeddings, "to", lambda self, device, dtype=None: moves.append(device) or self)
    far, _ = policy_of(pipe, max_sequence_length=10)
    assert torch.equal(far.evaluate(noise, *question), expected)
    assert set(moves) == {torch.device("cpu")}
    moves.clear()
    texts = mixtorch.TextEmbeddings(torch.zeros(2, 3, 4), torch.zeros(2, 5))
    texts.near(torch.empty(0, device="meta"))
    monkeypatch.setattr(mixtorch.embeddings, "LARGE", 2 * 3 * 4 * 4)
    texts.near(torch.empty(0, device="meta"))
    assert moves == [torch.device("cpu"), torch.device("meta")]
