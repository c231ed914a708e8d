"""The server of the page of votes, for programs on this machine: docs/voting-protocol.md has the protocol."""

import hmac
import json
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from ._voting_session import RefusedError, VotingSession
from .errors import InputOutputError

LONGEST_BODY = 64 * 2**10
CONNECTIONS = 32
_POLICY = (
    "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class VotingPage:
    """Serves a session on 127.0.0.1, under an address that only its reader knows, until it is closed."""

    def __init__(self, session: VotingSession, port: int) -> None:
        secret = secrets.token_hex(16)
        handler = type("Handler", (_Handler,), {"session": session, "secret": secret})
        try:
            self._server = _Server(("127.0.0.1", port), handler)
        except OSError as error:
            raise InputOutputError(
                f"port: expected a free port; choose another than {port}, or 0 for any, got {error}"
            ) from error
        self.address = f"http://127.0.0.1:{self._server.server_port}/{secret}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Takes no more requests."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.Semaphore(CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    session: VotingSession
    secret: str
    timeout = 10
    server_version = "mixgrpo"
    sys_version = ""

    def do_GET(self) -> None:  # noqa: N802
        parts = self._parts()
        if parts is None:
            return
        numbers = [int(part) if re.fullmatch("[0-9]{1,9}", part) else -1 for part in parts[1:]]
        if parts == [""]:
            self._answer(200, "text/html; charset=utf-8", files(__package__).joinpath("person.html").read_bytes())
        elif parts == ["state"]:
            self._json(200, self.session.state())
        elif parts[0] == "picture" and len(numbers) == 2:
            self._png(self.session.picture(*numbers))
        elif parts[0] == "grid" and len(numbers) == 1:
            self._png(self.session.grid(numbers[0]))
        else:
            self._refuse(404, "nothing is here")

    def do_POST(self) -> None:  # noqa: N802
        parts = self._parts()
        if parts is None:
            return
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if self.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return self._refuse(415, "expected application/json")
        if origin is not None and origin != f"http://{host}":
            return self._refuse(403, "expected a request of this page")
        try:
            content = self._content()
            if parts == ["vote"]:
                self.session.vote(content)
            elif parts == ["undo"]:
                self.session.undo(content)
            elif parts == ["stop"]:
                self.session.stop()
            else:
                return self._refuse(404, "nothing is here")
            self._json(200, self.session.state())
        except RefusedError as refused:
            self._json(refused.status, {"error": str(refused)})

    def _parts(self) -> list[str] | None:
        """The path behind the secret; None when the request was refused."""
        # A page of another site may name this machine by a name of its own; the browser then sends that name.
        if not re.fullmatch(r"(127\.0\.0\.1|localhost)(:[0-9]+)?", self.headers.get("Host", ""), re.IGNORECASE):
            self._refuse(403, "host: expected 127.0.0.1 or localhost")
            return None
        parts = self.path.partition("?")[0].split("/")[1:]
        if len(parts) < 2 or not hmac.compare_digest(parts[0].encode(), self.secret.encode()):
            self._refuse(404, "nothing is here")
            return None
        return parts[1:]

    def _content(self) -> dict[str, Any]:
        """The object in the body. Raises `RefusedError`."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) != 1:
            raise RefusedError(411, "expected a body with a length")
        if not re.fullmatch("[0-9]+", lengths[0]):
            raise RefusedError(400, "content-length: expected a number of bytes")
        if len(lengths[0]) > 9 or int(lengths[0]) > LONGEST_BODY:
            raise RefusedError(413, f"expected a body of at most {LONGEST_BODY} bytes")
        try:
            content = json.loads(self.rfile.read(int(lengths[0])))
        except (ValueError, RecursionError):
            raise RefusedError(400, "body: expected JSON") from None
        if not isinstance(content, dict):
            raise RefusedError(400, "body: expected an object")
        return content

    def _json(self, status: int, content: Any) -> None:
        self._answer(status, "application/json", json.dumps(content).encode())

    def _png(self, file: bytes | None) -> None:
        if file is None:
            self._refuse(404, "this picture is gone")
        else:
            self._answer(200, "image/png", file)

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", f"{message}\n".encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.close_connection = True
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: requests are no news, and the path has the secret."""
