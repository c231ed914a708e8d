"""`mixgrpo.torch.check` finds what would make training go wrong, and changes nothing."""

import re

import mixgrpo.torch as mixtorch
import pytest
import tiny_pipelines as tiny
from torch_fixtures import SHAPE, D, SmallFlow, required, torch

peft = required("peft")

LINES = ["a red circle", "an old dog"]


def policy_of(velocity=None, **settings):
    return mixtorch.TorchPolicy(velocity or SmallFlow(), SHAPE, **{"batch_size": 3, **settings})


def found(report, topic, severity):
    """The text of the one finding about a topic, of this severity."""
    (finding,) = report.about(topic)
    assert finding.severity == severity, report
    return finding.text


@pytest.fixture(scope="module")
def pipe():
    pipe = tiny.made(tiny.flux)
    pipe.transformer.requires_grad_(False)
    pipe.transformer.add_adapter(peft.LoraConfig(r=2, target_modules=["to_q", "to_v"]))
    pipe.transformer.eval()
    return pipe


def test_a_sound_policy_is_fit_and_every_topic_is_looked_at(mixgrpo, pipe):
    policy, _ = mixtorch.from_pipeline(pipe, LINES, height=8, width=8, batch_size=2)
    weights = [weight for weight in pipe.transformer.parameters() if weight.requires_grad]
    learning = mixgrpo.LearningConfig(clip_range=0.01, kl_reference=0.1)
    report = mixtorch.check(policy, torch.optim.AdamW(weights, lr=1e-4), learning=learning, prompt_index=1)
    assert report.is_fit and {one.severity for one in report.findings} == {"fine"}, report
    topics = {"training mode", "dropout", "feature cache", "determinism", "sigma", "reference", "first ratio", "gradients",
              "precision", "memory", "clip range"}  # fmt: skip
    assert [one.topic for one in report.findings].count("memory") == 1
    assert {one.topic for one in report.findings} == topics
    assert str(report).startswith("errors: 0, warnings: 0, fine: 11\nfine    training mode: all ")
    assert "equal to the model" in found(report, "reference", "fine")
    assert f"reach all {len(weights)} weights" in found(report, "gradients", "fine")


@pytest.mark.parametrize(("build", "length"), [(tiny.sd3, 10), (tiny.flux2, 80)])
def test_a_pipeline_in_bf16_with_an_adapter_in_float32_is_fit(mixgrpo, build, length):
    """There a small change of the adapter is lost in the velocity."""
    pipe = tiny.made(build).to(torch.bfloat16)
    pipe.transformer.requires_grad_(False)
    pipe.transformer.add_adapter(peft.LoraConfig(r=2, target_modules=["to_q"]))
    tiny.diffusers.training_utils.cast_training_params(pipe.transformer.eval())
    policy, _ = mixtorch.from_pipeline(pipe, LINES, height=8, width=8, max_sequence_length=length)
    assert policy.dtype == torch.bfloat16
    report = mixtorch.check(policy, learning=mixgrpo.LearningConfig(clip_range=0.01))
    assert report.is_fit and report.about("precision")[0].severity == "fine", report


def test_everything_is_left_as_it_was_found(mixgrpo):
    model = SmallFlow()
    optimizer = torch.optim.AdamW([model.enter, model.leave], lr=1e-2)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    weights = [(weight, weight.clone(), weight.grad) for weight in model.parameters()]
    state, random = optimizer.state_dict(), torch.get_rng_state()

    def noisy(latents, sigmas, prompt_index):
        torch.rand(1)
        return model(latents, sigmas, prompt_index)

    noisy.module = model
    assert mixtorch.check(policy_of(noisy), optimizer).is_fit
    for weight, before, gradient in weights:
        assert torch.equal(weight, before) and weight.grad is gradient and bool((gradient == 1).all())
    assert optimizer.state_dict() == state and torch.equal(torch.get_rng_state(), random)


class Altered(torch.nn.Module):
    """A small model with something added in front of it."""

    def __init__(self, *others, change=None):
        super().__init__()
        self.flow, self.others = SmallFlow(), torch.nn.ModuleList(others)
        self.change, self.calls = change, 0

    def forward(self, latents, sigmas, prompt_index):
        self.calls += 1
        if self.change is not None:
            return self.change(self, latents, sigmas, prompt_index)
        return self.flow(latents, sigmas, prompt_index)


def test_training_mode_is_named(mixgrpo):
    assert "all 3 parts" in found(mixtorch.check(policy_of(Altered().eval())), "training mode", "fine")
    text = found(mixtorch.check(policy_of(Altered().train())), "training mode", "warning")
    assert "3 of 3 parts" in text and "call eval()" in text
    function = mixtorch.check(policy_of(lambda *inputs: SmallFlow()(*inputs)), torch.optim.SGD([torch.ones(1)], lr=1))
    assert "`module`" in found(function, "training mode", "warning")


def test_dropout_is_an_error_only_while_it_is_active(mixgrpo):
    model = Altered(torch.nn.Dropout(0.1))
    report = mixtorch.check(policy_of(model.train()))
    assert "others.0: expected evaluation mode" in found(report, "dropout", "error") and not report.is_fit
    assert model.calls == 0 and not report.about("determinism")
    assert "1 layers with p > 0" in found(mixtorch.check(policy_of(model.eval())), "dropout", "fine")


def test_a_random_model_is_not_deterministic(mixgrpo):
    def change(model, latents, *inputs):
        return torch.nn.functional.dropout(model.flow(latents, *inputs), 0.1)

    report = mixtorch.check(policy_of(Altered(change=change).eval()))
    assert "a random part of the model" in found(report, "determinism", "error") and not report.about("first ratio")


def test_a_velocity_that_depends_on_its_batch_mates_is_an_error(mixgrpo):
    def change(model, latents, *inputs):
        return model.flow(latents + 0.1 * latents.mean(0, keepdim=True), *inputs)

    report = mixtorch.check(policy_of(Altered(change=change).eval()))
    assert "depends on the others in its batch: alone and in a batch of 3" in found(report, "determinism", "error")
    assert "at batch 1" in found(mixtorch.check(policy_of(batch_size=1)), "determinism", "fine")


def test_a_feature_cache_is_an_error(mixgrpo, pipe):
    policy, _ = mixtorch.from_pipeline(pipe, LINES, height=8, width=8)
    pipe.transformer.enable_cache(tiny.diffusers.FirstBlockCacheConfig(threshold=0.1))
    try:
        report = mixtorch.check(policy)
    finally:
        pipe.transformer.disable_cache()
    assert "FirstBlockCacheConfig in the module" in found(report, "feature cache", "error")

    def cached(model, latents, sigmas, prompt_index):  # keeps the features of each second noise level
        level = float(sigmas[0])
        if level != getattr(model, "level", None):
            model.level, model.offset = level, 0.1 * model.calls
        return model.flow(latents, sigmas, prompt_index) + model.offset

    report = mixtorch.check(policy_of(Altered(change=cached).eval()))
    assert "depends on what was asked before" in [one.text for one in report.about("feature cache")][-1]
    assert not report.is_fit


def test_a_sigma_that_is_rounded_is_named_with_the_steps_that_become_one(mixgrpo):
    def rounded(model, latents, sigmas, prompt_index):
        return model.flow(latents, sigmas.to(torch.bfloat16).float(), prompt_index)

    policy = policy_of(Altered(change=rounded).eval())
    text = found(mixtorch.check(policy, plan=mixgrpo.SamplingConfig(steps=10)), "sigma", "warning")
    assert "the 10 steps of the plan stay apart. The model computes in float32" in text
    text = found(mixtorch.check(policy, plan=mixgrpo.SamplingConfig(steps=1000, shift=3.0)), "sigma", "error")
    assert "steps 0 and 1 of the plan get the same noise level (1 and 0.99967)" in text
    half = mixtorch.TorchPolicy(policy.velocity, SHAPE, autocast=torch.bfloat16)
    assert "stay apart" in found(mixtorch.check(half), "sigma", "fine")
    blind = Altered(change=lambda model, latents, sigmas, prompts: model.flow(latents, 0 * sigmas, prompts)).eval()
    assert "does not depend on sigma" in found(mixtorch.check(policy_of(blind)), "sigma", "error")


def test_a_reference_that_is_missing_another_or_moving_is_named(mixgrpo):
    model, learning = SmallFlow(), mixgrpo.LearningConfig(kl_reference=0.1)
    text = found(mixtorch.check(policy_of(model), learning=learning), "reference", "error")
    assert "expected a frozen model, as kl_reference is 0.1, got none" in text
    assert "none" in found(mixtorch.check(policy_of(model)), "reference", "fine")
    report = mixtorch.check(policy_of(model, reference=SmallFlow(seed=9)), learning=learning)
    assert "differs from the model by" in found(report, "reference", "warning") and report.is_fit
    frozen = mixtorch.WithInitialWeights(model, model)
    assert "to the bit" in found(mixtorch.check(policy_of(model, reference=frozen)), "reference", "fine")
    moving = mixtorch.check(policy_of(model, reference=lambda *inputs: model(*inputs)))
    assert [one.severity for one in moving.about("reference")] == ["fine", "error"]
    assert "moves with the weights" in moving.about("reference")[1].text


def test_a_first_ratio_other_than_1_is_weighed_by_the_clip_range(mixgrpo):
    def change(model, latents, *inputs):  # the second row of a batch is rounded otherwise
        velocity = model.flow(latents, *inputs)
        return velocity * (1 + 1e-4 * (torch.arange(len(velocity)) == 1)[:, None, None])

    policy = policy_of(Altered(change=change).eval())

    def severity(clip):
        (finding,) = mixtorch.check(policy, learning=mixgrpo.LearningConfig(clip_range=clip)).about("first ratio")
        return finding.severity

    assert (severity(0.9), severity(1e-9)) == ("fine", "error")
    one = mixtorch.TorchPolicy(policy.velocity, SHAPE, batch_size=1)
    assert "exactly 1" in found(mixtorch.check(one), "first ratio", "fine")


def test_weights_that_no_gradient_reaches_are_named(mixgrpo):
    model = Altered(torch.nn.Linear(1, 1)).eval()
    text = found(mixtorch.check(policy_of(model)), "gradients", "warning")
    assert "reaches 2 of the optimizer's 6 weights, such as others.0.weight" in text
    part = torch.optim.SGD([model.flow.enter], lr=1)
    text = found(mixtorch.check(policy_of(model), part), "gradients", "warning")
    assert "5 weights require gradients and are not the optimizer's, such as flow.leave" in text
    stranger = mixtorch.check(policy_of(model), torch.optim.SGD(SmallFlow().parameters(), lr=1))
    assert "expected weights that the velocity depends on" in stranger.about("gradients")[0].text
    assert "does not depend on the weights" in stranger.about("gradients")[1].text
    cut = Altered(change=lambda model, *inputs: model.flow(*inputs).detach()).eval()
    assert "cut off" in mixtorch.check(policy_of(cut)).about("gradients")[0].text
    nothing = Altered(change=lambda model, *inputs: model.flow(*inputs).detach() + 0 * model.flow.enter.sum()).eval()
    assert "expected a norm above 0, got 0" in mixtorch.check(policy_of(nothing)).about("gradients")[0].text
    assert "got none that requires" in mixtorch.check(policy_of(model.requires_grad_(False))).about("gradients")[0].text


def test_a_velocity_or_gradient_that_is_not_finite_is_explained(mixgrpo):
    broken = Altered(change=lambda model, *inputs: model.flow(*inputs) * torch.nan).eval()
    assert "expected finite velocities" in found(mixtorch.check(policy_of(broken)), "determinism", "error")
    model = SmallFlow()
    hook = model.enter.register_hook(lambda gradient: gradient * torch.nan)
    assert "the model's backward brought it" in found(mixtorch.check(policy_of(model)), "gradients", "error")
    hook.remove()
    assert mixtorch.check(policy_of(model)).is_fit


def test_weights_in_half_precision_are_weighed_by_the_learning_rate(mixgrpo):
    model = SmallFlow(dtype=torch.bfloat16)
    assert "small steps are rounded away" in found(mixtorch.check(policy_of(model)), "precision", "warning")
    slow, fast = (torch.optim.AdamW(model.parameters(), lr=rate) for rate in (1e-6, 1.0))
    text = found(mixtorch.check(policy_of(model), slow), "precision", "warning")
    assert "a step of 1e-06, the learning rate, is rounded away in" in text and "float32" in text
    assert "in 0% of their values" in found(mixtorch.check(policy_of(model), fast), "precision", "fine")


def test_memory_is_counted_and_a_lack_of_it_is_reported(mixgrpo, monkeypatch):
    model = SmallFlow(width=4096)
    size = sum(4 * weight.numel() for weight in model.parameters())
    text = found(mixtorch.check(policy_of(model)), "memory", "fine")
    assert text.startswith(f"the model takes {size / 2**20:.2f} MiB; weights to train {size / 2**20:.2f} MiB")
    assert f"the copy that undoes an update {3 * size / 2**20:.2f} MiB" in text

    def measured(peak):
        monkeypatch.setattr("mixgrpo.torch.checking.device_memory", lambda _: (peak, 10 * 2**30))
        return mixtorch.check(policy_of(model))

    assert "smaller batch_size" in found(measured(int(9.5 * 2**30)), "memory", "warning")
    assert "larger batch_size" in found(measured(2**30), "memory", "fine")
    assert "batch_size" not in found(measured(6 * 2**30), "memory", "fine")

    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")

    without = Altered(change=full).eval()
    without.flow.enter.grad = gradient = torch.ones_like(without.flow.enter)
    text = found(mixtorch.check(policy_of(without)), "memory", "error")
    assert without.flow.enter.grad is gradient
    assert "not enough for one small update: CUDA out of memory. Tried to allocate 2 GiB; take" in text


@pytest.mark.parametrize(
    ("latent_size", "clip", "severity", "text"),
    [(129_600, 1e-4, "fine", "1.* allows 13 nats of log-ratio for D = 129,600"),
     (D, 1e-4, "warning", "allows 0.0012 nats .*set clip_range=0.02"),
     (524_288, 1e-4, "warning", "allows 52 nats .*the paper's 13 nats set clip_range=2e-05")],
)  # fmt: skip
def test_the_clip_range_is_said_in_nats_with_a_suggestion(mixgrpo, latent_size, clip, severity, text):
    clip_range = mixtorch.checking.figures.clip_range
    mean, total = mixgrpo.LogProbability.MEAN, mixgrpo.LogProbability.SUM
    finding = clip_range(latent_size, mixgrpo.LearningConfig(clip_range=clip), mean)
    assert finding.severity == severity and re.search(text, finding.text), finding
    assert "0.2 is usual" in clip_range(latent_size, mixgrpo.LearningConfig(clip_range=clip), total).text
    assert clip_range(latent_size, mixgrpo.LearningConfig(clip_range=0.2), total).severity == "fine"


def test_what_the_model_raises_comes_out_and_wrong_arguments_are_refused(mixgrpo, pipe):
    policy, _ = mixtorch.from_pipeline(pipe, LINES, height=8, width=8)
    with pytest.raises(ValueError, match="prompt_index: expected indices of the 2 prompts .* got 2"):
        mixtorch.check(policy, prompt_index=2)

    def broken(*_):
        raise LookupError("no such prompt")

    with pytest.raises(LookupError, match="no such prompt"):
        mixtorch.check(policy_of(Altered(change=broken).eval()))
    for arguments, field in (((3,), "policy"), ((policy_of(), None, 3), "plan"), ((policy_of(), None), "prompt_index")):
        with pytest.raises(ValueError, match=field):
            mixtorch.check(*arguments, prompt_index=-1 if field == "prompt_index" else 0)
