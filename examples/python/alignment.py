"""What the examples that align a pipeline of diffusers share: options, LoRA, the run, pictures before and after."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import mixgrpo
import mixgrpo.torch as mixtorch
import torch
from diffusers.training_utils import cast_training_params
from peft import LoraConfig


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all of them have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--pipeline", required=True, help="folder of the pipeline, in the format of diffusers")
    options.add_argument("--prompts", type=Path, required=True, help="file with one prompt in each line")
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    options.add_argument("--iterations", type=int, default=100, help="in all, those of an earlier run included")
    options.add_argument("--size", type=int, default=512, help="height and width of the pictures, in pixels")
    options.add_argument("--steps", type=int, default=16, help="denoising steps")
    options.add_argument("--group-size", type=int, default=12, help="pictures of each prompt")
    options.add_argument("--rank", type=int, default=32, help="of the LoRA")
    options.add_argument("--learning-rate", type=float, default=1e-4, help="rate of AdamW")
    options.add_argument("--batch", type=int, default=4, help="latents in one call of the transformer")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return options


def load(chosen: argparse.Namespace) -> Any:
    """The pipeline, frozen, with a new LoRA in float32 on the attention of its transformer."""
    torch.backends.cuda.enable_cudnn_sdp(False)  # whose backward may give NaN in bfloat16
    dtype = torch.float32 if chosen.device == "cpu" else torch.bfloat16
    pipe = diffusers.DiffusionPipeline.from_pretrained(chosen.pipeline, torch_dtype=dtype).to(chosen.device)
    pipe.transformer.requires_grad_(False)
    torch.manual_seed(1)
    attention = ["to_q", "to_k", "to_v", "to_out.0"]
    pipe.transformer.add_adapter(LoraConfig(r=chosen.rank, lora_alpha=2 * chosen.rank, target_modules=attention))
    cast_training_params(pipe.transformer, torch.float32)
    pipe.transformer.eval().enable_gradient_checkpointing()
    return pipe


def prompts_of(chosen: argparse.Namespace) -> list[str]:
    return [line.strip() for line in chosen.prompts.read_text().splitlines() if line.strip()]


def align(
    chosen: argparse.Namespace,
    pipe: Any,
    policy: mixtorch.TorchPolicy,
    decode: mixgrpo.Decoder,
    prompts: Sequence[str],
    rewards: Mapping[str, mixgrpo.Reward],
    weights: Mapping[str, float] | None = None,
) -> None:
    """Trains the LoRA, with a checkpoint after each iteration, and saves it as the pipeline loads it."""
    lora = [weight for weight in pipe.transformer.parameters() if weight.requires_grad]
    trainer = mixtorch.TorchTrainer(
        policy,
        torch.optim.AdamW(lora, lr=chosen.learning_rate),
        prompts,
        mixgrpo.SamplingConfig(steps=chosen.steps, group_size=chosen.group_size),
        mixgrpo.LearningConfig(kl_reference=1e-4),
        rewards=list(rewards),
    )
    chosen.out.mkdir(parents=True, exist_ok=True)
    checkpoints = chosen.out / "checkpoints"
    if not checkpoints.exists():
        save_pictures(chosen, policy, decode, prompts, "before.png")

    def show(metrics: mixgrpo.Metrics) -> None:
        means = "  ".join(f"{reward.name} {reward.mean:.3f}" for reward in trainer.reward_metrics().values())
        print(f"{metrics.iteration + 1:3d}/{chosen.iterations}  {means}", flush=True)

    try:
        mixgrpo.train(
            trainer, rewards, decode=decode, iterations=chosen.iterations, prompts_per_iteration=2,
            weights=weights, on_iteration=show, checkpoints=checkpoints, progress=False,
        )  # fmt: skip
    except KeyboardInterrupt:
        print("stopped early")
    mixtorch.save_lora(pipe, chosen.out / "lora")
    save_pictures(chosen, policy, decode, prompts, "after.png")


def save_pictures(
    chosen: argparse.Namespace, policy: mixtorch.TorchPolicy, decode: mixgrpo.Decoder, prompts: Sequence[str], name: str
) -> None:
    """One picture for each of the first prompts, always of the same noise."""
    shown = range(min(len(prompts), 8))
    samples = mixtorch.sample(policy, shown, mixgrpo.SampleConfig(steps=chosen.steps, seed=2024))
    mixgrpo.Image.grid(decode(samples[:, 0]), columns=4, gap=4).save(chosen.out / name)
