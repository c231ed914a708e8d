"""What DDP and FSDP2 do to a model, and how its gradients become those of all ranks: once for each optimizer step."""

import contextlib
import gc
import math
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_leaves

from ..errors import InvalidArgumentError
from .ranks import TorchRanks

_BUCKET = 32 << 20  # bytes that are exchanged at once

Weights: TypeAlias = Sequence[torch.Tensor]


def is_sharded(weight: torch.Tensor) -> bool:
    """Whether this process holds a part of the weight only."""
    return isinstance(weight, DTensor)


def local(tensor: torch.Tensor) -> torch.Tensor:
    """The part of a tensor that this process holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def require_whole(weights: Weights, ranks: int) -> None:
    """Raises `InvalidArgumentError` for weights that are sharded over other ranks than those that train together."""
    for number, weight in enumerate(weights):
        if isinstance(weight, DTensor) and weight.device_mesh.size() != ranks:
            raise InvalidArgumentError(
                f"process_group: expected the {weight.device_mesh.size()} ranks over which weight {number} of the "
                f"optimizer is sharded, got {ranks}"
            )


class Wrappers:
    """The wrapped modules of a policy whose weights an optimizer trains."""

    def __init__(self, weights: Weights, ranks: TorchRanks | None) -> None:
        """`ranks`: None for a process that trains alone."""
        self._weights, self._ranks = weights, ranks
        self._replicas = [
            module
            for module in _living(DistributedDataParallel)
            if ranks is not None or module.process_group.size() == 1
        ]
        self.shards = _living(FSDPModule)
        """The sharded modules, from the outermost."""
        self._is_watching = False
        self._entered = self._left = 0  # evaluations of an outermost sharded module
        self.outputs: list[torch.Tensor] = []
        """What they gave in this round that a gradient can be carried back from."""
        inner = {id(part) for module in self.shards for part in module.modules() if part is not module}
        for module in self.shards:
            if id(module) not in inner:
                _watch(module, weakref.ref(self))

    def begin_round(self) -> None:
        """Begins to look at the evaluations of sharded modules."""
        self._entered = self._left = 0
        self.outputs, self._is_watching = [], True

    def end_round(self) -> None:
        """Releases their outputs."""
        self.outputs, self._is_watching = [], False

    @property
    def has_entered(self) -> bool:
        """Whether an evaluation of a sharded module has begun in this round."""
        return self._entered > 0

    @property
    def is_inside(self) -> bool:
        """Whether one has begun and not finished."""
        return self._entered > self._left

    def scale(self, gradient: torch.Tensor) -> torch.Tensor:
        """dL/dvelocity times the number of ranks: FSDP2 gives the mean over ranks, and the sum is needed."""
        return gradient if self._ranks is None else gradient * self._ranks.count

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Lets no DDP module exchange anything by itself."""
        before = [(m.require_backward_grad_sync, m.require_forward_param_sync) for m in self._replicas]
        for module in self._replicas:
            module.require_backward_grad_sync = module.require_forward_param_sync = False
        try:
            yield
        finally:
            for module, (backward, forward) in zip(self._replicas, before, strict=True):
                module.require_backward_grad_sync, module.require_forward_param_sync = backward, forward

    def exchange_in_backward(self, is_wanted: bool) -> None:
        """Whether the next backward of sharded modules adds up the gradients of all ranks."""
        for module in self.shards:
            module.set_requires_gradient_sync(is_wanted, recurse=False)

    def forget_weights(self) -> None:
        """Drops gathered weights after the shards have changed: an evaluation without gradients leaves some of them."""
        for module in self.shards:
            module.reshard()

    def forget_gradients(self) -> None:
        """Drops gradients of an unfinished minibatch, which sharded modules keep beside those of the weights."""
        for module in self.shards:
            group = module._get_fsdp_state()._fsdp_param_group
            for parameter in () if group is None else group.fsdp_params:
                parameter.unsharded_accumulated_grad = None
                if hasattr(parameter, "_unsharded_param"):
                    parameter._unsharded_param.grad = None

    def add_up(self) -> None:
        """Makes the gradients of weights that are not sharded those of all ranks. A weight that has none on any rank
        keeps none."""
        if self._ranks is None:
            return
        whole = [weight for weight in self._weights if not is_sharded(weight)]
        is_used = self._ranks.add_up_flags([weight.grad is not None for weight in whole])
        used = [weight for weight, is_used in zip(whole, is_used, strict=True) if is_used]
        for bucket in _buckets(used):
            gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in bucket]
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
            self._ranks.add_up(flat)
            if self.shards:
                flat /= self._ranks.count
            parts = torch.split(flat, [gradient.numel() for gradient in gradients])
            for weight, part in zip(bucket, parts, strict=True):
                weight.grad = part.view_as(weight)

    def enter(self) -> None:
        """An evaluation of an outermost sharded module begins."""
        self._entered += 1

    def leave(self, output: Any) -> None:
        """It has given this."""
        self._left += 1
        if self._is_watching:
            tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
            self.outputs += [tensor for tensor in tensors if tensor.requires_grad]


def _watch(module: Any, wrappers: "weakref.ref[Wrappers]") -> None:
    """Reports the evaluations of a module, as long as somebody asks."""

    def enter(*_: Any) -> None:
        if (found := wrappers()) is not None:
            found.enter()

    def leave(module: Any, arguments: Any, output: Any) -> None:
        if (found := wrappers()) is not None:
            found.leave(output)

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)


def clip_to_norm(weights: Weights, limit: float) -> float:
    """Clips the gradients to a norm, over all ranks where they are sharded. Returns the norm before."""
    if not any(is_sharded(weight) for weight in weights):
        return float(torch.nn.utils.clip_grad_norm_(weights, limit))
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = [torch.nn.utils.get_total_norm(part) for part in _by_mesh(gradients)]
    norm = math.hypot(*(float(one.full_tensor() if isinstance(one, DTensor) else one) for one in norms))
    factor = limit / (norm + 1e-6)
    if factor < 1:
        for gradient in gradients:
            local(gradient).mul_(factor)
    return norm


def _by_mesh(gradients: Weights) -> list[list[torch.Tensor]]:
    parts: dict[Any, list[torch.Tensor]] = {}
    for gradient in gradients:
        parts.setdefault((gradient.device_mesh if isinstance(gradient, DTensor) else None), []).append(gradient)
    return list(parts.values())


def _buckets(weights: Weights) -> Iterator[list[torch.Tensor]]:
    """Weights of one type and device, so many that an exchange is worth its while."""
    bucket: list[torch.Tensor] = []
    size = 0
    for weight in weights:
        bytes_of = weight.numel() * weight.element_size()
        is_other = bucket and (weight.dtype, weight.device) != (bucket[0].dtype, bucket[0].device)
        if bucket and (is_other or size + bytes_of > _BUCKET):
            yield bucket
            bucket, size = [], 0
        bucket.append(weight)
        size += bytes_of
    if bucket:
        yield bucket


def _living(kind: type) -> list[Any]:
    """All objects of a kind in this process: a velocity function may hide its module anywhere."""
    return [thing for thing in gc.get_objects() if issubclass(type(thing), kind)]
