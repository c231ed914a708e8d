"""A procedural world of captioned pictures, such as "a red circle at the left", and two rewards on them.

Everything is integer arithmetic on 8-bit RGB up to the last division, so this file, `examples/c/world.c` and
`Sources/ProceduralWorld` give the same bytes and the same rewards to the last bit.

A prompt is a number in 0 ... 89: (colour * 3 + shape) * 5 + place. What the caption does not say varies from picture to
picture (`Jitter`): a small offset, the size, and the sky behind the object, from night to day.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

SIZE = 32  # pixels per side
COLOURS = {
    "red": (225, 20, 30),
    "orange": (255, 125, 0),
    "yellow": (255, 240, 40),
    "green": (10, 185, 45),
    "blue": (15, 50, 255),
    "purple": (200, 20, 220),
}
SHAPES = ("circle", "square", "triangle")
PLACES = {  # centre of the object: x, y
    "at the left": (9, 16),
    "at the right": (23, 16),
    "at the top": (16, 9),
    "at the bottom": (16, 23),
    "in the middle": (16, 16),
}
RADII = (5, 6, 7)
OFFSETS = range(-2, 3)
NIGHT = np.array((12, 16, 52))
DAY = np.array((196, 222, 250))
PROMPTS = len(COLOURS) * len(SHAPES) * len(PLACES)

MATCH_SHARPNESS = 12.0
RING = 2  # pixels: the width of the frame's border that the night taste looks at


class Jitter(NamedTuple):
    """What a caption does not say: offset in pixels (-2 ... 2), radius (5, 6, 7), sky level (0 night ... 255 day)."""

    dx: int
    dy: int
    radius: int
    sky: int


def parts(prompt: int) -> tuple[int, int, int]:
    """Index of colour, shape and place."""
    return prompt // 15, prompt // 5 % 3, prompt % 5


def caption(prompt: int) -> str:
    colour, shape, place = parts(prompt)
    name = list(COLOURS)[colour]
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name} {SHAPES[shape]} {list(PLACES)[place]}"


def stamp(shape: int, radius: int) -> np.ndarray:
    """Covered sixteenths of each pixel of a shape's bounding square, (2 * radius, 2 * radius).

    Each pixel is sampled at 4 x 4 points; u and v are their distances from the centre in eighths of a pixel.
    """
    points = 2 * np.arange(-4 * radius, 4 * radius) + 1
    u, v = points[None, :], points[:, None]
    inside = (
        u * u + v * v <= (8 * radius) ** 2,
        (abs(u) <= 7 * radius) & (abs(v) <= 7 * radius),
        (v <= 7 * radius) & (15 * abs(u) <= 8 * (v + 8 * radius)),
    )[shape]
    return inside.reshape(2 * radius, 4, 2 * radius, 4).sum(axis=(1, 3))


def coverage(prompt: int, dx: int, dy: int, radius: int) -> np.ndarray:
    """Covered sixteenths of each pixel of the picture, (32, 32)."""
    _, shape, place = parts(prompt)
    x, y = list(PLACES.values())[place]
    left, top = x + dx - radius, y + dy - radius
    mask = np.zeros((SIZE, SIZE), np.int64)
    mask[top : top + 2 * radius, left : left + 2 * radius] = stamp(shape, radius)
    return mask


def sky_colour(level: int | np.ndarray) -> np.ndarray:
    """The background at a level of 0 (night) ... 255 (day), (..., 3)."""
    level = np.asarray(level, np.int64)[..., None]
    return (NIGHT * (255 - level) + DAY * level + 127) // 255


def paint(mask: np.ndarray, colour: int, level: int | np.ndarray) -> np.ndarray:
    """An object of the given coverage on the sky: (..., 32, 32) and levels (...) -> (..., 32, 32, 3)."""
    sky = sky_colour(level)[..., None, None, :]
    mask = mask[..., None]
    return (sky * (16 - mask) + np.array(list(COLOURS.values())[colour]) * mask + 8) >> 4


def render(prompt: int, jitter: Jitter) -> np.ndarray:
    """The picture of a prompt, (32, 32, 3) uint8."""
    mask = coverage(prompt, jitter.dx, jitter.dy, jitter.radius)
    return paint(mask, parts(prompt)[0], jitter.sky).astype(np.uint8)


@functools.cache
def candidate_masks(shape: int, place: int) -> np.ndarray:
    """Coverage of every jittered render of a shape at a place, (75, 32, 32)."""
    prompt = shape * 5 + place
    return np.stack([coverage(prompt, dx, dy, r) for r in RADII for dy in OFFSETS for dx in OFFSETS])


def nearest_sky(picture: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The sky level nearest to the mean of the pixels that a mask leaves free, for each mask, (75,).

    The mean is projected on the line from night to day: with s the sum of n free pixels and d = day - night,
    level = 255 * (s - n * night) . d / (n * d . d), rounded and held in 0 ... 255.
    """
    free = (masks == 0).reshape(len(masks), -1).astype(np.int64)
    count = free.sum(axis=1)
    total = free @ picture.reshape(-1, 3)
    direction = DAY - NIGHT
    along = 255 * ((total - count[:, None] * NIGHT) @ direction)
    whole = count * (direction @ direction)
    return np.where(along <= 0, 0, np.minimum(255, (2 * along + whole) // (2 * whole)))


def smallest_error(picture: np.ndarray, prompt: int) -> int:
    """The sum of squared differences to the nearest jittered render of the prompt, whatever its sky."""
    colour, shape, place = parts(prompt)
    picture = picture.astype(np.int64)
    masks = candidate_masks(shape, place)
    renders = paint(masks, colour, nearest_sky(picture, masks))
    return int(((renders - picture) ** 2).sum(axis=(1, 2, 3)).min())


def prompt_match(picture: np.ndarray, prompt: int) -> float:
    """How well a picture (32, 32, 3) uint8 shows its prompt, in (0, 1].

    exp(-12 * MSE) to the nearest jittered render, the pixels scaled to [-1, 1].
    """
    # A difference of 8-bit values is 2/255 of that on [-1, 1].
    mean = 4 * smallest_error(picture, prompt) / (SIZE * SIZE * 3 * 255 * 255)
    return math.exp(-MATCH_SHARPNESS * mean)


def night_taste(picture: np.ndarray) -> float:
    """How much a picture (32, 32, 3) uint8 looks taken at night, in [0, 1].

    Each pixel of the frame's outermost two rows and columns earns one of 16 points for every 32 steps of colour by
    which it is nearer than 512 to the night sky. Highest inside the world: pure black earns less than night.
    """
    inner = slice(RING, SIZE - RING)
    in_ring = np.ones((SIZE, SIZE), bool)
    in_ring[inner, inner] = False
    distance = abs(picture[in_ring].astype(np.int64) - NIGHT).sum(axis=1)
    points = 16 - np.minimum(16, distance // 32)
    return int(points.sum()) / (16 * len(points))
