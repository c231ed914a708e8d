"""One whole iteration with a PyTorch model against MixGRPO in pure PyTorch: same noise, same weights after it."""

import copy

import numpy as np
import pytest
from pure_torch_mixgrpo import PureMixGRPO, Settings
from torch_fixtures import LINES, SHAPE, D, SmallFlow, torch, weights_of

PRESETS = {
    "mixgrpo": lambda trained: Settings("flow", 0.7, range(0, 4), trained),
    "mixgrpo_flash": lambda trained: Settings("flow", 0.7, range(0, 4), trained, flash_ratio=0.4),
    "flow_grpo": lambda trained: Settings("flow", 0.7, range(0, 24), trained, kl_reference=0.04),
    "dance_grpo": lambda trained: Settings("dance", 0.3, range(0, 24), trained),
}
TRAINED = {"mixgrpo": 4, "mixgrpo_flash": 4, "flow_grpo": 24, "dance_grpo": 14}
INDEX = [2, 0]
RATE = 1e-3


def score(samples):
    """(P, G) of samples (P, G, …): any function that differs between members."""
    flat = samples.reshape(*samples.shape[:2], -1)
    return (flat[..., 0] - 0.3 * flat[..., 1] ** 2 + 0.1 * flat.sum(-1)) / (1 + abs(flat[..., 2]))


class Recorder:
    """A velocity function that keeps the latents of each step, (P*G, D)."""

    def __init__(self, model, samples):
        self.model, self.samples, self.latents = model, samples, {}

    def __call__(self, latents, sigmas, prompt_index):
        if not torch.is_grad_enabled():
            if len(latents) < self.samples and float(sigmas[0]) in self.latents:
                return self.model(latents, sigmas, prompt_index)  # one row, to see how far the update went
            rows = latents.detach().double().reshape(len(latents), D)
            self.latents[float(sigmas[0])] = rows.repeat_interleave(self.samples // len(rows), dim=0)
        return self.model(latents, sigmas, prompt_index)


def noise_of(step, pure, before, after):
    """The noise that led the library from one latent to the next, as the pure implementation sees it."""
    with torch.no_grad():
        policy = pure.policy(step)
        return (after - policy.mean(before, pure.velocity(pure.model, before, step))) / policy.std


@pytest.mark.parametrize("name", PRESETS)
def test_an_iteration_is_the_pure_one(mixgrpo, name):
    import mixgrpo.torch as mixtorch

    sampling, learning = mixgrpo.preset(name, mixgrpo.SamplingConfig(seed=5))
    plan = mixgrpo.Plan(sampling)
    trained = [index for index, step in enumerate(plan.steps(0)) if step.trained]
    assert len(trained) == TRAINED[name]

    model = SmallFlow(dtype=torch.float64)
    reference = SmallFlow(seed=9, dtype=torch.float64)
    start, ours = weights_of(model), copy.deepcopy(model)
    samples_in_all = len(INDEX) * sampling.group_size
    recorder = Recorder(model, samples_in_all)
    policy = mixtorch.TorchPolicy(recorder, SHAPE, reference=reference, dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, plan, learning)
    samples = trainer.rollout(INDEX)
    metrics = trainer.update(score(samples))

    prompts = torch.tensor(INDEX).repeat_interleave(sampling.group_size)
    pure = PureMixGRPO(ours, reference, PRESETS[name](trained), prompts, sampling.group_size)
    recorded = [recorder.latents[float(np.float32(sigma))] for sigma in pure.sigmas[:-1]]
    noise = {step: noise_of(step, pure, recorded[step], recorded[step + 1]) for step in pure.settings.window}
    values = torch.stack(list(noise.values()))
    assert abs(float(values.mean())) <= 5 / values.numel() ** 0.5
    assert abs(float(values.var()) - 1) <= 5 * (2 / values.numel()) ** 0.5

    drawn = pure.rollout(recorded[0], noise).reshape(len(INDEX), sampling.group_size, D)
    assert float(abs(drawn - torch.tensor(samples.reshape(drawn.shape))).max()) <= 1e-5 * float(abs(drawn).max())
    pure.update(score(drawn), torch.optim.AdamW(ours.parameters(), lr=RATE, weight_decay=0.01))

    expected, got = weights_of(ours), weights_of(model)
    assert bool((abs(got - expected) <= 1e-5 * abs(expected)).all())
    assert float((got - expected).norm()) <= 1e-3 * float((expected - start).norm())
    assert float((expected - start).norm()) >= 1e-3
    assert metrics.first_ratio_min <= 1 <= metrics.first_ratio_max
    assert metrics.first_ratio_max - metrics.first_ratio_min <= 1e-6
    assert (metrics.kl_reference_nats > 0) == (name == "flow_grpo")


def test_the_clip_takes_part(mixgrpo):
    """The comparison above would prove little if no ratio ever left its range."""
    import mixgrpo.torch as mixtorch

    model = SmallFlow(dtype=torch.float64)
    policy = mixtorch.TorchPolicy(model, SHAPE)
    trainer = mixtorch.TorchTrainer(policy, torch.optim.AdamW(model.parameters(), lr=RATE), LINES)
    metrics = trainer.update(score(trainer.rollout(INDEX)))
    assert 0.05 <= metrics.clip_fraction <= 0.95
