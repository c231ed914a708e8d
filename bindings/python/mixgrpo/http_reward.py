"""Rewards from a server of the host's: pictures go out as PNG in one POST, numbers come back."""

import base64
import json
import math
import uuid
from collections.abc import Mapping, Sequence

import numpy as np

from ._arguments import one_of, whole
from ._arrays import ByteArray, DoubleArray
from ._endpoint import Endpoint, NoAnswerError
from ._pictures import pictures_of
from .errors import InputOutputError
from .image import Image

FORMATS = ("json", "multipart")


class HTTPReward(Endpoint):
    """A reward that a server computes, for `mixgrpo.train` or by itself:

        taste = mixgrpo.HTTPReward("http://localhost:8000/score", timeout=60)
        scores = taste(images, prompts)

    Each batch is one POST. With `format="json"` its body is {"images": [base64 of a PNG, …], "prompts": [text, …]};
    with "multipart" (form-data) it has the files "images" and the fields "prompts", in order. The answer is JSON: a
    list of numbers, one for each picture, or {"rewards": [numbers]}; null for a picture that could not be scored.

    `url`: http or https. A user and password in it are sent as basic authorization, and appear in no message.
    `headers`: sent along, such as Authorization. A redirect is not followed, because the new place would get the images
    and the headers; the error names it.
    `batch_size`: pictures in one POST, 1 or more.
    `timeout`: seconds for one try, from its beginning to the last byte of the answer, above 0 and at most 1000000;
    however the server sends, a try never takes longer.
    `retries`: further tries, 0 or more, after a failure that may pass: no connection, no answer in time, an answer that
    makes no sense, or status 408, 425, 429, 500, 502, 503, 504. `backoff`: seconds before the first of them; each
    further one waits twice as long.

    A picture without a number, and every picture of a batch that failed for good, gets NaN: the library excludes the
    sample. `failures` has the reasons. When no picture got a number the call raises `InputOutputError` with the reason,
    and the rollout can be scored again.
    """

    def __init__(
        self,
        url: str,
        *,
        format: str = "json",
        headers: Mapping[str, str] | None = None,
        batch_size: int = 16,
        timeout: float = 30.0,
        retries: int = 3,
        backoff: float = 0.5,
    ) -> None:
        super().__init__(url, headers, timeout=timeout, retries=retries, backoff=backoff)
        self.format = one_of(format, FORMATS, "format")
        self.batch_size = whole(batch_size, "batch_size", 1)

    def __repr__(self) -> str:
        return f"HTTPReward({self.url!r}, format={self.format!r}, batch_size={self.batch_size})"

    def __call__(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """Scores B images, uint8 (B, height, width, 3), of B prompts: (B), NaN where there is no number."""
        images = pictures_of(images, prompts)
        self.failures = []
        starts = range(0, len(images), self.batch_size)
        scores = [self._batch(images[at : at + self.batch_size], prompts[at : at + self.batch_size]) for at in starts]
        if self.failures and len(self.failures) == len(starts):
            raise InputOutputError(f"{self.url}: expected rewards, got none: {self.failures[-1]}")
        return np.concatenate(scores) if scores else np.empty(0)

    def _batch(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """The scores of one POST; NaN for all when it failed for good."""
        body, kind = _body(self.format, [Image(image).encode() for image in images], prompts)
        try:
            return self.ask(body, kind, lambda answer: _scores(answer, len(images)))
        except NoAnswerError as error:
            self.failures.append(str(error))
            return np.full(len(images), np.nan)


def _scores(answer: bytes, count: int) -> DoubleArray:
    """The numbers of an answer, (B). Raises `ValueError` for what is none."""
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        raise ValueError(f"answer: expected JSON, got {answer[:80]!r}") from None
    values = content.get("rewards") if isinstance(content, dict) else content
    if not isinstance(values, list) or len(values) != count:
        got = f"{len(values)}" if isinstance(values, list) else f"{answer[:80]!r}"
        raise ValueError(f"answer: expected a list of {count} numbers, got {got}")
    return np.array([_number(value) for value in values], np.float64)


def _number(value: object) -> float:
    """A score; NaN for null and for what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _body(format: str, pictures: Sequence[bytes], prompts: Sequence[str]) -> tuple[bytes, str]:
    """The body of a POST and its content type."""
    if format == "json":
        images = [base64.b64encode(picture).decode() for picture in pictures]
        return json.dumps({"images": images, "prompts": list(prompts)}).encode(), "application/json"
    boundary = uuid.uuid4().hex
    parts = [
        *(_part(boundary, f'name="images"; filename="{n}.png"', "image/png", p) for n, p in enumerate(pictures)),
        *(_part(boundary, 'name="prompts"', "text/plain; charset=utf-8", prompt.encode()) for prompt in prompts),
    ]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, kind: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode() + content + b"\r\n"
