"""ImageReward: a BLIP model that reads the prompt while it looks at the picture."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image as PILImage
from transformers import AutoTokenizer, BlipConfig, BlipTextModel, BlipVisionModel, CLIPImageProcessorPil

from .._arguments import path
from .._arrays import ByteArray
from ..errors import InvalidFormatError
from . import _folders
from ._linear_head import linear_head
from ._local import LocalReward

MEAN, SPREAD = 0.16717862830052426, 1.0333394966054072
"""Of the raw scores, as published."""
TEXT_LENGTH = 35
_VISION = (
    (r"cls_token", "embeddings.class_embedding"),
    (r"pos_embed", "embeddings.position_embedding"),
    (r"patch_embed\.proj\.(\w+)", r"embeddings.patch_embedding.\1"),
    (r"norm\.(\w+)", r"post_layernorm.\1"),
    (r"blocks\.(\d+)\.norm([12])\.(\w+)", r"encoder.layers.\1.layer_norm\2.\3"),
    (r"blocks\.(\d+)\.attn\.qkv\.(\w+)", r"encoder.layers.\1.self_attn.qkv.\2"),
    (r"blocks\.(\d+)\.attn\.proj\.(\w+)", r"encoder.layers.\1.self_attn.projection.\2"),
    (r"blocks\.(\d+)\.mlp\.(fc[12])\.(\w+)", r"encoder.layers.\1.mlp.\2.\3"),
)
"""Names in ImageReward's file and in `BlipVisionModel`."""


class ImageReward(LocalReward):
    """What people prefer (Xu et al. 2023, arXiv 2304.05977): linear layers on the first token of a text encoder that attends
    to the picture; standardised, so about −2.5…2.5.

        taste = mixgrpo.rewards.ImageReward("blip-itm-large-coco", checkpoint="ImageReward.pt")

    `folder`: config.json and tokenizer of the BLIP model that ImageReward was trained from, in the format of transformers
    (on the Hub: Salesforce/blip-itm-large-coco); its weights are not needed. `checkpoint`: the file of weights that the
    authors published (on the Hub: THUDM/ImageReward).
    `device`, `dtype`, `batch_size`: as for `CLIPScore`. The text encoder sees the picture, so no features of prompts can be
    kept; their tokens are few.
    """

    def __init__(
        self,
        folder: Any,
        *,
        checkpoint: Any,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        batch_size: int = 16,
    ) -> None:
        super().__init__(device, dtype, batch_size)
        place = _folders.model_folder(folder, {"blip": "a BLIP model"}, "Salesforce/blip-itm-large-coco")
        file = path(checkpoint, "checkpoint")
        weights = _folders.weights_file(file)
        config = _folders.part(BlipConfig, place)
        vision, text = (_below(weights, f"blip.{name}_encoder.", file) for name in ("visual", "text"))
        self._tokenizer = _folders.part(AutoTokenizer, place)
        self._vision: Any = self.ready(_vision_model(config.vision_config, vision, file))
        self._text: Any = self.ready(_text_model(config.text_config, text, file))
        self._head = self.ready(linear_head(_below(weights, "mlp.", file), config.text_config.hidden_size, file))
        side = config.vision_config.image_size
        size = {"height": side, "width": side}
        self._preprocess = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=size)  # CLIP's mean and std

    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B)."""
        pictures = [PILImage.fromarray(image) for image in images]
        pixels = self._preprocess(pictures, return_tensors="pt")["pixel_values"].to(self.device, self.dtype)
        seen = self._vision(pixel_values=pixels).last_hidden_state  # (B, patches + 1, width)
        words = self._tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
        ).to(self.device)
        read = self._text(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long, device=self.device),
        ).last_hidden_state
        scores: torch.Tensor = self._head(read[:, 0])[:, 0]
        return (scores - MEAN) / SPREAD


def _vision_model(config: Any, weights: Mapping[str, torch.Tensor], file: Path) -> torch.nn.Module:
    """ImageReward looks at smaller pictures than the model it was trained from, and has its ε of layer norm."""
    config.layer_norm_eps = 1e-6
    if (places := weights.get("pos_embed")) is not None:
        config.image_size = math.isqrt(places.shape[1] - 1) * config.patch_size
    made: torch.nn.Module = BlipVisionModel(config)
    _folders.fill(made, {_vision_name(name, file): weight for name, weight in weights.items()}, file)
    return made


def _text_model(config: Any, weights: Mapping[str, torch.Tensor], file: Path) -> torch.nn.Module:
    made: torch.nn.Module = BlipTextModel(config, add_pooling_layer=False)
    _folders.fill(made, {n: weight for n, weight in weights.items() if not n.endswith("position_ids")}, file)
    return made


def _vision_name(name: str, file: Path) -> str:
    for pattern, replacement in _VISION:
        if found := re.fullmatch(pattern, name):
            return found.expand(replacement)
    raise InvalidFormatError(f"{file}: expected ImageReward's weights, got one that is called visual_encoder.{name}")


def _below(weights: Mapping[str, torch.Tensor], prefix: str, file: Path) -> dict[str, torch.Tensor]:
    found = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
    if not found:
        raise InvalidFormatError(f"{file}: expected ImageReward's weights, got none that begin with {prefix}")
    return found
