"""Aligns a diffusers FLUX transformer with LoRA in several processes, one for each GPU; with --shard (FSDP2) each holds a part.

    pip install './bindings/python[torch]' diffusers peft
    torchrun --nproc-per-node 2 examples/python/torch_ranks.py --out out
    torchrun --nproc-per-node 2 examples/python/torch_ranks.py --out out --shard

Without GPUs it runs on CPUs. Each process samples, scores and trains its share of an iteration's prompts. Rank 0 writes
metrics.jsonl, report.html and lora/ to the output folder; from checkpoints/ the same command continues, also with another
number of processes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mixgrpo
import mixgrpo.torch as mixtorch
import numpy as np
import torch
import torch.distributed as dist
import world
from diffusers import FluxTransformer2DModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from torch.distributed.fsdp import fully_shard

captions = [world.caption(prompt) for prompt in range(world.PROMPTS)]
codec = mixgrpo.PixelCodec(world.SIZE, world.SIZE, patch=4)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="examples/base", help="folder of the base model")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for the results, the same on all machines"
    )
    parser.add_argument("--shard", action="store_true", help="FSDP2: each process holds a part of the weights")
    parser.add_argument("--iterations", type=int, default=10, help="in all, those of an earlier run included")
    parser.add_argument("--prompts", type=int, default=4, help="prompts in an iteration, of all processes together")
    return parser.parse_args()


def transformer(folder: str, device: torch.device) -> FluxTransformer2DModel:
    """The base model, frozen, with LoRA on its attention; the same numbers in every process."""
    model = FluxTransformer2DModel.from_pretrained(folder).requires_grad_(False).eval().to(device)
    torch.manual_seed(1)
    model.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    return model.eval()


def in_parallel(model: FluxTransformer2DModel, shard: bool) -> torch.nn.Module:
    if not shard:
        return model  # the trainer adds up the gradients; a module that is wrapped in DDP does as well
    for block in [*model.transformer_blocks, *model.single_transformer_blocks]:
        fully_shard(block)
    return fully_shard(model)


def night_taste(images: np.ndarray, _: Sequence[str]) -> list[float]:
    return [world.night_taste(image) for image in images]


def main() -> None:
    chosen = options()
    on_gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo")
    device = torch.device("cuda", dist.get_node_local_rank()) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    model = transformer(chosen.model, device)
    words = mixgrpo.hashed_words(captions, text_length=16, text_width=64, pooled_width=64)
    side = world.SIZE // codec.patch
    velocity = mixtorch.FluxVelocity(
        in_parallel(model, chosen.shard),
        mixtorch.TextEmbeddings(*map(torch.tensor, words)),
        height_tokens=side,
        width_tokens=side,
    )
    policy = mixtorch.TorchPolicy(velocity, velocity.latent_shape, batch_size=12)
    lora = [weight for weight in model.parameters() if weight.requires_grad]
    trainer = mixtorch.TorchTrainer(
        policy, torch.optim.AdamW(lora, lr=1e-3), captions, mixgrpo.SamplingConfig(steps=12), rewards=["night"]
    )
    chosen.out.mkdir(parents=True, exist_ok=True)
    mixgrpo.train(
        trainer, night_taste, decode=codec.decode, iterations=chosen.iterations, prompts_per_iteration=chosen.prompts,
        checkpoints=chosen.out / "checkpoints", metrics=chosen.out / "metrics.jsonl", report=chosen.out / "report.html",
    )  # fmt: skip
    adapters = {name: whole(weight) for name, weight in get_peft_model_state_dict(model).items()}
    if trainer.ranks.index == 0:
        save_file(adapters, chosen.out / "lora.safetensors")
    dist.destroy_process_group()


def whole(weight: torch.Tensor) -> torch.Tensor:
    """All of a weight, which every process must ask for at once if it is sharded."""
    return (weight.full_tensor() if hasattr(weight, "full_tensor") else weight).cpu().contiguous()


if __name__ == "__main__":
    main()
