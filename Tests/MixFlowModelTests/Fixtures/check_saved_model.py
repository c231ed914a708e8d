"""Loads a model folder with diffusers and compares its velocity with a stored reference.

    python check_saved_model.py FOLDER REFERENCE.safetensors

Prints the relative error |a - b| / |b| (Euclidean norm over the whole batch). The exit code is 0 when it is at
most 2e-5, and 1 when it is larger, is not a number, or when the folder lacks a weight or holds one too many.

Made with Python 3.11, torch 2.13.0+cpu, diffusers 0.42.1, safetensors 0.8.0.
"""

import sys

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file

TOLERANCE = 2e-5


def predict_velocity(model, inputs):
    """Velocity (B, N, out_channels) of `model` in the floating-point type of the inputs."""
    text = inputs["text"]  # (B, L, J)
    return model(
        hidden_states=inputs["latents"],  # (B, N, C)
        encoder_hidden_states=text,
        pooled_projections=inputs["pooled"],  # (B, P)
        timestep=inputs["sigma"],  # (B,), in [0, 1]: the model multiplies by 1000 itself
        guidance=inputs.get("guidance"),  # (B,)
        img_ids=inputs["image_ids"],  # (N, 3)
        txt_ids=torch.zeros(text.shape[1], 3, dtype=text.dtype),
        return_dict=False,
    )[0]


def relative_error(value, reference):
    """|value - reference| / |reference|, Euclidean, computed in float64."""
    reference = reference.double()
    return ((value.double() - reference).norm() / reference.norm()).item()


def load_model(folder):
    """The float32 model in `folder`; exits with 1 when its weights are not exactly the ones the config asks for."""
    model, loading = FluxTransformer2DModel.from_pretrained(
        folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, output_loading_info=True
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if loading[problem]:
            sys.exit(f"{folder}: {problem}: {loading[problem]}")
    return model.eval()


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_saved_model.py FOLDER REFERENCE.safetensors")
    torch.set_num_threads(1)
    model, reference = load_model(sys.argv[1]), load_file(sys.argv[2])
    with torch.no_grad():
        error = relative_error(predict_velocity(model, reference), reference["velocity"])
    agrees = error <= TOLERANCE
    print(f"relative error of the velocity: {error:.3e} ({'within' if agrees else 'ABOVE'} {TOLERANCE:.0e})")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
