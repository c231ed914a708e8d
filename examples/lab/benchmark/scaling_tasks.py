"""What `make bench-ranks` measured, as tasks of the model on paper."""

import statistics
from dataclasses import replace

from rank_workloads import APART, BARE, PROMPTS, TWO, WAYS, WORKLOADS
from scaling_model import Network, Task

# One H200: the row "MixGRPO, window at 10, shared" of README.md.
FLUX_ROLLOUT, FLUX_UPDATE = 18.9, 15.9
# Factors of rank 32 for to_q, to_k and to_v of 57 blocks and to_out.0 of 19, each 3072 x 3072.
FLUX_LORA = (3 * 57 + 19) * 2 * 3072 * 32


def seconds(turn: dict, part: str | None = None) -> float:
    """The median iteration of a turn, or its rollout or update."""
    if part:
        return statistics.median(turn[part])
    return statistics.median(rollout + update for rollout, update in zip(turn["rollout"], turn["update"], strict=True))


class Measured:
    """The turns of a way in all rounds."""

    def __init__(self, summary: dict):
        self.turns = summary["turns"]

    def median(self, kind: str, way: str, part: str | None = None) -> float:
        return statistics.median(seconds(turn[way], part) for turn in self.turns[kind])

    def ratio(self, kind: str, over: str, under: str) -> float:
        return statistics.median(seconds(turn[over]) / seconds(turn[under]) for turn in self.turns[kind])

    def first(self, kind: str, way: str) -> dict:
        return self.turns[kind][0][way]


def network(found: Measured) -> Network:
    """Of this machine's processes, from the probes of all turns of S."""
    probes = [turn[TWO]["probe"] for turn in found.turns["S"]]
    small, large = (statistics.median(probe[size] for probe in probes) for size in ("512", "1048576"))
    return Network("this machine", small, (1 << 20) / max(large - small, 1e-9))


def task(found: Measured, model: str, base: str = APART) -> Task:
    """The iteration that was measured, with the seconds of processes that exchange nothing."""
    workload, prompts, weights = WORKLOADS[model], WAYS[base].prompts, found.first(model, base)["weights"]
    bare, steps = workload.bare, workload.minibatches
    # Two updates, of which one has hardly more than its steps: pairs · pair + steps · step.
    apart, apart_bare = (found.median(model, way, "update") for way in (APART, BARE[APART]))
    fewer = steps / bare.minibatches
    pair = max(0.0, (apart - fewer * apart_bare) / (workload.pairs - fewer * bare.pairs))
    step = max(0.0, (apart_bare - bare.pairs * pair) / bare.minibatches)
    exchange = Task("", weights, 0, 0, method=bare.method).exchange(2, PROMPTS, network(found))
    step_of_ranks = (found.median(model, BARE[TWO], "update") - exchange - bare.pairs * pair) / bare.minibatches
    rollout, update = (found.median(model, base, part) for part in ("rollout", "update"))
    update = max(0.0, update - steps * step)
    return Task(
        model, weights, rollout / prompts, update / prompts, step, max(step, step_of_ranks), method=workload.method
    )


def tasks(found: Measured) -> list[Task]:
    """Iterations of S, of M with the calls of S, and of FLUX's size."""
    small, medium = task(found, "S"), task(found, "M")
    whole, fewer = WORKLOADS["S"], WORKLOADS["M"]
    scaled = replace(
        medium,
        rollout=medium.rollout * whole.calls / fewer.calls,
        update=medium.update * whole.pairs / fewer.pairs,
        method=whole.method,
    )
    gathers = found.first("library", TWO)["gathers"]
    return [small, scaled, Task("FLUX, LoRA", FLUX_LORA, FLUX_ROLLOUT, FLUX_UPDATE, gathers=gathers)]


def prediction(found: Measured, model: str, base: str) -> float:
    """The time of two processes on paper over the measured one, less 1."""
    expected = task(found, model, base).seconds(2, PROMPTS, network(found))
    return expected / found.median(model, TWO) - 1
