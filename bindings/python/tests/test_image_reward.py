"""ImageReward against its published formula, from a file with the published names."""

import numpy as np
import pytest
import tiny_rewards as tiny
from PIL import Image
from torch_fixtures import torch

IMAGES = np.random.default_rng(1).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
PROMPTS = ["a red circle", "an old dog at the left", "a " * 50]
QUIET = dict(device="cpu", batch_size=2)
VISION = {  # names in transformers and in the published file
    "embeddings.class_embedding": "cls_token",
    "embeddings.position_embedding": "pos_embed",
    "embeddings.patch_embedding": "patch_embed.proj",
    "encoder.layers": "blocks",
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "self_attn.qkv": "attn.qkv",
    "self_attn.projection": "attn.proj",
    "post_layernorm": "norm",
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a BLIP model, a file of ImageReward's weights, and its modules."""
    place = tmp_path_factory.mktemp("reward")
    config = tiny.blip(place / "blip")
    config.vision_config.image_size, config.vision_config.layer_norm_eps = tiny.SIDE, 1e-6
    vision = tiny.randomized(tiny.transformers.BlipVisionModel(config.vision_config))
    text = tiny.randomized(tiny.transformers.BlipTextModel(config.text_config, add_pooling_layer=False), seed=1)
    sizes = (tiny.WIDTH, 8, 6, 5, 4)
    linear = [torch.nn.Linear(*pair) for pair in zip(sizes, (*sizes[1:], 1), strict=True)]
    head = tiny.randomized(torch.nn.ModuleDict(dict(zip("02467", linear, strict=True))), seed=2)
    weights = {
        "blip.text_encoder.embeddings.position_ids": torch.arange(40)[None],
        "blip.vision_proj.bias": torch.zeros(3),
    }
    for name, weight in vision.state_dict().items():
        for ours, theirs in VISION.items():
            name = name.replace(ours, theirs)
        weights[f"blip.visual_encoder.{name}"] = weight
    weights |= {f"blip.text_encoder.{name}": weight for name, weight in text.state_dict().items()}
    weights |= {f"mlp.layers.{name}": weight for name, weight in head.state_dict().items()}
    torch.save(weights, place / "ImageReward.pt")
    return place / "blip", place / "ImageReward.pt", vision, text, head


def expected(published, image, prompt):
    """The score of one picture: the first token, five linear layers, standardised."""
    folder, _, vision, text, head = published
    words = tiny.blip_tokenizer(folder)(
        [prompt], padding="max_length", truncation=True, max_length=35, return_tensors="pt"
    )
    pixels = tiny.clip_processor()(Image.fromarray(image), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        seen = vision(pixel_values=pixels).last_hidden_state
        state = text(words["input_ids"], words["attention_mask"], encoder_hidden_states=seen).last_hidden_state[:, 0]
        for layer in head.values():
            state = layer(state)
    return (float(state) - 0.16717862830052426) / 1.0333394966054072


def test_the_score_is_that_of_the_published_formula(mixgrpo, published):
    from mixgrpo.rewards import ImageReward

    score = ImageReward(published[0], checkpoint=published[1], **QUIET)
    wanted = np.array([expected(published, image, prompt) for image, prompt in zip(IMAGES, PROMPTS, strict=True)])
    found = score(IMAGES, PROMPTS)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max() and wanted.std() > 0.01
    assert np.abs(score(IMAGES[1:2], PROMPTS[1:2]) - found[1]).max() <= 1e-5


def test_other_files_are_refused(mixgrpo, published, tmp_path):
    from mixgrpo.rewards import ImageReward

    folder, checkpoint, *_ = published
    tiny.clip(tmp_path / "clip")
    with pytest.raises(
        mixgrpo.InvalidFormatError, match=r"expected a BLIP model \(model_type blip\), .*got model_type 'clip'"
    ):
        ImageReward(tmp_path / "clip", checkpoint=checkpoint)
    whole = torch.load(checkpoint)
    for change, reason in (
        ({"blip.visual_encoder.trunk.weight": torch.zeros(1)}, "got one that is called visual_encoder.trunk.weight"),
        ({"mlp.layers.0.weight": torch.zeros(3, 7)}, r"expected a weight of shape \(…, 16\)"),
        ({"blip.text_encoder.extra": torch.zeros(1)}, "expected the weights of BlipTextModel: .*extra"),
        ({name: None for name in whole if name.startswith("mlp")}, "got none that begin with mlp."),
    ):
        changed = {name: weight for name, weight in {**whole, **change}.items() if weight is not None}
        torch.save(changed, tmp_path / "other.pt")
        with pytest.raises(mixgrpo.InvalidFormatError, match=reason):
            ImageReward(folder, checkpoint=tmp_path / "other.pt")
