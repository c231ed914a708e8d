"""Align PyTorch models, on any device, with the library: `pip install mixgrpo[torch]`.

`from_pipeline` makes a policy of a pipeline of diffusers; `FluxVelocity` and others, one for each family of models, do
without a pipeline. `TorchPolicy` wraps any module or function; `TorchTrainer` joins it with the host's optimizer, and
`mixgrpo.train` runs it; `check` looks for faults before a run. `import mixgrpo` alone imports no PyTorch.

    import mixgrpo.torch as mixtorch

    policy = mixtorch.TorchPolicy(module, (64, 12), batch_size=4)
    trainer = mixtorch.TorchTrainer(policy, torch.optim.AdamW(module.parameters(), lr=1e-5), lines)
    mixgrpo.train(trainer, reward, decode=decode, iterations=100)
"""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ImportError("mixgrpo.torch needs PyTorch: pip install mixgrpo[torch]")

from .adapters import WithInitialWeights, WithoutAdapters
from .checking import check
from .checking.report import CheckReport, Finding
from .embeddings import TextEmbeddings
from .first_ratio import FirstRatioAction, FirstRatioError, FirstRatioWarning
from .guidance import GuidedVelocity
from .latents import pack_latents, unpack_latents
from .lora_file import save_lora
from .pipelines import from_pipeline
from .pipelines.chroma import ChromaVelocity
from .pipelines.flux import FluxCondition, FluxVelocity
from .pipelines.flux2 import Flux2Velocity
from .pipelines.lumina2 import Lumina2Velocity
from .pipelines.qwen_image import QwenImageVelocity
from .pipelines.sana import SanaVelocity
from .pipelines.sd3 import SD3Velocity
from .pipelines.wan import WanExpertsVelocity, WanVelocity
from .pipelines.z_image import ZImageVelocity
from .policy import TimeGrid, TorchPolicy, Velocity
from .ranks import RankLostError
from .sampling import sample
from .trainer import TorchTrainer
from .vae import VAEDecoder

__all__ = [
    "CheckReport",
    "ChromaVelocity",
    "Finding",
    "FirstRatioAction",
    "FirstRatioError",
    "FirstRatioWarning",
    "Flux2Velocity",
    "FluxCondition",
    "FluxVelocity",
    "GuidedVelocity",
    "Lumina2Velocity",
    "QwenImageVelocity",
    "RankLostError",
    "SD3Velocity",
    "SanaVelocity",
    "TextEmbeddings",
    "TimeGrid",
    "TorchPolicy",
    "TorchTrainer",
    "VAEDecoder",
    "Velocity",
    "WanExpertsVelocity",
    "WanVelocity",
    "WithInitialWeights",
    "WithoutAdapters",
    "ZImageVelocity",
    "check",
    "from_pipeline",
    "pack_latents",
    "sample",
    "save_lora",
    "unpack_latents",
]
