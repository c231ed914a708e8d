"""A server that answers POSTs: its address, its deadline, and further tries after failures that may pass."""

import base64
import http.client
import re
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TypeVar

from . import _http
from ._arguments import whole
from .errors import InvalidArgumentError

LARGEST_ANSWER = 64 * 2**20
"""Bytes; a longer answer is garbage."""
LONGEST_SECONDS = 1_000_000
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})

_Answer = TypeVar("_Answer")


class NoAnswerError(Exception):
    """All tries failed; the message is the reason of the last one."""


class Endpoint:
    """What rewards that ask a server share. Their docstrings explain the settings."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None, *, timeout: float, retries: int, backoff: float
    ) -> None:
        check(isinstance(url, str), "url", "text", url)
        url, authorization = _without_password(url)
        headers = authorization | dict(headers or {})
        _check_headers(headers)
        check(_is_seconds(timeout) and timeout > 0, "timeout", f"seconds above 0, at most {LONGEST_SECONDS}", timeout)
        check(_is_seconds(backoff), "backoff", f"seconds, 0 to {LONGEST_SECONDS}", backoff)
        self.url = url
        self.headers = headers
        self.timeout = timeout
        self.retries = whole(retries, "retries", 0)
        self.backoff = backoff
        self.failures: list[str] = []
        """Why requests of the latest call failed for good; empty when none did."""

    def ask(self, body: bytes, kind: str, read: Callable[[bytes], _Answer]) -> _Answer:
        """What `read` makes of the answer to a POST; it raises `ValueError` for an answer without sense. Raises
        `NoAnswerError` after the last try."""
        problem = ""
        for number in range(self.retries + 1):
            try:
                return read(self._post(body, kind))
            except urllib.error.HTTPError as error:
                problem, lasting = _refusal(error), error.code not in _WORTH_ANOTHER_TRY
                error.close()
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem, lasting = str(error) or type(error).__name__, False
            if lasting or number == self.retries:
                break
            time.sleep(self.backoff * 2**number)
        raise NoAnswerError(problem)

    def _post(self, body: bytes, kind: str) -> bytes:
        headers = {"Accept": "application/json", **self.headers, "Content-Type": kind}
        return _http.post(self.url, body, headers, timeout=self.timeout, largest=LARGEST_ANSWER)


def check(holds: bool, field: str, expected: str, got: object) -> None:
    """Raises `InvalidArgumentError` unless it holds."""
    if not holds:
        raise InvalidArgumentError(f"{field}: expected {expected}, got {got!r}")


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
    check(whole, "url", "http:// or https:// and a host, in printable ASCII", shown)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    named = urllib.parse.unquote_to_bytes(user if ":" in user else f"{user}:")
    bare = urllib.parse.urlunsplit(parts._replace(netloc=host))
    return bare, {"Authorization": f"Basic {base64.b64encode(named).decode()}"}


def _check_headers(headers: Mapping[str, str]) -> None:
    """Without their values in the message, which may be secrets."""
    for name, value in headers.items():
        check(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is not None, "headers", "names of headers", name)
        if not re.fullmatch(r"[\t -~\xa0-\xff]*", value):
            raise InvalidArgumentError(
                f"headers[{name!r}]: expected printable Latin-1 in one line, got other characters"
            )


def _refusal(error: urllib.error.HTTPError) -> str:
    """What a status other than 2xx says, with the beginning of its body. A redirect is not followed."""
    problem = f"status {error.code} {str(error.reason)[:80]!a}"
    if not 300 <= error.code < 400:
        said = _beginning(error)
        return f"{problem}: {said.decode(errors='replace')!a}" if said else problem
    place = re.sub(r"//[^/?#]*@", "//", error.headers.get("Location") or "nowhere")
    return f"{problem}, a redirect to {place[:200]!a}, which is not followed; pass that URL if it is the right one"


def _beginning(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(300)
    except (OSError, http.client.HTTPException, ValueError):
        return b""
