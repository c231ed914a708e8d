import diffusers
import mixgrpo
import mixgrpo.torch as mixtorch
import torch
from peft import LoraConfig, get_peft_model_state_dict

prompts = ["a red circle at the left", "a blue square in the middle"]
pipe = diffusers.DiffusionPipeline.from_pretrained("FLUX.1-dev", torch_dtype=torch.bfloat16).to("cuda")
pipe.transformer.requires_grad_(False)
pipe.transformer.add_adapter(LoraConfig(r=32, lora_alpha=32, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
pipe.transformer.eval().enable_gradient_checkpointing()  # a new adapter is in training mode
policy, decode = mixtorch.from_pipeline(pipe, prompts, height=512, width=512, batch_size=4)
lora = [weight for weight in pipe.transformer.parameters() if weight.requires_grad]
trainer = mixtorch.TorchTrainer(policy, torch.optim.AdamW(lora, lr=1e-4), prompts, mixgrpo.SamplingConfig(steps=16))


def darkness(images, prompts):  # (B, 512, 512, 3) bytes → (B) numbers
    return 1 - images.mean(axis=(1, 2, 3)) / 255


for metrics in mixgrpo.train(trainer, darkness, decode=decode, iterations=100, prompts_per_iteration=2):
    print(f"iteration {metrics.iteration}: darkness {metrics.reward_mean:.3f}")
pipe.save_lora_weights("aligned", get_peft_model_state_dict(pipe.transformer))
