"""Counts objects with a detector, and names their colours with CLIP."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as PILImage
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from .._arguments import path, short
from .._arrays import ByteArray
from ..errors import InvalidArgumentError
from . import _folders
from ._local import LocalReward
from .clip import CLIPScore
from .objects import COLORS, Wanted, check_wanted


class ObjectScore(LocalReward):
    """How well a picture shows the wanted objects, in number and colour: the mean over the objects of
    max(0, 1 − |found − wanted| / wanted), 0…1; with `strict` 1 if all are right and 0 otherwise, as GenEval counts.

        right = mixgrpo.rewards.ObjectScore(
            "rtdetr_r50vd",
            {"three red cars": [Wanted("car", 3, "red")], "a dog and a cat": [Wanted("dog"), Wanted("cat")]},
            clip="clip-vit-large-patch14",
        )

    `folder`: any detector of transformers with named classes (DETR, RT-DETR, YOLOS, …), with preprocessor_config.json.
    `wanted`: for each prompt its objects; `read_geneval` reads those of GenEval.
    `threshold`: the least score of a detection that counts.
    `clip`: folder of a CLIP model, needed for colours. The colour of an object is the one whose descriptions ("a photo of a
    red car", "a photo of a red-colored car", "a photo of a red object") fit the inside of its box best. GenEval cuts along
    the outline, which a detector of boxes does not know.
    `device`, `dtype`, `batch_size`: as for `CLIPScore`.
    """

    def __init__(
        self,
        folder: Any,
        wanted: Mapping[str, Sequence[Wanted]],
        *,
        clip: Any = None,
        threshold: float = 0.5,
        strict: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        batch_size: int = 16,
    ) -> None:
        super().__init__(device, dtype, batch_size)
        if not isinstance(threshold, int | float) or not 0 <= threshold < 1:
            raise InvalidArgumentError(f"threshold: expected a score of 0 to 1, got {short(threshold)}")
        place = path(folder, "folder")
        self._preprocess = _folders.part(AutoImageProcessor, _folders.model_folder(place, _detectors(), HUB))
        self._detector: Any = self.ready(_folders.model(AutoModelForObjectDetection, place))
        self._names: Mapping[int, str] = self._detector.config.id2label
        check_wanted(wanted, list(self._names.values()), clip is not None)
        self.wanted = dict(wanted)
        self.threshold = threshold
        self.strict = strict
        settings: dict[str, Any] = dict(device=self.device, dtype=dtype, batch_size=batch_size)
        self._clip = None if clip is None else CLIPScore(clip, **settings)

    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B). Raises `InvalidArgumentError` for a prompt whose objects are not known."""
        for prompt in prompts:
            if prompt not in self.wanted:
                raise InvalidArgumentError(f"prompts: expected those of wanted, got {prompt[:200]!r}")
        found = self.detections(images)
        return torch.tensor([self._score(*row) for row in zip(images, prompts, found, strict=True)])

    def detections(self, images: ByteArray) -> list[list[tuple[str, list[float]]]]:
        """Class and box (left, top, right, bottom) in pixels of each object in each picture."""
        pictures = [PILImage.fromarray(image) for image in images]
        inputs = self._preprocess(pictures, return_tensors="pt").to(self.device, self.dtype)
        answer = self._detector(**inputs)
        sizes = [image.shape[:2] for image in images]
        found = self._preprocess.post_process_object_detection(answer, threshold=self.threshold, target_sizes=sizes)
        return [
            [(self._names[int(label)], box) for label, box in zip(one["labels"], one["boxes"].tolist(), strict=True)]
            for one in found
        ]

    def _score(self, image: ByteArray, prompt: str, found: Sequence[tuple[str, list[float]]]) -> float:
        marks = []
        for item in self.wanted[prompt]:
            boxes = [box for name, box in found if name == item.name]
            if item.color is not None and boxes:
                colors = self._colors(image, item.name, boxes)
                boxes = [box for box, color in zip(boxes, colors, strict=True) if color == item.color]
            marks.append(item.score(len(boxes)))
        return float(min(marks) == 1) if self.strict else sum(marks) / len(marks)

    def _colors(self, image: ByteArray, name: str, boxes: Sequence[Sequence[float]]) -> list[str]:
        """The colour of the object in each box."""
        assert self._clip is not None  # check_wanted
        inside = self._clip.image_features([_inside(image, box) for box in boxes])
        texts = [text.format(color=color, name=name) for color in COLORS for text in DESCRIPTIONS]
        described = self._clip.text_features(texts).view(len(COLORS), len(DESCRIPTIONS), -1).mean(dim=1)
        described = described / described.norm(dim=-1, keepdim=True)
        return [COLORS[best] for best in (inside @ described.T).argmax(dim=1).tolist()]


HUB = "PekingU/rtdetr_r50vd"
DESCRIPTIONS = ("a photo of a {color} {name}", "a photo of a {color}-colored {name}", "a photo of a {color} object")


def _detectors() -> dict[str, str]:
    """model_type → name of the kinds of detectors that transformers has."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES as KINDS

    return {kind: "a detector of objects" for kind in KINDS}


def _inside(image: ByteArray, box: Sequence[float]) -> ByteArray:
    """The part of a picture in a box, at least one pixel."""
    height, width = image.shape[:2]
    left, top = (int(np.clip(np.floor(at), 0, size - 1)) for at, size in zip(box[:2], (width, height), strict=True))
    right, bottom = (int(np.ceil(at)) for at in box[2:])
    return np.ascontiguousarray(image[top : max(bottom, top + 1), left : max(right, left + 1)])
