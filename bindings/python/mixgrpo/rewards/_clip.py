"""Features of pictures and texts by a CLIP model, each of length 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from PIL import Image as PILImage
from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessorPil, CLIPModel

from .._arguments import path
from .._arrays import ByteArray
from . import _folders
from ._local import LocalReward, TextCache
from ._open_clip import names_of_transformers

Pictures: TypeAlias = ByteArray | Sequence[ByteArray]
CLIP = {"clip": "a CLIP model"}


class CLIPReward(LocalReward):
    """A reward on the features of a CLIP model, `CLIPModel` of transformers.

    `folder`: config.json, the weights, preprocessor_config.json and the tokenizer's files. `processor`: the folder of the
    latter two, when they are elsewhere. `checkpoint`: a file with the weights in the names of OpenCLIP, in place of the
    folder's.
    """

    hub = "openai/clip-vit-large-patch14"
    """Where on the Hub the model is."""

    def __init__(
        self,
        folder: Any,
        *,
        processor: Any = None,
        checkpoint: Any = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        batch_size: int = 16,
    ) -> None:
        super().__init__(device, dtype, batch_size)
        self.folder = _folders.model_folder(folder, CLIP, self.hub)
        weights = None if checkpoint is None else path(checkpoint, "checkpoint")
        parts = self.folder if processor is None else path(processor, "processor")
        self._preprocess = _folders.part(CLIPImageProcessorPil, parts)
        self._tokenizer = _folders.part(AutoTokenizer, parts)
        self._clip: Any = self.ready(_clip_model(self.folder, weights))
        self.text_features = TextCache(self._text_features)

    def image_features(self, images: Pictures) -> torch.Tensor:
        """Features of pictures of any sizes, (B, projection_dim), each of length 1."""
        pictures = [PILImage.fromarray(image) for image in images]
        pixels = self._preprocess(pictures, return_tensors="pt")["pixel_values"].to(self.device, self.dtype)
        pooled = self._clip.vision_model(pixel_values=pixels).pooler_output
        return _of_length_one(self._clip.visual_projection(pooled))

    def cosines(self, images: Pictures, prompts: Sequence[str]) -> torch.Tensor:
        """Cosine of each picture and its prompt, (B)."""
        return (self.image_features(images) * self.text_features(prompts)).sum(dim=1)

    def _text_features(self, texts: list[str]) -> torch.Tensor:
        length = self._clip.config.text_config.max_position_embeddings
        words = self._tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt")
        words = {name: words[name].to(self.device) for name in ("input_ids", "attention_mask")}
        pooled = self._clip.text_model(**words).pooler_output
        return _of_length_one(self._clip.text_projection(pooled))


def _clip_model(folder: Path, checkpoint: Path | None) -> torch.nn.Module:
    if checkpoint is None:
        return _folders.model(CLIPModel, folder)
    made: torch.nn.Module = CLIPModel(_folders.part(CLIPConfig, folder))
    _folders.fill(made, names_of_transformers(_folders.weights_file(checkpoint), checkpoint), checkpoint)
    return made


def _of_length_one(features: torch.Tensor) -> torch.Tensor:
    scaled: torch.Tensor = features / features.norm(dim=-1, keepdim=True)
    return scaled
