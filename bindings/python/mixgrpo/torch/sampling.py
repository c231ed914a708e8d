"""Deterministic samples of a PyTorch model: evaluation and inference."""

from numpy.typing import ArrayLike

from .._arguments import instance
from .._arrays import FloatArray, integers
from ..configurations import SampleConfig
from ..enums import Weights
from ..host_trainer import HostTrainer
from ..request import VelocityRequest
from .embeddings import check_count
from .own_grid import sample_config_of
from .policy import TorchPolicy


def sample(
    policy: TorchPolicy,
    prompt_indices: ArrayLike,
    config: SampleConfig = SampleConfig(),
    *,
    initial_noise: ArrayLike | None = None,
) -> FloatArray:
    """Samples at sigma = 0, (P, S, *latent_shape), that nothing random but the initial noise goes into.

    The noise depends only on seed, place in `prompt_indices` and number of the sample, so two models can be compared on
    the same noise. `initial_noise`: the host's noise, (P, S, *latent_shape). With `config.trained_model_share` below 1
    the last steps use the policy's reference (hybrid inference, Mix §5, arXiv 2507.21802). The time grid is the policy's
    own, if it has one and `config.sigmas` is None.
    """
    config = sample_config_of(policy, instance(config, SampleConfig, "config"))
    index = integers(prompt_indices, "prompt_indices").reshape(-1)
    check_count(policy.velocity, int(index.max(initial=0)) + 1, "prompt_indices")
    lines = [""] * (int(index.max(initial=0)) + 1)
    with _Sampler(lines, policy.latent_shape, batch_size=policy.batch_size) as sampler:
        sampler.policy = policy
        return sampler.sample(index, config, initial_noise=initial_noise)


class _Sampler(HostTrainer):
    """Draws and trains nothing."""

    policy: TorchPolicy

    def evaluate(self, request: VelocityRequest) -> None:
        self.policy.answer(self, request, reference=request.weights is Weights.BASE)

    def differentiate(self, request: VelocityRequest) -> None:
        raise NotImplementedError

    def step(self, request: VelocityRequest) -> tuple[float, float]:
        raise NotImplementedError

    def keep_state(self) -> None:
        raise NotImplementedError

    restore_state = zero_gradients = keep_state
