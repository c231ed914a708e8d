"""Aligns FLUX.1 with PickScore, and with CLIP score at half its weight: a pipeline's folder in, a LoRA out.

    pip install './bindings/python[torch,rewards]' diffusers peft
    hf download black-forest-labs/FLUX.1-dev --local-dir FLUX.1-dev
    hf download yuvalkirstain/PickScore_v1 --local-dir PickScore_v1
    python examples/python/align_flux_lora.py --pipeline FLUX.1-dev --pickscore PickScore_v1 --prompts prompts.txt

Writes to the output folder: before.png, after.png (same prompts, same noise), lora/, which
`pipe.load_lora_weights` reads, and checkpoints/, from which the same command continues. Ctrl-C ends the training early
and keeps the result.
"""

import alignment
import mixgrpo.torch as mixtorch
from mixgrpo.rewards import CLIPScore, PickScore

options = alignment.parser(__doc__.partition("\n")[0])
options.add_argument("--pickscore", required=True, help="folder of PickScore_v1")
options.add_argument("--clip", help="folder of a CLIP model, for a second reward")
chosen = options.parse_args()

pipe = alignment.load(chosen)
prompts = alignment.prompts_of(chosen)
policy, decode = mixtorch.from_pipeline(
    pipe, prompts, height=chosen.size, width=chosen.size, guidance_scale=3.5, batch_size=chosen.batch
)
rewards = {"pickscore": PickScore(chosen.pickscore, device=chosen.device)}
if chosen.clip:
    rewards["clip"] = CLIPScore(chosen.clip, device=chosen.device)
weights = {name: weight for name, weight in {"pickscore": 1.0, "clip": 0.5}.items() if name in rewards}
alignment.align(chosen, pipe, policy, decode, prompts, rewards, weights)
