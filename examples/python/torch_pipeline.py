import diffusers
import mixgrpo
import mixgrpo.torch as mixtorch
import torch
from peft import LoraConfig

torch.backends.cuda.enable_cudnn_sdp(False)  # the backward of cuDNN's attention gives NaN for some shapes
prompts = ["a red circle at the left", "a blue square in the middle"]
pipe = diffusers.DiffusionPipeline.from_pretrained("FLUX.1-dev", torch_dtype=torch.bfloat16).to("cuda")
lora = LoraConfig(r=32, lora_alpha=32, target_modules=["to_q", "to_k", "to_v", "to_out.0"])
pipe.transformer.requires_grad_(False).add_adapter(lora)
pipe.transformer.eval().enable_gradient_checkpointing()  # a new adapter is in training mode
policy, decode = mixtorch.from_pipeline(pipe, prompts, height=512, width=512, batch_size=4)
optimizer = torch.optim.AdamW([weight for weight in pipe.transformer.parameters() if weight.requires_grad], lr=1e-4)
trainer = mixtorch.TorchTrainer(policy, optimizer, prompts, mixgrpo.SamplingConfig(steps=16))


def darkness(images, prompts):  # (B, 512, 512, 3) bytes → (B) numbers
    return 1 - images.mean(axis=(1, 2, 3)) / 255


mixgrpo.train(trainer, darkness, decode=decode, iterations=100, prompts_per_iteration=2)
mixtorch.save_lora(pipe, "aligned")
