#!/usr/bin/env python3
"""A reward program for the command: how much redder than green and blue a picture is.

    mixgrpo align … --reward-program "python3 examples/rewards/redness.py"

For each picture it reads a line of JSON and writes a line with a number; "nan" means no score. The program may be in any
language. This one decodes PNGs with the standard library only, so it runs anywhere; yours may use Pillow, NumPy or a network.
"""

import json
import struct
import sys
import zlib


def read_png(path):
    """Width, height and RGB bytes of an 8-bit RGB PNG without interlacing, as the command writes them."""
    data = open(path, "rb").read()
    width, height = struct.unpack(">II", data[16:24])
    compressed, place = b"", 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            compressed += data[place + 8 : place + 8 + length]
        place += 12 + length
    return width, height, unfilter(zlib.decompress(compressed), width, height)


def unfilter(rows, width, height):
    """Undoes PNG's prediction of each byte from its left, upper and upper left neighbours."""
    stride, pixels = 3 * width, bytearray()
    for y in range(height):
        kind, row = rows[y * (stride + 1)], bytearray(rows[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        above = pixels[-stride:] if y else bytes(stride)
        for i in range(stride):
            left, up, corner = (row[i - 3], above[i], above[i - 3]) if i >= 3 else (0, above[i], 0)
            nearest = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
            row[i] = row[i] + (0, left, up, (left + up) // 2, nearest)[kind] & 255
        pixels += row
    return bytes(pixels)


def redness(pixels):
    red, green, blue = (sum(pixels[channel::3]) for channel in range(3))
    return (red - (green + blue) / 2) / (255 * len(pixels) / 3)


for line in sys.stdin:
    request = json.loads(line)  # image, prompt, iteration, index, count, and metadata if the prompt has some
    _, _, pixels = read_png(request["image"])
    print(redness(pixels), flush=True)
