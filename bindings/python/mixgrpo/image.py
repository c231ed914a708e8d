"""Pictures with texts, as PNG files."""

import ctypes
import os
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from . import _abi, _arrays
from ._arguments import short
from ._arrays import ByteArray, output, pointer, texts
from ._handle import Object
from ._library import call, create
from .errors import InvalidArgumentError


class Image(Object):
    """An 8-bit RGB picture with text entries, such as prompt, seed and reward.

    `pixels`: uint8 (height, width, 3), copied in; sides 1…65535, at most 2**26 pixels.
    """

    _destroy = "mixgrpo_image_destroy"

    def __init__(self, pixels: ArrayLike, texts: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        values = _picture(pixels, 3)
        height, width, _ = values.shape
        self._adopt(create("mixgrpo_image_create", pointer(values), values.size, width, height))
        self.set_texts(texts)

    @classmethod
    def grid(
        cls,
        pixels: ArrayLike,
        *,
        columns: int,
        gap: int = 0,
        scale: int = 1,
        texts: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> "Image":
        """Pictures of one size, (B, height, width, 3), row by row in `columns` columns, with `gap` white pixels between
        neighbours (0…65535); each pixel becomes a square of scale**2 (1…65535)."""
        values = _picture(pixels, 4)
        count, height, width, _ = values.shape
        image = cls._wrap(
            create("mixgrpo_image_create_grid", pointer(values), values.size, count, width, height, columns, gap, scale)
        )
        image.set_texts(texts)
        return image

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Image":
        """Reads a PNG file with its texts: grey and palettes become RGB, 16 bits become 8, transparency is laid on
        white.

        Raises `InputOutputError`; `InvalidFormatError` when it is not a whole and sound PNG, or has more than 2**26 pixels.
        """
        return cls._wrap(create("mixgrpo_image_load", path))

    @classmethod
    def decode(cls, png: bytes) -> "Image":
        """Reads a PNG from memory, as `load` does."""
        if not isinstance(png, (bytes, bytearray, memoryview)):
            raise InvalidArgumentError(f"png: expected the bytes of a PNG, got {short(png)}")
        data = np.frombuffer(png, np.uint8)
        return cls._wrap(create("mixgrpo_image_decode", pointer(data), data.size))

    def _state(self) -> str:
        return f"{self.height} x {self.width}"

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self._info().width)

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self._info().height)

    def pixels(self, out: ByteArray | None = None) -> ByteArray:
        """A copy of the pixels, uint8 (height, width, 3)."""
        info = self._info()
        out = output(out, (info.height, info.width, 3), np.uint8)
        call("mixgrpo_image_get_pixels", self.handle, pointer(out), out.size)
        return out

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The text entries, key and value. A file may hold a key more than once; `dict(image.texts)` keeps the last."""
        entry = _abi.TextEntry()
        entries = []
        for index in range(self._info().text_count):
            call("mixgrpo_image_get_text", self.handle, index, ctypes.byref(entry))
            entries.append((entry.key.decode(), entry.value.decode()))
        return entries

    def set_texts(self, entries: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """Replaces all text entries, at most 1024. Keys: 1…79 printable Latin-1 characters, without outer or double
        spaces; values: at most 4 MiB."""
        pairs = list(entries.items()) if isinstance(entries, Mapping) else list(entries)
        keys, values = (
            texts([key for key, _ in pairs], "texts key"),
            texts([value for _, value in pairs], "texts value"),
        )
        array = (_abi.TextEntry * len(pairs))(*map(_abi.TextEntry, keys, values))
        call("mixgrpo_image_set_texts", self.handle, array, len(pairs))

    def encode(self) -> bytes:
        """The PNG file, in memory."""
        size = ctypes.c_size_t()
        call("mixgrpo_image_encode", self.handle, None, 0, ctypes.byref(size))
        png = np.empty(size.value, np.uint8)
        call("mixgrpo_image_encode", self.handle, pointer(png), png.size, ctypes.byref(size))
        return png[: size.value].tobytes()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a PNG file, aside first and then renamed."""
        call("mixgrpo_image_save", self.handle, path)

    def _repr_png_(self) -> bytes:
        """Shows the picture in notebooks."""
        return self.encode()

    @classmethod
    def _wrap(cls, handle: int) -> "Image":
        image = cls.__new__(cls)
        image._adopt(handle)
        return image

    def _info(self) -> _abi.ImageInfo:
        info = _abi.ImageInfo()
        call("mixgrpo_image_get_info", self.handle, ctypes.byref(info))
        return info


def _picture(pixels: ArrayLike, dimensions: int) -> ByteArray:
    values = _arrays.pixels(pixels, "pixels")
    if values.ndim != dimensions or values.shape[-1] != 3:
        raise InvalidArgumentError(
            f"pixels: expected {dimensions} dimensions, the last of size 3, got shape {values.shape}"
        )
    return values
