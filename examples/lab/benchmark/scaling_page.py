"""The page of how iterations scale: what was measured with two processes, and what that means for many on paper."""

import statistics
from pathlib import Path

import results
from rank_workloads import APART, ONE, ONE_OF_TWO, PROMPTS, TWO, WORKLOADS
from scaling_model import VALUE, Network, Task, sent
from scaling_tasks import FLUX_LORA, FLUX_ROLLOUT, FLUX_UPDATE, Measured, network, prediction, seconds, task, tasks

NETWORKS = (Network.of(100, 5), Network.of(25, 20), Network.of(1, 100))
RANKS = (8, 64, 512)
FIXED = 64  # prompts of an iteration whose number does not grow with the processes

ROWS = {
    "S": "the library, S",
    "M": "the library, M with fewer calls",
    "plain": "PyTorch with DDP, S",
    "library": "`mixgrpo.torch`, S",
}

MODES = {
    "compile": "with torch.compile",
    "eager": "eager (`--mode eager`), which takes [1.4 times](../examples/lab/benchmark/README.md#half-precision) as long "
    "as torch.compile on one thread",
}

INTRODUCTION = """\
Processes share out the prompts of an iteration. Rollouts exchange almost nothing. In each optimizer step of an update, each
of n processes sends 2(n−1)/n times the bytes of the trained weights ([why](guides/several-gpus.md#what-it-costs)). One and
two processes were measured here; 8 and more are computed. `make bench-ranks` measures it and writes this page."""

MEASURED = """\
## Measured: one and two processes

Seconds of an iteration with {prompts} prompts, on two CPUs. Medians of the rounds, also of the ratios. Over the rounds the
time of two processes over that of two threads was {least:.2f} to {most:.2f} for S: smaller differences mean nothing."""

TRAFFIC = """\
PyTorch with DDP is a plain loop of the same method. It evaluates each sample of a group in all steps; the library evaluates
latents that a group shares once, here and in `mixgrpo.torch`. PyTorch runs {mode}.

**Traffic.** In an iteration of S each process sends {plan:,} bytes by `mixgrpo plan --ranks 2`, and {counted:,} counted in
the callbacks of its collective, {factor:.2f} times the weights in each of {steps} steps. The benchmark writes nothing when
they differ. Counts also agree for {counts} processes, and plans for {plans}. DDP sends {ddp:,} bytes through its sockets; a
ring needs {ring:,}."""

PAPER = """\
## On paper: many processes

Efficiency: the time of one process with all prompts, over n times that of n processes. On the left every iteration has
{fixed} prompts. On the right it has one for each process, the fewest that keep all busy."""

LIMITS = """\
## What limits

- **Whole groups.** A process takes whole prompts, so {fixed} prompts keep {fixed} processes busy at most, on any network.
- **The update's exchange** does not shrink when there are more processes, and every optimizer step waits for it. With one
  prompt for each process it takes a tenth of an iteration at {tenths}, without latencies. With p prompts for each process
  1/p of that is enough; fewer optimizer steps and adapters also need less.
- **Latency and votes.** For sums that have the same bits with any number of processes, each process sends a slice to every
  other one, twice in a step. A ring has as many messages. With {many} processes S has {messages:,} messages in an
  iteration, {waiting} at {latency:.0f} µs. Votes take {votes:.1f} MB of the {sent:.1f} MB that a process then sends.
- **Not the rollout.** It is {rollout} of the computation of one prompt, and exchanges only votes and rewards."""

CONDITIONS = """\
## How it was measured

- {processor}, {cpus} virtual CPUs. The system reports {threads_per_core} thread for each core; a virtual machine cannot
  check that. Two processes of S that exchange nothing take {shared:.2f} times as long for each prompt as one process alone
  on the machine.
- {mpi} through shared memory: a call with 512 bytes took {small:.1f} µs, and 1 MiB went at {bandwidth:.1f} GB/s. PyTorch
  {torch} over gloo and the loopback device, fused AdamW, whole batches.
- S: 2.3 million weights, groups of 12, 25 steps, a window of 4 at step 10, four optimizer steps. M: 40 million weights, and
  an iteration small enough to be measured: groups of 4, 8 steps, a window of 2 at step 2, two optimizer steps. No update
  can be undone.
- {rounds} rounds of S and {rounds_m} of M, in each of which all took a turn. Load of the machine before it began: {load:.1f};
  the benchmark ran at nice {nice}.

## How it was computed

- [scaling_model.py](../examples/lab/benchmark/scaling_model.py) takes the seconds of two processes that exchange nothing,
  and bytes and messages as the code sends them. Every process has a link of its own; where several share one, divide its
  bandwidth.
- A process of S or M is one thread of the processor above. M has the calls of S's iteration.
- Beside the network, an optimizer step of S takes {step} in each of two processes that exchange nothing, and {step_of_ranks} in
  each of two that train together, which also pack and add up gradients. That limits S on the fastest network.
- It gives the times of two processes on this machine with these errors: {checks}.
- FLUX: its size in bfloat16, one H200 for each process, LoRA of rank 32 in float32 ({values:.0f} million values),
  {flux_rollout} s of rollout and {flux_update} s of update for each prompt, as
  [measured on one GPU](../examples/lab/benchmark/README.md#on-a-gpu). PyTorch's ring, and {gathers} small gathers of
  decisions in an iteration, as counted above.
- Left out: rewards, congestion, processes that are slower than others, and exchanges that overlap with a backward."""


def markdown(summary: dict, picture: Path) -> str:
    found = Measured(summary)
    on_paper = tasks(found)
    parts = [
        ["# How it scales"],
        [INTRODUCTION],
        [measured(found)],
        measured_table(found),
        [traffic(summary["traffic"], found, MODES[summary["mode"]])],
        [PAPER.format(fixed=FIXED)],
        paper_table(on_paper),
        [f"![efficiency over the number of processes]({picture})"],
        [limits(on_paper)],
        [conditions(summary, found)],
    ]
    return "\n\n".join(results.wrapped("\n".join(part)) for part in parts) + "\n"


def measured(found: Measured) -> str:
    ratios = [seconds(turn[TWO]) / seconds(turn[ONE_OF_TWO]) for turn in found.turns["S"]]
    return MEASURED.format(prompts=PROMPTS, least=min(ratios), most=max(ratios))


def traffic(counts: dict, found: Measured, mode: str) -> str:
    stated, steps = counts["plan"][0]["bytes"], WORKLOADS["S"].minibatches
    return TRAFFIC.format(
        mode=mode,
        plan=stated,
        counted=max(counts["two"]["bytes"]),
        factor=stated / steps / VALUE / found.first("S", TWO)["weights"],
        steps=steps,
        counts=listed([str(each["ranks"]) for each in counts["many"]]),
        plans=listed(sorted({str(each["ranks"]) for each in counts["plan"][1:]}, key=int)),
        ddp=max(counts["ddp"]["bytes"]),
        ring=counts["ddp"]["paper"],
    )


def listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def measured_table(found: Measured) -> list[str]:
    titles = ["", "one process of two threads", "two of one thread", "one of one thread"]
    titles += ["two processes over one of two threads", "one of one thread over two processes"]
    lines = ["| " + " | ".join(titles) + " |", "|---|" + "--:|" * (len(titles) - 1)]
    for kind, label in ROWS.items():
        cells = [label, *(results.duration(found.median(kind, way)) for way in (ONE_OF_TWO, TWO, ONE))]
        cells += [f"{found.ratio(kind, TWO, ONE_OF_TWO):.2f}", f"{found.ratio(kind, ONE, TWO):.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def paper_table(on_paper: list[Task]) -> list[str]:
    groups = [(f"{FIXED} prompts", lambda ranks: FIXED), ("a prompt each", lambda ranks: ranks)]
    titles = ["", "network"] + [f"{name}, n = {ranks}" for name, _ in groups for ranks in RANKS]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|" + "--:|" * (len(titles) - 2)]
    for each in on_paper:
        for link in NETWORKS:
            cells = [each.name, link.name]
            for _, prompts in groups:
                cells += [f"{100 * each.efficiency(ranks, prompts(ranks), link):.0f} %" for ranks in RANKS]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def gigabits(bandwidth: float) -> str:
    return f"{bandwidth * 8e-9:.2g} Gbit/s"


def limits(on_paper: list[Task]) -> str:
    small, many, link = on_paper[0], RANKS[-1], NETWORKS[-1]
    calls = small.calls(0, many, many)
    messages = sum(each.count * each.messages for each in calls)
    shares = [each.rollout / (each.rollout + each.update) for each in on_paper]
    return LIMITS.format(
        fixed=FIXED,
        tenths=listed([f"{gigabits(each.tenth())} ({each.name})" for each in on_paper]),
        many=many,
        messages=messages,
        waiting=results.duration(messages * link.latency),
        latency=link.latency * 1e6,
        votes=calls[0].count * calls[0].sent * 1e-6,
        sent=sent(calls) * 1e-6,
        rollout=f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %",
    )


def conditions(summary: dict, found: Measured) -> str:
    link, small = network(found), task(found, "S")
    checks = [
        f"{100 * prediction(found, model, base):+.1f} % ({model}, from {name})"
        for base, name in ((APART, "two processes that exchange nothing"), (ONE, "one process alone"))
        for model in ("S", "M")
    ]
    return CONDITIONS.format(
        **summary["machine"],
        shared=statistics.median(PROMPTS * seconds(turn[APART]) / seconds(turn[ONE]) for turn in found.turns["S"]),
        small=link.latency * 1e6,
        bandwidth=link.bandwidth * 1e-9,
        torch=summary["torch"],
        rounds=len(found.turns["S"]),
        step=results.duration(small.step),
        step_of_ranks=results.duration(small.step_of_ranks),
        rounds_m=len(found.turns["M"]),
        checks=listed(checks),
        values=FLUX_LORA * 1e-6,
        flux_rollout=FLUX_ROLLOUT,
        flux_update=FLUX_UPDATE,
        gathers=found.first("library", TWO)["gathers"],
    )


# --------------------------------------------------------------------------------------------------------------- figure

COLOURS = ("#17497f", "#4f8fcd", "#c9822b")


def write(summary: dict, page: Path) -> str:
    """Writes the page and its picture; the text of the page."""
    picture = page.parent / "pictures" / "scaling.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    text = markdown(summary, picture.relative_to(page.parent))
    page.write_text(text)
    draw(tasks(Measured(summary)), picture)
    return text


def draw(on_paper: list[Task], path: Path):
    """A panel for each task: solid lines for one prompt for each process, dotted lines for a fixed number of prompts."""
    plt = results.pyplot()
    figure, panels = plt.subplots(1, len(on_paper), figsize=(9.6, 3.6), sharey=True, layout="constrained")
    ranks = [1 << power for power in range(10)]
    for axes, each in zip(panels, on_paper, strict=True):
        for link, colour in zip(NETWORKS, COLOURS, strict=True):
            weak = [100 * each.efficiency(count, count, link) for count in ranks]
            strong = [100 * each.efficiency(count, FIXED, link) for count in ranks]
            axes.plot(ranks, weak, color=colour, linewidth=1.5, label=link.name)
            axes.plot(ranks, strong, color=colour, linewidth=1.2, linestyle=":")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, *RANKS], [str(count) for count in (1, *RANKS)])
        axes.set_ylim(0, 105)
        axes.set_xlabel("processes")
        axes.set_title(each.name, loc="left", fontsize=10, fontweight="bold")
        results.plain(axes, grid="both")
    panels[0].set_ylabel(f"efficiency, %\nsolid: a prompt for each; dotted: {FIXED} prompts")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
