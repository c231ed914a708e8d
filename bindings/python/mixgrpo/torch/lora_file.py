"""A trained LoRA as a file that the pipelines of diffusers load."""

from typing import Any

import torch

from .._arguments import path
from ..errors import InvalidArgumentError

_FILES = {"transformer": "pytorch_lora_weights.safetensors", "transformer_2": "pytorch_lora_weights_2.safetensors"}
"""The parts that are trained, and their files. Only Wan 2.2-A14B has the second."""


def save_lora(pipe: Any, folder: Any, *, adapter: str | None = None) -> None:
    """Saves the LoRA of a pipeline's transformer for the pipeline's own `load_lora_weights(folder)`, which then draws the same
    pictures. Unlike `save_lora_weights` alone it also writes `lora_alpha` and the other settings, without which readers
    assume that alpha is the rank.

        mixgrpo.torch.save_lora(pipe, "aligned")
        pipe.load_lora_weights("aligned")  # of another pipeline of the same model

    `adapter`: the name of the adapter, needed when several are active.

    The LoRA of a second expert (Wan 2.2-A14B) becomes pytorch_lora_weights_2.safetensors, for
    `load_lora_weights(folder, weight_name="pytorch_lora_weights_2.safetensors", load_into_transformer_2=True)`.

    Raises `InvalidArgumentError` for a pipeline without adapters or without a format for them, and for trained weights that
    its reader would not load: biases, `modules_to_save`, weights of the base.
    """
    place = path(folder, "folder")
    if not hasattr(pipe, "save_lora_weights"):
        raise InvalidArgumentError(f"pipe: expected a pipeline with save_lora_weights, got {type(pipe).__name__}")
    parts = {name: part for name in _FILES if (part := getattr(pipe, name, None)) is not None and _has_adapters(part)}
    if not parts:
        raise InvalidArgumentError("pipe: expected a transformer with adapters, got none; add them with add_adapter")
    for name, part in parts.items():
        chosen = _adapter(part, adapter)
        pipe.save_lora_weights(
            place,
            transformer_lora_layers=_weights(name, part, chosen),
            transformer_lora_adapter_metadata=part.peft_config[chosen].to_dict(),
            weight_name=_FILES[name],
        )


def _has_adapters(part: Any) -> bool:
    return bool(getattr(part, "peft_config", None))


def _adapter(part: Any, wanted: str | None) -> str:
    """The name of the adapter to be saved."""
    active = part.active_adapters
    names = [wanted] if wanted is not None else list(active() if callable(active) else active)
    known = list(part.peft_config)
    if len(names) != 1 or names[0] not in known:
        got = "none" if not names else ", ".join(names)
        raise InvalidArgumentError(f"adapter: expected one of {', '.join(known)}, got {got}")
    return names[0]


def _weights(name: str, part: Any, adapter: str) -> dict[str, torch.Tensor]:
    """The weights of an adapter, by the names they have in the transformer. Raises `InvalidArgumentError` for others that are
    trained."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(part, adapter_name=adapter)
    weights = {key.removeprefix("base_model.model."): value for key, value in state.items()}
    kept = {value.data_ptr() for value in weights.values()}
    lost = [key for key in weights if "lora_" not in key]
    lost += [key for key, value in part.named_parameters() if value.requires_grad and value.data_ptr() not in kept]
    if lost:
        raise InvalidArgumentError(
            f"{name}: expected nothing but the LoRA {adapter!r} to be trained, got {lost[0]}, which load_lora_weights would "
            f"not read; save the transformer itself: {name}.save_pretrained(folder)"
        )
    return weights
