"""The examples' world and its rewards: Python and C against the golden table, to the last bit."""

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "examples/python"), str(ROOT / "Tests/Golden")]
import make_world  # noqa: E402
import world  # noqa: E402

ROWS = (ROOT / "Tests/Golden/world.txt").read_text().splitlines()


class Jitter(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in world.Jitter._fields]


@pytest.fixture(scope="module")
def c_world(tmp_path_factory):
    library = tmp_path_factory.mktemp("world") / "world.so"
    source = ROOT / "examples/c/world.c"
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, source, "-o", library, "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.world_caption.restype = ctypes.c_char_p
    loaded.world_smallest_error.restype = ctypes.c_int64
    loaded.world_prompt_match.restype = ctypes.c_double
    loaded.world_render.argtypes = [ctypes.c_int, Jitter, ctypes.c_void_p]
    return loaded


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_python_gives_the_golden_numbers(number):
    assert make_world.row(number) == ROWS[number]


@pytest.mark.parametrize("number", range(make_world.PICTURES))
def test_c_scores_a_picture_as_python_does(c_world, number):
    picture, *prompts = make_world.picture(number)
    pixels = ctypes.c_char_p(picture.tobytes())
    for prompt in prompts:
        assert c_world.world_smallest_error(pixels, prompt) == world.smallest_error(picture, prompt)
        assert c_world.world_prompt_match(pixels, prompt) == world.prompt_match(picture, prompt)


TASTE_PROGRAM = """
#define main align_main
#include "align.c"
#undef main
int main(void) {
  uint8_t rgb[WORLD_BYTES];
  while (fread(rgb, 1, sizeof rgb, stdin) == sizeof rgb) printf("%.17g\\n", night_taste(rgb));
  return 0;
}
"""


def test_c_tastes_a_picture_as_python_does(tmp_path):
    source, program = tmp_path / "taste.c", tmp_path / "taste"
    source.write_text(TASTE_PROGRAM)
    # Nothing of the library is called, so nothing of it need be there.
    flags = ["-std=c99", f"-I{ROOT}/include", f"-I{ROOT}/examples/c", "-static", "-Wl,--unresolved-symbols=ignore-all"]
    subprocess.run(["cc", *flags, source, ROOT / "examples/c/world.c", "-o", program, "-lm"], check=True)
    pictures = [make_world.picture(number)[0] for number in range(make_world.PICTURES)]
    output = subprocess.run(
        [program], input=b"".join(picture.tobytes() for picture in pictures), capture_output=True, check=True
    ).stdout
    assert [float(line) for line in output.split()] == [world.night_taste(picture) for picture in pictures]


@pytest.mark.parametrize("prompt", range(world.PROMPTS))
def test_c_renders_and_names_a_prompt_as_python_does(c_world, prompt):
    jitter = world.Jitter(prompt % 5 - 2, prompt // 5 % 5 - 2, 5 + prompt % 3, prompt * 255 // 89)
    pixels = ctypes.create_string_buffer(world.SIZE * world.SIZE * 3)
    c_world.world_render(prompt, Jitter(*jitter), pixels)
    assert pixels.raw == world.render(prompt, jitter).tobytes()
    text = ctypes.create_string_buffer(80)
    assert c_world.world_caption(prompt, text, len(text)).decode() == world.caption(prompt)


def test_captions_are_distinct():
    assert len({world.caption(prompt) for prompt in range(world.PROMPTS)}) == 90


def test_prompt_match_recognises_the_prompt_under_any_sky():
    """A clean render matches its own prompt and hardly one that differs in a single word."""
    random = np.random.default_rng(1)
    wrong = {"colour": [], "shape": [], "place": []}
    for prompt in range(world.PROMPTS):
        jitter = world.Jitter(*random.integers(-2, 3, 2), random.integers(5, 8), random.integers(0, 256))
        picture = world.render(prompt, jitter)
        assert world.prompt_match(picture, prompt) == 1
        colour, shape, place = world.parts(prompt)
        for name, other in (
            ("colour", ((colour + random.integers(1, 6)) % 6, shape, place)),
            ("shape", (colour, (shape + random.integers(1, 3)) % 3, place)),
            ("place", (colour, shape, (place + random.integers(1, 5)) % 5)),
        ):
            wrong[name].append(world.prompt_match(picture, (other[0] * 3 + other[1]) * 5 + other[2]))
    means = {name: np.mean(values) for name, values in wrong.items()}
    assert means["colour"] <= 0.5 and means["shape"] <= 0.85 and means["place"] <= 0.5, means


@pytest.mark.parametrize("sky, least, most", [(0, 0.94, 1.0), (128, 0.4, 0.46), (255, 0.0, 0.05)])
def test_night_taste_follows_the_sky(sky, least, most):
    tastes = [
        world.night_taste(world.render(prompt, world.Jitter(dx, dx, radius, sky)))
        for prompt in range(world.PROMPTS)
        for radius in world.RADII
        for dx in (-2, 2)
    ]
    assert least <= min(tastes) and max(tastes) <= most


def test_night_taste_is_highest_inside_the_world():
    black = np.zeros((world.SIZE, world.SIZE, 3), np.uint8)
    blue = np.full_like(black, (0, 0, 255))
    assert max(world.night_taste(black), world.night_taste(blue)) <= 0.9
