"""A judge that gives marks, writes prose, is slow, or is down."""

import base64
import json
import threading

import numpy as np
import pytest
from local_server import local_server, send

IMAGES = (np.arange(3)[:, None, None, None] * np.ones((3, 4, 6, 3)) * 40).astype(np.uint8)
PROMPTS = ['a {red} "circle"', "ein Hund ö", "a house"]


@pytest.fixture
def server(mixgrpo, monkeypatch):
    """Answers each picture with the text in `texts` at its brightness / 40; a number there is a status."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def take(handler, body):
        question = json.loads(body)
        words, picture = question["messages"][0]["content"]
        png = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
        pixels = mixgrpo.Image.decode(png).pixels()
        server.requests.append((handler.path, question, words["text"], pixels, dict(handler.headers)))
        text = server.texts[int(pixels[0, 0, 0]) // 40 if len(server.texts) == 3 else 0]
        if isinstance(text, list):
            text = text.pop(0)
        if isinstance(text, int):
            return send(handler, b'{"error": {"message": "no such model"}}', text)
        answer = text if isinstance(text, bytes) else completion(text)
        send(handler, answer)

    with local_server(take) as server:
        server.requests, server.texts = [], ["Final Score: 1", "Final Score: 3", "Final Score: 5"]
        yield server


def completion(text, reason="stop"):
    return json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": reason}]}
    ).encode()


def judge(server, **choices):
    from mixgrpo.rewards import Judge

    return Judge(f"{server.url}/v1", "some-model", **{"backoff": 0.01, "retries": 0, "timeout": 60, **choices})


def test_each_picture_is_asked_about_with_its_prompt_and_marks_become_0_to_1(server):
    score = judge(server, api_key="key", headers={"X-Run": "7"})
    assert np.array_equal(score(IMAGES, PROMPTS), [0, 0.5, 1]) and score.failures == []
    requests = sorted(server.requests, key=lambda request: request[3].mean())
    assert np.array_equal(np.stack([request[3] for request in requests]), IMAGES)
    for (path, question, text, _, headers), prompt in zip(requests, PROMPTS, strict=True):
        assert path == "/v1/chat/completions" and question["model"] == "some-model" and question["temperature"] == 0
        assert prompt in text and "Final Score" in text
        assert headers["Authorization"] == "Bearer key" and headers["X-Run"] == "7"


@pytest.mark.parametrize(
    "text",
    ["Final Score: 4", "I thought of Final Score: 2 first.\n**Final Score:** 4", "final score (1-5): [4]",
     "**Final Score**: 4/5", "<think>Final Score: 1</think>\nGood.\nFinal Score: 4.0"],
)  # fmt: skip
def test_the_last_mark_counts_however_it_is_emphasised(server, text):
    server.texts = [text]
    assert judge(server)(IMAGES[:1], PROMPTS[:1]) == [0.75]


def test_several_marks_count_by_their_mean(server):
    server.texts = ["Alignment Score (1-5): 5\nCoherence Score (1-5): 2\nStyle Score (1-5): 2.0"]
    marks = ["Alignment Score", "Coherence Score", "Style Score"]
    rubric = "Judge {prompt}. Give " + ", ".join(f"{mark} (1-5)" for mark in marks)
    assert judge(server, rubric=rubric, marks=marks)(IMAGES[:1], PROMPTS[:1]) == [0.5]
    server.texts = ["Mark: -10"]
    assert judge(server, rubric="{prompt} Mark", marks="Mark", scale=(-20, 20))(IMAGES[:1], PROMPTS[:1]) == [0.25]


BAD = {
    "prose": ("What a lovely picture!", "expected 'Final Score' with a number, got 'What a lovely picture!'"),
    "beyond the scale": ("Final Score: 45", "expected Final Score in 1…5, got 45"),
    "cut off": (completion(None, "length"), r"expected text, got none \(finish_reason 'length'\); is max_tokens"),
    "no completion": (b'{"choices": []}', "expected a chat completion, got b'{"),
    "no JSON": (b"<html>", "expected a chat completion, got b'<html>'"),
    "status": (404, "status 404 'Not Found': .*no such model"),
}


@pytest.mark.parametrize("text, reason", BAD.values(), ids=BAD)
def test_a_picture_without_a_mark_is_left_out_with_the_reason(mixgrpo, server, text, reason):
    server.texts[1] = text
    score = judge(server)
    scores = score(IMAGES, PROMPTS)
    assert np.isnan(scores[1]) and np.array_equal(scores[[0, 2]], [0, 1])
    (failure,) = score.failures
    assert mixgrpo.advantages(scores[None]).failed_rewards == 1
    server.texts = [text] * 3
    with pytest.raises(mixgrpo.InputOutputError, match=f"v1/chat/completions: expected marks, got none: .*{reason}"):
        score(IMAGES, PROMPTS)
    assert failure in score.failures


def test_what_may_pass_is_tried_again(server):
    server.texts = [[503, "Well…", "Final Score: 5"]]
    assert judge(server, retries=2)(IMAGES[:1], PROMPTS[:1]) == [1]
    assert len(server.requests) == 3


def test_pictures_are_asked_about_side_by_side(server, mixgrpo, monkeypatch):
    together = threading.Barrier(3, timeout=60)
    encode = mixgrpo.Image.encode
    monkeypatch.setattr(mixgrpo.Image, "encode", lambda image: (together.wait(), encode(image))[1])
    assert np.array_equal(judge(server, parallel=3)(IMAGES, PROMPTS), [0, 0.5, 1])


def test_the_key_is_in_no_message(mixgrpo, server):
    server.texts = [401] * 3
    with pytest.raises(mixgrpo.InputOutputError, match="status 401") as error:
        judge(server, api_key="secret")(IMAGES, PROMPTS)
    assert "secret" not in str(error.value)


def test_a_training_goes_on_without_what_the_judge_left_out(mixgrpo, make_trainer, server, codec):
    server.texts = [["Final Score: 4", "No.", *(f"Final Score: {mark}" for mark in (1, 2, 3, 4, 5, 4))]]
    trainer = make_trainer()
    (metrics,) = mixgrpo.train(
        trainer, judge(server), decode=codec.decode, iterations=1, prompts_per_iteration=2, evaluation=None
    )
    assert metrics.iteration == 0 and metrics.failed_rewards == 1


def test_settings_are_checked(mixgrpo):
    from mixgrpo.rewards import Judge

    for arguments, field in (
        (dict(url="localhost:8000"), "url"),
        (dict(rubric="no place for it; Final Score"), "rubric: expected text with {prompt}"),
        (dict(rubric="{prompt}"), "rubric: expected text that asks for the mark 'Final Score'"),
        (dict(marks=()), "marks"),
        (dict(scale=(5, 1)), "scale: expected a lowest mark below"),
        (dict(scale=3), "scale: expected the lowest"),
        (dict(parallel=0), "parallel"),
        (dict(max_tokens=0), "max_tokens"),
        (dict(timeout=0), "timeout"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=field):
            Judge(**{"url": "http://localhost/v1", "model": "m", **arguments})
    assert Judge("http://localhost/v1/chat/completions/", "m").url == "http://localhost/v1/chat/completions"
