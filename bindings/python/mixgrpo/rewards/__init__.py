"""Rewards that people align with: `pip install mixgrpo[rewards]`.

Each is a function (images, prompts) → numbers for `mixgrpo.train`, made from local folders of weights; nothing is downloaded.
Several go into one dict, each with its weight:

    from mixgrpo.rewards import CLIPScore, PickScore

    rewards = {"taste": PickScore("PickScore_v1"), "fit": CLIPScore("clip-vit-large-patch14")}
    trainer = mixgrpo.torch.TorchTrainer(policy, optimizer, prompts, rewards=list(rewards))
    mixgrpo.train(trainer, rewards, weights={"taste": 1.0, "fit": 0.5}, decode=decode, iterations=100)

`Judge` and `OCRScore` need no PyTorch.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from .judge import RUBRIC, Judge
from .objects import COLORS, Wanted, read_geneval
from .ocr import OCRScore, quoted_text

_MISSING = [name for name in ("torch", "transformers", "PIL") if find_spec(name) is None]
_MODELS = ("AestheticScore", "CLIPScore", "HPSv2", "ImageReward", "ObjectScore", "PickScore")

if TYPE_CHECKING or not _MISSING:
    from .aesthetic import AestheticScore
    from .clip import CLIPScore, HPSv2, PickScore
    from .image_reward import ImageReward
    from .object_score import ObjectScore

__all__ = [
    "COLORS",
    "RUBRIC",
    "AestheticScore",
    "CLIPScore",
    "HPSv2",
    "ImageReward",
    "Judge",
    "OCRScore",
    "ObjectScore",
    "PickScore",
    "Wanted",
    "quoted_text",
    "read_geneval",
]


def __getattr__(name: str) -> object:
    if name in _MODELS:
        raise ImportError(f"mixgrpo.rewards.{name} needs {', '.join(_MISSING)}: pip install mixgrpo[rewards]")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
