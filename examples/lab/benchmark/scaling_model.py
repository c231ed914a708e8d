"""A model on paper of iterations in many processes: what each process computes and sends, and how long that takes.

The exchanges are those of the code. The built-in model sums gradients in slices (GradientExchange.swift): in each step a
rank sends one slice of its sums to every other rank, adds up the slices that it receives, and sends the sum to all. Bytes
are counted as `mixgrpo plan --ranks` counts them (RankCost.swift). PyTorch's ranks add up buckets around a ring.

A message takes the network's latency, and its bytes divided by the bandwidth. A rank sends and receives at the same time,
one message after another; all ranks do so at once, and nothing else is in the network. Calls with few bytes take ⌈log₂ n⌉
messages of a rank, those with many bytes one message for each other rank.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

VALUE, NUMBER = 4, 8  # bytes of a weight, and of a reward or figure


@dataclass(frozen=True)
class Network:
    """Between any two processes. Each process has a link of its own."""

    name: str
    latency: float  # seconds of a message without bytes
    bandwidth: float  # bytes per second that a process sends; it receives as many at the same time

    @staticmethod
    def of(gigabits: float, microseconds: float) -> "Network":
        return Network(f"{gigabits:g} Gbit/s, {microseconds:g} µs", microseconds * 1e-6, gigabits * 1e9 / 8)


@dataclass(frozen=True)
class Calls:
    """Equal calls of a collective, one after another."""

    count: int
    sent: int  # bytes that this rank gives to others in one of them
    messages: int  # one after another, in one of them

    def seconds(self, network: Network) -> float:
        return self.count * (self.messages * network.latency + self.sent / network.bandwidth)


@dataclass(frozen=True)
class Method:
    """What a rank exchanges in an iteration, beside the gradients."""

    steps: int = 4  # optimizer steps
    group: int = 12
    rewards: int = 1


# ------------------------------------------------------------------------------------------------- the built-in model

BALLOT, FIGURES, OWN_FIGURES = 512, 11, 4  # Ballot.size, UpdateMetrics.sumCount, RankFigures.ownCount
VOTES, VOTES_OF_STEP = 7, 2  # RankCost.swift


def share(rank: int, ranks: int, prompts: int) -> range:
    """The places of a rank's prompts."""
    return range(rank * prompts // ranks, (rank + 1) * prompts // ranks)


def roots(own: range, prompts: int) -> int:
    """Nodes of the tree of sums whose prompts a rank holds alone: it sends the sum of each."""

    def below(first: int, width: int) -> int:
        node = range(first, min(first + width, prompts))
        if not node or node.start >= own.stop or node.stop <= own.start:
            return 0
        if own.start <= node.start and node.stop <= own.stop:
            return 1
        return below(first, width // 2) + below(first + width // 2, width // 2)

    return below(0, 1 << (prompts - 1).bit_length())


def pieces(values: int, ranks: int) -> Iterator[tuple[int, int]]:
    """The weights that are exchanged at once, and those of the widest slice: (values, width)."""
    most = max(1 << 20, ranks << 14)
    for first in range(0, values, most):
        count = min(most, values - first)
        yield count, (count - 1) // ranks + 1


def native_calls(rank: int, ranks: int, prompts: int, trained: int, method: Method) -> list[Calls]:
    """Of one rank in one iteration of the built-in model."""
    if ranks == 1:
        return []
    tree = math.ceil(math.log2(ranks))
    largest, others = -(-prompts // ranks), ranks - 1
    rewards = method.rewards * largest * method.group * NUMBER
    figures = (method.steps * largest * FIGURES + OWN_FIGURES) * NUMBER
    calls = [
        Calls(2 * (VOTES + VOTES_OF_STEP * method.steps), others * BALLOT, tree),
        Calls(1, others * rewards, tree),
        Calls(1, others * figures, tree),
    ]
    own = roots(share(rank, ranks, prompts), prompts)
    for count, width in pieces(trained, ranks):
        first = min(rank * width, count)
        mine = min(first + width, count) - first
        calls.append(Calls(method.steps, VALUE * own * (count - mine), others))
        calls.append(Calls(method.steps, VALUE * width * others, others))
    return calls


# ------------------------------------------------------------------------------------------------------------- PyTorch

BUCKET = 32 << 20  # bytes, torch/wrappers.py


def ring_calls(ranks: int, trained: int, method: Method, gathers: int) -> list[Calls]:
    """Of every rank in one iteration in PyTorch: all-reduces around a ring, and `gathers` calls for decisions and rewards."""
    if ranks == 1:
        return []
    calls = [Calls(gathers, (ranks - 1) * 3 * NUMBER, ranks - 1)]
    for first in range(0, VALUE * trained, BUCKET):
        size = min(BUCKET, VALUE * trained - first)
        calls.append(Calls(method.steps, 2 * (ranks - 1) * -(-size // ranks), 2 * (ranks - 1)))
    return calls


def sent(calls: list[Calls]) -> int:
    return sum(each.count * each.sent for each in calls)


# --------------------------------------------------------------------------------------------------------- an iteration


@dataclass(frozen=True)
class Task:
    """An iteration as one process has been measured, without an exchange."""

    name: str
    trained: int  # values
    rollout: float  # seconds for each prompt
    update: float  # seconds for each prompt, without what does not depend on the number of prompts
    step: float = 0.0  # seconds of an optimizer step, whatever the number of prompts
    step_of_ranks: float = 0.0  # the same with others: gradients are also packed and added up
    method: Method = Method()
    gathers: int | None = None  # PyTorch's; None: the built-in model

    def calls(self, rank: int, ranks: int, prompts: int) -> list[Calls]:
        if self.gathers is None:
            return native_calls(rank, ranks, prompts, self.trained, self.method)
        return ring_calls(ranks, self.trained, self.method, self.gathers)

    def exchange(self, ranks: int, prompts: int, network: Network) -> float:
        """Seconds of the rank that takes longest."""
        return max(sum(each.seconds(network) for each in self.calls(rank, ranks, prompts)) for rank in range(ranks))

    def seconds(self, ranks: int, prompts: int, network: Network) -> float:
        """Of an iteration of all ranks, which wait for the one with most prompts."""
        most = -(-prompts // ranks)
        step = self.step if ranks == 1 else self.step_of_ranks
        computing = most * (self.rollout + self.update) + self.method.steps * step
        return computing + self.exchange(ranks, prompts, network)

    def efficiency(self, ranks: int, prompts: int, network: Network) -> float:
        """The time of one process with all prompts, over the time of all ranks together."""
        return self.seconds(1, prompts, network) / (ranks * self.seconds(ranks, prompts, network))

    def tenth(self) -> float:
        """The bandwidth at which many ranks with one prompt each spend a tenth of an iteration sending, without latencies."""
        computing = self.rollout + self.update + self.method.steps * self.step_of_ranks
        return 9 * self.method.steps * 2 * VALUE * self.trained / computing
