"""Writes words.txt beside this file: what the formula of `HashedWordEncoder` gives for a few prompts, computed here anew.

A row: checksum (FNV-1a) of the little-endian floats of the text (6 rows of 8) and of the pooled vector (5), first value of
both as hexadecimal bits, prompt in quotes with escapes as in JSON.
"""

import json
import math
import struct
from pathlib import Path

import numpy as np
from make_world import SplitMix64, checksum

LENGTH, WIDTH, POOLED = 6, 8, 5
PROMPTS = (
    "a red circle at the left",
    "A Red,circle  AT the -- left!",
    "left the at circle red a",
    "",
    "…",
    "Zürich 2024: a word too many for six rows",
)


def words(prompt: str) -> list[bytes]:
    kept = bytes(b if b >= 0x80 or chr(b).isalnum() else 0x20 for b in prompt.encode())
    return kept.lower().split()


def draws(key: bytes, count: int) -> np.ndarray:
    random = SplitMix64(checksum(key))
    return np.array([2 * (random.next() >> 43) + 1 - 2**21 for _ in range(count)], np.int64)


def encode(prompt: str) -> tuple[np.ndarray, np.ndarray]:
    text = np.zeros((LENGTH, WIDTH), np.float32)
    scale = np.float32(math.sqrt(3) / (5 * 2**21))
    for row, word in enumerate(words(prompt)[:LENGTH]):
        whole = 4 * draws(word, WIDTH) + 3 * draws(b"#%d" % row, WIDTH)
        text[row] = whole.astype(np.float32) * scale
    total = sum((draws(word + b"#", POOLED) for word in words(prompt)), np.zeros(POOLED, np.int64))
    pooled = total * (math.sqrt(3) / 2**21) / math.sqrt(max(len(words(prompt)), 1))
    return text, pooled.astype(np.float32)


def row(prompt: str) -> str:
    arrays = encode(prompt)
    sums = [f"{checksum(values.astype('<f4').tobytes()):016x}" for values in arrays]
    firsts = [struct.pack(">f", values.flat[0]).hex() for values in arrays]
    return " ".join([*sums, *firsts, json.dumps(prompt)])


if __name__ == "__main__":
    Path(__file__).with_name("words.txt").write_text("\n".join(map(row, PROMPTS)) + "\n")
