"""The flow transformer in PyTorch: diffusers' own model, with the weights and inputs that `benchmark export` wrote."""

from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file

# Relative error of the velocity; the float32 angles of the sinusoidal embedding contribute about 1e-4.
TOLERANCE = 1e-3


class TorchFlux:
    """Velocities of one prompt; `mode` is eager or compile."""

    def __init__(self, folder: Path, mode: str):
        self.model = FluxTransformer2DModel.from_pretrained(folder)
        self.reference = load_file(folder / "reference.safetensors")
        self.tokens, self.channels = self.reference["latents"].shape[1:]
        self.text_ids = torch.zeros(self.reference["text"].shape[1], 3)
        self.forward = torch.compile(self.model, dynamic=False) if mode == "compile" else self.model

    device = torch.device("cpu")

    def trained_weights(self) -> list[torch.nn.Parameter]:
        """All of them."""
        return list(self.model.parameters())

    def velocity(self, latents: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(B, tokens, channels) at (B,) noise levels to the same shape."""
        batch = latents.shape[0]
        return self.forward(
            hidden_states=latents,
            encoder_hidden_states=self.reference["text"].expand(batch, -1, -1),
            pooled_projections=self.reference["pooled"].expand(batch, -1),
            timestep=sigma,
            guidance=self.reference["guidance"][:1].expand(batch),
            img_ids=self.reference["image_ids"],
            txt_ids=self.text_ids,
            return_dict=False,
        )[0]

    def check(self) -> float:
        """The relative error of the velocities against the reference, which must be small."""
        with torch.no_grad():
            velocity = self.velocity(self.reference["latents"], self.reference["sigma"])
        expected = self.reference["velocity"]
        error = ((velocity - expected).norm() / expected.norm()).item()
        if not error <= TOLERANCE:
            raise SystemExit(f"the two models differ: relative error {error:.1e}, expected at most {TOLERANCE:.0e}")
        return error
