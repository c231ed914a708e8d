"""FLUX transformers of random weights with LoRA, of the size of FLUX.1-dev and smaller, on any device."""

from dataclasses import dataclass

import mixgrpo.torch as mixtorch
import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig


@dataclass(frozen=True)
class Size:
    layers: int
    single_layers: int
    heads: int
    head_width: int
    text_width: int
    pooled_width: int
    rotary: tuple[int, int, int]
    side: int  # the image has side x side tokens
    text: int  # tokens of text
    rank: int  # of LoRA


SIZES = {
    "flux": Size(19, 38, 24, 128, 4096, 768, (16, 56, 56), side=45, text=512, rank=32),  # FLUX.1-dev at 720 x 720
    "tenth": Size(6, 12, 16, 128, 4096, 768, (16, 56, 56), side=45, text=512, rank=32),
    "tiny": Size(1, 1, 2, 8, 6, 5, (2, 2, 4), side=2, text=3, rank=2),
}


class RandomFlux:
    """The velocity of one prompt, float32 to float32, for a loop in plain PyTorch; `policy` is the same for the library.

    `compile` compiles each block, as diffusers recommends; `checkpointing` computes activations twice.
    """

    def __init__(self, size: Size, device: str, dtype: torch.dtype, *, compile: bool, checkpointing: bool):
        self.device, self.dtype = torch.device(device), dtype
        self.tokens, self.channels = size.side**2, 64
        torch.manual_seed(0)
        self.model = _model(size, self.device, dtype)
        if checkpointing:
            self.model.enable_gradient_checkpointing()
        if compile:
            self.model.compile_repeated_blocks(fullgraph=True, dynamic=False)
        text = torch.randn(1, size.text, size.text_width, device=self.device)
        pooled = torch.randn(1, size.pooled_width, device=self.device)
        self.asked = mixtorch.FluxVelocity(
            self.model, mixtorch.TextEmbeddings(text, pooled), height_tokens=size.side, width_tokens=size.side
        )

    def velocity(self, latents: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(B, tokens, channels) at (B,) noise levels to the same shape."""
        prompts = torch.zeros(len(latents), dtype=torch.int64, device=self.device)
        return self.asked(latents.to(self.dtype), sigma, prompts).float()

    def policy(self, batch: int) -> mixtorch.TorchPolicy:
        return mixtorch.TorchPolicy(self.asked, self.asked.latent_shape, batch_size=batch)

    def trained_weights(self) -> list[torch.nn.Parameter]:
        """Those of LoRA."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def weight_count(self) -> int:
        return sum(weight.numel() for weight in self.model.parameters())


def _model(size: Size, device: torch.device, dtype: torch.dtype) -> FluxTransformer2DModel:
    """Frozen, with LoRA on its attention; weights are made on the device, as 24 GB take long to get there."""
    with torch.device("meta"):
        model = FluxTransformer2DModel(
            num_layers=size.layers, num_single_layers=size.single_layers, attention_head_dim=size.head_width,
            num_attention_heads=size.heads, joint_attention_dim=size.text_width,
            pooled_projection_dim=size.pooled_width, guidance_embeds=True, axes_dims_rope=size.rotary,
        )  # fmt: skip
    model = model.to(dtype).to_empty(device=device).eval().requires_grad_(False)
    for weight in model.parameters():
        if weight.ndim == 1:
            torch.nn.init.constant_(weight, 0.0)
        else:
            torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
    for part in model.modules():
        if "RMSNorm" in type(part).__name__ and part.weight is not None:
            torch.nn.init.constant_(part.weight, 1.0)
    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    model.add_adapter(LoraConfig(r=size.rank, lora_alpha=size.rank, target_modules=targets, init_lora_weights=False))
    return model.eval()
