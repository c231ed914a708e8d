"""A small PyTorch model that knows noise levels and prompts, and what tests of mixgrpo.torch share."""

import importlib.util
import os

import pytest


def required(name):
    """The module; the tests that ask for it are skipped where it is missing, but not in CI, which must have it."""
    if importlib.util.find_spec(name) is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs {name}: .ci/setup python .venv", pytrace=False)
        pytest.skip(f"{name} is not installed: .ci/setup python .venv", allow_module_level=True)
    return importlib.import_module(name)


torch = required("torch")
torch.set_num_threads(1)  # for models this small a second thread is waited for longer than it helps

TOKENS, CHANNELS = 3, 4
SHAPE = (TOKENS, CHANNELS)
D = TOKENS * CHANNELS
PROMPTS = 3
LINES = ["a red circle", "a blue square", "a green triangle"]


class SmallFlow(torch.nn.Module):
    """A velocity (B, N, C) that hangs on every input."""

    def __init__(self, seed: int = 1, dtype: torch.dtype = torch.float32, width: int = 16):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def matrix(rows, columns):
            values = torch.randn(rows, columns, generator=generator, dtype=torch.float64) * rows**-0.5
            return torch.nn.Parameter(values.to(dtype))

        self.enter, self.leave = matrix(D, width), matrix(width, D)
        self.level, self.prompt = matrix(1, width), matrix(PROMPTS, width)

    def forward(self, latents, sigmas, prompt_index):
        inside = latents.reshape(len(latents), D) @ self.enter
        inside = inside + sigmas[:, None].to(self.level) @ self.level + self.prompt[prompt_index]
        return (torch.tanh(inside) @ self.leave).reshape(latents.shape)


def weights_of(module):
    return torch.cat([weight.detach().flatten() for weight in module.parameters()]).clone()
