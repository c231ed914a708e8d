"""Adapters on a base whose weights are quantised."""

import mixgrpo.torch as mixtorch
import pytest
import tiny_pipelines as tiny
from torch_fixtures import required, torch

peft = required("peft")

LINES = ["a red circle", "an old dog"]


class Int8Linear(torch.nn.Linear):
    """A linear layer that stores bytes and one scale for each row, as quantised models do."""

    def __init__(self, plain):
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None)
        scale = plain.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        stored = (plain.weight.detach() / scale).round().to(torch.int8)
        self.weight = torch.nn.Parameter(stored, requires_grad=False)
        self.bias = plain.bias
        self.register_buffer("scale", scale)

    def forward(self, values):
        return torch.nn.functional.linear(values, self.weight.to(values) * self.scale.to(values), self.bias)


def quantised(part):
    """The module with all its linear layers replaced."""
    for name, child in list(part.named_children()):
        if type(child) is torch.nn.Linear:
            setattr(part, name, Int8Linear(child))
        else:
            quantised(child)
    return part


@pytest.fixture
def pipe():
    pipe = tiny.made(tiny.flux)
    quantised(pipe.transformer).requires_grad_(False)
    pipe.transformer.add_adapter(peft.LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    pipe.transformer.eval()
    return pipe


def trainer_of(mixgrpo, pipe, weights, **settings):
    policy = mixtorch.from_pipeline(pipe, LINES, height=8, width=8, batch_size=1)[0]
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=2)
    learning = mixgrpo.LearningConfig(updates_per_iteration=1, kl_reference=0.1, max_velocity_change=0, **settings)
    return mixtorch.TorchTrainer(policy, torch.optim.AdamW(weights, lr=0.01), LINES, sampling, learning)


def iterate(trainer):
    return trainer.update(trainer.rollout([0, 1]).reshape(2, 2, -1).mean(axis=2))


def adapters_of(pipe):
    return [weight for weight in pipe.transformer.parameters() if weight.requires_grad]


def test_adapters_on_a_quantised_base_train_and_continue_from_a_checkpoint(mixgrpo, pipe, tmp_path):
    stored = [weight.clone() for weight in pipe.transformer.parameters() if weight.dtype == torch.int8]
    trainer = trainer_of(mixgrpo, pipe, adapters_of(pipe))
    assert trainer.policy.dtype == torch.float32 and len(stored) > 10
    first = iterate(trainer)
    assert (first.first_ratio_min, first.first_ratio_max, first.kl_reference_nats) == (1, 1, 0)
    assert first.gradient_norm > 0
    trainer.checkpoint(tmp_path)
    second = iterate(trainer)
    assert second.kl_reference_nats > 0
    assert all(map(torch.equal, stored, [w for w in pipe.transformer.parameters() if w.dtype == torch.int8]))
    learned = [weight.clone() for weight in adapters_of(pipe)]
    trainer.resume(tmp_path)
    assert not all(map(torch.equal, learned, adapters_of(pipe)))
    assert iterate(trainer).loss == second.loss and all(map(torch.equal, learned, adapters_of(pipe)))


def test_a_failed_update_restores_the_adapters_of_a_quantised_base(mixgrpo, pipe):
    trainer = trainer_of(mixgrpo, pipe, adapters_of(pipe))
    before = [weight.clone() for weight in adapters_of(pipe)]
    pipe.transformer.proj_out.register_full_backward_hook(lambda *_: (torch.full((1, 4, 16), torch.nan),))
    with pytest.raises(ArithmeticError, match="gradient: expected a finite norm"):
        iterate(trainer)
    assert all(map(torch.equal, before, adapters_of(pipe)))


def test_a_quantised_weight_among_those_to_train_is_refused_and_named(mixgrpo, pipe):
    with pytest.raises(ValueError, match=r"optimizer: expected weights in floating point, got .*weight \(.*torch.int8"):
        trainer_of(mixgrpo, pipe, list(pipe.transformer.parameters()))


def test_weights_stored_in_8_bit_floats_do_not_choose_the_type_of_latents():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    module[0].weight.data, module[1].to(torch.bfloat16)
    module[0].requires_grad_(False).to(torch.float8_e4m3fn)
    assert mixtorch.TorchPolicy(module, (2,)).dtype == torch.bfloat16
