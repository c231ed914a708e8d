"""The flow transformer in PyTorch: diffusers' own model, in the precisions that a user may choose, compiled or not."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file


@dataclass(frozen=True)
class Mode:
    compiled: bool = False
    autocast: bool = False  # float32 weights, products in bfloat16
    half_weights: bool = False  # all weights in bfloat16

    @property
    def tolerance(self) -> float:
        """Relative error of the velocity. In float32 the angles of the sinusoidal embedding contribute about 1e-4."""
        return 3e-2 if self.autocast or self.half_weights else 1e-3


MODES = {
    "eager": Mode(),
    "compile": Mode(compiled=True),
    "autocast": Mode(autocast=True),
    "compile-autocast": Mode(compiled=True, autocast=True),
    "compile-bf16": Mode(compiled=True, half_weights=True),
}


@dataclass(frozen=True)
class Inputs:
    """What the velocity depends on besides latent and noise level."""

    text: torch.Tensor  # (prompts, text tokens, width)
    pooled: torch.Tensor  # (prompts, width)
    image_ids: torch.Tensor  # (tokens, 3)
    guidance: torch.Tensor | None  # (1)


class TorchFlux:
    """Velocities of one prompt at a time, float32 to float32."""

    device = torch.device("cpu")

    def __init__(self, folder: Path, inputs: Inputs, mode: Mode):
        self.mode, self.dtype = mode, torch.bfloat16 if mode.half_weights else torch.float32
        self.model = FluxTransformer2DModel.from_pretrained(folder, torch_dtype=self.dtype)
        self.inputs, self.prompt = inputs, 0
        self.tokens, self.channels = len(inputs.image_ids), self.model.config.in_channels
        self.text_ids = torch.zeros(inputs.text.shape[1], 3)
        self.forward = torch.compile(self.model, dynamic=False) if mode.compiled else self.model

    def trained_weights(self) -> list[torch.nn.Parameter]:
        """All of them."""
        return list(self.model.parameters())

    def velocity(self, latents: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(B, tokens, channels) at (B,) noise levels to the same shape."""
        batch, inputs, rows = len(latents), self.inputs, slice(self.prompt, self.prompt + 1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.mode.autocast):
            velocity = self.forward(
                hidden_states=latents.to(self.dtype),
                encoder_hidden_states=inputs.text[rows].to(self.dtype).expand(batch, -1, -1),
                pooled_projections=inputs.pooled[rows].to(self.dtype).expand(batch, -1),
                timestep=sigma.to(self.dtype),
                guidance=None if inputs.guidance is None else inputs.guidance.to(self.dtype).expand(batch),
                img_ids=inputs.image_ids,
                txt_ids=self.text_ids,
                return_dict=False,
            )[0]
        return velocity.float()

    def check(self, latents: torch.Tensor, sigma: torch.Tensor, expected: torch.Tensor) -> float:
        """The relative error of the velocities against those of the library, which must be small."""
        with torch.no_grad():
            velocity = self.velocity(latents, sigma)
        error = ((velocity - expected).norm() / expected.norm()).item()
        if not error <= self.mode.tolerance:
            raise SystemExit(
                f"the two models differ: relative error {error:.1e}, expected at most {self.mode.tolerance:.0e}"
            )
        return error


def exported(folder: Path, mode: Mode) -> tuple[TorchFlux, float]:
    """The model that `benchmark export` wrote, and the error of its velocity."""
    reference = load_file(folder / "reference.safetensors")
    inputs = Inputs(reference["text"], reference["pooled"], reference["image_ids"], reference["guidance"][:1])
    flux = TorchFlux(folder, inputs, mode)
    return flux, flux.check(reference["latents"], reference["sigma"], reference["velocity"])
