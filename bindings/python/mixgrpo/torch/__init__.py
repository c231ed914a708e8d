"""Align PyTorch models, on any device, with the library: `pip install mixgrpo[torch]`.

`TorchPolicy` wraps a module or function; `TorchTrainer` joins it with the host's optimizer, and `mixgrpo.train` runs
it. `FluxVelocity` and `SD3Velocity` are ready for the transformers of diffusers. `import mixgrpo` alone imports no
PyTorch.

    import mixgrpo.torch as mixtorch

    policy = mixtorch.TorchPolicy(module, (64, 12), batch_size=4)
    trainer = mixtorch.TorchTrainer(policy, torch.optim.AdamW(module.parameters(), lr=1e-5), lines)
    mixgrpo.train(trainer, reward, decode=decode, iterations=100)
"""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ImportError("mixgrpo.torch needs PyTorch: pip install mixgrpo[torch]")

from .adapters import WithoutAdapters
from .diffusers_models import FluxVelocity, SD3Velocity
from .guidance import TextEmbeddings
from .latents import VAEDecoder, pack_latents, unpack_latents
from .policy import TorchPolicy, Velocity
from .sampling import sample
from .trainer import TorchTrainer

__all__ = [
    "FluxVelocity",
    "SD3Velocity",
    "TextEmbeddings",
    "TorchPolicy",
    "TorchTrainer",
    "VAEDecoder",
    "Velocity",
    "WithoutAdapters",
    "pack_latents",
    "sample",
    "unpack_latents",
]
