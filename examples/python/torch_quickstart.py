import mixgrpo
import mixgrpo.torch as mixtorch
import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig

lines = ["a red circle at the left", "a blue square in the middle"]
transformer = FluxTransformer2DModel.from_pretrained("examples/base").requires_grad_(False)
transformer.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
words = mixgrpo.hashed_words(lines, text_length=16, text_width=64, pooled_width=64)
prompts = mixtorch.TextEmbeddings(*map(torch.tensor, words))
velocity = mixtorch.FluxVelocity(transformer, prompts, height_tokens=8, width_tokens=8)
policy = mixtorch.TorchPolicy(velocity, velocity.latent_shape)  # or any module or function of yours, on any device
lora = [weight for weight in transformer.parameters() if weight.requires_grad]
trainer = mixtorch.TorchTrainer(policy, torch.optim.AdamW(lora, lr=1e-3), lines, mixgrpo.SamplingConfig(steps=12))
codec = mixgrpo.PixelCodec(32, 32, patch=4)


def darkness(images, prompts):  # (B, 32, 32, 3) bytes → (B) numbers
    return 1 - images.mean(axis=(1, 2, 3)) / 255


for metrics in mixgrpo.train(trainer, darkness, decode=codec.decode, iterations=10, prompts_per_iteration=2):
    print(f"iteration {metrics.iteration}: darkness {metrics.reward_mean:.3f}")
transformer.save_lora_adapter("aligned")
