"""A small model and what belongs to it. Everything but the layout and world tests needs the built library."""

import signal

import numpy as np
import pytest

LINES = ["a red circle at the left", "a blue square at the top", "a green triangle in the middle"]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Background jobs of a shell are born deaf to Ctrl-C, and so would be the tests of it and the programs they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mixgrpo():
    try:
        import mixgrpo
    except ImportError as error:
        pytest.fail(f"these tests need the built library: {error}", pytrace=False)
    return mixgrpo


@pytest.fixture(scope="session")
def config(mixgrpo):
    """A tiny model: 2 x 2 tokens of 12 channels, two blocks."""
    return mixgrpo.ModelConfig(
        in_channels=12,
        out_channels=12,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=6,
        pooled_projection_dim=5,
        axes_dims_rope=(2, 2, 4),
    )


@pytest.fixture
def context(mixgrpo):
    with mixgrpo.Context(2) as context:
        yield context


@pytest.fixture
def model(mixgrpo, config, context):
    """Random weights everywhere, so that no output is trivially 0."""
    model = mixgrpo.Model(config, seed=7, context=context)
    weights = model.weights.read()
    noise = np.random.default_rng(3).standard_normal(weights.size).astype(np.float32)
    model.weights.write(weights + 0.05 * noise)
    return model


@pytest.fixture
def prompts(mixgrpo, context):
    return mixgrpo.Prompts.hashed_words(LINES, text_length=4, text_width=6, pooled_width=5, context=context)


@pytest.fixture
def evaluator(mixgrpo, model):
    return mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4, max_batch=8)


@pytest.fixture
def sampling(mixgrpo):
    return mixgrpo.SamplingConfig(steps=6, window_length=2, group_size=4, seed=11)


@pytest.fixture
def plan(mixgrpo, sampling):
    return mixgrpo.Plan(sampling)


@pytest.fixture
def codec(mixgrpo):
    return mixgrpo.PixelCodec(4, 4, patch=2)


@pytest.fixture
def make_trainer(mixgrpo, model, evaluator, prompts, plan):
    """A trainer over the small model; keywords change its learning, names its rewards."""

    def make(rewards=("brightness",), keep_base=False, **learning):
        settings = mixgrpo.LearningConfig(**{"learning_rate": 1e-3, "updates_per_iteration": 2, **learning})
        return mixgrpo.Trainer(evaluator, prompts, plan, settings, rewards=rewards, keep_base=keep_base)

    return make
