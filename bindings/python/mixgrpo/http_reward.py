"""Rewards from a server of the host's: pictures go out as PNG in one POST, numbers come back."""

import base64
import http.client
import json
import math
import re
import time
import urllib.error
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence

import numpy as np

from . import _http
from ._arguments import short
from ._arrays import ByteArray, DoubleArray
from .errors import InputOutputError, InvalidArgumentError
from .image import Image

FORMATS = ("json", "multipart")
LARGEST_ANSWER = 64 * 2**20
LONGEST_SECONDS = 1_000_000
"""Bytes; a longer answer is garbage."""
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})


class HTTPReward:
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
        _check(isinstance(url, str), "url", "text", url)
        url, authorization = _without_password(url)
        headers = authorization | dict(headers or {})
        _check_headers(headers)
        _check(format in FORMATS, "format", " or ".join(FORMATS), format)
        _check(_is_whole(batch_size) and batch_size >= 1, "batch_size", "a whole number, 1 or more", batch_size)
        _check(_is_seconds(timeout) and timeout > 0, "timeout", f"seconds above 0, at most {LONGEST_SECONDS}", timeout)
        _check(_is_whole(retries) and retries >= 0, "retries", "a whole number, 0 or more", retries)
        _check(_is_seconds(backoff), "backoff", f"seconds, 0 to {LONGEST_SECONDS}", backoff)
        self.url = url
        self.format = format
        self.headers = headers
        self.batch_size = batch_size
        self.timeout = timeout
        self.retries = retries
        self.backoff = backoff
        self.failures: list[str] = []
        """Why batches of the latest call failed for good; empty when none did."""

    def __repr__(self) -> str:
        return f"HTTPReward({self.url!r}, format={self.format!r}, batch_size={self.batch_size})"

    def __call__(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """Scores B images, uint8 (B, height, width, 3), of B prompts: (B), NaN where there is no number."""
        images = np.asarray(images)
        if images.ndim != 4 or isinstance(prompts, str):
            raise InvalidArgumentError(
                f"images, prompts: expected (B, height, width, 3) and B texts, got shape {images.shape} and {short(prompts)}"
            )
        if len(images) != len(prompts):
            raise InvalidArgumentError(f"prompts: expected {len(images)}, one for each picture, got {len(prompts)}")
        for index, prompt in enumerate(prompts):
            if any("\ud800" <= character <= "\udfff" for character in prompt):
                raise InvalidArgumentError(f"prompts[{index}]: expected text, got a lone surrogate in {prompt[:80]!a}")
        self.failures = []
        starts = range(0, len(images), self.batch_size)
        scores = [self._batch(images[at : at + self.batch_size], prompts[at : at + self.batch_size]) for at in starts]
        if self.failures and len(self.failures) == len(starts):
            raise InputOutputError(f"{self.url}: expected rewards, got none: {self.failures[-1]}")
        return np.concatenate(scores) if scores else np.empty(0)

    def _batch(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """The scores of one POST; NaN for all when it failed for good."""
        body, kind = _body(self.format, [Image(image).encode() for image in images], prompts)
        for number in range(self.retries + 1):
            try:
                return _scores(self._post(body, kind), len(images))
            except urllib.error.HTTPError as error:
                problem, lasting = _refusal(error), error.code not in _WORTH_ANOTHER_TRY
                error.close()
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem, lasting = str(error) or type(error).__name__, False
            if lasting or number == self.retries:
                break
            time.sleep(self.backoff * 2**number)
        self.failures.append(problem)
        return np.full(len(images), np.nan)

    def _post(self, body: bytes, kind: str) -> bytes:
        headers = {"Accept": "application/json", **self.headers, "Content-Type": kind}
        return _http.post(self.url, body, headers, timeout=self.timeout, largest=LARGEST_ANSWER)


def _check(holds: bool, field: str, expected: str, got: object) -> None:
    if not holds:
        raise InvalidArgumentError(f"{field}: expected {expected}, got {got!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 <= value <= LONGEST_SECONDS


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its user and password, and the header that sends them. Messages never contain the password."""
    shown = re.sub(r"//[^/?#]*@", "//", url)
    try:
        parts = urllib.parse.urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    whole = whole and all("!" <= character <= "~" for character in url)
    _check(whole, "url", "http:// or https:// and a host, in printable ASCII", shown)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    named = urllib.parse.unquote_to_bytes(user if ":" in user else f"{user}:")
    bare = urllib.parse.urlunsplit(parts._replace(netloc=host))
    return bare, {"Authorization": f"Basic {base64.b64encode(named).decode()}"}


def _check_headers(headers: Mapping[str, str]) -> None:
    """Without their values in the message, which may be secrets."""
    for name, value in headers.items():
        _check(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is not None, "headers", "names of headers", name)
        if not re.fullmatch(r"[\t -~\xa0-\xff]*", value):
            raise InvalidArgumentError(
                f"headers[{name!r}]: expected printable Latin-1 in one line, got other characters"
            )


def _refusal(error: urllib.error.HTTPError) -> str:
    """What a status other than 2xx says. A redirect is not followed."""
    problem = f"status {error.code} {str(error.reason)[:80]!a}"
    if not 300 <= error.code < 400:
        return problem
    place = re.sub(r"//[^/?#]*@", "//", error.headers.get("Location") or "nowhere")
    return f"{problem}, a redirect to {place[:200]!a}, which is not followed; pass that URL if it is the right one"


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
