"""The page of a race to a reward: table, curves and factors."""

import statistics
from pathlib import Path

import results
from arms import FACTORS, LORA_RATE
from world_task import HELD_OUT, TRAINED

DANCE, MIX = "torch-dance", "torch-mixgrpo"
MODE_NAMES = {
    "eager": "float32",
    "compile": "float32 with torch.compile",
    "autocast": "bfloat16 autocast",
    "compile-autocast": "bfloat16 autocast with torch.compile",
}


INTRODUCTION = """\
This page compares the processor time that it takes to raise the mean of the two trained rewards of the shipped model to
{target}, on prompts that are never trained on, in PyTorch and in this library. `make bench-reward` wrote this page."""

ABOUT_FACTORS = """
A factor below 1 is a loss. Kernels and sharing are the library's. They change how fast an iteration is and not what it
computes, so differences in their numbers of iterations are chance. Flash* and the window are settings that a loop in PyTorch
can have, too; the last row has them on both sides. So can LoRA, which was not run in PyTorch here."""

CONDITIONS = """\
## How it was measured

- One thread of {processor}, in turns of {every} iterations. The machine is shared, so the time is processor time. It is that
  of rollouts and updates; scoring, evaluations, checkpoints and PyTorch's compilation are not counted for any row.
- PyTorch {torch}: all samples of a step in one call, fused AdamW, in the mode that is fastest on this processor among those
  that can train all weights: {chosen}.{each}
- Rows without LoRA train all weights of the shipped model (2.3 million). An iteration has one prompt, 12 samples, 25 steps and
  four optimizer steps. Task, rewards and rates are those of [the methods compared](../examples/lab/compare/README.md), where
  every method was tuned with equal effort, on another seed; the rate is 8e-5 for all of them here, and {lora_rate:g} with
  LoRA. For the window of one step neither was tuned.
- The library keeps its defaults: it can undo an update, and checks how far an update changed the velocity.
- The target is reached at the first evaluation whose mean of the trained rewards is at least {target}. There is one every
  {every} iterations, with the same 30 prompts, noise and float32 evaluator for all rows. A run ends after {iterations}
  iterations.{apart}
- Before anything is timed, PyTorch's velocity is compared with the library's. Tests compare the steps, log-probabilities and
  advantages of both."""


def write(summary: dict, page: Path):
    picture = page.parent / "pictures" / "time-to-a-reward.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(markdown(summary, picture.relative_to(page.parent)))
    draw(summary, picture)


def mean_of(point: dict, names: tuple[str, ...]) -> float:
    return statistics.fmean(point[name] for name in names)


class Ends:
    """The last points of the arms' runs, a list of seeds each."""

    def __init__(self, summary: dict):
        self.target = summary["target"]
        self.points = {
            arm: [run["points"][-1] for run in summary["runs"] if run["arm"] == arm] for arm in summary["arms"]
        }

    def mean(self, arm: str, *names: str) -> float:
        return statistics.fmean(mean_of(point, names) for point in self.points[arm])

    def missed(self, arm: str) -> int:
        """Seeds that did not arrive."""
        return sum(mean_of(point, TRAINED) < self.target for point in self.points[arm])

    def sooner(self, base: str, arm: str) -> str:
        """How many times sooner an arm arrives, by the mean times; a lower bound where the base did not arrive."""
        if base not in self.points or self.missed(arm):
            return "–"
        bound = "more than " if self.missed(base) else ""
        return f"{bound}{self.mean(base, 'seconds') / self.mean(arm, 'seconds'):.1f} ×"

    def duration(self, arm: str) -> str:
        """Seconds to the target ± the standard error."""
        if count := self.missed(arm):
            return f"{count} of {len(self.points[arm])} did not arrive"
        values = [point["seconds"] for point in self.points[arm]]
        error = f" ± {statistics.stdev(values) / len(values) ** 0.5:.1f}" if len(values) > 1 else ""
        return f"{statistics.fmean(values):.1f}{error}"


# ---------------------------------------------------------------------------------------------------------------- text


def markdown(summary: dict, picture: Path) -> str:
    ends = Ends(summary)
    parts = [
        ["# Time to a reward"],
        [INTRODUCTION.format(**summary)],
        table(summary, ends),
        held_out(summary, ends),
        [f"![mean of the trained rewards over processor seconds]({picture})"],
        factors(summary, ends),
        conditions(summary),
    ]
    return "\n\n".join(results.wrapped("\n".join(part)) for part in parts) + "\n"


def table(summary: dict, ends: Ends) -> list[str]:
    titles = ["", "iterations", "s per iteration", "s to the target", "sooner than DanceGRPO in PyTorch"]
    titles += ["than MixGRPO in PyTorch", *HELD_OUT]
    lines = ["| " + " | ".join(titles) + " |", "|---|" + "--:|" * (len(titles) - 1)]
    for arm, label in summary["arms"].items():
        seconds, count = ends.mean(arm, "seconds"), ends.mean(arm, "iteration")
        cells = [label, f"{count:.1f}", f"{seconds / count:.2f}", ends.duration(arm)]
        cells += [ends.sooner(base, arm) for base in (DANCE, MIX)]
        cells += [f"{ends.mean(arm, name):.2f}" for name in HELD_OUT]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def held_out(summary: dict, ends: Ends) -> list[str]:
    """Whether an arm paid for its speed with the rewards that it was not trained on."""
    lines = [
        f'Means of {summary["seeds"]} seeds ± the standard error. Rows without "PyTorch" are the library\'s. '
        f"*{HELD_OUT[0]}* and *{HELD_OUT[1]}* are held out; they are those of the model at the target."
    ]
    if DANCE in summary["arms"]:
        base = ends.mean(DANCE, *HELD_OUT)
        means = {label: ends.mean(arm, *HELD_OUT) for arm, label in summary["arms"].items()}
        lower = [f"{label} ({mean:.2f})" for label, mean in means.items() if mean < base]
        verdict = "lower for " + ", ".join(lower) if lower else "no lower for any other row"
        lines.append(f"Their mean is {base:.2f} for DanceGRPO in PyTorch and {verdict}.")
        for name in HELD_OUT:
            alone = [f"“{label}”" for arm, label in summary["arms"].items() if is_lower(ends, arm, name)]
            lines += [f"*{name.capitalize()}* alone is lower for {' and '.join(alone)}."] if alone else []
    return lines


def is_lower(ends: Ends, arm: str, name: str) -> bool:
    """By more than the rounding of the table."""
    return ends.mean(arm, name) < ends.mean(DANCE, name) - 0.01


def factors(summary: dict, ends: Ends) -> list[str]:
    lines = [
        "## What each change brings",
        "",
        "How many times less time an iteration takes, how many times fewer iterations are needed, and both together:",
        "",
        "| change | from | to | time of an iteration | iterations | time to the target |",
        "|---|---|---|--:|--:|--:|",
    ]
    for change, base, arm in FACTORS:
        if not {base, arm} <= summary["arms"].keys():
            continue
        count = ends.mean(base, "iteration") / ends.mean(arm, "iteration")
        each = ends.mean(base, "seconds") / ends.mean(arm, "seconds") / count
        names = [change, *(summary["arms"][name] for name in (base, arm))]
        lines.append("| " + " | ".join([*names, f"{each:.2f}", f"{count:.2f}", ends.sooner(base, arm)]) + " |")
    return [*lines, ABOUT_FACTORS]


def conditions(summary: dict) -> list[str]:
    modes = ", ".join(f"{MODE_NAMES[mode]} {value:.2f} s" for mode, value in summary["modes"].items())
    chosen = MODE_NAMES[summary["mode"]]
    return [
        CONDITIONS.format(
            **summary,
            lora_rate=LORA_RATE,
            chosen=chosen,
            each=f" An iteration of MixGRPO takes: {modes}." if modes else "",
            apart=apart(summary),
        )
    ]


def apart(summary: dict) -> str:
    """An item about the arms that did not take turns with most others."""
    groups = [tuple(run["together"]) for run in summary["runs"]]
    usual = max(groups, key=len)
    names = [name for name in summary["arms"] if name not in usual]
    if not names:
        return ""
    labels = " and ".join(f"“{summary['arms'][name]}”" for name in names)
    return (
        f"\n- The rows {labels} took turns with each other after the other rows had ended. So their times compare less well "
        "with those of other rows, and so do factors between them."
    )


# --------------------------------------------------------------------------------------------------------------- figure

PALETTES = {
    True: ["#8c4a12", "#c9822b", "#dcbf95"],
    False: ["#9cc3ea", "#6ea8dc", "#4f8fcd", "#2f6fb0", "#17497f", "#3a8f6b", "#1d5c43"],
}


def draw(summary: dict, path: Path):
    """A line for each seed."""
    plt = results.pyplot()
    figure, axes = plt.subplots(figsize=(9.6, 4.2), layout="constrained")
    used = {True: 0, False: 0}
    for arm, label in summary["arms"].items():
        is_torch = arm.startswith("torch")
        colour = PALETTES[is_torch][used[is_torch] % len(PALETTES[is_torch])]
        used[is_torch] += 1
        for run in (run for run in summary["runs"] if run["arm"] == arm):
            places = [point["seconds"] for point in run["points"]]
            values = [mean_of(point, TRAINED) for point in run["points"]]
            axes.plot(places, values, color=colour, linewidth=1.2, label=label)
            axes.plot(places[-1:], values[-1:], "o", color=colour, markersize=4)
            label = None
    axes.axhline(summary["target"], color=results.INK, linewidth=1, linestyle=":")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_xlabel("processor seconds of one thread; logarithmic from 1 s")
    axes.set_title("Mean of the trained rewards", loc="left", fontsize=10, fontweight="bold")
    results.plain(axes, grid="both")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
