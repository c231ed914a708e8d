"""Signs of life of the ranks: each says once a second, through the store of torch.distributed, that it is there."""

import atexit
import contextlib
import threading
import time
from typing import Any

PERIOD = 1.0
"""Seconds between two signs."""
_SECONDS_BETWEEN_LOOKS = 3.0

PATIENCE = 15.0
"""Seconds without a sign after which a rank counts as lost."""


class Pulse:
    """The signs of this rank, from a thread of its own, and those of the others."""

    def __init__(self, store: Any, name: str, rank: int, count: int) -> None:
        self._store = store.clone() if hasattr(store, "clone") else store
        self._own = f"{name}/sign/{rank}"
        self._signs = [f"{name}/sign/{other}" for other in range(count)]
        self._left = f"{name}/left"
        self._rank = rank
        self._next_look = 0.0
        self._seen: dict[int, tuple[bytes, float]] = {}
        self._lock = threading.Lock()  # a store answers one question at a time
        self._end = threading.Event()
        self._store.set(self._own, "0")
        self._thread = threading.Thread(target=self._beat, name="mixgrpo-pulse", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Ends the thread."""
        self._end.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        atexit.unregister(self.stop)

    def leave(self, reason: str) -> None:
        """Tells the others why this rank goes."""
        with contextlib.suppress(RuntimeError), self._lock:
            self._store.set(self._left, f"rank {self._rank} has left: {reason}")

    def lost(self) -> str | None:
        """Which rank has left or gives no signs any more, and why; None when all are there. Looks at the signs every few
        seconds only."""
        try:
            with self._lock:
                if self._store.check([self._left]):
                    return str(self._store.get(self._left).decode())
                if time.monotonic() < self._next_look or not self._store.check(self._signs):
                    return None
                signs = self._store.multi_get(self._signs)
                self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        except RuntimeError as error:
            reason = str(error).partition("\n")[0][:200]
            return f"the store of the process group, which rank 0 or the launcher holds, cannot be reached: {reason}"
        return self._silent(signs)

    def _silent(self, signs: list[bytes]) -> str | None:
        now = time.monotonic()
        for rank, sign in enumerate(signs):
            latest, since = self._seen.get(rank, (b"", now))
            if sign != latest:
                self._seen[rank] = (sign, now)
            elif rank != self._rank and now - since > PATIENCE:
                return (
                    f"rank {rank} has given no sign of life for {now - since:.0f} s: its process was killed, or its "
                    "machine cannot be reached"
                )
        return None

    def _beat(self) -> None:
        number = 0
        while not self._end.wait(PERIOD):
            number += 1
            with contextlib.suppress(RuntimeError), self._lock:
                self._store.set(self._own, str(number))
