"""Rewards of CLIP models against their published formulas, and what goes wrong with folders."""

import numpy as np
import pytest
import tiny_rewards as tiny
from PIL import Image
from torch_fixtures import torch

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
PROMPTS = [
    "a red circle",
    "an old dog at the left",
    "a red circle",
    "A small blue car",
    "a a a a a a a a a a a a a a a",
]
QUIET = dict(device="cpu", batch_size=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("clip")
    tiny.clip(place)
    return place


@pytest.fixture(scope="module")
def clip_model(folder):
    return tiny.transformers.CLIPModel.from_pretrained(folder)


@pytest.fixture(scope="module")
def rewards(mixgrpo):
    from mixgrpo import rewards

    return rewards


def cosines(model, images=IMAGES, prompts=PROMPTS):
    """By the whole of transformers' model, one picture and prompt at a time."""
    values = []
    for image, prompt in zip(images, prompts, strict=True):
        words = tiny.clip_tokenizer()([prompt], truncation=True, max_length=10, return_tensors="pt")
        pixels = tiny.clip_processor()(Image.fromarray(image), return_tensors="pt")
        with torch.no_grad():
            answer = model(input_ids=words["input_ids"], pixel_values=pixels["pixel_values"])
            values.append(float(answer.logits_per_image / model.logit_scale.exp()))
    return np.array(values)


def near(found, expected):
    return np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_the_scores_are_those_of_the_published_formulas(rewards, folder, clip_model):
    expected = cosines(clip_model)
    assert expected.min() < 0 < expected.max()
    assert near(rewards.CLIPScore(folder, **QUIET)(IMAGES, PROMPTS), 2.5 * np.maximum(expected, 0))
    scale = float(clip_model.logit_scale.detach().exp())
    assert scale > 5 and near(rewards.PickScore(folder, **QUIET)(IMAGES, PROMPTS), scale * expected)


def test_a_score_depends_on_no_other_picture(rewards, folder):
    score = rewards.PickScore(folder, **QUIET)
    whole = score(IMAGES, PROMPTS)
    for index in range(len(IMAGES)):
        assert near(score(IMAGES[index : index + 1], PROMPTS[index : index + 1]), whole[index : index + 1])
    assert score(IMAGES[:0], []).shape == (0,)


def test_each_text_is_encoded_once(rewards, folder, monkeypatch):
    score = rewards.PickScore(folder, **QUIET)
    texts, encode = [], score.text_features._compute
    monkeypatch.setattr(score.text_features, "_compute", lambda new: (texts.extend(new), encode(new))[1])
    assert np.array_equal(score(IMAGES, PROMPTS), score(IMAGES, PROMPTS))
    assert sorted(texts) == sorted(set(PROMPTS))
    monkeypatch.setattr("mixgrpo.rewards._local.MOST_TEXTS", 1)
    score(IMAGES, PROMPTS)
    assert len(score.text_features._kept) == 1


def test_hps_sees_the_whole_picture_on_black(rewards, folder, clip_model):
    square = np.zeros((5, tiny.SIDE, tiny.SIDE, 3), np.uint8)
    for target, image in zip(square, IMAGES, strict=True):
        target[2:13] = Image.fromarray(image).resize((16, 11), Image.Resampling.BICUBIC)  # 20 x 30 in 16 x 16
    assert near(rewards.HPSv2(folder, checkpoint=None, **QUIET)(IMAGES, PROMPTS), cosines(clip_model, square))


class OpenCLIP(torch.nn.Module):
    """The architecture whose weights HPS publishes, written down from its description: pre-norm transformers, the class
    token of the pictures, the last token of the texts."""

    def __init__(self, config):
        super().__init__()
        text, vision = config.text_config, config.vision_config
        places = (vision.image_size // vision.patch_size) ** 2 + 1
        width, features = text.hidden_size, config.projection_dim
        self.token_embedding = torch.nn.Embedding(text.vocab_size, width)
        self.positional_embedding = torch.nn.Parameter(torch.randn(text.max_position_embeddings, width))
        self.transformer = self.blocks(text)
        self.ln_final = torch.nn.LayerNorm(width)
        self.text_projection = torch.nn.Parameter(torch.randn(width, features))
        self.logit_scale = torch.nn.Parameter(torch.tensor(4.6))
        self.visual = torch.nn.Module()
        self.visual.conv1 = torch.nn.Conv2d(3, width, vision.patch_size, vision.patch_size, bias=False)
        self.visual.class_embedding = torch.nn.Parameter(torch.randn(width))
        self.visual.positional_embedding = torch.nn.Parameter(torch.randn(places, width))
        self.visual.ln_pre, self.visual.ln_post = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.visual.transformer = self.blocks(vision)
        self.visual.proj = torch.nn.Parameter(torch.randn(width, features))

    @staticmethod
    def blocks(config):
        made = torch.nn.Module()
        made.resblocks = torch.nn.ModuleList()
        for _ in range(config.num_hidden_layers):
            block = torch.nn.Module()
            block.ln_1, block.ln_2 = torch.nn.LayerNorm(config.hidden_size), torch.nn.LayerNorm(config.hidden_size)
            block.attn = torch.nn.MultiheadAttention(config.hidden_size, config.num_attention_heads, batch_first=True)
            block.mlp = torch.nn.Module()
            block.mlp.c_fc = torch.nn.Linear(config.hidden_size, config.intermediate_size)
            block.mlp.c_proj = torch.nn.Linear(config.intermediate_size, config.hidden_size)
            made.resblocks.append(block)
        return made

    @staticmethod
    def run(blocks, state, mask=None):
        for block in blocks.resblocks:
            normal = block.ln_1(state)
            state = state + block.attn(normal, normal, normal, attn_mask=mask, need_weights=False)[0]
            state = state + block.mlp.c_proj(torch.nn.functional.gelu(block.mlp.c_fc(block.ln_2(state))))
        return state

    def cosine(self, pixels, words):
        patches = self.visual.conv1(pixels).flatten(2).transpose(1, 2)
        state = torch.cat([self.visual.class_embedding.expand(1, 1, -1), patches], 1) + self.visual.positional_embedding
        state = self.run(self.visual.transformer, self.visual.ln_pre(state))
        image = self.visual.ln_post(state[:, 0]) @ self.visual.proj
        length = words.shape[1]
        state = self.token_embedding(words) + self.positional_embedding[:length]
        later = torch.full((length, length), -torch.inf).triu(1)
        text = self.ln_final(self.run(self.transformer, state, later))[:, -1] @ self.text_projection
        return float(torch.cosine_similarity(image, text))


def test_hps_reads_the_file_of_weights_that_its_authors_published(rewards, tmp_path):
    tiny.clip(tmp_path / "clip", weights=False, hidden_act="gelu")
    torch.manual_seed(3)
    model = tiny.randomized(OpenCLIP(tiny.clip_config()))
    weights = {**model.state_dict(), "attn_mask": torch.zeros(10, 10)}
    torch.save({"epoch": 3, "state_dict": weights}, tmp_path / "HPS.pt")
    squares = np.ascontiguousarray(IMAGES[:, :16, :16])
    pixels = [tiny.clip_processor()(Image.fromarray(image), return_tensors="pt")["pixel_values"] for image in squares]
    words = [
        tiny.clip_tokenizer()([p], truncation=True, max_length=10, return_tensors="pt")["input_ids"] for p in PROMPTS
    ]
    with torch.no_grad():
        expected = np.array([model.cosine(*pair) for pair in zip(pixels, words, strict=True)])
    score = rewards.HPSv2(tmp_path / "clip", checkpoint=tmp_path / "HPS.pt", **QUIET)
    assert near(score(squares, PROMPTS), expected) and expected.std() > 0.05


def head(*sizes):
    """The linear layers of the improved aesthetic predictor, between them dropout."""
    layers = []
    for place, (size, following) in enumerate(zip(sizes, sizes[1:], strict=False)):
        layers += [torch.nn.Linear(size, following), *([torch.nn.Dropout(0.2)] if place < 3 else [])]
    return tiny.randomized(torch.nn.Sequential(*layers))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_the_aesthetic_mark_is_linear_in_the_normal_features(rewards, folder, clip_model, tmp_path, suffix):
    import safetensors.torch

    layers = head(tiny.FEATURES, 8, 6, 5, 4, 1)
    weights = {f"layers.{name}": weight for name, weight in layers.state_dict().items()}
    assert "layers.7.bias" in weights  # as in the published file
    file = tmp_path / f"head.{suffix}"
    (safetensors.torch.save_file if suffix == "safetensors" else torch.save)(weights, file)
    pixels = tiny.clip_processor()([Image.fromarray(image) for image in IMAGES], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        features = clip_model.get_image_features(pixels).pooler_output
        expected = layers(features / features.norm(dim=1, keepdim=True))[:, 0].numpy()
    score = rewards.AestheticScore(folder, head=file, **QUIET)
    assert near(score(IMAGES, PROMPTS), expected) and near(score(IMAGES, PROMPTS[::-1]), expected)


def test_the_first_aesthetic_predictor_is_one_layer(rewards, folder, tmp_path):
    layer = head(tiny.FEATURES, 1)[0]
    torch.save(layer.state_dict(), tmp_path / "head.pth")
    assert rewards.AestheticScore(folder, head=tmp_path / "head.pth", **QUIET)(IMAGES, PROMPTS).std() > 0


def test_several_rewards_train_together_each_with_its_weight(mixgrpo, rewards, make_trainer, folder, codec):
    chosen = {"taste": rewards.PickScore(folder, **QUIET), "fit": rewards.CLIPScore(folder, **QUIET)}
    trainer = make_trainer(rewards=list(chosen))
    (metrics,) = mixgrpo.train(
        trainer, chosen, weights={"taste": 1.0, "fit": 0.5}, decode=codec.decode, iterations=1, prompts_per_iteration=2,
        score_workers=2,
    )  # fmt: skip
    assert list(trainer.reward_metrics()) == ["taste", "fit"] and metrics.failed_rewards == 0


def test_another_folder_is_an_error_that_says_what_was_expected(mixgrpo, rewards, folder, tmp_path):
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match="folder: expected one with config.json, got .*hf download yuval"
    ):
        rewards.PickScore(tmp_path / "nowhere")
    tiny.detector(tmp_path / "yolos")
    with pytest.raises(
        mixgrpo.InvalidFormatError, match=r"expected a CLIP model \(model_type clip\).*got model_type 'yolos'"
    ):
        rewards.PickScore(tmp_path / "yolos")
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected a detector of objects .*got model_type 'clip'"):
        rewards.ObjectScore(folder, {"a": [rewards.Wanted("dog")]})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("[]")
    with pytest.raises(mixgrpo.InvalidFormatError, match="config.json: expected a model's settings in JSON"):
        rewards.PickScore(tmp_path / "broken")
    with pytest.raises(ValueError, match="device|expected"):
        rewards.PickScore(folder, batch_size=0)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="dtype: expected a floating-point type"):
        rewards.PickScore(folder, dtype=torch.int8)


def test_weights_that_are_missing_are_not_made_up(mixgrpo, rewards, tmp_path):
    import safetensors.torch

    tiny.clip(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = safetensors.torch.load_file(file)
    del weights["visual_projection.weight"]
    safetensors.torch.save_file(weights, file, {"format": "pt"})
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected all weights of CLIPModel, got .* visual_projection"):
        rewards.PickScore(tmp_path)
    file.unlink()
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected the weights of CLIPModel"):
        rewards.PickScore(tmp_path)


def test_files_of_other_weights_are_refused(mixgrpo, rewards, folder, tmp_path):
    file = tmp_path / "weights.pth"
    with pytest.raises(mixgrpo.InputOutputError, match="weights.pth: expected a file of weights, got none"):
        rewards.AestheticScore(folder, head=file)
    for content, reason in (
        (
            {"layers.0.weight": torch.zeros(3, 7), "layers.0.bias": torch.zeros(3)},
            r"expected a weight of shape \(…, 12\)",
        ),
        ({"layers.0.weight": torch.zeros(3, 12), "layers.0.bias": torch.zeros(3)}, "end in one number, got 3"),
        ({"conv.weight": torch.zeros(3)}, "got a weight conv.weight"),
        ({}, "end in one number, got no layers"),
        ([1, 2], "expected weights by name, got list"),
    ):
        torch.save(content, file)
        with pytest.raises(mixgrpo.InvalidFormatError, match=reason):
            rewards.AestheticScore(folder, head=file)
    file.write_bytes(b"neither")
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected weights of PyTorch or safetensors"):
        rewards.AestheticScore(folder, head=file)
    torch.save({"state_dict": {"visual.trunk.norm.weight": torch.zeros(3)}}, file)
    with pytest.raises(
        mixgrpo.InvalidFormatError, match="CLIP model of OpenCLIP, got one that is called visual.trunk.norm"
    ):
        rewards.HPSv2(folder, checkpoint=file)
    torch.save({"state_dict": {"logit_scale": torch.zeros(())}}, file)
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected the weights of CLIPModel: .*Missing key"):
        rewards.HPSv2(folder, checkpoint=file)


def test_numbers_that_are_not_finite_are_an_error(mixgrpo, rewards, folder):
    score = rewards.PickScore(folder, **QUIET)
    score._clip.logit_scale.fill_(torch.nan)
    with pytest.raises(mixgrpo.NotFiniteError, match="PickScore: expected finite scores, .*float32; in half precision"):
        score(IMAGES, PROMPTS)


def test_pictures_and_prompts_are_checked(mixgrpo, rewards, folder):
    score = rewards.CLIPScore(folder, **QUIET)
    for images, prompts, reason in (
        (IMAGES[0], PROMPTS, "expected .B, height, width, 3. and B texts"),
        (IMAGES, PROMPTS[:2], "prompts: expected 5"),
        (IMAGES / 255, PROMPTS, "images: expected uint8"),
        (IMAGES, [1] * 5, r"prompts\[0\]: expected text, got 1"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=reason):
            score(images, prompts)
