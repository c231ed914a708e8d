"""Models: sizes, weights and gradients as arrays, files."""

import dataclasses
import json

import numpy as np
import pytest


def test_same_seed_same_weights(mixgrpo, config, context):
    first, second, third = (mixgrpo.Model(config, seed=seed, context=context).weights.read() for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_config_comes_back(mixgrpo, model, config):
    assert model.config == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.config.num_layers = 3


def test_parameters_cover_the_flat_vector_in_order(model):
    offset = 0
    for name, parameter in model.parameters.items():
        assert (parameter.name, parameter.offset) == (name, offset)
        assert parameter.count == np.prod(parameter.shape)
        offset += parameter.count
    assert offset == model.parameter_count == model.weights.size == model.weights.read().size
    assert model.parameters["x_embedder.weight"].shape == (16, 12)
    assert model.parameters["x_embedder.bias"].shape == (16,)


def test_named_weights_are_parts_of_the_flat_vector(model):
    flat = model.weights.read()
    for name, values in model.weights.items():
        parameter = model.parameters[name]
        assert values.dtype == np.float32 and values.shape == parameter.shape
        assert np.array_equal(values.ravel(), flat[parameter.offset : parameter.offset + parameter.count])


@pytest.mark.parametrize("kind", ["weights", "gradients"])
def test_what_is_written_is_read(model, kind):
    tensors = getattr(model, kind)
    values = np.arange(16 * 12, dtype=np.float64).reshape(16, 12)
    before = tensors.read()
    tensors["x_embedder.weight"] = values
    assert np.array_equal(tensors["x_embedder.weight"], values)
    changed = np.count_nonzero(tensors.read() != before)
    assert changed in (values.size - 1, values.size)
    flat = np.random.default_rng(0).standard_normal(tensors.size).astype(np.float32)
    tensors.write(flat)
    out = np.empty_like(flat)
    assert tensors.read(out) is out
    assert np.array_equal(out, flat)


def test_wrong_writes_change_nothing(mixgrpo, model):
    before = model.weights.read()
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"x_embedder.bias: expected shape \(16,\), got \(15,\)"):
        model.weights["x_embedder.bias"] = np.zeros(15)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        model.weights["x_embedder.bias"] = np.full(16, np.nan)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="weights: expected shape"):
        model.weights.write(before[1:])
    with pytest.raises(KeyError):
        model.weights["no_such.weight"]
    assert np.array_equal(model.weights.read(), before)


def test_gradients_begin_at_zero_and_return_to_it(model):
    assert not model.gradients.read().any()
    model.gradients["x_embedder.bias"] = np.ones(16)
    model.zero_gradients()
    assert not model.gradients.read().any()


def test_a_copy_is_independent(model):
    copy = model.copy()
    assert np.array_equal(copy.weights.read(), model.weights.read())
    model.weights["x_embedder.bias"] = np.ones(16)
    assert not np.array_equal(copy.weights.read(), model.weights.read())


def test_a_folder_moves_both_ways(mixgrpo, model, tmp_path):
    model.save(tmp_path / "exact")
    loaded = mixgrpo.Model.load(tmp_path / "exact")
    assert loaded.config == model.config == mixgrpo.ModelConfig.load(str(tmp_path / "exact"))
    assert np.array_equal(loaded.weights.read(), model.weights.read())
    model.save(tmp_path / "short", mixgrpo.Storage.BF16)
    rounded = mixgrpo.Model.load(tmp_path / "short").weights.read()
    assert np.abs(rounded - model.weights.read()).max() <= np.abs(rounded).max() / 256
    assert json.loads((tmp_path / "exact/config.json").read_text())["_class_name"] == "FluxTransformer2DModel"


def test_missing_and_broken_folders_have_their_own_errors(mixgrpo, model, tmp_path):
    with pytest.raises(mixgrpo.InputOutputError):
        mixgrpo.Model.load(tmp_path / "nowhere")
    model.save(tmp_path / "broken")
    weights = next((tmp_path / "broken").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(mixgrpo.InvalidFormatError):
        mixgrpo.Model.load(tmp_path / "broken")


def test_impossible_sizes_are_all_named(mixgrpo):
    with pytest.raises(mixgrpo.InvalidArgumentError, match="in_channels.*; .*num_layers") as caught:
        mixgrpo.Model(mixgrpo.ModelConfig(in_channels=0, num_layers=-1))
    assert caught.value.status is mixgrpo.Status.INVALID_ARGUMENT
