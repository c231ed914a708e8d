"""AdamW with decoupled decay, global-norm clip, and a constant or warm-up and cosine rate."""

import ctypes

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import instance
from ._arrays import FloatArray, floats, output, pointer, shaped
from ._handle import Object
from ._library import create
from ._structs import read_struct, to_struct
from .configurations import LearningConfig
from .context import Context, given_context
from .model import Model
from .results import OptimizerReport


class Optimizer(Object):
    """AdamW for `parameter_count` weights, from the optimizer's fields of `config`."""

    _destroy = "mixgrpo_optimizer_destroy"

    def __init__(
        self, parameter_count: int, config: LearningConfig = LearningConfig(), *, context: Context | None = None
    ) -> None:
        self.config = instance(config, LearningConfig, "config")
        self.context = given_context(context)
        self.parameter_count = parameter_count
        struct = to_struct(_abi.LearningConfig, self.config)
        self._adopt(create("mixgrpo_optimizer_create", self.context.handle, ctypes.byref(struct), parameter_count))

    def _state(self) -> str:
        return f"{self.parameter_count} weights, learning rate {self.config.learning_rate:g}"

    def step(self, weights: FloatArray, gradients: ArrayLike) -> OptimizerReport:
        """One step on the host's own weights, in place: float32, C-contiguous, `parameter_count` values.

        Raises `NotFiniteError` when a gradient is not finite or a weight would not be: weights and optimizer stay as they
        were.
        """
        slopes = floats(gradients, "gradients").reshape(-1)
        shaped(slopes, (self.parameter_count,), "gradients")
        output(weights, np.shape(weights), np.float32, "weights", apart_from=(slopes,))
        return read_struct(
            OptimizerReport, "mixgrpo_optimizer_step", self.handle, pointer(weights), pointer(slopes), weights.size
        )

    def step_model(self, model: Model) -> OptimizerReport:
        """One step on a model with its accumulated gradients, which are zeroed. Raises as `step`; then the gradients
        stay."""
        return read_struct(
            OptimizerReport, "mixgrpo_optimizer_step_model", self.handle, instance(model, Model, "model").handle
        )
