"""A virtual terminal: runs a command in it and gives the lines that a person would see. Needs pyte."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pyte


class Terminal:
    """A command in a terminal of so many columns; its screen has the whole history as lines."""

    def __init__(self, words: list[str], columns: int, folder: str = ".", **environment: str) -> None:
        self.screen = pyte.Screen(columns, 400)
        self.output = b""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 400, columns, 0, 0))
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm-256color"} | environment,
        )
        os.close(slave)
        stream = pyte.ByteStream(self.screen)
        while chunk := self._read(master):
            self.output += chunk
            stream.feed(chunk)
        self.code = process.wait()
        os.close(master)
        self.lines = [line.rstrip() for line in self.screen.display]
        while self.lines and not self.lines[-1]:
            self.lines.pop()

    @staticmethod
    def _read(master: int) -> bytes:
        try:
            return os.read(master, 65536)
        except OSError:  # the other side is closed
            return b""
