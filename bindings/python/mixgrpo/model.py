"""The built-in flow transformer: sizes, weights, gradients, files."""

import ctypes
import os
from collections.abc import Mapping, Sequence

from . import _abi
from ._arguments import chosen, instance
from ._handle import Object
from ._library import call, create
from ._structs import read_struct, to_struct
from .configurations import ModelConfig
from .context import Context, given_context
from .enums import AdapterFormat, AdapterFormatName, Storage, StorageName
from .parameters import Parameter, Tensors, parameters_of


class Model(Object):
    """The FLUX transformer (`FluxTransformer2DModel` in diffusers), float32, with gradients.

    `Model(config, seed=…)` draws random weights from the seed alone; every block starts as the identity. `Model.load`
    reads a diffusers folder. All evaluators, optimizers and trainers of a model count as that model: use one of them at
    a time.
    """

    _destroy = "mixgrpo_model_destroy"
    context: Context
    config: ModelConfig
    base: "Model | None" = None
    """The model that this one adapts, if it was made by `adapt` or `load_adapter`."""
    parameters: Mapping[str, Parameter]
    """All weight tensors by name, in the order of the flat vector; none of a frozen model."""
    weights: Tensors
    """Weights by name, read and written as arrays."""
    gradients: Tensors
    """Gradients by name; 0 until a backward adds to them."""

    def __init__(self, config: ModelConfig = ModelConfig(), *, seed: int = 0, context: Context | None = None) -> None:
        context = given_context(context)
        struct = to_struct(_abi.ModelConfig, instance(config, ModelConfig, "config"))
        self._open(create("mixgrpo_model_create", context.handle, ctypes.byref(struct), seed), context)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, frozen: bool = False, context: Context | None = None) -> "Model":
        """Loads a diffusers folder: `config.json` with `diffusion_pytorch_model.safetensors`, whole or in shards; F32,
        F16, BF16. `frozen`: as a frozen model (see `freeze`), without all float32 weights in memory at once.

        Raises `InputOutputError`; `InvalidFormatError` for a truncated or contradictory file, a missing or surplus tensor, a
        shape that does not follow from the configuration; `NotFiniteError` for a NaN or infinite weight; `UnsupportedError`.
        """
        context = given_context(context)
        function = "mixgrpo_model_load_frozen" if frozen else "mixgrpo_model_load"
        return cls._wrap(create(function, context.handle, folder), context)

    def freeze(self) -> "Model":
        """A copy whose weights never change and take about half the memory: those of the blocks' layers are rounded to
        bfloat16. It can be evaluated, adapted, copied and saved; it has no `parameters`, so nothing trains it."""
        return self._wrap(create("mixgrpo_model_freeze", self.handle), self.context)

    def save(self, folder: str | os.PathLike[str], storage: Storage | StorageName = Storage.F32) -> None:
        """Writes a diffusers folder, created if need be (its parent must exist). A crash leaves the old file or the
        new."""
        call("mixgrpo_model_save", self.handle, folder, chosen(Storage, storage, "storage"))

    def adapt(
        self,
        *,
        rank: int = 16,
        alpha: float = 16,
        rank_stabilized: bool = False,
        targets: Sequence[str] = (),
        seed: int = 0,
    ) -> "Model":
        """A model that trains a new low-rank adapter (LoRA) of this one and nothing else.

        Its `weights`, gradients, optimizers and checkpoints are the adapter's; `save` writes a folder with the adapter
        merged. Several adapters share the weights of this model, which must not be written while they exist.
        `rank`: at most the sizes of each adapted layer. `alpha`: the adapter counts alpha / rank times, or alpha over the
        root of the rank with `rank_stabilized`. `targets`: the linear layers to adapt, each by its name, by the end of its
        name after a dot (`"to_q"`), or by a pattern with `*`; empty for all layers of the blocks except modulations.
        Raises `InvalidArgumentError` for a rank beyond a layer's size or a target that no layer matches.
        """
        settings = dict(rank=rank, alpha=alpha, rank_stabilized=rank_stabilized, seed=seed)
        struct = to_struct(_abi.LoraConfig, settings)
        names = (ctypes.c_char_p * len(targets))(*(target.encode() for target in targets))
        handle = create("mixgrpo_model_adapt", self.handle, ctypes.byref(struct), names, len(targets))
        return self._adapted(handle)

    def load_adapter(self, path: str | os.PathLike[str]) -> "Model":
        """This model with the adapter in a file or folder of PEFT, diffusers or kohya.

        Raises `InputOutputError`; `InvalidFormatError` naming the tensor for an adapter of another model; `NotFiniteError`;
        `UnsupportedError` for DoRA and other kinds of adapters.
        """
        return self._adapted(create("mixgrpo_model_load_adapter", self.handle, path))

    def _adapted(self, handle: int) -> "Model":
        model = self._wrap(handle, self.context)
        model.base = self
        return model

    def save_adapter(
        self, path: str | os.PathLike[str], format: AdapterFormat | AdapterFormatName = AdapterFormat.PEFT
    ) -> None:
        """Writes the adapter alone: a folder, whose parent must exist, or for `kohya` a file."""
        call("mixgrpo_model_save_adapter", self.handle, path, chosen(AdapterFormat, format, "format"))

    def merge(self) -> "Model":
        """A model in float32 with the adapter merged into its weights; of a model without an adapter, a copy."""
        return self._wrap(create("mixgrpo_model_merge", self.handle), self.context)

    def set_adapter_strength(self, strength: float) -> None:
        """Multiplies the adapter in evaluations and merges, 0…2: 0 for the frozen model, 1 (at first) for the adapter as
        it is trained. It is not saved."""
        call("mixgrpo_model_set_adapter_strength", self.handle, strength)

    def copy(self) -> "Model":
        """An independent copy of the weights, without gradients: a frozen reference."""
        return self._wrap(create("mixgrpo_model_copy", self.handle), self.context)

    def zero_gradients(self) -> None:
        """Sets all gradients to 0."""
        call("mixgrpo_model_zero_gradients", self.handle)

    def _state(self) -> str:
        blocks = f"{self.config.num_layers} + {self.config.num_single_layers} blocks"
        return f"{self.parameter_count} weights, {blocks}, {self.config.in_channels} channels"

    @property
    def parameter_count(self) -> int:
        """The number of weights, the length of the flat vector."""
        return self.weights.size

    @classmethod
    def _wrap(cls, handle: int, context: Context) -> "Model":
        model = cls.__new__(cls)
        model._open(handle, context)
        return model

    def _open(self, handle: int, context: Context) -> None:
        self._adopt(handle)
        self.context = context
        self.config = read_struct(ModelConfig, "mixgrpo_model_get_config", handle)
        self.parameters = {parameter.name: parameter for parameter in parameters_of(handle)}
        self.weights = Tensors(self, self.parameters, "weights")
        self.gradients = Tensors(self, self.parameters, "gradients")
