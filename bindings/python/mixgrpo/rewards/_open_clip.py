"""The weights of a CLIP model in the names of OpenCLIP, as `CLIPModel` of transformers names them."""

from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import InvalidFormatError

_WHOLE = {
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "text_projection": "text_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.proj": "visual_projection.weight",
}
_NORMS = {
    "ln_final": "text_model.final_layer_norm",
    "visual.ln_pre": "vision_model.pre_layrnorm",  # so spelt in transformers
    "visual.ln_post": "vision_model.post_layernorm",
}
_TOWERS = {
    "transformer.resblocks.": "text_model.encoder.layers.",
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
}
_INSIDE = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_TRANSPOSED = {"text_projection", "visual.proj"}  # OpenCLIP multiplies from the other side
_COMPUTED = {"attn_mask"}


def names_of_transformers(weights: Mapping[str, torch.Tensor], file: Path) -> dict[str, torch.Tensor]:
    """Raises `InvalidFormatError` for a name that OpenCLIP's CLIP does not have."""
    named: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if name in _WHOLE:
            named[_WHOLE[name]] = weight.T if name in _TRANSPOSED else weight
        elif name not in _COMPUTED:
            named |= _in_a_layer(name, weight, file)
    return named


def _in_a_layer(name: str, weight: torch.Tensor, file: Path) -> dict[str, torch.Tensor]:
    module, _, kind = name.rpartition(".")
    if module in _NORMS:
        return {f"{_NORMS[module]}.{kind}": weight}
    for tower, layers in _TOWERS.items():
        number, _, inside = name.removeprefix(tower).partition(".")
        if not name.startswith(tower) or not number.isdigit():
            continue
        if inside.startswith("attn.in_proj_"):  # query, key and value in one
            kind, names = inside.removeprefix("attn.in_proj_"), ("q_proj", "k_proj", "v_proj")
            pieces = zip(names, weight.chunk(3), strict=True)
            return {f"{layers}{number}.self_attn.{one}.{kind}": piece for one, piece in pieces}
        part, _, kind = inside.rpartition(".")
        if part in _INSIDE:
            return {f"{layers}{number}.{_INSIDE[part]}.{kind}": weight}
    raise InvalidFormatError(f"{file}: expected the weights of a CLIP model of OpenCLIP, got one that is called {name}")
