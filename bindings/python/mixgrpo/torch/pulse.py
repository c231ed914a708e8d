"""Signs of life of the ranks: each says once a second, through the store of torch.distributed, that it is there."""

import atexit
import contextlib
import threading
import time
from typing import Any

PERIOD = 1.0
"""Seconds between two signs."""
PATIENCE = 15.0
"""Seconds without a sign after which a rank counts as lost."""


class Pulse:
    """The signs of this rank, from a thread of its own, and those of the others."""

    def __init__(self, store: Any, name: str, rank: int, count: int) -> None:
        self._store = store.clone() if hasattr(store, "clone") else store
        self._own = f"{name}/sign/{rank}"
        self._signs = [f"{name}/sign/{other}" for other in range(count)]
        self._reasons = [f"{name}/reason/{other}" for other in range(count)]
        self._rank = rank
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
            self._store.set(self._reasons[self._rank], reason)

    def lost(self) -> str | None:
        """Which rank has left or gives no signs any more, and why; None when all are there."""
        try:
            with self._lock:
                left = [rank for rank, key in enumerate(self._reasons) if self._store.check([key])]
                if left:
                    return f"rank {left[0]} has left: {self._store.get(self._reasons[left[0]]).decode()}"
                signs = [self._store.get(key) for key in self._signs]
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
