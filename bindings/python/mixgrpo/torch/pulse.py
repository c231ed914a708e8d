"""Signs of life of the ranks: each says once a second, through the store of torch.distributed, that it is there."""

import atexit
import threading
import time
from typing import Any

PERIOD = 1.0
"""Seconds between two signs."""
PATIENCE = 15.0
"""Seconds without a sign after which a rank counts as lost."""
_PERIODS_BETWEEN_LOOKS = 3


class Pulse:
    """The signs of this rank, and those of the others. A thread of its own asks the store, which may not answer for long."""

    def __init__(self, store: Any, name: str, rank: int, count: int) -> None:
        self._store = store.clone() if hasattr(store, "clone") else store
        self._signs = [f"{name}/sign/{other}" for other in range(count)]
        self._left = f"{name}/left"
        self._rank = rank
        self._farewell: str | None = None
        self._seen: dict[int, tuple[bytes, float]] = {}
        self._verdict: str | None = None
        self._answered = time.monotonic()
        self._wake, self._is_over = threading.Event(), False
        self._store.set(self._signs[rank], "0")
        self._thread = threading.Thread(target=self._beat, name="mixgrpo-pulse", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Ends the thread, after it has said what it was asked to."""
        self._is_over = True
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=3)
        atexit.unregister(self.stop)

    def leave(self, reason: str) -> None:
        """Says to the others why this rank goes."""
        self._farewell = reason
        self._wake.set()

    def lost(self) -> str | None:
        """Which rank has left or gives no signs any more, and why; None when all are there."""
        if self._verdict is not None:
            return self._verdict
        silence = time.monotonic() - self._answered
        if silence <= PATIENCE:
            return None
        return (
            f"the store of the process group, which rank 0 or the launcher holds, has not answered for {silence:.0f} s: its "
            "process was killed, or its machine cannot be reached"
        )

    def _beat(self) -> None:
        number = 0
        while not self._is_over:
            self._wake.wait(PERIOD)
            self._wake.clear()
            number += 1
            try:
                self._exchange(number)
            except RuntimeError:  # of the store; `lost` counts the seconds since its last answer
                time.sleep(PERIOD)

    def _exchange(self, number: int) -> None:
        if self._farewell is not None:
            self._store.set(self._left, f"rank {self._rank} has left: {self._farewell}")
        self._store.set(self._signs[self._rank], str(number))
        if self._store.check([self._left]):
            self._verdict = str(self._store.get(self._left).decode())
        elif number % _PERIODS_BETWEEN_LOOKS == 0 and self._store.check(self._signs):
            self._verdict = self._silent(self._store.multi_get(self._signs))
        self._answered = time.monotonic()

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
