"""How deterministic samples are drawn: evaluation and inference."""

from dataclasses import dataclass

from . import _abi
from ._structs import initialised
from .enums import SigmaRounding, Solver

_defaults = initialised(_abi.SampleConfig, "mixgrpo_sample_config_init")


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """How deterministic samples are drawn. The noise depends on seed, prompt's place and number of the sample alone, so that
    two models can be compared on the same noise."""

    steps: int = _defaults.steps
    """T, 1…10000."""
    solver: Solver = Solver(_defaults.solver)
    """Of all steps."""
    samples_per_prompt: int = _defaults.samples_per_prompt
    """S, 1…4096."""
    shift: float = _defaults.shift
    """Of the time grid, above 0, at most 1000."""
    image_tokens: int = _defaults.image_tokens
    """When above 0: the shift that goes with this number of tokens, in place of `shift`; at most 1000000."""
    sigma_rounding: SigmaRounding = SigmaRounding(_defaults.sigma_rounding)
    """How the model is told a noise level."""
    trained_model_share: float = _defaults.trained_model_share
    """p_mix of hybrid inference (Mix §5, arXiv 2507.21802), 0…1: this share of the steps, rounded to the nearest and
    counted from sigma = 1, uses the given model, the rest the base."""
    seed: int = _defaults.seed
    """Of the initial noise, 0…2**64 - 1."""
