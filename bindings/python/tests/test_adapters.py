"""Low-rank adapters: a file written here gives peft and diffusers the same velocity, and theirs load here."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

AVAILABLE = all(importlib.util.find_spec(name) for name in ("torch", "diffusers", "peft", "safetensors"))
needs_peft = pytest.mark.skipif(
    not AVAILABLE and not os.environ.get("CI"), reason="torch, diffusers and peft are not installed"
)
TOLERANCE = 2e-6


@pytest.fixture
def inputs():
    generator = np.random.default_rng(5)
    draw = lambda *shape: generator.standard_normal(shape).astype(np.float32)  # noqa: E731
    return {"latents": draw(2, 4, 12), "text": draw(2, 3, 6), "pooled": draw(2, 5), "sigma": np.float32([0.9, 0.25])}


def ours(mixgrpo, model, inputs):
    prompts = mixgrpo.Prompts(inputs["text"], inputs["pooled"], context=model.context)
    evaluator = mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=3)
    return evaluator.velocity(prompts, inputs["latents"], inputs["sigma"], np.arange(2, dtype=np.int32))


def theirs(transformer, inputs):
    import torch

    tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
    ids = torch.tensor([[0.0, row, column] for row in range(2) for column in range(2)])
    with torch.no_grad():
        return transformer(
            hidden_states=tensors["latents"],
            encoder_hidden_states=tensors["text"],
            pooled_projections=tensors["pooled"],
            timestep=tensors["sigma"],
            img_ids=ids,
            txt_ids=torch.zeros(3, 3),
            return_dict=False,
        )[0].numpy()


def transformer_of(model, folder: Path):
    import torch
    from diffusers import FluxTransformer2DModel

    torch.set_num_threads(1)
    model.save(folder)
    return FluxTransformer2DModel.from_pretrained(folder, torch_dtype=torch.float32).eval()


def adapted(mixgrpo, model, targets):
    adapter = model.adapt(rank=2, alpha=3, targets=targets)
    values = np.random.default_rng(9).standard_normal(adapter.parameter_count).astype(np.float32)
    adapter.weights.write(0.2 * values)
    return adapter


def assert_near(found, expected, unlike):
    assert np.linalg.norm(found - expected) <= TOLERANCE * np.linalg.norm(expected)
    assert np.linalg.norm(unlike - expected) > 1e-3 * np.linalg.norm(expected)


@needs_peft
@pytest.mark.parametrize("targets", [(), ("to_q", "norm1.linear", "ff.net.2", "norm_out.linear")])
def test_peft_loads_what_we_save(mixgrpo, model, inputs, targets, tmp_path):
    from peft import PeftModel

    adapter = adapted(mixgrpo, model, targets)
    adapter.save_adapter(tmp_path / "adapter")
    wrapped = PeftModel.from_pretrained(transformer_of(model, tmp_path / "model"), tmp_path / "adapter")
    assert_near(theirs(wrapped, inputs), ours(mixgrpo, adapter, inputs), ours(mixgrpo, model, inputs))


@needs_peft
def test_diffusers_loads_what_we_save(mixgrpo, model, inputs, tmp_path):
    adapter = adapted(mixgrpo, model, ())
    adapter.save_adapter(tmp_path / "adapter", "diffusers")
    transformer = transformer_of(model, tmp_path / "model")
    transformer.load_lora_adapter(str(tmp_path / "adapter"), prefix="transformer", use_safetensors=True)
    assert_near(theirs(transformer, inputs), ours(mixgrpo, adapter, inputs), ours(mixgrpo, model, inputs))


@needs_peft
def test_we_load_what_peft_saves(mixgrpo, model, inputs, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=2,
        lora_alpha=5,
        use_rslora=True,
        target_modules=["to_q", "to_v", "proj_mlp"],
        rank_pattern={"to_v": 3},
        alpha_pattern={"proj_mlp": 1},
        init_lora_weights=False,
    )
    torch.manual_seed(0)
    wrapped = get_peft_model(transformer_of(model, tmp_path / "model"), settings)
    wrapped.save_pretrained(tmp_path / "adapter")
    loaded = model.load_adapter(tmp_path / "adapter")
    assert loaded.base is model
    assert_near(ours(mixgrpo, loaded, inputs), theirs(wrapped, inputs), ours(mixgrpo, model, inputs))


@needs_peft
def test_we_load_what_diffusers_saves(mixgrpo, model, inputs, tmp_path):
    import torch
    from peft import LoraConfig

    torch.manual_seed(0)
    transformer = transformer_of(model, tmp_path / "model")
    transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_k"], init_lora_weights=False))
    transformer.save_lora_adapter(str(tmp_path / "adapter"))
    loaded = model.load_adapter(tmp_path / "adapter")
    assert_near(ours(mixgrpo, loaded, inputs), theirs(transformer, inputs), ours(mixgrpo, model, inputs))


def test_kohya_s_format_joins_and_shares_out_layers(mixgrpo, model, inputs, tmp_path):
    adapter = adapted(mixgrpo, model, ("to_q", "to_k", "to_v", "proj_mlp", "to_out.0"))
    adapter.save_adapter(tmp_path / "kohya.safetensors", "kohya")
    assert_near(
        ours(mixgrpo, model.load_adapter(tmp_path / "kohya.safetensors"), inputs),
        ours(mixgrpo, adapter, inputs),
        ours(mixgrpo, model, inputs),
    )
    assert b"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight" in (tmp_path / "kohya.safetensors").read_bytes()


def test_an_adapter_is_small_shares_its_base_and_has_a_strength(mixgrpo, model, inputs, tmp_path):
    adapter = adapted(mixgrpo, model, ("to_q",))
    assert adapter.parameter_count < model.parameter_count / 10
    assert list(adapter.parameters)[0] == "transformer_blocks.0.attn.to_q.lora_A.weight"
    before = ours(mixgrpo, model, inputs)
    assert np.array_equal(ours(mixgrpo, adapter.merge(), inputs), ours(mixgrpo, adapter, inputs))
    adapter.set_adapter_strength(0)
    assert np.array_equal(ours(mixgrpo, adapter, inputs), before)
    with pytest.raises(mixgrpo.InvalidStateError, match="adapter"):
        model.save_adapter(tmp_path / "none")
    with pytest.raises(mixgrpo.InvalidArgumentError, match="targets"):
        model.adapt(targets=["nothing"])


def test_a_trainer_trains_the_adapter_alone(mixgrpo, model, prompts):
    adapter = model.adapt(rank=2)
    frozen, before = model.weights.read().copy(), adapter.weights.read().copy()
    evaluator = mixgrpo.Evaluator(adapter, height_tokens=2, width_tokens=2, text_length=4)
    plan = mixgrpo.Plan(mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=4))
    trainer = mixgrpo.Trainer(
        evaluator, prompts, plan, mixgrpo.LearningConfig(learning_rate=1e-3), rewards=["brightness"]
    )
    samples = trainer.rollout([0, 1])
    metrics = trainer.update(samples.reshape(1, 2, 4, -1).mean(-1))
    assert metrics.first_ratio_min == metrics.first_ratio_max == 1
    assert np.array_equal(model.weights.read(), frozen)
    assert not np.array_equal(adapter.weights.read(), before)


def test_a_frozen_model_is_adapted_but_not_trained(mixgrpo, model, tmp_path):
    frozen = model.freeze()
    assert len(frozen.parameters) == 0
    rounded = frozen.merge()
    for name, value in model.weights.items():
        np.testing.assert_allclose(rounded.weights[name], value, rtol=1 / 256)
    frozen.save(tmp_path / "frozen")
    loaded = mixgrpo.Model.load(tmp_path / "frozen", frozen=True, context=model.context)
    for name, value in loaded.merge().weights.items():
        np.testing.assert_array_equal(value, rounded.weights[name])
    assert loaded.adapt(rank=2).parameters
