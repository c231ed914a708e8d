"""Compares rollout and update with PyTorch in one run: both sides take turns; medians and ratios are reported.

    python examples/lab/benchmark/compare_torch.py --benchmark .build/release/benchmark --out out

Both sides run the same model with the same weights (their velocities are compared first), the same numbers of steps, samples
and optimizer steps, and the same number of threads. Neither keeps the state that undoing an update needs. Each is a process
that sleeps while the other one works. They take turns, so that other load on the machine affects both. PyTorch runs in up to
five ways:

    compile           a step of all samples in one call, torch.compile, no_grad in the rollout, fused AdamW
    eager             the same without torch.compile
    one-by-one        every sample on its own, as public trainers do
    compile-autocast  as compile, products in bfloat16 by torch.autocast
    compile-bf16      as compile, with all weights in bfloat16: AdamW then rounds most of its steps away

The rollout and the update of an iteration are also measured separately. PyTorch's iteration costs the same wherever the window
is. Ours falls linearly as the window moves, so the iteration with the window at 10, the middle of the paper's sweep from 0 to
20, is the mean of the sweep.

A way of PyTorch that fails, such as one that torch.compile cannot build, is skipped, and the table says why; eager and
compile in float32 must work.

A ratio is the median over the rounds of PyTorch's time over ours in the same round. Written: bench.json, bench.md, bench.png.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

import results

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    name: str
    arguments: str
    # Limits of a turn: a short call is repeated, and its median counts.
    turn_seconds: float
    rounds: dict[str, int]  # for each model
    # PyTorch's ways in all rounds, and those only in the first.
    against: tuple[str, ...] = ("compile",)
    others: tuple[str, ...] = ()


# Our ways: as compared, with nothing shared, with the state that undoing an update needs (the default), and with products of
# bfloat16 factors.
OURS = {"ours": "", "unshared": " --unshared", "undo": " --undo", "ours-bf16": " --bfloat16"}
HALF = ("ours-bf16", "compile-autocast", "compile-bf16")
CASES = [
    Case("forward1", "forward --batch 1", 0.4, {"S": 9, "between": 7, "M": 5}, ("eager", "compile")),
    Case("forward12", "forward --batch 12", 0.8, {"S": 9, "between": 7, "M": 5}, ("compile", *HALF), ("eager",)),
    Case(
        "forward_backward12",
        "forward-backward --batch 12",
        0.8,
        {"S": 9, "between": 5, "M": 3},
        ("compile", *HALF),
        others=("eager",),
    ),
    Case(
        "window0",
        "iteration --window 0",
        0,
        {"S": 15, "between": 3, "M": 3},
        ("unshared", "compile"),
        others=("undo", "eager", "one-by-one"),
    ),
    Case("window10", "iteration --window 10", 0, {"S": 15, "between": 3, "M": 3}, ("compile", *HALF)),
    Case("window20", "iteration --window 20", 0, {"S": 5, "between": 2, "M": 1}),
    Case("flash", "iteration --window 10 --flash 0.4", 0, {"S": 5, "between": 2, "M": 1}),
    Case("flash_star", "iteration --window 0 --flash 0.2", 0, {"S": 5, "between": 2, "M": 1}),
]


class SideError(Exception):
    """A side cannot do what it was asked."""


# PyTorch's ways that every table and figure needs.
NEEDED = ("compile", "eager")


class Side:
    """A process that reads lines of arguments and answers with lines of JSON."""

    def __init__(self, command: list[str], prefix: str = ""):
        self.prefix = prefix
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        answer = (
            json.loads(line) if line else {"error": f"{self.process.args}: ended with status {self.process.wait()}"}
        )
        if "error" in answer:
            raise SideError(answer["error"])
        return answer

    def ask(self, arguments: str) -> dict:
        try:
            print(f"{self.prefix}{arguments}", file=self.process.stdin, flush=True)
        except BrokenPipeError:  # the process has ended; `answer` says so
            pass
        return self.answer()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def start_sides(model: str, folder: Path, options) -> tuple[dict[str, Side], dict[str, float]]:
    """Our side and PyTorch's for one model, and how far the velocity of each of PyTorch's differs from ours in float32."""
    subprocess.run([options.benchmark, "export", model, folder], check=True)
    ours = {name: Side([options.benchmark, "serve"], prefix=f"{model} ") for name in OURS}
    modes = ["compile", "eager", "compile-autocast", "compile-bf16"]
    modes += ["one-by-one"] if model in options.one_by_one else []
    worker = [sys.executable, str(HERE / "torch_worker.py"), str(folder)]
    sides = {mode: Side([*worker, mode, str(options.threads)]) for mode in modes}
    errors = {}
    for mode in modes:
        try:
            errors[mode] = sides[mode].answer()["error_of_velocity"]
        except SideError as error:
            leave_out(mode, sides, f"{model}, {mode}", error, options)
    return {**ours, **sides}, errors


def leave_out(name: str, sides: dict[str, Side], what: str, error: SideError, options):
    """Goes on without a way of PyTorch that has failed. Raises `error` for a side that is needed."""
    if name in OURS or name in NEEDED:
        raise error
    options.left_out.append(f"{what}: {(str(error).strip() or 'no reason given').splitlines()[0]}")
    print(f"{what} is left out: {error}", file=sys.stderr)
    sides.pop(name).close()


def take_turns(case: Case, model: str, sides: dict[str, Side], options) -> list[dict]:
    """Round by round, each side once; a turn is a dictionary with the side's name and its answer."""
    rounds = min(case.rounds[model], options.rounds or case.rounds[model])
    arguments = f"{case.arguments} --seconds {case.turn_seconds} --repeats 100"
    turns = []
    for number in range(rounds):
        for name in ("ours", *case.against, *(case.others if number == 0 else ())):
            if name not in sides:
                continue
            own = f" --threads {options.threads}{OURS[name]}" if name in OURS else ""
            try:
                answer = sides[name].ask(arguments + own)
            except SideError as error:
                leave_out(name, sides, f"{model}, {name}, from {results.TITLES[case.name]} on", error, options)
                continue
            turns.append({"round": number, "side": name, **answer})
            print(f"{model} {case.name} round {number + 1}/{rounds}: {name} {answer['seconds']:.4g} s", file=sys.stderr)
    return turns


def compare(model: str, options) -> tuple[list[dict], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        sides, errors = start_sides(model, Path(folder), options)
        measured = []
        for index, case in enumerate(CASES):
            if turns := take_turns(case, model, sides, options):
                measured.append({"model": model, "case": case.name, "turns": turns})
            needed = {name for later in CASES[index + 1 :] for name in ("ours", *later.against, *later.others)}
            for name in sides.keys() - needed:  # this frees its memory
                sides.pop(name).close()
    return measured, errors


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def peaks(options) -> tuple[float, float]:
    """GFLOP/s of the fastest matrix product on as many threads, in float32 and in bfloat16."""
    threads = str(options.threads)
    commands = (
        [options.benchmark, "peak", "--threads", threads],
        [sys.executable, str(HERE / "torch_peak.py"), threads],
    )
    answers = (subprocess.run(command, check=True, capture_output=True).stdout for command in commands)
    return tuple(json.loads(answer)["gflop_per_second"] for answer in answers)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", default=".build/release/benchmark", help="our side")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--models", default="S,between,M", help="M takes two thirds of the time")
    parser.add_argument("--one-by-one", default="S", help="models whose samples PyTorch also runs one by one")
    parser.add_argument("--rounds", type=int, help="rounds at most")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    options.models, options.one_by_one = options.models.split(","), options.one_by_one.split(",")
    if unknown := set(options.models) - {"S", "between", "M"}:
        parser.error(f"--models: expected S, between or M, got {', '.join(unknown)}")
    if unknown := set(options.one_by_one) - {"S", "between", "M", ""}:
        parser.error(f"--one-by-one: expected S, between or M, got {', '.join(unknown)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {options.rounds}")
    if not 1 <= options.threads <= 1024:
        parser.error(f"--threads: expected 1…1024, got {options.threads}")
    return options


def check_tools(options):
    """Checks, before anything runs, that results can be written and that torch.compile finds Python's header."""
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=options.out).close()
    except OSError as error:
        raise SystemExit(f"error: --out: expected a folder to write into, got {error}") from error
    if not shutil.which(options.benchmark):
        raise SystemExit(f"error: no program {options.benchmark}; build it: swift build -c release --product benchmark")
    if not shutil.which("g++") or not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise SystemExit(
            "error: torch.compile needs a compiler and Python's header: sudo apt-get install -y g++ python3-dev"
        )


def main():
    options = parse()
    check_tools(options)
    try:
        run(options)
    except SideError as error:
        raise SystemExit(f"error: {error}") from error


def run(options):
    options.left_out = []
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: the machine is busy (load {load:.1f}): neither times nor ratios will hold", file=sys.stderr)
    measured_peaks, measured, errors = [peaks(options)], [], {}
    for model in options.models:
        found, errors[model] = compare(model, options)
        measured += found
        measured_peaks.append(peaks(options))
    summary = results.summarize(measured, *map(max, zip(*measured_peaks, strict=True)))
    summary |= {"processor": processor(), "threads": options.threads, "load": load, "velocity_error": errors}
    summary["left_out"] = options.left_out
    table = results.markdown(summary)
    print(table)  # before the files are written, so that it survives a full disk
    (options.out / "bench.md").write_text(table)
    (options.out / "bench.json").write_text(json.dumps(summary, indent=2) + "\n")
    results.draw(summary, options.out / "bench.png")


if __name__ == "__main__":
    main()
