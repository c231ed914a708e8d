"""Pixels, pictures, PNG, texts."""

import struct
import zlib

import numpy as np
import pytest


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 3, 8, 12, 3), dtype=np.uint8)


def test_bytes_survive_the_way_there_and_back(mixgrpo, pictures):
    codec = mixgrpo.PixelCodec(8, 12, patch=4)
    latents = codec.encode(pictures)
    assert latents.shape == (2, 3, codec.tokens, codec.channels) == (2, 3, 6, 48)
    assert np.array_equal(codec.decode(latents), pictures)
    assert np.array_equal(codec.encode(pictures[0, 0]), latents[0, 0])


def test_a_token_is_one_patch(mixgrpo, pictures):
    codec = mixgrpo.PixelCodec(8, 12, patch=4)
    patch = pictures[0, 0, 4:8, 0:4]
    assert np.allclose(codec.encode(pictures[0, 0])[3], patch.ravel() / 127.5 - 1, atol=1e-6)


def test_values_are_clipped_and_rounded(mixgrpo):
    codec = mixgrpo.PixelCodec(1, 1, patch=1)
    assert codec.decode([[-7.0, 0.0, 7.0]]).tolist() == [[[0, 128, 255]]]
    with pytest.raises(mixgrpo.NotFiniteError):
        codec.decode([[np.nan, 0, 0]])


def test_pixels_of_other_types_and_sizes_are_refused(mixgrpo, pictures):
    codec = mixgrpo.PixelCodec(8, 12, patch=4)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="pixels: expected uint8"):
        codec.encode(pictures / 255)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="latents: expected shape"):
        codec.decode(np.zeros((5, 48)))
    for patch in (5, 0, -4):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="patch: expected"):
            mixgrpo.PixelCodec(8, 12, patch=patch)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="width: expected a whole number, 1…65535"):
        mixgrpo.PixelCodec(8, 0, patch=4)


def test_a_png_keeps_pixels_and_texts(mixgrpo, pictures, tmp_path):
    picture = pictures[0, 0]
    texts = {"prompt": "a σ in the sky", "reward": "0.5"}
    image = mixgrpo.Image(picture, texts)
    assert (image.width, image.height) == (12, 8)
    image.save(tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes() == image.encode() == image._repr_png_()
    for loaded in (mixgrpo.Image.load(tmp_path / "one.png"), mixgrpo.Image.decode(image.encode())):
        assert np.array_equal(loaded.pixels(), picture)
        assert dict(loaded.texts) == texts
    image.set_texts([("seed", "1"), ("seed", "2")])
    assert image.texts == [("seed", "1"), ("seed", "2")]
    out = np.empty_like(picture)
    assert image.pixels(out) is out


def test_other_readers_read_our_png(mixgrpo, pictures, tmp_path):
    reader = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    mixgrpo.Image(pictures[0, 0], {"seed": "7"}).save(tmp_path / "one.png")
    with reader.open(tmp_path / "one.png") as image:
        assert np.array_equal(np.asarray(image), pictures[0, 0])
        assert image.text["seed"] == "7"


def test_a_grid_places_pictures_row_by_row(mixgrpo, pictures):
    five = pictures.reshape(6, 8, 12, 3)[:5]
    pixels = mixgrpo.Image.grid(five, columns=3, gap=2, scale=2, texts={"prompt": "x"}).pixels()
    big = five.repeat(2, axis=1).repeat(2, axis=2)
    assert pixels.shape == (2 * 16 + 2, 3 * 24 + 2 * 2, 3)
    assert np.array_equal(pixels[:16, :24], big[0])
    assert np.array_equal(pixels[18:, 26:50], big[4])
    assert (pixels[16:18] == 255).all() and (pixels[18:, 52:] == 255).all()


def test_what_is_no_png_is_refused(mixgrpo, pictures, tmp_path):
    png = mixgrpo.Image(pictures[0, 0]).encode()
    for broken in (b"", b"no picture", png[:-9], png[:40] + bytes([png[40] ^ 1]) + png[41:]):
        with pytest.raises((mixgrpo.InvalidFormatError, mixgrpo.InvalidArgumentError)):
            mixgrpo.Image.decode(broken)
    huge = struct.pack(">IIBBBBB", 2**16, 2**16, 8, 2, 0, 0, 0)
    header = b"IHDR" + huge
    lying = png[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + png[33:]
    with pytest.raises(mixgrpo.InvalidFormatError):
        mixgrpo.Image.decode(lying)
    with pytest.raises(mixgrpo.InputOutputError):
        mixgrpo.Image.load(tmp_path / "nowhere.png")
    with pytest.raises(mixgrpo.InvalidArgumentError, match="pixels: expected 3 dimensions"):
        mixgrpo.Image(pictures[0])
    with pytest.raises(mixgrpo.InvalidArgumentError, match=r"key\[0\]"):
        mixgrpo.Image(pictures[0, 0], {7: "seven"})
