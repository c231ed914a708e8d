"""Aligns a pipeline with the marks of a vision-language model behind an OpenAI-compatible server.

    pip install './bindings/python[torch]' diffusers peft
    vllm serve CodeGoat24/UnifiedReward-qwen-7b --port 8000
    python examples/python/align_with_judge.py --pipeline FLUX.1-dev --prompts prompts.txt \\
        --url http://localhost:8000/v1 --model CodeGoat24/UnifiedReward-qwen-7b

A picture that gets no mark is left out. --rubric names a file with a text of yours, in which {prompt} stands for the
prompt and which asks for a last line "Final Score: <1 to 5>". A key for the server is read from OPENAI_API_KEY. Writes
what `align_flux_lora.py` writes.
"""

import os
from pathlib import Path

import alignment
import mixgrpo.torch as mixtorch
from mixgrpo.rewards import Judge

options = alignment.parser(__doc__.partition("\n")[0])
options.add_argument("--url", required=True, help="address of the API, such as http://localhost:8000/v1")
options.add_argument("--model", required=True, help="name of the model on the server")
options.add_argument("--rubric", type=Path, help="file with the text that is sent with each picture")
chosen = options.parse_args()

pipe = alignment.load(chosen)
prompts = alignment.prompts_of(chosen)
policy, decode = mixtorch.from_pipeline(pipe, prompts, height=chosen.size, width=chosen.size, batch_size=chosen.batch)
rubric = chosen.rubric.read_text() if chosen.rubric else None
judge = Judge(chosen.url, chosen.model, rubric=rubric, api_key=os.environ.get("OPENAI_API_KEY"))
alignment.align(chosen, pipe, policy, decode, prompts, {"judge": judge})
