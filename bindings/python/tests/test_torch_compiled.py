"""Modules made faster by `torch.compile`: one graph for rollout and update, few sizes of batches."""

import functools

import mixgrpo.torch as mixtorch
import pytest
from mixgrpo.torch.compiled import is_compiled, size_of_batch
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func
from torch_fixtures import LINES, SHAPE, SmallFlow, required, torch

diffusers = required("diffusers")
dynamo = required("torch._dynamo")


class Sloppy:
    """A backend that rounds the graph without autograd otherwise than the one with it, and counts the graphs."""

    def __init__(self):
        self.sizes = []

    def __call__(self, graph, inputs):
        self.sizes.append(next(value.shape[0] for value in inputs if isinstance(value, torch.Tensor)))
        forward, inference = functools.partial(_scaled, 1), functools.partial(_scaled, 1.001)
        return aot_autograd(fw_compiler=forward, inference_compiler=inference)(graph, inputs)


def _scaled(factor, graph, _):
    return make_boxed_func(lambda *inputs: [value if factor == 1 else value * factor for value in graph(*inputs)])


class Blocks(torch.nn.Module):
    """A small flow in one block that is compiled, as `compile_repeated_blocks` does it."""

    def __init__(self, backend):
        super().__init__()
        self.block = SmallFlow()
        self.block.compile(backend=backend, dynamic=False, fullgraph=True)

    def forward(self, latents, sigmas, prompt_index):
        return self.block(latents, sigmas, prompt_index)


@pytest.fixture(autouse=True)
def fresh_compiler():
    dynamo.reset()
    yield
    dynamo.reset()


def trainer_of(mixgrpo, velocity, module, shape, size, lines=LINES, **choices):
    policy = mixtorch.TorchPolicy(velocity, shape, batch_size=size)
    sampling = mixgrpo.SamplingConfig(steps=5, group_size=4, window_length=2, window_interval=2)
    learning = mixgrpo.LearningConfig(updates_per_iteration=2)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    return mixtorch.TorchTrainer(policy, optimizer, lines, sampling, learning, **choices)


def iterate(trainer, prompts=(0, 1)):
    return trainer.update(trainer.rollout(prompts).mean(axis=(2, 3)))


@pytest.mark.parametrize("keep", [0, 64])
def test_rollout_and_update_use_one_graph(mixgrpo, keep):
    """The backend's graph without autograd would give other velocities."""
    module = Blocks(Sloppy())
    for _ in range(2):
        metrics = iterate(trainer_of(mixgrpo, module, module, SHAPE, size=2, keep_activations=keep))
        assert (metrics.first_ratio_min, metrics.first_ratio_max) == (1, 1)


@pytest.mark.parametrize(("prompts", "graphs"), [((0, 1), [2, 2, 3, 3, 3, 3]), ((0, 1, 2), [2] * 6)])
def test_a_model_is_compiled_once_for_each_size(mixgrpo, prompts, graphs):
    """While the window stands still nothing is compiled after the first iteration. When it moves for the first time,
    groups share the latents before it: 2 of 2 prompts are a batch of another size, 3 are filled up to 4."""
    backend = Sloppy()
    module = Blocks(backend)
    trainer = trainer_of(mixgrpo, module, module, SHAPE, size=4)
    counts = []
    for _ in range(6):
        iterate(trainer, prompts)
        counts.append(len(backend.sizes))
    assert counts == graphs


def test_flux_is_compiled_in_the_first_iteration_alone(mixgrpo):
    torch.manual_seed(0)
    flux = diffusers.FluxTransformer2DModel(
        in_channels=8, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=6, pooled_projection_dim=5, guidance_embeds=True, axes_dims_rope=(2, 2, 4),
    ).eval()  # fmt: skip
    texts = mixtorch.TextEmbeddings(torch.randn(3, 4, 6), torch.randn(3, 5))
    flux.compile_repeated_blocks(fullgraph=True, dynamic=False, backend="eager")
    velocity = mixtorch.FluxVelocity(flux, texts, height_tokens=2, width_tokens=3)
    trainer = trainer_of(mixgrpo, velocity, flux, velocity.latent_shape, size=2)
    assert is_compiled(velocity)
    graphs = []
    for _ in range(2):
        metrics = iterate(trainer)
        assert (metrics.first_ratio_min, metrics.first_ratio_max) == (1, 1)
        graphs.append(dynamo.utils.counters["stats"]["unique_graphs"])
    assert graphs[0] == graphs[1] > 0


def test_what_is_compiled_is_seen():
    module, other = SmallFlow(), SmallFlow()
    assert not is_compiled(module) and not is_compiled(lambda *inputs: module(*inputs))
    assert is_compiled(torch.compile(module)) and is_compiled(torch.compile(lambda x: x))
    inside = mixtorch.WithInitialWeights(torch.compile(module), module)
    assert is_compiled(inside) and not is_compiled(mixtorch.WithInitialWeights(other, other))
    other.compile()
    assert is_compiled(torch.nn.ModuleList([other])) and is_compiled(mixtorch.WithInitialWeights(other, other))


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(1, [1]), (3, [1, 2, 3]), (8, [1, 2, 4, 4, 8, 8, 8, 8]), (12, [1, 2, 3, *[6] * 3, *[12] * 6])],
)
def test_a_batch_is_filled_up_to_one_of_few_sizes(largest, sizes):
    assert [size_of_batch(count, largest) for count in range(1, largest + 1)] == sizes
