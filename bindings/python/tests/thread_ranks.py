"""Ranks that are threads, and the collective by which they exchange bytes."""

import threading


class Table:
    """What the ranks have sent, between two barriers."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.sent = [b""] * size
        self.sizes = [[]] * size


class Member:
    def __init__(self, table, rank, failing=-1):
        self.table, self.rank, self.size, self.failing = table, rank, table.size, failing
        self.calls = 0

    def all_gather(self, sent, received):
        self.table.sent[self.rank] = bytes(sent)
        self.table.barrier.wait()
        received[:] = b"".join(self.table.sent)
        self.finish()

    def all_to_all(self, sent, sent_bytes, received, received_bytes):
        self.table.sent[self.rank] = bytes(sent)
        self.table.sizes[self.rank] = list(sent_bytes)
        self.table.barrier.wait()
        pieces = []
        for rank, count in enumerate(received_bytes):
            first = sum(self.table.sizes[rank][: self.rank])
            pieces.append(self.table.sent[rank][first : first + count])
        received[:] = b"".join(pieces)
        self.finish()

    def finish(self):
        self.table.barrier.wait()
        self.calls += 1
        if self.calls - 1 == self.failing:
            raise OSError("the cable is cut")


def on_threads(size, body):
    """The results or exceptions of `body(rank)`, each on a thread of its own."""
    results = [None] * size

    def run(rank):
        try:
            results[rank] = body(rank)
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
