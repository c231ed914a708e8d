"""What a policy answers to a few questions: the same one twice, in a batch, at near noise levels, by the reference."""

from collections.abc import Sequence

import torch

from ..policy import TorchPolicy
from .report import Finding

_NEAR = (0.6875, 0.6875 + 2**-11)
"""Two noise levels that float32 and float16 keep apart, and that are one in bfloat16 or in whole thousandths."""

_HALF_PRECISION_ROUNDING, _ROUNDING = 0.05, 1e-3
"""Differences between a row alone and in a batch, by the largest value, beyond which it is no rounding."""


class Questions:
    """Asks a policy about random latents of one prompt. `batch`: B, the largest batch to ask for."""

    def __init__(self, policy: TorchPolicy, prompt_index: int, batch: int) -> None:
        self.policy = policy
        self.batch = batch
        generator = torch.Generator().manual_seed(0)
        self._latents = torch.randn(batch, *policy.latent_shape, generator=generator)
        self._prompts = torch.full((batch,), prompt_index)

    def ask(self, rows: Sequence[int] = (0,), sigma: float = _NEAR[0], *, reference: bool = False) -> torch.Tensor:
        """The velocity of some of the latents, on the CPU."""
        chosen = list(rows)
        sigmas = torch.full((len(chosen),), sigma)
        answer = self.policy.evaluate(self._latents[chosen], sigmas, self._prompts[chosen], reference=reference)
        return answer.to("cpu", torch.float32)

    def determinism(self) -> list[Finding]:
        """The same question twice, after another question, and in a batch."""
        alone, again = self.ask(), self.ask()
        if not bool(alone.isfinite().all()):
            return [
                Finding(
                    "determinism", "error", "expected finite velocities, got NaN or infinity from the model's forward"
                )
            ]
        if not torch.equal(alone, again):
            return [
                Finding(
                    "determinism", "error",
                    f"expected the same velocity for the same latent, got a difference of {_far(again, alone):.2g} of its "
                    "largest value: a random part of the model, such as dropout in a function, or a kernel that sums in "
                    "another order each time",
                )
            ]  # fmt: skip
        self.ask(sigma=0.3)
        after_another = self.ask()
        if not torch.equal(alone, after_another):
            return [
                Finding(
                    "feature cache", "error",
                    f"the velocity depends on what was asked before: it differs by {_far(after_another, alone):.2g} of its "
                    "largest value after another question; switch off caches that reuse features of earlier steps",
                )
            ]  # fmt: skip
        return [self._determinism_in_a_batch(alone)]

    def _determinism_in_a_batch(self, alone: torch.Tensor) -> Finding:
        if self.batch == 1:
            return Finding("determinism", "fine", "the same bits twice, at batch 1")
        rows = range(self.batch)
        first, last = self.ask(rows)[:1], self.ask(rows[::-1])[-1:]
        difference = max(_far(first, alone), _far(last, alone))
        is_half = {self.policy.dtype, self.policy.autocast} & {torch.bfloat16, torch.float16}
        if difference > (_HALF_PRECISION_ROUNDING if is_half else _ROUNDING):
            return Finding(
                "determinism", "error",
                f"the velocity of a latent depends on the others in its batch: alone and in a batch of {self.batch} it differs "
                f"by {difference:.2g} of its largest value; look for padding, masks and norms over the batch",
            )  # fmt: skip
        return Finding(
            "determinism", "fine",
            f"the same bits twice at batch 1; in a batch of {self.batch} a row differs by up to {difference:.2g} of its "
            "largest value",
        )  # fmt: skip

    def sigma(self, levels: Sequence[float]) -> Finding:
        """Whether the model sees sigma as exactly as it gets it. `levels`: those of the plan."""
        here, near = (self.ask(sigma=level) for level in _NEAR)
        if torch.equal(here, self.ask(sigma=0.3)):
            return Finding("sigma", "error", "the velocity does not depend on sigma; pass the noise level to the model")
        if not torch.equal(here, near):
            return Finding("sigma", "fine", "near noise levels get different velocities")
        rounded = torch.tensor(levels).to(torch.bfloat16).tolist()
        same = [step for step in range(1, len(rounded)) if rounded[step] == rounded[step - 1]]
        if same:
            return Finding(
                "sigma", "error",
                f"the model rounds sigma, as bfloat16 does: steps {same[0] - 1} and {same[0]} of the plan get the same noise "
                f"level ({levels[same[0] - 1]:.5g} and {levels[same[0]]:.5g}); pass sigma on in float32, or take fewer steps",
            )  # fmt: skip
        is_half = {self.policy.dtype, self.policy.autocast} & {torch.bfloat16, torch.float16}
        return Finding(
            "sigma", "fine" if is_half else "warning",
            f"the model rounds sigma, as bfloat16 does; the {len(levels)} steps of the plan stay apart"
            + ("" if is_half else ". The model computes in float32: pass sigma on in float32"),
        )  # fmt: skip

    def reference(self, kl_reference: float) -> Finding:
        """Whether the reference is the model."""
        if self.policy.reference is None:
            if kl_reference == 0:
                return Finding("reference", "fine", "none, and kl_reference is 0")
            return Finding(
                "reference", "error", f"expected a frozen model, as kl_reference is {kl_reference:g}, got none; pass the "
                "policy a reference, such as WithInitialWeights(velocity, module)",
            )  # fmt: skip
        difference = _far(self.ask(reference=True), self.ask())
        if difference == 0:
            return Finding("reference", "fine", "equal to the model, to the bit")
        return Finding(
            "reference", "warning",
            f"differs from the model by {difference:.2g} of the largest value, so that the KL does not begin at 0. In a run "
            "that goes on this is right; at the start of one use WithInitialWeights(velocity, module)",
        )  # fmt: skip

    def moved(self, weights: Sequence[torch.Tensor]) -> list[Finding]:
        """Changes all weights that are trained, and looks what moves with them. They stay changed."""
        before = self.ask()
        frozen = None if self.policy.reference is None else self.ask(reference=True)
        findings = []
        if not self._moves(weights, before):
            findings.append(
                Finding(
                    "gradients",
                    "error",
                    "the velocity does not depend on the weights that are trained: an adapter that is not active, or "
                    "another copy of the model",
                )
            )
        if frozen is not None and not torch.equal(self.ask(reference=True), frozen):
            findings.append(
                Finding(
                    "reference", "error", "the reference moves with the weights that are trained; use "
                    "WithInitialWeights(velocity, module)",
                )
            )  # fmt: skip
        return findings

    def _moves(self, weights: Sequence[torch.Tensor], before: torch.Tensor) -> bool:
        """Whether a change of all weights changes the velocity; a small one may be lost in half precision."""
        for strength in (0.1, 3.0, 100.0):
            with torch.no_grad():
                for weight in weights:
                    weight.add_((weight.abs().mean() + 0.01) * strength)
            if not torch.equal(self.ask(), before):
                return True
        return False


def _far(here: torch.Tensor, there: torch.Tensor) -> float:
    """The largest difference by the largest value; infinite when one is not finite."""
    difference = float((here - there).abs().max() / there.abs().max().clamp(min=1e-30))
    return difference if difference == difference else float("inf")
