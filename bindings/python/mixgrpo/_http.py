"""One HTTP request of the standard library's with a deadline for the whole of it, and without redirects."""

import functools
import http.client
import io
import socket
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Any


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, largest: int) -> bytes:
    """The body of the answer to a POST, at most `largest` bytes.

    The proxies of the environment are used. A redirect is an `HTTPError`, as is every status but 2xx. Raises
    `TimeoutError` `timeout` seconds after the call at the latest, however the server sends; `OSError`,
    `http.client.HTTPException`, `ValueError`.
    """
    clock = _Clock(timeout)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _HTTPHandler(clock),
        _HTTPSHandler(clock),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    with opener.open(request, timeout=timeout) as response:
        return _read(response, largest)


class _Clock:
    """The time until the deadline."""

    def __init__(self, timeout: float) -> None:
        self._timeout, self._deadline = timeout, time.monotonic() + timeout

    def left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def late(self) -> TimeoutError:
        return TimeoutError(f"timed out: no whole answer within {self._timeout} seconds")


class _HTTPHandler(urllib.request.HTTPHandler):
    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(functools.partial(_Connection, clock=self._clock), request)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(functools.partial(_SecureConnection, clock=self._clock), request)


def _time(connection: Any, clock: _Clock) -> None:
    """Gives every step of a connection the time that is left."""
    connection._create_connection = functools.partial(_connect, clock)
    connection.response_class = functools.partial(_Response, clock)


class _Timed:
    """What both kinds of connection add to `http.client`: the clock limits each send."""

    def __init__(self, *arguments: Any, clock: _Clock, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock = clock
        _time(self, clock)

    def send(self: Any, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self._clock.left())
        http.client.HTTPConnection.send(self, data)


class _Connection(_Timed, http.client.HTTPConnection):
    pass


class _SecureConnection(_Timed, http.client.HTTPSConnection):
    pass


class _Response(http.client.HTTPResponse):
    def __init__(self, clock: _Clock, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_TimedReader(self.fp, sock, clock))


class _TimedReader(io.RawIOBase):
    """The bytes of a socket. `owner` is the socket's own file, which keeps the socket open until it is closed."""

    def __init__(self, owner: Any, sock: socket.socket, clock: _Clock) -> None:
        self._owner, self._sock, self._clock = owner, sock, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._clock.left())
        try:
            return self._sock.recv_into(buffer)
        except TimeoutError:
            raise self._clock.late() from None

    def close(self) -> None:
        if not self.closed:
            self._owner.close()
        super().close()


def _connect(clock: _Clock, address: tuple[str, int], *_: Any) -> socket.socket:
    """As `socket.create_connection`, but all addresses of the host share the time that is left."""
    failure: OSError | None = None
    for family, kind, protocol, _name, place in _addresses(clock, address):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(clock.left())
            sock.connect(place)
            sock.settimeout(clock.left())
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure or OSError("expected an address of the host, got none")


def _addresses(clock: _Clock, address: tuple[str, int]) -> list[Any]:
    """Looks up a host on another thread, because the system's resolver takes no timeout."""
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(*address, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(clock.left())
    if not found:
        raise clock.late()
    if isinstance(found[0], Exception):
        raise found[0]
    return list(found[0])


def _read(response: Any, largest: int) -> bytes:
    pieces, length = [], 0
    while piece := response.read1(65536):
        pieces.append(piece)
        length += len(piece)
        if length > largest:
            raise ValueError(f"answer: expected at most {largest} bytes, got more")
    return b"".join(pieces)
