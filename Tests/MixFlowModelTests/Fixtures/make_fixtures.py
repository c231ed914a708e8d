# Writes, beside itself, small random FLUX models and what diffusers' FluxTransformer2DModel computes with them.
#
#     pip install torch==2.13.0+cpu diffusers==0.42.1 safetensors==0.8.0
#     python make_fixtures.py
#
# Made with Python 3.11, torch 2.13.0+cpu, diffusers 0.42.1, safetensors 0.8.0, numpy 2.4.6, one thread. The same versions
# give the same bytes again.
#
# Each folder holds a model as save_pretrained writes it (config.json and diffusion_pytorch_model.safetensors) and,
# except for the sharded copy, a reference.safetensors, all float32:
#     latents    (B, N, C)     text   (B, L, J)     pooled (B, P)
#     sigma      (B,)          guidance (B,), only where the config has guidance_embeds
#     image_ids  (N, 3)        text ids are zero
#     velocity   (B, N, out)   the model's output
# and in the four main cases also
#     cotangent  (B, N, out)   random weights c of the scalar sum(c * velocity)
#     d_latents  (B, N, C)     gradient of that scalar
#     grad.NAME                gradient of that scalar for each weight, named as in the checkpoint; exactly zero
#                              for a weight that the velocity does not depend on
#
# The references are computed in float64 from the stored (rounded) weights and inputs and rounded once at the end,
# so that they are closer to the exact values than any float32 implementation. diffusers keeps three pieces in
# float32 even in a float64 model: the sinusoidal embedding, the tables of the rotary embedding, and their product
# with queries and keys. `float64_pieces` puts float64 ones in their place. What the plain float32 model differs by
# from these references is printed; nine tenths of it come from the sinusoidal embedding, whose angles of up to
# thousands of radians float32 rounds by 1e-4.

import contextlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch
from check_saved_model import load_model, predict_velocity, relative_error
from diffusers import FluxTransformer2DModel
from diffusers.models import embeddings
from diffusers.models.transformers import transformer_flux
from diffusers.utils import logging
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    """One configuration with the sizes of its inputs."""

    name: str
    seed: int
    config: dict
    grid: tuple[int, int]  # rows, columns of image tokens
    text_length: int
    sigma: list[float]  # one per sample
    guidance: list[float] = field(default_factory=list)
    first_axis: float = 0.0  # image_ids[:, 0]


CASES = [
    Case(
        name="two_double_two_single_guided",
        seed=11,
        config=dict(
            in_channels=6,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=10,
            pooled_projection_dim=5,
            guidance_embeds=True,
            axes_dims_rope=(2, 2, 4),
        ),
        grid=(3, 5),
        text_length=4,
        sigma=[1.0, 0.7312, 0.0847],
        guidance=[3.5, 1.0, 1.75],
    ),
    Case(
        name="only_double_single_text_token",
        seed=12,
        config=dict(
            in_channels=12,
            out_channels=3,
            num_layers=1,
            num_single_layers=0,
            attention_head_dim=10,
            num_attention_heads=2,
            joint_attention_dim=7,
            pooled_projection_dim=9,
            guidance_embeds=False,
            axes_dims_rope=(4, 2, 4),
        ),
        grid=(2, 4),
        text_length=1,
        sigma=[0.4183, 0.9375],
    ),
    Case(
        name="only_single_many_tokens",
        seed=13,
        config=dict(
            in_channels=4,
            num_layers=0,
            num_single_layers=1,
            attention_head_dim=32,
            num_attention_heads=1,
            joint_attention_dim=16,
            pooled_projection_dim=8,
            guidance_embeds=False,
            axes_dims_rope=(4, 14, 14),
        ),
        grid=(9, 8),
        text_length=13,
        sigma=[0.6021],
    ),
    Case(
        name="one_double_one_single_guided",
        seed=14,
        config=dict(
            in_channels=5,
            out_channels=8,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=3,
            joint_attention_dim=6,
            pooled_projection_dim=11,
            guidance_embeds=True,
            axes_dims_rope=(4, 2, 2),
        ),
        grid=(7, 2),
        text_length=5,
        sigma=[0.2509, 0.8888],
        guidance=[2.2, 0.5],
        first_axis=3.0,
    ),
]

# The case that is also stored in shards, and rounded to half precision.
COPIED = "only_double_single_text_token"


def random_model(case):
    """A float32 model whose every weight is random, scaled so that activations stay of order one."""
    model = FluxTransformer2DModel(**case.config).eval()
    generator = torch.Generator().manual_seed(case.seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 2:
                weight.copy_(noise * weight.shape[1] ** -0.5)
            elif name.endswith("bias"):
                weight.copy_(noise * 0.2)
            else:  # scale of a root-mean-square norm
                weight.copy_(1 + noise * 0.3)
    return model


def random_inputs(case):
    """Random inputs and cotangent, and the position ids of the token grid."""
    generator = torch.Generator().manual_seed(1000 + case.seed)
    rows, columns = case.grid
    batch, tokens, channels = len(case.sigma), rows * columns, case.config["in_channels"]

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    image_ids = torch.zeros(rows, columns, 3)
    image_ids[..., 0] = case.first_axis
    image_ids[..., 1] = torch.arange(rows)[:, None]
    image_ids[..., 2] = torch.arange(columns)
    inputs = {
        "latents": normal(batch, tokens, channels),
        "text": normal(batch, case.text_length, case.config["joint_attention_dim"]),
        "pooled": normal(batch, case.config["pooled_projection_dim"]),
        "sigma": torch.tensor(case.sigma),
        "image_ids": image_ids.reshape(tokens, 3),
        "cotangent": normal(batch, tokens, case.config.get("out_channels", channels)),
    }
    if case.guidance:
        inputs["guidance"] = torch.tensor(case.guidance)
    return inputs


def sinusoidal_embedding(timesteps, embedding_dim, **_):
    """(B,) to (B, embedding_dim): cosines, then sines, of t * 10000^(-i / half)."""
    half = embedding_dim // 2
    angles = timesteps[:, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rotary_table(dim, positions, theta=10000.0, **_):
    """(S,) to cosines and sines (S, dim), each angle standing twice in a row."""
    angles = torch.outer(positions.double(), theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim))
    return angles.cos().repeat_interleave(2, dim=1), angles.sin().repeat_interleave(2, dim=1)


def rotate(x, table, sequence_dim=1):
    """Turns each adjacent pair of channels of x (B, S, heads, headDim) by its angle."""
    assert sequence_dim == 1 and x.dtype == torch.float64
    cosine, sine = (part[None, :, None, 0::2] for part in table)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], dim=-1).flatten(-2)


@contextlib.contextmanager
def float64_pieces():
    """Replaces what diffusers computes in float32 whatever the model's type."""
    replacements = [
        (embeddings, "get_timestep_embedding", sinusoidal_embedding),
        (transformer_flux, "get_1d_rotary_pos_embed", rotary_table),
        (transformer_flux, "apply_rotary_emb", rotate),
    ]
    originals = [getattr(module, name) for module, name, _ in replacements]
    for module, name, replacement in replacements:
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for (module, name, _), original in zip(replacements, originals, strict=True):
            setattr(module, name, original)


def forward_and_backward(model, inputs):
    """The velocity, and the gradients of sum(cotangent * velocity) for the latents and every weight."""
    latents = inputs["latents"].clone().requires_grad_(True)
    model.zero_grad()
    velocity = predict_velocity(model, inputs | {"latents": latents})
    (velocity * inputs["cotangent"]).sum().backward()
    # The last double-stream block's text output reaches nothing when no single-stream block follows: gradient zero.
    gradients = {
        f"grad.{name}": torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in model.named_parameters()
    }
    return {"velocity": velocity.detach(), "d_latents": latents.grad} | gradients


def exact_results(folder, inputs):
    """forward_and_backward in float64 for the weights and inputs as stored."""
    model = load_model(folder).double()
    with float64_pieces():
        results = forward_and_backward(model, {name: value.double() for name, value in inputs.items()})
    assert all(value.dtype == torch.float64 for value in results.values())
    return results


def save_reference(folder, tensors):
    save_file({name: value.float().contiguous() for name, value in tensors.items()}, folder / "reference.safetensors")


def fresh_folder(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def write_case(case):
    """The model, its inputs and its references; prints how far plain float32 diffusers is from them."""
    folder, inputs = fresh_folder(case.name), random_inputs(case)
    random_model(case).save_pretrained(folder)
    exact = exact_results(folder, inputs)
    save_reference(folder, inputs | exact)

    plain = forward_and_backward(load_model(folder), inputs)
    errors = {name: relative_error(plain[name], exact[name]) for name in exact if exact[name].any()}
    worst = max((name for name in errors if name.startswith("grad.")), key=errors.get)
    print(f"{case.name}: root mean square of the velocity {exact['velocity'].pow(2).mean().sqrt():.3f}")
    print(f"  float32 diffusers: velocity {errors['velocity']:.2e}, d_latents {errors['d_latents']:.2e}")
    print(f"  worst gradient {errors[worst]:.2e} ({worst}, norm {exact[worst].norm():.2e})")


def write_rounded_copy(case, suffix, dtype):
    """The case's weights rounded to `dtype`, with the velocity that the rounded weights give."""
    folder, inputs = fresh_folder(f"{case.name}_{suffix}"), random_inputs(case)
    random_model(case).to(dtype).save_pretrained(folder)
    exact = exact_results(folder, inputs)
    inputs.pop("cotangent")
    save_reference(folder, inputs | {"velocity": exact["velocity"]})


def main():
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    for case in CASES:
        write_case(case)
    copied = next(case for case in CASES if case.name == COPIED)
    random_model(copied).save_pretrained(fresh_folder(f"{COPIED}_sharded"), max_shard_size="40KB")
    write_rounded_copy(copied, "f16", torch.float16)
    write_rounded_copy(copied, "bf16", torch.bfloat16)


if __name__ == "__main__":
    main()
