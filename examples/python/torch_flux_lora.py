"""Aligns a diffusers FLUX transformer with LoRA: rewards with weights, a KL to the base model, checkpoints.

The rewards are the night taste of `align.py` and, at half its weight, how well a picture shows its prompt. With --url, a
reward server scores instead. `--random` starts from a tiny model with random weights and runs in seconds.

    pip install './bindings/python[torch]' diffusers peft
    python examples/python/torch_flux_lora.py --model examples/base --out out

Writes to the output folder: before.png, after.png (same prompts, same noise), lora/ and checkpoints/, from which the
same command continues. Ctrl-C ends the training early and keeps the result.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import mixgrpo
import mixgrpo.torch as mixtorch
import numpy as np
import torch
import world
from diffusers import FluxTransformer2DModel
from peft import LoraConfig

SHOWN = range(0, world.PROMPTS, 6)  # the prompts in before.png and after.png

codec = mixgrpo.PixelCodec(world.SIZE, world.SIZE, patch=4)
captions = [world.caption(prompt) for prompt in range(world.PROMPTS)]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="examples/base", help="folder of the base model")
    parser.add_argument("--random", action="store_true", help="a tiny model of random weights in its place")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    parser.add_argument("--iterations", type=int, default=10, help="in all, those of an earlier run included")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="rate of AdamW")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="compute under autocast in bfloat16")
    parser.add_argument("--batch", type=int, default=12, help="latents in one call of the model")
    parser.add_argument("--url", help="a server that scores pictures, in place of the rewards here")
    return parser.parse_args()


def transformer(chosen: argparse.Namespace) -> FluxTransformer2DModel:
    """The base model, frozen, with LoRA on its attention."""
    if chosen.random:
        torch.manual_seed(0)
        model = FluxTransformer2DModel(
            in_channels=48, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=64, pooled_projection_dim=64, axes_dims_rope=(4, 6, 6),
        )  # fmt: skip
    else:
        model = FluxTransformer2DModel.from_pretrained(chosen.model)
    model.requires_grad_(False).eval().to(chosen.device)
    torch.manual_seed(1)
    model.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    return model


def create_policy(model: FluxTransformer2DModel, chosen: argparse.Namespace) -> mixtorch.TorchPolicy:
    words = mixgrpo.hashed_words(captions, text_length=16, text_width=64, pooled_width=64)
    side = world.SIZE // codec.patch
    velocity = mixtorch.FluxVelocity(
        model, mixtorch.TextEmbeddings(*map(torch.tensor, words)), height_tokens=side, width_tokens=side
    )
    return mixtorch.TorchPolicy(
        velocity,
        velocity.latent_shape,
        reference=mixtorch.WithoutAdapters(velocity, model),
        autocast=torch.bfloat16 if chosen.bf16 else None,
        batch_size=chosen.batch,
    )


def night_taste(images: np.ndarray, _: Sequence[str]) -> list[float]:
    return [world.night_taste(image) for image in images]


def prompt_match(images: np.ndarray, prompts: Sequence[str]) -> list[float]:
    return [world.prompt_match(image, captions.index(line)) for image, line in zip(images, prompts, strict=True)]


def rewards_of(chosen: argparse.Namespace) -> tuple[Mapping[str, mixgrpo.Reward], Mapping[str, float]]:
    if chosen.url:
        return {"server": mixgrpo.HTTPReward(chosen.url)}, {"server": 1.0}
    return {"night": night_taste, "match": prompt_match}, {"night": 1.0, "match": 0.5}


def save_pictures(policy: mixtorch.TorchPolicy, path: Path) -> None:
    samples = mixtorch.sample(policy, SHOWN, mixgrpo.SampleConfig(steps=12, seed=2024))
    mixgrpo.Image.grid(codec.decode(samples[:, 0]), columns=5, gap=4, scale=3).save(path)


def main() -> None:
    chosen = options()
    if chosen.bf16:  # cuDNN's attention has a backward that gives NaN for some shapes
        torch.backends.cuda.enable_cudnn_sdp(False)
    chosen.out.mkdir(parents=True, exist_ok=True)
    model = transformer(chosen)
    policy = create_policy(model, chosen)
    lora = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(lora, lr=chosen.learning_rate)
    rewards, weights = rewards_of(chosen)
    sampling = mixgrpo.SamplingConfig(steps=12, initial_noise=mixgrpo.InitialNoise.OWN)
    learning = mixgrpo.LearningConfig(kl_reference=1e-4)
    trainer = mixtorch.TorchTrainer(policy, optimizer, captions, sampling, learning, rewards=list(rewards))
    checkpoints = chosen.out / "checkpoints"
    if not checkpoints.exists():
        save_pictures(policy, chosen.out / "before.png")

    def show(metrics: mixgrpo.Metrics) -> None:
        print(f"{metrics.iteration + 1:3d}/{chosen.iterations}  reward {metrics.reward_mean:.3f}", flush=True)

    try:
        mixgrpo.train(
            trainer, rewards, decode=codec.decode, iterations=chosen.iterations, prompts_per_iteration=2,
            weights=weights, on_iteration=show, checkpoints=checkpoints, progress=False,
        )  # fmt: skip
    except KeyboardInterrupt:
        print("stopped early")
    model.save_lora_adapter(chosen.out / "lora")
    save_pictures(policy, chosen.out / "after.png")


if __name__ == "__main__":
    main()
