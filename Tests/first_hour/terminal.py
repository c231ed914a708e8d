"""A virtual terminal: runs a command in it and gives the lines that a person would see."""

import os
import pathlib
import pty
import select
import struct
import subprocess
import termios
import time
from fcntl import ioctl

import pyte

ROWS = 24


def run(command: str, folder: pathlib.Path, environment: dict[str, str], columns: int, seconds: float) -> tuple[int, list[str]]:
    """The exit status of a command and the lines of its terminal, those that have scrolled away first."""
    screen = pyte.HistoryScreen(columns, ROWS, history=10_000)
    stream = pyte.ByteStream(screen)
    leader, follower = pty.openpty()
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env={**environment, "TERM": "xterm-256color"}, stdin=follower, stdout=follower, stderr=follower,
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    try:
        read_until_closed(leader, stream, time.monotonic() + seconds)
        status = process.wait(timeout=seconds)
    finally:
        process.kill()
        os.close(leader)
    scrolled = ["".join(row[column].data for column in range(columns)) for row in screen.history.top]
    return status, "\n".join(line.rstrip() for line in [*scrolled, *screen.display]).rstrip("\n").split("\n")


def read_until_closed(leader: int, stream: pyte.ByteStream, end: float) -> None:
    """Draws what comes, until the last process has closed the terminal."""
    while True:
        if not select.select([leader], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError
        try:
            data = os.read(leader, 65536)
        except OSError:  # Linux: EIO once the other end is closed
            return
        if not data:
            return
        stream.feed(data)
