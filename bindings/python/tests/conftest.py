"""A small model and what belongs to it. Everything but the layout and world tests needs the built library."""

import signal

import pytest
import small

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
    return small.sizes()


@pytest.fixture
def context(mixgrpo):
    with mixgrpo.Context(2) as context:
        yield context


@pytest.fixture
def model(context):
    return small.model(context)


@pytest.fixture
def prompts(context):
    return small.prompts(LINES, context)


@pytest.fixture
def evaluator(model):
    return small.evaluator(model)


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
def score(codec):
    """The brightness of each sample's picture."""
    return lambda samples: codec.decode(samples).mean(axis=(2, 3, 4)) / 255


@pytest.fixture
def make_trainer(mixgrpo, model, evaluator, prompts, plan):
    """A trainer over the small model; keywords change its learning, names its rewards."""

    def make(rewards=("brightness",), keep_base=False, **learning):
        settings = mixgrpo.LearningConfig(**{"learning_rate": 1e-3, "updates_per_iteration": 2, **learning})
        return mixgrpo.Trainer(evaluator, prompts, plan, settings, rewards=rewards, keep_base=keep_base)

    return make
