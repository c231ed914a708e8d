"""Two "machines": network namespaces with a name and an address each, and a cable between them of 20 ms that can be cut."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

CABLE = Path(__file__).parent / "cable.py"
LINK = "cable"
ADDRESSES = ("10.87.0.1", "10.87.0.2")


def ip(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


def obstacle() -> str | None:
    """Why this system can have no such machines; None if it can."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root and iproute2"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "a cable between network namespaces needs /dev/net/tun"
    name = f"mixgrpo-{os.getpid()}-try"
    if (
        ip("netns", "add", name).returncode != 0
        or ip("netns", "exec", name, "unshare", "--uts", "true").returncode != 0
    ):
        ip("netns", "del", name)
        return "network namespaces are not permitted here"
    ip("netns", "del", name)
    return None


class Machines:
    """To be used in a `with` statement."""

    def __init__(self) -> None:
        self.names = tuple(f"mixgrpo-{os.getpid()}-{letter}" for letter in "ab")
        self._cable: subprocess.Popen | None = None

    def __enter__(self) -> "Machines":
        try:
            for name in self.names:
                subprocess.run(["ip", "netns", "add", name], check=True)
            ends = [word for end in zip(self.names, ADDRESSES, strict=True) for word in end]
            self._cable = subprocess.Popen(
                [sys.executable, str(CABLE), *ends], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            if self._cable.stdout.readline() != "connected\n":
                raise RuntimeError("the cable between the machines cannot be made")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for machine in range(len(self.names)):
            for process in self._pids(machine):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        try:
            if self._cable is not None:
                self._cable.stdin.close()
                self._cable.wait(timeout=10)
        finally:
            for name in self.names:
                ip("netns", "del", name)

    def command(self, machine: int, *arguments: str) -> list[str]:
        """What starts a program on a machine."""
        name = self.names[machine]
        shell = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
        return ["ip", "netns", "exec", name, *shell, name, *arguments]

    def processes(self, machine: int) -> list[int]:
        """Those that run on a machine, which must be there."""
        if not (Path("/run/netns") / self.names[machine]).exists():
            raise RuntimeError(f"{self.names[machine]}: expected a network namespace, got none")
        return self._pids(machine)

    def _pids(self, machine: int) -> list[int]:
        return [int(word) for word in ip("netns", "pids", self.names[machine]).stdout.split()]

    def cut_after(self, count: int) -> None:
        """Loses all frames once so many more bytes have been sent."""
        self._say(f"cut {count}")

    def mend(self) -> None:
        """Loses no frame any more."""
        self._say("mend")

    def _say(self, line: str) -> None:
        self._cable.stdin.write(line + "\n")
        self._cable.stdin.flush()
