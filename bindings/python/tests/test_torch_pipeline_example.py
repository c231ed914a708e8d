"""The program of the guide runs, and the pipeline loads what it saves."""

import mixgrpo.torch as mixtorch
import tiny_pipelines as tiny
from torch_fixtures import torch
from tree import ROOT

PROMPT = ["a red circle at the left"]


def picture(pipe):
    noise = torch.randn(1, 4, 16, generator=torch.Generator().manual_seed(5))
    return pipe(
        prompt=PROMPT, height=8, width=8, num_inference_steps=3, latents=noise, output_type="latent", max_sequence_length=10
    ).images  # fmt: skip


def test_the_program_of_the_guide_saves_a_lora_that_the_pipeline_loads(mixgrpo, tmp_path, monkeypatch):
    program = (ROOT / "examples/python/torch_pipeline.py").read_text()
    for full, small in (('.to("cuda")', ""), ("height=512, width=512", "height=8, width=8, max_sequence_length=10"),
                        ("iterations=100", "iterations=2"), ("steps=16", "steps=6"), ("lr=1e-4", "lr=1e-1")):  # fmt: skip
        assert program.count(full) == 1
        program = program.replace(full, small)
    pipe, untouched = tiny.made(tiny.flux), tiny.made(tiny.flux)
    monkeypatch.setattr(tiny.diffusers.DiffusionPipeline, "from_pretrained", lambda folder, torch_dtype: pipe)
    monkeypatch.chdir(tmp_path)
    names = {}
    try:
        exec(compile(program, "torch_pipeline.py", "exec"), names)
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(True)
    assert names["trainer"].iteration == 2
    before, trained = picture(untouched), picture(pipe)
    untouched.load_lora_weights(tmp_path / "aligned")
    assert (trained - before).abs().max() > 1e-3
    assert (picture(untouched) - trained).abs().max() <= 1e-6
    assert mixtorch.from_pipeline(untouched, PROMPT, height=8, width=8)[0].reference is not None
