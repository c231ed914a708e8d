"""Velocity, backward and samples of the built-in model."""

import ctypes

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance
from ._arrays import FloatArray, floats, integers, optional_floats, output, pointer, rows, shaped, size
from ._handle import Object
from ._library import call, create
from ._sample_call import sample_call
from ._structs import to_struct
from .configurations import SampleConfig
from .enums import Precision, PrecisionName
from .model import Model
from .prompts import Prompts


class Evaluator(Object):
    """A model prepared for one image size, with its working memory.

    It does not own the weights: several evaluators may share one model. Shapes: B latents; N = height * width image
    tokens; C channels of a token.

    `height_tokens`, `width_tokens`: rows and columns of image tokens, 1…4096, N at most 65536.
    `text_length`: L, text tokens of every prompt, 1…65536.
    `max_batch`: latents that are evaluated, or whose activations are kept, at a time, 1…65536; memory grows with it.
    `recompute_activations`: keep only the input of each block and compute the block again in the backward: a fraction
    of the memory, one more forward, the same bits. `precision`: of the factors of the products in the model's blocks.
    `guidance`: the value for a model with `guidance_embeds`, 0…1000.
    `max_bytes`: most bytes that the model, the evaluator and everything that training holds may take (what
    `Plan.memory` predicts), 0 for no limit. Batches are split to stay within it, which changes no bit of a result. What
    does not fit even then raises `OutOfMemoryError`; the message names the bytes needed. `image_ids`: positions (N, 3) of
    the image tokens; None for the usual (0, row, column).
    """

    _destroy = "mixgrpo_evaluator_destroy"

    def __init__(
        self,
        model: Model,
        *,
        height_tokens: int = 8,
        width_tokens: int = 8,
        text_length: int = 16,
        max_batch: int = 16,
        recompute_activations: bool = False,
        precision: Precision | PrecisionName = Precision.FLOAT32,
        guidance: float = 3.5,
        max_bytes: int = 0,
        image_ids: ArrayLike | None = None,
    ) -> None:
        instance(model, Model, "model")
        config = to_struct(
            _abi.EvaluatorConfig,
            dict(
                height_tokens=height_tokens,
                width_tokens=width_tokens,
                text_length=text_length,
                max_batch=max_batch,
                recompute_activations=recompute_activations,
                precision=chosen(Precision, precision, "precision"),
                guidance=guidance,
                max_bytes=max_bytes,
            ),
        )
        self.model = model
        self.text_length = text_length
        self.tokens = height_tokens * width_tokens
        ids = optional_floats(image_ids, (self.tokens, 3), "image_ids")
        self._adopt(create("mixgrpo_evaluator_create", model.handle, ctypes.byref(config), pointer(ids), size(ids)))

    def _state(self) -> str:
        return f"latents {self.latent_shape}, text_length {self.text_length}"

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(N, C) of one latent."""
        return self.tokens, self.model.config.in_channels

    @property
    def latent_size(self) -> int:
        """D = N * C, the number of values in one latent."""
        return self.tokens * self.model.config.in_channels

    def velocity(
        self,
        prompts: Prompts,
        latents: ArrayLike,
        sigmas: ArrayLike,
        prompt_index: ArrayLike,
        *,
        keep_activations: bool = False,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """The velocity dx/dsigma, (B, N, out_channels).

        `latents`: (B, N, C), or (B, D). `sigmas`: (B), each in [0, 1]. `prompt_index`: (B), each a row of `prompts`.
        `keep_activations`: keep what `backward` needs, until the next `velocity` or `backward`; B at most `max_batch`.

        Raises `InvalidArgumentError` when the prompts do not fit the model; `NotFiniteError` when a velocity would not be
        finite.
        """
        levels = floats(sigmas, "sigmas").reshape(-1)
        batch = rows(latents, len(levels), self.latent_size, "latents")
        index = shaped(integers(prompt_index, "prompt_index"), levels.shape, "prompt_index")
        shape = (len(levels), self.tokens, self.model.config.out_channels)
        out = output(out, shape, np.float32, apart_from=(batch, levels))
        call(
            "mixgrpo_evaluator_velocity",
            self.handle,
            instance(prompts, Prompts, "prompts").handle,
            pointer(batch),
            pointer(levels),
            pointer(index),
            len(levels),
            keep_activations,
            pointer(out),
            out.size,
        )
        return out

    def backward(
        self, d_velocity: ArrayLike, *, latents: bool = False, out: FloatArray | None = None
    ) -> FloatArray | None:
        """Adds dL/dweights of the latest `velocity` to the model's gradients.

        `d_velocity`: dL/dvelocity, (B, N, out_channels). Returns dL/dlatents, (B, N, C), when `latents` is true or
        `out` is given. Raises `InvalidStateError` when the latest `velocity` kept no activations. The activations are used
        up.
        """
        d_velocity = floats(d_velocity, "d_velocity")
        if latents or out is not None:
            out = output(out, (len(d_velocity), *self.latent_shape), np.float32, apart_from=(d_velocity,))
        call("mixgrpo_evaluator_backward", self.handle, pointer(d_velocity), d_velocity.size, pointer(out), size(out))
        return out

    def sample(
        self,
        prompts: Prompts,
        prompt_indices: ArrayLike,
        config: SampleConfig = SampleConfig(),
        *,
        base: "Evaluator | None" = None,
        initial_noise: ArrayLike | None = None,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Deterministic samples at sigma = 0: (P, S, N, C) for P prompt indices, repetitions allowed.

        `base`: evaluator of the base model, needed when `config.trained_model_share` is below 1.
        `initial_noise`: the host's own (P, S, N, C), in place of noise drawn from `config.seed`.
        """
        drawn = sample_call(prompt_indices, config, self.latent_shape, initial_noise)
        out = output(out, drawn.shape, np.float32, apart_from=(drawn.noise,))
        self.model.context.run(
            "mixgrpo_evaluator_sample",
            self.handle,
            None if base is None else instance(base, Evaluator, "base").handle,
            instance(prompts, Prompts, "prompts").handle,
            *drawn.arguments,
            pointer(out),
            out.size,
        )
        return out
