"""How much people like a picture on average, whatever its prompt."""

from collections.abc import Sequence
from typing import Any

import torch

from .._arguments import path
from .._arrays import ByteArray
from . import _folders
from ._clip import CLIPReward
from ._linear_head import linear_head


class AestheticScore(CLIPReward):
    """LAION's aesthetic predictor (Schuhmann 2022): linear layers on the features of a picture by CLIP ViT-L/14, scaled to
    length 1; a mark of about 1…10. The prompt does not matter.

        beauty = mixgrpo.rewards.AestheticScore(
            "clip-vit-large-patch14", head="sac+logos+ava1-l14-linearMSE.pth"
        )

    `folder`: the CLIP model in the format of transformers, openai/clip-vit-large-patch14, with preprocessor_config.json and
    tokenizer. `head`: the file of weights of the layers, of PyTorch or safetensors: that of the improved predictor (five
    layers) or of the first one (one layer).
    `device`, `dtype`, `batch_size`: as for `CLIPScore`.
    """

    def __init__(
        self,
        folder: Any,
        *,
        head: Any,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        batch_size: int = 16,
    ) -> None:
        super().__init__(folder, device=device, dtype=dtype, batch_size=batch_size)
        file = path(head, "head")
        width = int(self._clip.config.projection_dim)
        self._head = self.ready(linear_head(_folders.weights_file(file), width, file))

    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B)."""
        marks: torch.Tensor = self._head(self.image_features(images))
        return marks[:, 0]
