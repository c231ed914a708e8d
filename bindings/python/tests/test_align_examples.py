"""The examples that align a pipeline run on folders of tiny random models, and the pipelines load what they save."""

import json
import runpy
import sys

import mixgrpo.torch as mixtorch
import numpy as np
import pytest
import tiny_folders
import tiny_rewards
from local_server import local_server, send
from test_judge import completion
from torch_fixtures import required, torch
from tree import ROOT

required("peft")
from tiny_pipelines import diffusers  # noqa: E402

EXAMPLES = ROOT / "examples/python"
PROMPTS = ['a sign that says "a dog"', "a red circle at the left"]
SHORT = "--size 16 --steps 6 --group-size 4 --rank 2 --learning-rate 0.05 --device cpu".split()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two pipelines, PickScore and CLIP, and a file of prompts."""
    place = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    tiny_folders.flux(place / "flux"), tiny_folders.qwen_image(place / "qwen")
    tiny_rewards.clip(place / "pickscore"), tiny_rewards.clip(place / "clip", seed=1)
    (place / "prompts.txt").write_text("\n".join(PROMPTS) + "\n\n")
    return place


@pytest.fixture
def example(mixgrpo, folders, monkeypatch, capsys):
    """Runs a program in this process; gives what it printed."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def run(name, pipeline, out, *options, iterations=1):
        files = ["--pipeline", folders / pipeline, "--prompts", folders / "prompts.txt", "--out", out]
        command = [EXAMPLES / name, *files, "--iterations", iterations, *SHORT, *options]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        assert not torch.backends.cuda.cudnn_sdp_enabled()
        return capsys.readouterr().out

    yield run
    torch.backends.cuda.enable_cudnn_sdp(True)


def drawn_with(mixgrpo, folder, lora=None, **guidance):
    """What a pipeline draws of the noise of before.png and after.png."""
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder)
    if lora is not None:
        pipe.load_lora_weights(lora)
    policy, decode = mixtorch.from_pipeline(pipe, PROMPTS, height=16, width=16, **guidance)
    samples = mixtorch.sample(policy, range(2), mixgrpo.SampleConfig(steps=6, seed=2024))
    return mixgrpo.Image.grid(decode(samples[:, 0]), columns=4, gap=4).pixels().astype(int)


def check_result(mixgrpo, folder, out, **guidance):
    """The pictures before and after are those of the pipeline, without and with the LoRA that it loads."""
    before, after = (mixgrpo.Image.load(out / f"{name}.png").pixels().astype(int) for name in ("before", "after"))
    assert np.abs(drawn_with(mixgrpo, folder, **guidance) - before).max() <= 1
    assert np.abs(drawn_with(mixgrpo, folder, out / "lora", **guidance) - after).max() <= 1
    assert np.abs(after - before).max() > 1


def test_flux_with_pickscore_goes_on_as_if_never_stopped(mixgrpo, example, folders, tmp_path):
    scores = ["--pickscore", folders / "pickscore", "--clip", folders / "clip"]
    assert "  1/1  pickscore " in example("align_flux_lora.py", "flux", tmp_path / "parts", *scores)
    resumed = example("align_flux_lora.py", "flux", tmp_path / "parts", *scores, iterations=2)
    whole = example("align_flux_lora.py", "flux", tmp_path / "whole", *scores, iterations=2)
    assert resumed.startswith("  2/2  pickscore ") and "  clip " in resumed and whole.endswith(resumed)
    saved = [tmp_path / name / "checkpoints/iteration-00000002.pt" for name in ("parts", "whole")]
    weights = [torch.load(file, weights_only=True)["weights"] for file in saved]
    assert len(weights[0]) == len(weights[1]) > 0
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))
    check_result(mixgrpo, folders / "flux", tmp_path / "whole", guidance_scale=3.5)


def test_qwen_image_with_pickscore(mixgrpo, example, folders, tmp_path):
    printed = example("align_qwen_image.py", "qwen", tmp_path, "--pickscore", folders / "pickscore", "--guidance", 2)
    assert printed.startswith("  1/1  pickscore ")
    check_result(mixgrpo, folders / "qwen", tmp_path, true_cfg_scale=2.0, negative_prompt=" ")


def test_a_judge_s_marks_align_a_pipeline(mixgrpo, example, folders, tmp_path, monkeypatch):
    asked = []

    def answer(handler, body):
        asked.append((handler.headers["Authorization"], json.loads(body)))
        send(handler, completion(f"Final Score: {1 + len(asked) % 4}"))

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    (tmp_path / "rubric.txt").write_text("Is this {prompt}? Final Score")
    with local_server(answer) as server:
        options = ["--url", f"{server.url}/v1", "--model", "tiny", "--rubric", tmp_path / "rubric.txt"]
        printed = example("align_with_judge.py", "flux", tmp_path / "out", *options)
    assert printed.startswith("  1/1  judge 0.") and len(asked) == 8 + 2 * 2  # two evaluations of both prompts
    assert all(key == "Bearer key" and question["model"] == "tiny" for key, question in asked)
    texts = {question["messages"][0]["content"][0]["text"] for _, question in asked}
    assert texts == {f"Is this {prompt}? Final Score" for prompt in PROMPTS}
    check_result(mixgrpo, folders / "flux", tmp_path / "out")
