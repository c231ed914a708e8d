"""A saved LoRA, loaded by a pipeline's own function."""

import mixgrpo.torch as mixtorch
import pytest
import tiny_pipelines as tiny
from torch_fixtures import required, torch

peft = required("peft")

TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]
LORA = dict(r=2, lora_alpha=6, init_lora_weights=False, target_modules=TARGETS)
FAMILIES = ["flux", "sd3", "qwen_image", "z_image", "flux2", "sana", "chroma", "lumina2", "wan"]
SIZES = {"sana": 64, "lumina2": 32, "wan": 32}
LENGTHS = {"qwen_image": {}, "flux2": dict(max_sequence_length=80), "lumina2": dict(max_sequence_length=48)}


def picture(pipe, name):
    """What the pipeline itself draws of fixed noise."""
    torch.manual_seed(7)
    size, length = SIZES.get(name, 8), LENGTHS.get(name, dict(max_sequence_length=10))
    others = dict(use_resolution_binning=False) if name == "sana" else dict(num_frames=3) if name == "wan" else {}
    return pipe(
        prompt=["a red circle"], height=size, width=size, num_inference_steps=2, output_type="latent", return_dict=False,
        **length, **others,
    )[0]  # fmt: skip


def adapted(name, wrapped=False, **settings):
    pipe = tiny.made(getattr(tiny, name))
    torch.manual_seed(5)
    return tiny.adapted(pipe, peft.LoraConfig(**{**LORA, **settings}), wrapped)


def far(first, second):
    return float((first - second).abs().max() / first.abs().max())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_loaded_lora_draws_the_same_picture(name, tmp_path):
    trained, other = adapted(name), tiny.made(getattr(tiny, name))
    mixtorch.save_lora(trained, tmp_path)
    wanted, before = picture(trained, name), picture(other, name)
    other.load_lora_weights(tmp_path)
    assert far(wanted, before) > 1e-3 and far(wanted, picture(other, name)) <= 1e-6


@pytest.mark.parametrize(
    "settings", [{"use_rslora": True}, {"use_dora": True}, {"rank_pattern": {"to_q": 3}}, {"wrapped": True}], ids=str
)
def test_settings_of_the_adapter_are_kept(settings, tmp_path):
    trained, other = adapted("flux", **settings), tiny.made(tiny.flux)
    mixtorch.save_lora(trained, tmp_path)
    if settings.get("wrapped"):
        wanted = picture(adapted("flux"), "flux")  # the pipeline does not know a wrapped transformer
    else:
        wanted = picture(trained, "flux")
    other.load_lora_weights(tmp_path)
    assert far(wanted, picture(other, "flux")) <= 1e-6


def test_a_second_expert_has_a_file_of_its_own(tmp_path):
    trained, other = tiny.made(tiny.wan_experts), tiny.made(tiny.wan_experts)
    for seed, part in enumerate((trained.transformer, trained.transformer_2)):
        part.requires_grad_(False)
        torch.manual_seed(seed)
        part.add_adapter(peft.LoraConfig(**LORA))
    mixtorch.save_lora(trained, tmp_path)
    other.load_lora_weights(tmp_path, weight_name="pytorch_lora_weights.safetensors")
    other.load_lora_weights(tmp_path, weight_name="pytorch_lora_weights_2.safetensors", load_into_transformer_2=True)
    assert far(picture(trained, "wan"), picture(other, "wan")) <= 1e-6


def test_what_could_not_be_loaded_is_refused(mixgrpo, tmp_path):
    for settings, weight in (
        ({"bias": "all"}, "bias"),
        ({"bias": "lora_only"}, "bias"),
        ({"modules_to_save": ["proj_out"]}, "proj_out"),
    ):
        with pytest.raises(
            mixgrpo.InvalidArgumentError, match=f"transformer: expected nothing but .*{weight}.*pretrained"
        ):
            mixtorch.save_lora(adapted("flux", **settings), tmp_path)
    unfrozen = adapted("flux")
    unfrozen.transformer.requires_grad_(True)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="transformer: expected nothing but the LoRA 'default'"):
        mixtorch.save_lora(unfrozen, tmp_path)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="pipe: expected a transformer with adapters, got none"):
        mixtorch.save_lora(tiny.made(tiny.flux), tmp_path)
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match="pipe: expected a pipeline with save_lora_weights, got Linear"
    ):
        mixtorch.save_lora(torch.nn.Linear(1, 1), tmp_path)
    two = adapted("flux")
    two.transformer.add_adapter(peft.LoraConfig(**LORA), "second")
    two.transformer.set_adapter(["default", "second"])
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match="adapter: expected one of default, second, got default, second"
    ):
        mixtorch.save_lora(two, tmp_path)
    assert not list(tmp_path.iterdir())
