"""Rewards that are the cosine of a picture and its prompt, by CLIP models that differ in what they were trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as PILImage

from .._arrays import ByteArray
from ._clip import CLIPReward


class CLIPScore(CLIPReward):
    """How well a picture fits its prompt (Hessel et al. 2021, arXiv 2104.08718): 2.5 · max(cos(picture, prompt), 0), so
    0…2.5.

        fit = mixgrpo.rewards.CLIPScore("clip-vit-large-patch14")

    `folder`: a CLIP model in the format of transformers, such as openai/clip-vit-large-patch14, with its tokenizer and
    preprocessor_config.json. Nothing is downloaded.
    `processor`: the folder of these two, if it is another. `checkpoint`: a file of weights with the names of OpenCLIP, in
    place of the folder's.
    `device`: by default the GPU, if there is one. `dtype`: of weights and pictures. `batch_size`: pictures at a time.
    Features of prompts are kept.
    """

    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B)."""
        return 2.5 * self.cosines(images, prompts).clamp(min=0)


class PickScore(CLIPReward):
    """Which of several pictures people would pick (Kirstain et al. 2023, arXiv 2305.01569): s · cos(picture, prompt) with the
    model's own temperature s, about 100; most pictures get 17…25.

        taste = mixgrpo.rewards.PickScore("PickScore_v1")

    `folder`: PickScore_v1 in the format of transformers (on the Hub: yuvalkirstain/PickScore_v1), with its tokenizer and
    preprocessor_config.json. `processor`: the folder of these two, if it is another, such as that of
    laion/CLIP-ViT-H-14-laion2B-s32B-b79K.
    `checkpoint`, `device`, `dtype`, `batch_size`: as for `CLIPScore`.
    """

    hub = "yuvalkirstain/PickScore_v1"

    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B)."""
        scale: torch.Tensor = self._clip.logit_scale.exp()
        return scale * self.cosines(images, prompts)


class HPSv2(CLIPReward):
    """Human Preference Score 2 and 2.1 (Wu et al. 2023, arXiv 2306.09341): cos(picture, prompt); most pictures get
    0.2…0.35.

        taste = mixgrpo.rewards.HPSv2("CLIP-ViT-H-14", checkpoint="HPS_v2.1_compressed.pt")

    `folder`: config.json, tokenizer and preprocessor_config.json of laion/CLIP-ViT-H-14-laion2B-s32B-b79K; its weights are
    not needed. `checkpoint`: the file of weights that the authors published (on the Hub: xswu/HPSv2), with the names of
    OpenCLIP; None when the folder itself holds HPS weights in the format of transformers.
    `device`, `dtype`, `batch_size`: as for `CLIPScore`.

    A picture that is not square is laid on black, whole, as the authors do. They resize in floating point, this class in
    bytes, as Pillow does.
    """

    hub = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"

    def __init__(
        self,
        folder: Any,
        *,
        checkpoint: Any,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        batch_size: int = 16,
    ) -> None:
        super().__init__(folder, checkpoint=checkpoint, device=device, dtype=dtype, batch_size=batch_size)
        self._side = int(self._clip.config.vision_config.image_size)

    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B)."""
        return self.cosines([on_black(image, self._side) for image in images], prompts)


def on_black(image: ByteArray, side: int) -> ByteArray:
    """A picture (height, width, 3), resized until it fits into a black square."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = PILImage.fromarray(image).resize(size, PILImage.Resampling.BICUBIC)
    square = PILImage.new("RGB", (side, side))
    square.paste(fitted, ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(square)
