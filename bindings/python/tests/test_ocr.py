"""Text in pictures: read by the real reader, and scored."""

import numpy as np
import pytest
from torch_fixtures import required

required("rapidocr"), required("onnxruntime")
from PIL import Image, ImageDraw, ImageFont  # noqa: E402


def picture(text, side=192):
    image = Image.new("RGB", (side, side), "white")
    ImageDraw.Draw(image).text((side // 2, side // 2), text, "darkblue", ImageFont.load_default(40), anchor="mm")
    return np.asarray(image)


@pytest.fixture(scope="module")
def rewards(mixgrpo):
    from mixgrpo import rewards

    return rewards


def test_the_reader_reads_real_words(rewards):
    images = np.stack([picture("Hello"), picture("Coffee")])
    prompts = ['a sign that says "hello"', "a cup with “Toffee” on it"]
    assert np.abs(rewards.OCRScore()(images, prompts) - [1, 5 / 6]).max() <= 1e-9


@pytest.mark.parametrize(
    "wanted, read, score",
    [("Open", ["OP", "EN"], 1), ("open", ["We are open now"], 1), ("open", ["opan"], 0.75), ("open", ["pen"], 0.75),
     ("open", [], 0), ("open", ["something else entirely"], 0), ("New York", ["new", "yorc"], 6 / 7),
     ("straße", ["STRASSE"], 1)],
)  # fmt: skip
def test_the_score_is_the_share_of_letters_that_are_right(rewards, wanted, read, score):
    ocr = rewards.OCRScore(engine=lambda image: read)
    found = ocr(np.zeros((1, 4, 4, 3), np.uint8), [f'the words "{wanted}"'])
    assert found.shape == (1,) and abs(found[0] - score) <= 1e-9


def test_the_engine_gets_the_colours_in_its_order(rewards, monkeypatch):
    import rapidocr

    seen = []
    monkeypatch.setattr(rapidocr.RapidOCR, "__call__", lambda self, image: seen.append(image) or rapidocr.RapidOCR)
    monkeypatch.setattr(rapidocr.RapidOCR, "txts", None, raising=False)
    image = np.full((1, 4, 4, 3), (10, 20, 30), np.uint8)
    assert rewards.OCRScore(engine=rapidocr.RapidOCR())(image, ['"a"']) == [0]
    assert np.array_equal(seen[0][0, 0], [30, 20, 10])


def test_prompts_without_a_text_are_refused(mixgrpo, rewards):
    ocr = rewards.OCRScore(engine=lambda image: [])
    image = np.zeros((1, 4, 4, 3), np.uint8)
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match="expected the text to be drawn in double quotes, got 'a dog'"
    ):
        ocr(image, ["a dog"])
    with pytest.raises(mixgrpo.InvalidArgumentError, match="text: expected a text to be drawn, got none for"):
        rewards.OCRScore(engine=lambda image: [], text=lambda prompt: " ")(image, ["a dog"])
    for arguments, field in ((dict(text=3), "text"), (dict(engine="rapidocr"), "engine")):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=f"{field}: expected a function"):
            rewards.OCRScore(**arguments)
    assert rewards.quoted_text('"Open" and «24 h», „nie“') == "Open 24 h nie"


def test_a_missing_package_is_named(rewards, monkeypatch):
    monkeypatch.setattr("mixgrpo.rewards.ocr.find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(ImportError, match=r"OCRScore needs onnxruntime: pip install mixgrpo\[rewards\]"):
        rewards.OCRScore()
