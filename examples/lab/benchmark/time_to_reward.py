"""How long it takes to raise the reward of the shipped model to a target: PyTorch and the library, turn by turn.

    python examples/lab/benchmark/time_to_reward.py --out out/reward --page docs/time-to-a-reward.md

All arms (arms.py) align the same model with the same rewards, prompts and tuned rates. In each turn an arm trains a few
iterations; then its weights are evaluated on prompts that are never trained on. An arm has arrived at the first evaluation
whose mean of the trained rewards is the target or more. Time is processor time of rollouts and updates, on one thread;
scoring, evaluations, checkpoints and PyTorch's compilation are not counted. PyTorch runs in the mode that makes an iteration
fastest on this machine.

The same command, given again after it was ended, goes on where it stood. OUT holds a file of each run. Written:
OUT/reward.json, PAGE and, beside it, pictures/time-to-a-reward.svg.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy and PyTorch are loaded

import results  # noqa: E402
import reward_page  # noqa: E402
import torch  # noqa: E402
from arms import ARMS, Arm, LibraryTrainer, TorchTrainer, check_velocity, timed_iteration  # noqa: E402
from torch_flux import MODES  # noqa: E402
from world_task import HELD_OUT, TRAINED, WorldTask  # noqa: E402

# PyTorch's modes that can train: AdamW rounds most steps of weights in bfloat16 away.
TRAINING_MODES = [name for name, mode in MODES.items() if not mode.half_weights]


@dataclass
class Progress:
    """One arm with one seed."""

    settings: str
    # Of each iteration.
    seconds: list[float] = field(default_factory=list)
    # Names of the arms that took turns with this one.
    together: list[str] = field(default_factory=list)
    # Evaluations: iteration, seconds until then, and the mean of each reward; the held-out ones at the end.
    points: list[dict] = field(default_factory=list)

    def is_finished(self, options: argparse.Namespace) -> bool:
        return bool(self.points) and is_end(self.points[-1], options)


def is_end(point: dict, options: argparse.Namespace) -> bool:
    """Whether the target or the last iteration is reached."""
    reached = statistics.fmean(point[name] for name in TRAINED) >= options.target
    return reached or point["iteration"] >= options.iterations


class Run:
    """Trains an arm turn by turn, and keeps what a continuation needs after each."""

    def __init__(self, task: WorldTask, arm: Arm, seed: int, mode: str, options: argparse.Namespace):
        self.task, self.arm, self.seed, self.options = task, arm, seed, options
        self.path = options.out / "runs" / f"{arm.name}-seed{seed}.json"
        self.folder = self.path.with_suffix("")
        self.progress = self._stored(mode)
        if self.progress.is_finished(options):
            return
        self.trainer = TorchTrainer(task, arm, seed, mode) if arm.torch else LibraryTrainer(task, arm, seed)
        if self.progress.seconds:
            self.trainer.load(self.folder / str(len(self.progress.seconds)))

    def _stored(self, mode: str) -> Progress:
        options = self.options
        settings = (
            f"{self.arm.settings}, seed {self.seed}, target {options.target}, at most {options.iterations} iterations"
        )
        settings += f", every {options.every}" + (f", {mode}" if self.arm.torch else "")
        if not self.path.exists():
            return Progress(settings)
        progress = Progress(**json.loads(self.path.read_text()))
        if progress.settings != settings:
            raise SystemExit(f"error: {self.path} is of a run with other settings; remove it, or choose another --out")
        return progress

    def turn(self) -> None:
        progress = self.progress
        if not progress.points:
            progress.points.append(self._evaluate())
        for _ in range(self.options.every):
            iteration = len(progress.seconds)
            progress.seconds.append(timed_iteration(self.trainer, self.task, iteration, self.seed))
        progress.points.append(self._evaluate())
        self._save()
        figures = ", ".join(f"{name} {value:.4g}" for name, value in progress.points[-1].items())
        print(f"{self.arm.name} seed {self.seed}: {figures}", flush=True)

    def _evaluate(self) -> dict:
        images = self.task.draw(self.trainer.weights())
        count, seconds = len(self.progress.seconds), sum(self.progress.seconds)
        point = {"iteration": count, "seconds": seconds, **self.task.score(images, TRAINED)}
        return point | self.task.score(images, HELD_OUT) if is_end(point, self.options) else point

    def _save(self) -> None:
        """The figures name the checkpoint that they belong to: older ones go when the figures are written."""
        count = len(self.progress.seconds)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.progress.is_finished(self.options):
            self.trainer.save(self.folder / str(count))
        write_json(self.path, asdict(self.progress))
        for old in self.folder.glob("*/*"):
            if old.parent.name != str(count) or self.progress.is_finished(self.options):
                old.unlink()
        for old in self.folder.iterdir():
            if not any(old.iterdir()):
                old.rmdir()


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".new").write_text(json.dumps(content, indent=1) + "\n")
    path.with_suffix(".new").replace(path)


def time_modes(task: WorldTask, options: argparse.Namespace) -> dict[str, float]:
    """Processor seconds of an iteration of MixGRPO in each of PyTorch's modes, which take turns; stored."""
    path = options.out / "modes.json"
    if path.exists():
        return json.loads(path.read_text())
    arm = next(arm for arm in ARMS if arm.name == "torch-mixgrpo")
    laps = {mode: [] for mode in TRAINING_MODES}
    trainers = {mode: TorchTrainer(task, arm, 0, mode) for mode in TRAINING_MODES}
    for iteration in range(3):
        for mode, trainer in trainers.items():
            laps[mode].append(timed_iteration(trainer, task, iteration, 0))
            print(f"PyTorch, {mode}: {laps[mode][-1]:.2f} s", flush=True)
    found = {mode: statistics.median(seconds) for mode, seconds in laps.items()}
    write_json(path, found)
    return found


def run_all(task: WorldTask, chosen: list[Arm], mode: str, options: argparse.Namespace) -> list[dict]:
    """Seed by seed; the arms of a seed take turns until each has finished."""
    found = []
    for seed in range(1, options.seeds + 1):
        runs = [Run(task, arm, seed, mode, options) for arm in chosen]
        begun = [run.arm.name for run in runs if not run.progress.is_finished(options)]
        for run in runs:
            if run.arm.name in begun:
                run.progress.together = sorted({*run.progress.together, *begun})
        while left := [run for run in runs if not run.progress.is_finished(options)]:
            for run in left:
                run.turn()
        found += [{"arm": run.arm.name, "seed": seed, **asdict(run.progress)} for run in runs]
    return found


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/reward"))
    parser.add_argument("--page", type=Path, help="the page to write (OUT/time-to-a-reward.md)")
    parser.add_argument("--arms", default=",".join(arm.name for arm in ARMS), help="names, separated by commas")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm, with seeds 1, 2, …")
    parser.add_argument("--target", type=float, default=0.78, help="mean of the trained rewards")
    parser.add_argument("--every", type=int, default=2, help="iterations between evaluations")
    parser.add_argument("--iterations", type=int, default=60, help="an arm that has not arrived by then ends")
    parser.add_argument("--mode", choices=TRAINING_MODES, help="of PyTorch, in place of the fastest")
    options = parser.parse_args(arguments)
    options.page = options.page or options.out / "time-to-a-reward.md"
    if unknown := set(options.arms.split(",")) - {arm.name for arm in ARMS}:
        parser.error(f"--arms: expected {', '.join(arm.name for arm in ARMS)}, got {', '.join(sorted(unknown))}")
    for name in ("seeds", "every", "iterations"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: expected at least 1, got {getattr(options, name)}")
    return options


def main(arguments: list[str] | None = None):
    options = parse(arguments)
    results.pyplot()  # fails now, not at the end, without matplotlib
    torch.set_num_threads(1)
    task = WorldTask()
    modes = {} if options.mode else time_modes(task, options)
    mode = options.mode or min(modes, key=modes.get)
    print(
        f"PyTorch runs in the mode {mode}: relative error of the velocity {check_velocity(task, mode):.1e}", flush=True
    )
    chosen = [arm for arm in ARMS if arm.name in options.arms.split(",")]
    runs = run_all(task, chosen, mode, options)
    summary = {
        "processor": processor(),
        "torch": torch.__version__,
        "mode": mode,
        "modes": modes,
        "target": options.target,
        "seeds": options.seeds,
        "every": options.every,
        "iterations": options.iterations,
        "arms": {arm.name: arm.label for arm in chosen},
        "runs": runs,
    }
    write_json(options.out / "reward.json", summary)
    reward_page.write(summary, options.page)
    print(f"written: {options.page}", file=sys.stderr)


if __name__ == "__main__":
    main()
