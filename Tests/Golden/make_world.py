"""Writes world.txt beside this file: what `examples/python/world.py` says of 48 pictures. C and Swift are compared to it.

A row: number of the picture, checksum of its bytes, and for its own prompt and another one: number of the prompt, smallest
error and prompt match; at last the night taste. Rewards stand as the 64 bits of the double, in hexadecimal.
"""

import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "examples/python"))
import world  # noqa: E402

PICTURES = 48
MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed: int):
        self.state = seed

    def next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        return (self.next() >> 32) % bound


def picture(number: int) -> tuple[np.ndarray, int, int]:
    """A clean, noisy or meaningless picture, its prompt and another prompt; each a function of its number alone."""
    random = SplitMix64(number)
    prompt = random.below(world.PROMPTS)
    other = (prompt + 1 + random.below(world.PROMPTS - 1)) % world.PROMPTS
    jitter = world.Jitter(random.below(5) - 2, random.below(5) - 2, 5 + random.below(3), random.below(256))
    image = world.render(prompt, jitter).astype(np.int64)
    amplitude = (0, 3, 40, 255)[number % 4]
    noise = [random.below(2 * amplitude + 1) - amplitude for _ in range(image.size)]
    return np.clip(image + np.reshape(noise, image.shape), 0, 255).astype(np.uint8), prompt, other


def checksum(content: bytes) -> int:
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def bits(value: float) -> str:
    return struct.pack(">d", value).hex()


def row(number: int) -> str:
    image, *prompts = picture(number)
    fields = [number, f"{checksum(image.tobytes()):016x}"]
    for prompt in prompts:
        fields += [prompt, world.smallest_error(image, prompt), bits(world.prompt_match(image, prompt))]
    return " ".join(map(str, [*fields, bits(world.night_taste(image))]))


if __name__ == "__main__":
    rows = [row(number) for number in range(PICTURES)]
    Path(__file__).with_name("world.txt").write_text("\n".join(rows) + "\n")
