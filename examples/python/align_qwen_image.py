"""Aligns Qwen-Image with PickScore; with --ocr also to write the quoted words of its prompts.

    pip install './bindings/python[torch,rewards]' diffusers peft
    hf download Qwen/Qwen-Image --local-dir Qwen-Image
    hf download yuvalkirstain/PickScore_v1 --local-dir PickScore_v1
    python examples/python/align_qwen_image.py --pipeline Qwen-Image --pickscore PickScore_v1 --prompts prompts.txt

Guidance by a negative prompt doubles the calls of the transformer; --guidance 1 does without. Writes what
`align_flux_lora.py` writes.
"""

import alignment
import mixgrpo
import mixgrpo.torch as mixtorch
from mixgrpo.rewards import OCRScore, PickScore

options = alignment.parser(__doc__.partition("\n")[0])
options.add_argument("--pickscore", required=True, help="folder of PickScore_v1")
options.add_argument("--ocr", action="store_true", help="every prompt has the words to be written in double quotes")
options.add_argument("--guidance", type=float, default=4.0, help="true_cfg_scale of the pipeline")
chosen = options.parse_args()

pipe = alignment.load(chosen)
prompts = alignment.prompts_of(chosen)
policy, decode = mixtorch.from_pipeline(
    pipe, prompts, height=chosen.size, width=chosen.size, true_cfg_scale=chosen.guidance, negative_prompt=" ",
    batch_size=chosen.batch,
)  # fmt: skip
pipe.text_encoder = None  # its memory is free now: the prompts are embedded
rewards: dict[str, mixgrpo.Reward] = {"pickscore": PickScore(chosen.pickscore, device=chosen.device)}
if chosen.ocr:
    rewards["ocr"] = OCRScore()
alignment.align(chosen, pipe, policy, decode, prompts, rewards)
