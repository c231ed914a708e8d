"""Objects counted by a detector, their colours named by CLIP."""

import json

import numpy as np
import pytest
import tiny_rewards as tiny
from PIL import Image
from torch_fixtures import torch

IMAGES = np.random.default_rng(2).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
QUIET = dict(device="cpu", batch_size=2)


@pytest.fixture(scope="module")
def rewards(mixgrpo):
    from mixgrpo import rewards

    return rewards


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    tiny.detector(place / "detector"), tiny.clip(place / "clip")
    return place


def score_of(rewards, folder, items, found, monkeypatch, **settings):
    """The score of a picture in which these (class, colour) were found."""
    score = rewards.ObjectScore(folder / "detector", {"p": items}, clip=folder / "clip", **QUIET, **settings)
    boxes = [(name, [index, 0, index + 1, 1]) for index, (name, _) in enumerate(found)]
    monkeypatch.setattr(score, "detections", lambda images: [boxes])
    monkeypatch.setattr(score, "_colors", lambda image, name, boxes: [found[box[0]][1] for box in boxes])
    return score(IMAGES[:1], ["p"])[0]


RED, BLUE = ("car", "red"), ("car", "blue")


@pytest.mark.parametrize(
    "items, found, expected",
    [
        ([("car", 3)], [RED, BLUE, RED], 1),
        ([("car", 3)], [RED, BLUE], 2 / 3),
        ([("car", 3)], [RED] * 4, 2 / 3),
        ([("car", 1)], [RED] * 5, 0),
        ([("car", 1)], [], 0),
        ([("car", 1, "red")], [RED, BLUE], 1),
        ([("car", 2, "red")], [RED], 0.5),
        ([("car", 1, "red")], [BLUE], 0),
        ([("car", 1, None, True)], [RED] * 5, 1),
        ([("car", 4, None, True)], [RED], 0.25),
        ([("dog",), ("car",)], [RED], 0.5),
    ],
)
def test_the_score_falls_with_each_object_too_many_or_too_few(rewards, folder, items, found, expected, monkeypatch):
    wanted = [rewards.Wanted(*item) for item in items]
    assert abs(score_of(rewards, folder, wanted, found, monkeypatch) - expected) <= 1e-6
    assert score_of(rewards, folder, wanted, found, monkeypatch, strict=True) == (expected == 1)


def test_the_detections_are_those_of_the_model(rewards, folder):
    score = rewards.ObjectScore(folder / "detector", {"p": [rewards.Wanted("dog")]}, threshold=0.35, **QUIET)
    model = tiny.transformers.YolosForObjectDetection.from_pretrained(folder / "detector")
    processor = tiny.transformers.YolosImageProcessorPil.from_pretrained(folder / "detector")
    counts = []
    for image, found in zip(IMAGES, score.detections(IMAGES), strict=True):
        with torch.no_grad():
            answer = model(**processor([Image.fromarray(image)], return_tensors="pt"))
        likelihoods, classes = answer.logits[0].softmax(-1)[:, :-1].max(-1)  # the last class is "no object"
        kept = likelihoods > 0.35
        centre, size = answer.pred_boxes[0, kept].view(-1, 2, 2).unbind(1)
        corners = (torch.cat([centre - size / 2, centre + size / 2], 1) * torch.tensor([30, 20, 30, 20])).tolist()
        assert [name for name, _ in found] == [("dog", "car")[index] for index in classes[kept]]
        assert np.abs(np.array([box for _, box in found]) - np.array(corners)).max(initial=0) <= 1e-4
        counts.append(sum(name == "dog" for name, _ in found))
    assert np.array_equal(score(IMAGES, ["p"] * 3), [max(0, 1 - abs(count - 1)) for count in counts])
    assert len(set(counts)) > 1 or counts[0] > 0


def test_a_colour_is_the_one_whose_descriptions_fit_the_box_best(rewards, folder):
    score = rewards.ObjectScore(
        folder / "detector", {"p": [rewards.Wanted("car", 1, "red")]}, clip=folder / "clip", **QUIET
    )
    model = tiny.transformers.CLIPModel.from_pretrained(folder / "clip")
    boxes = [[2.0, 3.0, 12.0, 15.0], [-4.0, 0.5, 40.0, 30.0], [29.9, 19.9, 30.0, 20.0], [-9.0, -9.0, -2.0, -2.0]]
    crops = [IMAGES[0, 3:15, 2:12], IMAGES[0], IMAGES[0, 19:20, 29:30], IMAGES[0, :1, :1]]
    means = []
    for color in rewards.COLORS:
        texts = [f"a photo of a {color} car", f"a photo of a {color}-colored car", f"a photo of a {color} object"]
        words = tiny.clip_tokenizer()(texts, truncation=True, max_length=10, padding=True, return_tensors="pt")
        features = model.get_text_features(words["input_ids"], words["attention_mask"]).pooler_output
        means.append(torch.nn.functional.normalize(torch.nn.functional.normalize(features).mean(0), dim=0))
    pixels = tiny.clip_processor()([Image.fromarray(crop) for crop in crops], return_tensors="pt")["pixel_values"]
    features = model.get_image_features(pixels).pooler_output
    best = (features @ torch.stack(means).T).argmax(1).tolist()
    assert score._colors(IMAGES[0], "car", boxes) == [rewards.COLORS[index] for index in best]


def test_geneval_says_what_its_prompts_want(mixgrpo, rewards, tmp_path):
    file = tmp_path / "evaluation_metadata.jsonl"
    entries = [
        {"prompt": "three", "include": [{"class": "car", "count": 3}], "exclude": [{"class": "car", "count": 4}]},
        {"prompt": "a brown dog", "include": [{"class": "dog", "count": 1, "color": "brown"}], "tag": "colors"},
    ]
    file.write_text("\n".join(map(json.dumps, entries)) + "\n")
    assert rewards.read_geneval(file) == {
        "three": [rewards.Wanted("car", 3)],
        "a brown dog": [rewards.Wanted("dog", 1, "brown", at_least=True)],
    }
    place = {"include": [{"class": "dog", "count": 1, "position": ["left of", 0]}], "prompt": "a dog left of"}
    for content, kind, reason in (
        (json.dumps(place), mixgrpo.UnsupportedError, "jsonl:1: expected counts and colours, got a position"),
        ("[]", mixgrpo.InvalidFormatError, "jsonl:1: expected an entry of GenEval's metadata"),
        ("nonsense", mixgrpo.InvalidFormatError, "jsonl:1: expected an entry"),
        (json.dumps({"include": [{"class": "dog", "count": 1, "color": "mauve"}], "prompt": "p"}), ValueError, "mauve"),
    ):
        file.write_text(content)
        with pytest.raises(kind, match=reason):
            rewards.read_geneval(file)
    with pytest.raises(mixgrpo.InputOutputError, match="expected a readable file"):
        rewards.read_geneval(tmp_path / "nowhere")


def test_objects_that_cannot_be_looked_for_are_refused(mixgrpo, rewards, folder):
    wanted = rewards.Wanted
    for items, settings, reason in (
        ([wanted("dogs")], {}, "expected one of the detector's 2 classes, such as dog, got 'dogs'"),
        ([wanted("dog", 1, "red")], {}, "clip: expected a folder, as wanted"),
        ([], {}, "expected a list of Wanted"),
        (["dog"], {}, "expected a list of Wanted"),
        ([wanted("dog")], dict(threshold=1), "threshold"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=reason):
            rewards.ObjectScore(folder / "detector", {"p": items}, **settings)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="wanted: expected prompt → objects"):
        rewards.ObjectScore(folder / "detector", {})
    with pytest.raises(mixgrpo.InvalidArgumentError, match="prompts: expected those of wanted, got 'q'"):
        rewards.ObjectScore(folder / "detector", {"p": [wanted("dog")]}, **QUIET)(IMAGES[:1], ["q"])
    for arguments, field in ((("",), "name"), (("dog", 0), "count"), (("dog", 1, "mauve"), "color")):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=f"{field}: expected"):
            wanted(*arguments)
