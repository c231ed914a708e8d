"""Makes the files beside this script with other people's software, for the storage tests to read.

pip install numpy torch safetensors pillow
python make_fixtures.py
"""

import json
import pathlib

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
INDEX = "diffusion_pytorch_model.safetensors.index.json"


def sixths(count):
    """(i - 3) / 6: values that round differently in each format."""
    return (torch.arange(count, dtype=torch.float32) - 3) / 6


def safetensors_files():
    mixed = {
        "single": sixths(6).reshape(2, 3),
        "half": sixths(8).reshape(2, 2, 2).half(),
        "brain": sixths(5).bfloat16(),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "counts": torch.arange(3),
    }
    save_file(mixed, HERE / "mixed.safetensors", metadata={"format": "pt", "note": "grün"})
    plain = {"a.weight": sixths(6).reshape(2, 3), "b.bias": sixths(5)}
    save_file(plain, HERE / "float32.safetensors", metadata={"format": "pt"})
    narrow = {name: tensor.bfloat16() for name, tensor in plain.items()}
    save_file(narrow, HERE / "bfloat16.safetensors", metadata={"format": "pt"})


def sharded_folder():
    folder = HERE / "sharded"
    folder.mkdir(exist_ok=True)
    shards = {
        "diffusion_pytorch_model-00001-of-00002.safetensors": {"x.weight": sixths(4).reshape(2, 2)},
        "diffusion_pytorch_model-00002-of-00002.safetensors": {"y.bias": sixths(3), "z.bias": sixths(2).half()},
    }
    for name, tensors in shards.items():
        save_file(tensors, folder / name, metadata={"format": "pt"})
    weight_map = {tensor: name for name, tensors in shards.items() for tensor in tensors}
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 32}, "weight_map": weight_map}, indent=2))
    (folder / "config.json").write_text(json.dumps({"_class_name": "FluxTransformer2DModel", "num_layers": 2}))


def pictures():
    """Width 5, height 4: red 40x, green 60y, blue 10(x + y)."""
    y, x = np.mgrid[0:4, 0:5]
    rgb = np.stack([40 * x, 60 * y, 10 * (x + y)], axis=-1).astype(np.uint8)
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "a red circle")
    info.add_text("place", "Zürich")
    info.add_itxt("wish", "ein Kreis ● rot", "de", "Wunsch")
    info.add_text("packed", "not read " * 20, zip=True)
    Image.fromarray(rgb).save(HERE / "rgb.png", pnginfo=info)
    Image.fromarray((40 * x + y).astype(np.uint8)).save(HERE / "grey.png")
    Image.fromarray((257 * (40 * x + y)).astype(np.uint16)).save(HERE / "grey16.png")
    palette = Image.fromarray((x % 3).astype(np.uint8), mode="P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(HERE / "palette.png")
    alpha = np.where(x == 0, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([rgb, alpha])).save(HERE / "alpha.png")


def resized_pictures():
    """A picture with smooth parts, edges and noise, and what Pillow makes of it at other sizes and shapes."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:23, 0:37]
    rgb = np.stack([6 * x, 255 * ((x // 5 + y // 4) % 2), random.integers(0, 256, x.shape)], axis=-1).astype(np.uint8)
    source = Image.fromarray(rgb)
    source.save(HERE / "resize.png")
    for width, height in [(16, 16), (5, 20), (48, 32), (37, 10), (1, 1)]:
        ImageOps.fit(source, (width, height), Image.Resampling.BICUBIC).save(HERE / f"resize-{width}x{height}.png")


if __name__ == "__main__":
    safetensors_files()
    sharded_folder()
    pictures()
    resized_pictures()
