"""A run of `mixgrpo align --reward-person` in a process of its own, and its page."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("COMMAND") or str(ROOT / ".build/release/mixgrpo-command")
SMALL = (
    "--steps 4 --window-length 2 --pictures-every 1 --set learning.updates_per_iteration=2 --set save_every=1".split()
)


class Alignment:
    """The process; ends with its owner."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [COMMAND, "align", *arguments],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self) -> Alignment:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def address(self) -> str:
        """The address that the run prints."""
        return wait_for(self._address, "the address of the page", self)

    def _address(self) -> str | None:
        found = re.findall(r"open this page to vote: (http://\S+)", "\n".join(self.lines))
        return found[-1] if found else None

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds: float = 120) -> int:
        """The exit code."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def state(self) -> dict[str, Any]:
        return get(self.address + "state")

    def group(self) -> dict[str, Any]:
        """The group that the page asks about, once there is one."""
        return wait_for(lambda: self.state()["group"], "a group to vote on", self)


def wait_for(question: Any, what: str, run: Alignment | None = None, seconds: float = 60) -> Any:
    """The first answer that is not empty."""
    for _ in range(int(seconds / 0.02)):
        if answer := question():
            return answer
        if run is not None and run.process.poll() not in (None, 0):
            raise AssertionError(f"{what}: the run ended: {run.lines}")
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}: {run.lines if run else ''}")


def request(
    address: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    parts = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, parts.path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def get(address: str) -> dict[str, Any]:
    status, _, body = request(address)
    assert status == 200, (address, status, body)
    return json.loads(body)


def post(address: str, content: Any, **headers: str) -> tuple[int, Any]:
    """Status and content of the answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    status, got, answer = request(address, "POST", body, given)
    return status, json.loads(answer) if got["content-type"] == "application/json" else answer.decode()
