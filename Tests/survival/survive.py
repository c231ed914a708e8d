#!/usr/bin/env python3
"""Kills training runs at random moments and fills their disk: a whole checkpoint always remains, and goes on bit by bit.

    survive.py WORKER [--kills N] [--seed S]

A kill is a SIGKILL, drawn uniformly over the time that a run of a few iterations takes, saves and start included. After each,
the next process (with another number of threads) must resume from the newest checkpoint whose save had been reported, or from
a newer one, without skipping any, with the bits of a run that was never stopped; metrics lines must be whole or absent. And
every preset, stopped after each iteration in turn, goes on in another process with its bits.
"""

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ITERATIONS = 12
PRESETS = ["mixgrpo", "mixgrpo_flash", "mixgrpo_flash_star", "flow_grpo", "dance_grpo", "person"]
PATIENCE = 120  # seconds until a run counts as hanging


def fail(message):
    sys.exit(f"error: {message}")


class Run:
    """One worker process and the lines it printed."""

    def __init__(self, worker, folder, threads=1, preset=PRESETS[0], count=ITERATIONS, **options):
        self.process = subprocess.Popen(
            [worker, folder, str(count), str(threads), preset],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def finish(self, after=None):
        """Waits, or kills `after` seconds; gives status, lines that were whole, and stderr."""
        try:
            out, err = self.process.communicate(timeout=PATIENCE if after is None else after)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            out, err = self.process.communicate()
            if after is None:
                fail("a run hangs")
        return (
            self.process.returncode,
            [line.split() for line in out.splitlines(keepends=True) if line.endswith("\n")],
            err,
        )


def reference(worker, preset=PRESETS[0]):
    """The digest of each iteration of a run that nobody stops."""
    with tempfile.TemporaryDirectory() as folder:
        status, lines, err = Run(worker, folder, preset=preset).finish()
        if status != 0:
            fail(f"the undisturbed run ended with {status}: {err}")
        digests = {int(words[1]): words[2] for words in lines[1:]}
        digests[-1] = lines[0][3]
        return digests


def check_metrics(path):
    """Every line is complete, except perhaps the last; returns whether the last is incomplete."""
    lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
    for line in lines[:-1]:
        json.loads(line)
    return lines[-1] != b""


class Survival:
    """Runs in one folder, one after the other."""

    def __init__(self, worker, digests):
        self.worker, self.digests = worker, digests
        self.fresh()

    def fresh(self):
        self.folder = Path(tempfile.mkdtemp(prefix="survival-"))
        self.saved = -1

    def close(self):
        shutil.rmtree(self.folder)

    def leftovers(self):
        folder = self.folder / "checkpoints"
        return [path for path in folder.iterdir() if path.name.startswith(".")] if folder.exists() else []

    def check(self, lines):
        """What a process reported agrees with the run that was never stopped."""
        if not lines:
            return
        iteration, skipped, digest = int(lines[0][1]), int(lines[0][2]), lines[0][3]
        if skipped or iteration < self.saved:
            fail(f"resumed at {iteration} after {skipped} incomplete checkpoints, though {self.saved} had been saved")
        for place, bits in [(iteration, digest)] + [(int(words[1]), words[2]) for words in lines[1:]]:
            if self.digests[place] != bits:
                fail(f"iteration {place}: expected the bits of the undisturbed run")
        self.saved = max(self.saved, iteration, *(int(words[1]) for words in lines[1:]), iteration)

    def round(self, threads, after):
        """One process, killed or done. True when it was killed."""
        status, lines, err = Run(self.worker, str(self.folder), threads).finish(after)
        self.check(lines)
        check_metrics(self.folder / "metrics.jsonl")
        if status not in (0, -signal.SIGKILL):
            fail(f"a run ended with {status}: {err}")
        if status != 0:
            return True
        if self.saved != ITERATIONS or self.leftovers() or check_metrics(self.folder / "metrics.jsonl"):
            fail(f"a run that was done left {self.leftovers()} after iteration {self.saved}")
        self.close()
        self.fresh()
        return False


def survive_stops(worker):
    """Stopped after each iteration; the next process has other threads, another max_batch, and now and then recomputes."""
    for preset in PRESETS:
        run = Survival(worker, reference(worker, preset))
        for count in range(1, ITERATIONS + 1):
            status, lines, err = Run(worker, str(run.folder), 1 + count % 3, preset, count).finish()
            if status != 0:
                fail(f"{preset}: a run to iteration {count} ended with {status}: {err}")
            run.check(lines)
        if run.saved != ITERATIONS:
            fail(f"{preset}: expected iteration {ITERATIONS}, got {run.saved}")
        run.close()
    print(f"{len(PRESETS)} presets go on in another process after each of {ITERATIONS} iterations, bit by bit")


def survive_kills(worker, digests, kills, chance):
    run = Survival(worker, digests)
    begun = time.monotonic()
    Run(worker, str(run.folder)).finish()
    whole = time.monotonic() - begun
    run.close()
    run.fresh()
    done = incomplete = finished = 0
    while done < kills:
        if run.round(chance.choice([1, 2, 3]), chance.uniform(0, whole * 0.8)):
            done += 1
            incomplete += bool(run.leftovers())
        else:
            finished += 1
    if run.saved >= 0 or finished:
        run.round(1, None)
    run.close()
    print(f"{done} kills survived, {incomplete} of them in the middle of a save; {finished} runs were done in between")


def survive_limit(worker, digests):
    """A file size limit that lets no checkpoint through: an error that says so, and the earlier one is still there."""
    run = Survival(worker, digests)
    run.round(1, 0.0)
    status, lines, err = Run(worker, str(run.folder), preexec_fn=lambda: limit(30_000)).finish()
    if status != 3 or "File too large" not in err:
        fail(f"a file size limit: expected a refused save, got {status}: {err}")
    run.check(lines)
    if run.leftovers():
        fail("a file size limit: a temporary file was left")
    run.round(1, None)
    run.close()
    print("a file size limit is an error, and the run goes on without it")


def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def survive_full_disk(worker, digests):
    """A file system with room for two checkpoints of the three that are there in the middle of a save."""
    run = Survival(worker, digests)
    mount = ["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", run.folder]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        run.close()
        print("a full disk: no file system may be mounted here, left out")
        return
    try:
        for _ in range(2):
            status, lines, err = Run(worker, str(run.folder)).finish()
            run.check(lines)
            if status != 3 or "No space left on device" not in err or run.saved < 2 or run.leftovers():
                fail(f"a full disk: expected a refused save, got {status} after iteration {run.saved}: {err}")
        subprocess.run(["mount", "-o", "remount,size=8m", run.folder], check=True)
        status, lines, err = Run(worker, str(run.folder)).finish()
        run.check(lines)
        if status != 0 or run.saved != ITERATIONS:
            fail(f"after room was made: {status}: {err}")
    finally:
        subprocess.run(["umount", run.folder], check=True)
    run.close()
    print("a full disk is an error, and the run goes on when there is room")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worker", type=Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    worker = str(options.worker.resolve())
    print(f"seed {seed}")
    survive_stops(worker)
    digests = reference(worker)
    survive_kills(worker, digests, options.kills, random.Random(seed))
    survive_limit(worker, digests)
    survive_full_disk(worker, digests)


if __name__ == "__main__":
    main()
