"""What `make bench-ranks` runs: iterations, and the processes that share them out."""

from dataclasses import asdict, dataclass, replace

from scaling_model import Method

PROMPTS = 2  # of an iteration


@dataclass(frozen=True)
class Workload:
    """An iteration. The fields are arguments of ranks.c."""

    side: int  # image tokens along a side
    text: int  # text tokens
    group: int = 12
    steps: int = 25
    window: int = 4  # stochastic steps
    start: int = 10  # the first of them
    minibatches: int = 4

    @property
    def arguments(self) -> list[str]:
        return [f"{name}={value}" for name, value in asdict(self).items()]

    @property
    def method(self) -> Method:
        return Method(steps=self.minibatches, group=self.group)

    @property
    def calls(self) -> int:
        """Latents that a prompt's rollout evaluates: one for all samples up to the window's first step, then one for each."""
        return self.start + 1 + (self.steps - self.start - 1) * self.group

    @property
    def pairs(self) -> int:
        """Latents that a prompt's update evaluates forward and backward: of the window's first step one in each minibatch."""
        return self.minibatches + (self.window - 1) * self.group

    @property
    def bare(self) -> "Workload":
        """Almost nothing but two optimizer steps: they show what a step costs whatever the number of prompts."""
        return replace(self, group=2, steps=2, window=1, start=0, minibatches=2)


@dataclass(frozen=True)
class Way:
    """Processes, and what the built-in model's ranks.c takes as `collective` and `prompts`."""

    processes: int
    threads: int
    collective: str = "none"
    prompts: int = PROMPTS


# S as in the other benchmarks, with the window in the middle of its sweep. M with fewer calls of the model.
WORKLOADS = {"S": Workload(8, 16), "M": Workload(16, 32, group=4, steps=8, window=2, start=2, minibatches=2)}
ONE_OF_TWO, TWO, ONE, APART = "one of two threads", "two", "one of one thread", "two apart"
WAYS = {ONE_OF_TWO: Way(1, 2), TWO: Way(2, 1, "all"), ONE: Way(1, 1), APART: Way(2, 1, "own", PROMPTS // 2)}
BARE = {TWO: f"bare {TWO}", APART: f"bare {APART}"}  # the same ways with bare steps
