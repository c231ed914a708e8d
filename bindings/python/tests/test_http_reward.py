"""A reward server that works, is slow, is down, or answers nonsense."""

import base64
import email.parser
import email.policy
import json
import math
import threading
import time

import numpy as np
import pytest
from local_server import local_server, send

IMAGES = (np.arange(5)[:, None, None, None] * np.ones((5, 4, 6, 3)) * 10).astype(np.uint8)
PROMPTS = ["eins", "zwei ö", "drei", "vier\r\n", "fünf"]
BRIGHTNESS = IMAGES.mean(axis=(1, 2, 3))


@pytest.fixture
def server(mixgrpo, monkeypatch):
    """A server of the test's own: `answers` are functions of the handler and the pictures, the last one for good."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def take(handler, body):
        images, prompts = parsed(handler.headers["Content-Type"], body)
        pictures = [mixgrpo.Image.decode(image).pixels() for image in images]
        server.requests.append((pictures, prompts, dict(handler.headers)))
        answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        answer(handler, pictures)

    with local_server(take) as server:
        server.requests, server.answers = [], [brightness]
        server.url += "/score"
        yield server


def parsed(kind, body):
    if kind == "application/json":
        content = json.loads(body)
        return [base64.b64decode(image) for image in content["images"]], content["prompts"]
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(f"Content-Type: {kind}\n\n".encode() + body)
    parts = [(part.get_param("name", header="content-disposition"), part) for part in message.iter_parts()]
    images = [part.get_payload(decode=True) for name, part in parts if name == "images"]
    return images, [part.get_payload(decode=True).decode() for name, part in parts if name == "prompts"]


def brightness(handler, pictures):
    send(handler, json.dumps({"rewards": [float(picture.mean()) for picture in pictures]}).encode())


def says(text, status=200):
    return lambda handler, pictures: send(handler, text.encode(), status)


def reward(mixgrpo, server, **choices):
    return mixgrpo.HTTPReward(server.url, **{"backoff": 0.01, "retries": 1, "timeout": 60, **choices})


@pytest.mark.parametrize("format", ["json", "multipart"])
def test_pictures_and_prompts_arrive_in_batches(mixgrpo, server, format):
    score = reward(mixgrpo, server, format=format, batch_size=2, headers={"Authorization": "Bearer x"})
    assert np.array_equal(score(IMAGES, PROMPTS), BRIGHTNESS) and score.failures == []
    pictures = [picture for request in server.requests for picture in request[0]]
    assert np.array_equal(np.stack(pictures), IMAGES)
    assert [prompt for request in server.requests for prompt in request[1]] == PROMPTS
    assert [len(request[0]) for request in server.requests] == [2, 2, 1]
    assert all(request[2]["Authorization"] == "Bearer x" for request in server.requests)


def test_what_may_pass_is_tried_again(mixgrpo, server):
    server.answers = [says("busy", 503), says("not json"), brightness]
    score = reward(mixgrpo, server, retries=2)
    assert np.array_equal(score(IMAGES, PROMPTS), BRIGHTNESS)
    assert len(server.requests) == 3 and score.failures == []


def test_each_wait_is_twice_the_last(mixgrpo, server, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.answers = [says("busy", 500)]
    with pytest.raises(mixgrpo.InputOutputError):
        reward(mixgrpo, server, retries=3, backoff=0.5)(IMAGES, PROMPTS)
    assert waits == [0.5, 1.0, 2.0] and len(server.requests) == 4


def test_what_does_not_pass_is_not_tried_again(mixgrpo, server):
    server.answers = [says("no key\x1b", 401)]
    with pytest.raises(mixgrpo.InputOutputError, match=r"status 401 'Unauthorized': 'no key\\x1b'"):
        reward(mixgrpo, server, retries=3)(IMAGES, PROMPTS)
    assert len(server.requests) == 1


def test_a_failed_picture_is_excluded_and_not_zero(mixgrpo, server):
    server.answers = [says('[1, null, "3", true, NaN]')]
    scores = reward(mixgrpo, server)(IMAGES, PROMPTS)
    assert scores[0] == 1 and np.isnan(scores[1:]).all()
    found = mixgrpo.advantages(np.array([[1.0, math.nan, 3.0]]))
    assert found.failed_rewards == 1 and list(found.included[0]) == [1, 0, 1]


def test_a_failed_batch_leaves_the_others(mixgrpo, server):
    server.answers = [brightness, says("", 400), brightness]
    score = reward(mixgrpo, server, batch_size=2)
    scores = score(IMAGES, PROMPTS)
    assert np.array_equal(np.isnan(scores), [False, False, True, True, False])
    assert np.array_equal(scores[[0, 1, 4]], BRIGHTNESS[[0, 1, 4]])
    assert len(score.failures) == 1 and "400" in score.failures[0]


GARBAGE = ["", "<html>", "{}", '{"rewards": 3}', "[1, 2]", "[[1],[2],[3],[4],[5],[6]]", "[" * 100000, "null", "\x00"]


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_an_error_that_says_so(mixgrpo, server, answer):
    server.answers = [says(answer)]
    with pytest.raises(mixgrpo.InputOutputError, match="expected rewards, got none: answer: expected"):
        reward(mixgrpo, server, retries=0)(IMAGES, PROMPTS)


def test_an_endless_answer_is_cut_off(mixgrpo, server, monkeypatch):
    monkeypatch.setattr("mixgrpo._endpoint.LARGEST_ANSWER", 2**16)
    server.answers = [says("1" * 2**20)]
    with pytest.raises(mixgrpo.InputOutputError, match="expected at most 65536 bytes"):
        reward(mixgrpo, server, retries=0)(IMAGES, PROMPTS)


def test_a_slow_server_is_given_up(mixgrpo, server):
    gone = threading.Event()

    def silent(handler, pictures):
        gone.wait(20)

    def dripping(handler, pictures):
        handler.send_response(200)
        handler.end_headers()
        while not gone.wait(0.05):
            handler.wfile.write(b" ")

    server.answers = [silent, dripping]
    try:
        with pytest.raises(mixgrpo.InputOutputError, match="timed out: no whole answer within 0.3 seconds"):
            reward(mixgrpo, server, timeout=0.3)(IMAGES, PROMPTS)
    finally:
        gone.set()
    assert len(server.requests) == 2


def test_a_broken_connection_is_an_error(mixgrpo, server):
    def torn(handler, pictures):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"[1,")

    server.answers = [torn]
    with pytest.raises(mixgrpo.InputOutputError):
        reward(mixgrpo, server, retries=0)(IMAGES, PROMPTS)


def test_a_server_that_is_down_is_named_and_the_run_goes_on(mixgrpo, make_trainer, codec, server):
    trainer = make_trainer()
    down = mixgrpo.HTTPReward("http://127.0.0.1:1/score", retries=1, backoff=0.01, timeout=60)
    with pytest.raises(
        mixgrpo.InputOutputError, match=r"http://127.0.0.1:1/score: expected rewards, got none: .*refused"
    ):
        mixgrpo.train(trainer, down, decode=codec.decode, iterations=1, prompts_per_iteration=2)
    assert trainer.iteration == 0
    up = reward(mixgrpo, server)
    (metrics,) = mixgrpo.train(trainer, up, decode=codec.decode, iterations=1, prompts_per_iteration=2)
    assert metrics.failed_rewards == 0 and trainer.iteration == 1


def raw(*pieces, pause=0.05):
    """Sends pieces as they are, the last one again and again until the client goes away."""

    def answer(handler, pictures):
        handler.close_connection = True
        for piece in pieces:
            handler.wfile.write(piece)
        for _ in range(1000):
            time.sleep(pause)
            handler.wfile.write(pieces[-1])

    return answer


SLOW = {
    "status line": [b"H"],
    "headers": [b"HTTP/1.1 200 OK\r\n", b"X"],
    "interim answers": [b"HTTP/1.1 100 Continue\r\n\r\n"],
    "size of a chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"],
    "extension of a chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"],
    "trailer": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"x"],
    "body": [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "],
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
def test_a_try_ends_at_its_deadline_whatever_trickles(mixgrpo, server, pieces):
    server.answers = [raw(*pieces)]
    begun = time.monotonic()
    with pytest.raises(mixgrpo.InputOutputError, match="timed out: no whole answer within 0.4 seconds"):
        reward(mixgrpo, server, timeout=0.4, retries=0)(IMAGES, PROMPTS)
    assert time.monotonic() - begun < 20  # the server trickles for 50


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["http", "ftp", "file"])
def test_a_redirect_is_an_error_that_names_the_new_place(mixgrpo, server, status, scheme):
    place = f"{scheme}://user:secret@{server.server_address[0]}:{server.server_port}/other"

    def redirect(handler, pictures):
        handler.send_response(status)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers = [redirect, brightness]
    score = reward(mixgrpo, server, headers={"Authorization": "Bearer x"})
    with pytest.raises(
        mixgrpo.InputOutputError, match=f"status {status} .* a redirect to .*/other.*, which is not"
    ) as error:
        score(IMAGES, PROMPTS)
    assert len(server.requests) == 1 and "secret" not in str(error.value)


def test_a_password_of_the_url_is_sent_and_never_shown(mixgrpo, server):
    url = server.url.replace("//", "//me%40home:secret@")
    score = mixgrpo.HTTPReward(url, retries=0)
    assert np.array_equal(score(IMAGES, PROMPTS), BRIGHTNESS)
    sent = server.requests[0][2]["Authorization"]
    assert sent == "Basic " + base64.b64encode(b"me@home:secret").decode() and score.url == server.url
    server.answers = [says("no", 401)]
    with pytest.raises(mixgrpo.InputOutputError) as error:
        score(IMAGES, PROMPTS)
    assert "secret" not in str(error.value) and "secret" not in str(score.failures)
    for wrong in (
        "htps://me:secret@host",
        "http://me:secret@host:port",
        "http://me:secret@[host",
        "http://me:secret@hö",
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="url: expected") as error:
            mixgrpo.HTTPReward(wrong)
        assert "secret" not in str(error.value)


def test_a_header_that_cannot_be_sent_is_refused_without_its_value(mixgrpo):
    for value in ("Bearer secret\r\nX: y", "secret\n", "secret €"):
        with pytest.raises(mixgrpo.InvalidArgumentError, match="headers\\['Authorization'\\]") as error:
            mixgrpo.HTTPReward("http://localhost", headers={"Authorization": value})
        assert "secret" not in str(error.value)
    with pytest.raises(mixgrpo.InvalidArgumentError, match="headers: expected names"):
        mixgrpo.HTTPReward("http://localhost", headers={"a b": "c"})


@pytest.mark.parametrize("format", ["json", "multipart"])
def test_half_a_surrogate_pair_in_a_prompt_is_named(mixgrpo, server, format):
    with pytest.raises(
        mixgrpo.InvalidArgumentError, match=r"prompts\[1\]: expected text, got a lone surrogate in 'a \\ud800'"
    ):
        reward(mixgrpo, server, format=format)(IMAGES[:2], ["fine", "a \ud800"])
    assert server.requests == []


def test_control_characters_of_a_server_are_escaped(mixgrpo, server):
    server.answers = [raw(b"HTTP/1.1 400 \x1b[2J\x9b1m\r\nContent-Length: 0\r\n\r\n")]
    with pytest.raises(mixgrpo.InputOutputError, match="status 400") as error:
        reward(mixgrpo, server, retries=0)(IMAGES, PROMPTS)
    assert str(error.value).isprintable()


def test_settings_are_checked(mixgrpo):
    for arguments, field in (
        (dict(url="file:///etc/passwd"), "url"),
        (dict(format="xml"), "format"),
        (dict(batch_size=0), "batch_size"),
        (dict(timeout=0), "timeout"),
        (dict(timeout=math.nan), "timeout"),
        (dict(timeout=1e300), "timeout"),
        (dict(timeout=None), "timeout"),
        (dict(url=None), "url"),
        (dict(batch_size=1.5), "batch_size"),
        (dict(retries="3"), "retries"),
        (dict(retries=-1), "retries"),
        (dict(backoff=-1), "backoff"),
    ):
        with pytest.raises(mixgrpo.InvalidArgumentError, match=field):
            mixgrpo.HTTPReward(**{"url": "http://localhost", **arguments})
    with pytest.raises(mixgrpo.InvalidArgumentError, match="prompts: expected 5"):
        mixgrpo.HTTPReward("http://localhost")(IMAGES, PROMPTS[:2])
