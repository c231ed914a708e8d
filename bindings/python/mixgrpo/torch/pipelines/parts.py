"""What the families of pipelines share: settings, parts, embeddings and sizes of one pipeline."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch

from ...errors import InvalidArgumentError
from ..embeddings import TextEmbeddings
from ..vae import VAEDecoder
from .time_grid import SchedulerGrid, shift_of_tokens

Lines: TypeAlias = Sequence[str] | TextEmbeddings
"""Prompts as text, or their embeddings."""


class PipelineVelocity(Protocol):
    """The velocity of a pipeline's transformer, or of several."""

    latent_shape: tuple[int, ...]
    module: Any

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor, /) -> torch.Tensor: ...


@dataclass(frozen=True)
class Assembled:
    """What a family makes of a pipeline."""

    velocity: PipelineVelocity
    time_grid: SchedulerGrid
    decode: VAEDecoder


class PipelineParts:
    """A pipeline and what the caller of `from_pipeline` wants of it."""

    def __init__(self, pipe: Any, prompts: Lines, height: int, width: int, settings: dict[str, Any]) -> None:
        self.pipe = pipe
        self.name = type(pipe).__name__
        self.prompts = prompts
        self.height = height
        self.width = width
        self._given = {name: value for name, value in settings.items() if value is not None}
        self._known: set[str] = set()

    def setting(self, name: str) -> Any:
        """The caller's value, or the pipeline's own default, or None."""
        self._known.add(name)
        if name in self._given:
            return self._given[name]
        parameter = inspect.signature(self.pipe.__call__).parameters.get(name)
        return None if parameter is None or parameter.default is parameter.empty else parameter.default

    def refuse_others(self) -> None:
        """Raises `InvalidArgumentError` when the caller gave a setting that nobody asked for."""
        for name in self._given:
            if name not in self._known:
                known = ", ".join(sorted(self._known)) or "none"
                raise InvalidArgumentError(f"{name}: expected none, as {self.name} takes only {known}, got one")

    def refuse(self, name: str, reason: str) -> None:
        """Raises `InvalidArgumentError` when the caller gave this setting, which has no effect here."""
        self._known.add(name)
        if name in self._given:
            raise InvalidArgumentError(f"{name}: expected none, as {reason}, got {self._given[name]!r}")

    def part(self, name: str) -> Any:
        """A component. Raises `InvalidArgumentError` when the pipeline lacks it."""
        if (part := getattr(self.pipe, name, None)) is None:
            raise InvalidArgumentError(f"pipe: expected a {self.name} with its {name}, got one without")
        return part

    def own(self, name: str) -> Any:
        """A function or value of the module that defines the pipeline."""
        for kind in type(self.pipe).__mro__:
            if found := getattr(sys.modules.get(kind.__module__), name, None):
                return found
        version = getattr(sys.modules.get("diffusers"), "__version__", "unknown")
        raise InvalidArgumentError(
            f"pipe: expected {name} in the module of {self.name}, got none (diffusers {version})"
        )

    # Sizes

    def sizes_in(self, unit: int) -> tuple[int, int]:
        """Height and width in this unit of pixels. Raises `InvalidArgumentError` when they are no multiples of it."""
        for name, value in (("height", self.height), ("width", self.width)):
            if value < unit or value % unit:
                raise InvalidArgumentError(f"{name}: expected a multiple of {unit} pixels for {self.name}, got {value}")
        return self.height // unit, self.width // unit

    def shifted_grid(self, tokens: int) -> SchedulerGrid:
        """The time grid, shifted as the pipeline shifts it by a number of image tokens."""
        scheduler = self.part("scheduler")
        mu = shift_of_tokens(self.own("calculate_shift"), scheduler, tokens)
        return SchedulerGrid(scheduler, mu=lambda _: mu)

    # Pictures

    def pictures(self, name: str, processor: Any, height: int, width: int) -> torch.Tensor:
        """The pictures of a setting, one for all prompts or one for each, as a processor of the pipeline makes them of
        this size: (P, 3, height, width), or (P, 1, …) for masks."""
        given = self.setting(name)
        if given is None:
            raise InvalidArgumentError(f"{name}: expected one picture, or one for each prompt, got none")
        pictures: torch.Tensor = processor.preprocess(given, height=height, width=width)
        if len(pictures) not in (1, len(self.prompts)):
            raise InvalidArgumentError(f"{name}: expected 1 or {len(self.prompts)} pictures, got {len(pictures)}")
        return pictures

    def encoded(self, pictures: torch.Tensor) -> torch.Tensor:
        """The latents (P, C, H, W) that the VAE makes of pictures, the likeliest of its distribution."""
        vae = self.part("vae")
        with torch.no_grad():
            latents: torch.Tensor = vae.encode(pictures.to(vae.device, vae.dtype)).latent_dist.mode()
        scaled: torch.Tensor = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        return scaled

    # Text

    def embedded(self, lines: Lines, embed: Callable[[str], TextEmbeddings], field: str = "prompts") -> TextEmbeddings:
        """The embeddings of texts, each made alone, so that no text depends on another."""
        if isinstance(lines, TextEmbeddings):
            return lines
        if isinstance(lines, str) or not lines or not all(isinstance(line, str) for line in lines):
            raise InvalidArgumentError(
                f"{field}: expected at least one text in a sequence, or embeddings, got {lines!r}"
            )
        for name in self.pipe.components:
            if name.startswith(("text_encoder", "tokenizer")) and getattr(self.pipe, name) is None:
                if name in getattr(self.pipe, "_optional_components", ()) or name == "text_encoder_3":
                    continue
                raise InvalidArgumentError(
                    f"{field}: expected embeddings, as the {name} of this {self.name} is None, got texts; call "
                    f"from_pipeline before the text encoders are freed, or pass the `prompts` of an earlier velocity"
                )
        made: dict[str, TextEmbeddings] = {}
        with torch.no_grad():
            for line in lines:
                if line not in made:
                    made[line] = embed(line).to(torch.device("cpu"))
        return TextEmbeddings.joined([made[line] for line in lines])

    def guidance(
        self, scale: float, embed: Callable[[str], TextEmbeddings], *, default: str | None = ""
    ) -> dict[str, Any]:
        """`true_cfg_scale` and `negative` of a velocity that is guided, as pipelines are, when the scale is above 1 and
        there is a negative prompt. `default`: the negative prompt when the caller gave none."""
        lines = self.setting("negative_prompt")
        lines = default if lines is None else lines
        if scale <= 1 or lines is None:
            return {"true_cfg_scale": 1.0, "negative": None}
        lines = [lines] if isinstance(lines, str) else lines
        return {"true_cfg_scale": scale, "negative": self.embedded(lines, embed, "negative_prompt")}
