"""Random walks through the states of the C interface, compared step by step with a model of it.

Usage: walk.py [--steps N] [--seed S] [--length L]

Hypothesis makes the sequences of steps and shrinks one that fails. Each runs in a process of its own, so that a crash is a
finding like any other.
"""

import argparse
import os
import pickle
import signal
import sys
import time

import canon
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from world import STEPS, World

WEIGHTS = {
    "iteration": 3,
    "host_answer": 6,
    "host_rollout": 3,
    "host_update": 3,
    "host_update_tickets": 2,
    "host_iteration": 3,
    "hand_answer": 2,
    "hand_iteration": 3,
    "rollout": 4,
    "update": 5,
    "ticket": 3,
    "rewards": 4,
    "update_tickets": 3,
    "velocity": 2,
    "backward": 2,
    "reset_cancel": 3,
    "zero_gradients": 3,
}
# A sequence shrinks by turning steps into nothing.
NAMES = ["nothing", *(name for name in sorted(STEPS) for _ in range(WEIGHTS.get(name, 1)))]
NUMBER = st.integers(0, 63)
STEP = st.tuples(st.sampled_from(NAMES), NUMBER, NUMBER, NUMBER)
totals = {"steps": 0, "walks": 0, "started": time.monotonic(), "by_step": {}}


def tally(trace):
    """Counts what the main call of each step returned."""
    for line in trace:
        name, status = line.partition("(")[0], line.partition(" -> ")[2].partition(" -> ")[0].rpartition(": ")[2]
        succeeded, failed = totals["by_step"].get(name, (0, 0))
        totals["by_step"][name] = (succeeded + (status in ("", "0")), failed + (status not in ("", "0")))


def run(steps, out):
    """In the child: takes the steps; writes what it learned, the trace, and what failed."""
    world, failure = World(), None
    send = lambda *what: out.write(pickle.dumps(what)) and out.flush()  # noqa: E731
    try:
        for step in steps:
            send("begin", step)
            world.step(*step)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
        if not isinstance(error, AssertionError):
            import traceback

            failure += "\n" + traceback.format_exc()
    world.close()
    send("end", world.trace, failure, canon.learned)


def walk(steps):
    """Runs the steps in a child and raises what it found."""
    steps = [step for step in steps if step[0] != "nothing"]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(900)
        try:
            with os.fdopen(writing, "wb") as out:
                run(steps, out)
        finally:
            os._exit(0)
    os.close(writing)
    begun, ended = [], None
    with os.fdopen(reading, "rb") as results:
        while True:
            try:
                what = pickle.load(results)
            except EOFError:
                break
            if what[0] == "begin":
                begun.append(what[1])
            else:
                ended = what[1:]
    _, status = os.waitpid(child, 0)
    totals["steps"] += len(begun)
    totals["walks"] += 1
    if ended is None:
        totals.setdefault("found", totals["steps"])
        last = "\n  ".join(map(str, begun))
        raise AssertionError(f"the process ended with status {status:#x} in the last of these steps:\n  {last}")
    trace, failure, learned = ended
    canon.outcomes.update(learned)
    tally(trace)
    if failure is not None:
        totals.setdefault("found", totals["steps"])
        raise AssertionError(failure + "\n  " + "\n  ".join(trace))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--length", type=int, default=80)
    options = options.parse_args()
    canon.start()
    round_ = 0
    while totals["steps"] < options.steps:
        # The first example of a round is the least one, without a step.
        examples = max(20, min(250, (options.steps - totals["steps"]) // options.length))
        test = settings(
            max_examples=examples, deadline=None, database=None, print_blob=False,
            phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
        )(given(st.lists(STEP, min_size=options.length, max_size=options.length))(walk))  # fmt: skip
        try:
            seed(options.seed + round_)(test)()
        except AssertionError as error:
            print(error, file=sys.stderr)
            print(f"found after {totals.get('found')} steps; seed {options.seed}", file=sys.stderr)
            sys.exit(1)
        round_ += 1
        seconds = time.monotonic() - totals["started"]
        print(f"  {totals['steps']} steps, {len(canon.outcomes)} results compared, {seconds:.0f} s", flush=True)
    for name, (succeeded, failed) in sorted(totals["by_step"].items()):
        print(f"  {name:15} {succeeded:8} succeeded {failed:8} failed as they should")
    print(f"{totals['steps']} steps in {totals['walks']} walks, seed {options.seed}, no violation")


if __name__ == "__main__":
    main()
