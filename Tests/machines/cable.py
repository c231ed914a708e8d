#!/usr/bin/env python3
"""A cable between two network namespaces: each end is a TAP device, and every frame arrives 20 ms later at the other one.

Usage: cable.py NAMESPACE ADDRESS NAMESPACE ADDRESS. It prints a line when it is connected, and ends with its standard input.
Lines that it reads: "cut BYTES" loses all frames once so many more bytes have been sent, "mend" loses none any more.
"""

import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque

DELAY = 0.020
LINK = "cable"  # the device's name in each namespace
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000


def plug(namespace: str, address: str) -> int:
    """The descriptor of a TAP device, which stands in the namespace."""
    end = os.open("/dev/net/tun", os.O_RDWR)
    made = fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", b"mixgrpo%d", IFF_TAP | IFF_NO_PI))
    name = made[:16].rstrip(b"\0").decode()
    subprocess.run(["ip", "link", "set", name, "netns", namespace, "name", LINK], check=True)
    for command in (
        ["addr", "add", f"{address}/24", "dev", LINK],
        ["link", "set", "lo", "up"],
        ["link", "set", LINK, "up"],
    ):
        subprocess.run(["ip", "-n", namespace, *command], check=True)
    return end


def carry(ends: list[int]) -> None:
    """Forwards frames until the standard input ends."""
    waiting: deque[tuple[float, int, bytes]] = deque()  # in the order of their arrival
    left = float("inf")  # bytes until the cut
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select([0, *ends], [], [], pause)[0]:
            if source == 0:
                words = os.read(0, 100).split()
                if not words:
                    return
                left = float(words[1]) if words[0] == b"cut" else float("inf")
                continue
            frame = os.read(source, 1 << 16)
            left -= len(frame)
            if left > 0:
                waiting.append((time.monotonic() + DELAY, ends[1] if source == ends[0] else ends[0], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, end, frame = waiting.popleft()
            try:
                os.write(end, frame)
            except OSError:
                pass  # the device is down: the frame is lost


if __name__ == "__main__":
    ends = [plug(*sys.argv[1:3]), plug(*sys.argv[3:5])]
    print("connected", flush=True)
    carry(ends)
