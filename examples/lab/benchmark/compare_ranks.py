"""Measures iterations in one and two processes, counts what they send, and writes what that means for many processes.

    python examples/lab/benchmark/compare_ranks.py --build .build/release --out out/ranks --page docs/scaling.md

The built-in model runs in the processes of Open MPI (ranks.c over examples/mpi/mpi_collective.c). PyTorch runs in processes
over gloo (torch_ranks.py): torch_grpo.py's loop with DistributedDataParallel, and mixgrpo.torch. All take turns. A ratio is
the median over the rounds of two times of the same round.

What the callbacks of the collective have sent must equal, in every process, what scaling_model.py computes and, in the one
that sends most, what `mixgrpo plan --ranks` states. Otherwise nothing is written. Written: OUT/ranks.json, PAGE and, beside
it, pictures/scaling.svg.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import scaling_model
import scaling_page
from compare_torch import Side, SideError, processor
from rank_workloads import BARE, ONE, ONE_OF_TWO, PROMPTS, TWO, WAYS, WORKLOADS, Way, Workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ROUNDS, REPEATS, BARE_REPEATS = {"S": 7, "M": 2}, {"S": 2, "M": 1}, 5
TORCH = ("plain", "library")


# ------------------------------------------------------------------------------------------------------ the built-in model


class Native:
    """The built-in model in processes of MPI; every turn starts them anew, because those that wait would use a core."""

    def __init__(self, options: argparse.Namespace, work: Path):
        self.program, self.folders = work / "ranks", {}
        library = options.build.resolve()
        mpi = ROOT / "examples/mpi"
        sources = [HERE / "ranks.c", mpi / "mpi_collective.c"]
        flags = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O2", f"-I{ROOT / 'include'}", f"-I{mpi}"]
        links = [f"-L{library}", "-lmixgrpo", f"-Wl,-rpath,{library}"]
        subprocess.run(["mpicc", *flags, "-o", self.program, *sources, *links], check=True)
        for model in WORKLOADS:
            self.folders[model] = work / model
            subprocess.run([library / "benchmark", "export", model, self.folders[model]], check=True)

    def run(self, model: str, workload: Workload, way: Way, iterations: int) -> dict:
        command = ["mpirun", "--quiet", "--oversubscribe", "--bind-to", "none", "-n", str(way.processes), self.program]
        settings = {"model": self.folders[model], "collective": way.collective, "prompts": way.prompts}
        settings |= {"threads": way.threads, "iterations": iterations}
        arguments = [*workload.arguments, *(f"{name}={value}" for name, value in settings.items())]
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        found = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, text=True, env=os.environ | root)
        if found.returncode != 0:
            raise SystemExit(f"error: ranks ended with status {found.returncode}")
        return json.loads(found.stdout)


def check_traffic(found: dict, workload: Workload, prompts: int, what: str) -> dict:
    """The counted bytes and calls of every process, which must be those on paper."""
    ranks = found["ranks"]
    paper = [
        scaling_model.native_calls(rank, ranks, prompts, found["weights"], workload.method) for rank in range(ranks)
    ]
    expected = [scaling_model.sent(calls) for calls in paper]
    if found["bytes"] != expected:
        raise SystemExit(f"error: {what}: expected {expected} bytes on paper, counted {found['bytes']}")
    calls = [sum(each.count for each in one) for one in paper]
    if found["calls"] != calls:
        raise SystemExit(f"error: {what}: expected {calls} calls on paper, counted {found['calls']}")
    print(
        f"{what}: {ranks} processes send {[int(each) for each in found['bytes']]} bytes in {calls[0]} calls, as on paper"
    )
    return {"ranks": ranks, "prompts": prompts, "bytes": expected, "calls": calls[0]}


def plan(options: argparse.Namespace, folder: Path, ranks: int, prompts: int) -> int:
    """What `mixgrpo plan` states that the rank that sends most gives to others in an iteration."""
    lines = folder.parent / "prompts.txt"
    lines.write_text("".join(f"prompt {index}\n" for index in range(prompts)))
    command = [options.build / "mixgrpo-command", "plan", "--model", folder, "--prompts", lines, "--json"]
    numbers = {"--prompts-per-iteration": prompts, "--ranks": ranks, "--threads": 1}
    arguments = [text for name, value in numbers.items() for text in (name, str(value))]
    found = json.loads(subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout)
    return found["ranks"]["sent_bytes_per_iteration"]


def check_plan(options: argparse.Namespace, native: Native, counted: dict, weights: int) -> list[dict]:
    """Compares the plan with the count, and with the paper for more processes than run here."""
    rows = []
    for ranks, prompts in ((2, PROMPTS), (3, 5), (8, 64), (64, 64), (512, 64), (512, 512)):
        stated = plan(options, native.folders["S"], ranks, prompts)
        method = WORKLOADS["S"].method
        paper = max(
            scaling_model.sent(scaling_model.native_calls(rank, ranks, prompts, weights, method))
            for rank in range(ranks)
        )
        expected = max(counted["bytes"]) if (ranks, prompts) == (2, PROMPTS) else paper
        if not stated == expected == paper:
            raise SystemExit(f"error: plan of {ranks} ranks: expected {expected} bytes, got {stated}; on paper {paper}")
        rows.append({"ranks": ranks, "prompts": prompts, "bytes": stated})
        print(f"mixgrpo plan: {ranks} ranks, {prompts} prompts: {stated} bytes, as on paper")
    return rows


def native_turn(native: Native, model: str, number: int) -> dict[str, dict]:
    """One turn of each way, and of those with bare steps."""
    workload = WORKLOADS[model]
    found = {name: native.run(model, workload, way, REPEATS[model]) for name, way in WAYS.items()}
    found |= {label: native.run(model, workload.bare, WAYS[name], BARE_REPEATS) for name, label in BARE.items()}
    if number == 0:
        check_traffic(found[TWO], workload, PROMPTS, model)
        check_traffic(found[BARE[TWO]], workload.bare, PROMPTS, f"{model}, bare steps")
    return found


# ----------------------------------------------------------------------------------------------------------------- PyTorch


class Torch:
    """The processes of one way in PyTorch, which sleep while others work."""

    def __init__(self, folder: Path, way: str, processes: Way, mode: str, work: Path):
        store = work / f"store-{way}-{processes.processes}-{processes.threads}"
        command = [sys.executable, str(HERE / "torch_ranks.py"), str(folder), "--way", way, "--mode", mode]
        numbers = {"--threads": processes.threads, "--ranks": processes.processes, "--store": store}
        command += [str(word) for pair in numbers.items() for word in pair]
        self.sides = [Side([*command, "--rank", str(rank)]) for rank in range(processes.processes)]

    def wait(self) -> dict:
        """What the first process says of its model, when all are ready."""
        return [side.answer() for side in self.sides][0]

    def run(self) -> dict:
        for side in self.sides:
            print("iteration --repeats 2", file=side.process.stdin, flush=True)
        answers = [side.answer() for side in self.sides]
        times = {
            part: [max(each) for each in zip(*(answer[part] for answer in answers), strict=True)]
            for part in ("rollout", "update")
        }
        return {**times, "bytes": [each["bytes"] for each in answers], "gathers": answers[0]["gathers"]}

    def close(self):
        for side in self.sides:
            side.process.stdin.close()
        for side in self.sides:
            side.process.wait()


def start_torch(options: argparse.Namespace, native: Native, work: Path) -> tuple[dict[str, dict[str, Torch]], dict]:
    """The ways in PyTorch with their processes, and what those of DDP say."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    sides = {
        way: {name: Torch(native.folders["S"], way, WAYS[name], options.mode, work) for name in (ONE_OF_TWO, TWO, ONE)}
        for way in TORCH
    }
    facts = [side.wait() for kinds in sides.values() for side in kinds.values()]
    return sides, facts[0]


def check_torch_traffic(turn: dict, weights: int) -> dict:
    """Bytes on the sockets of the loop with DDP, which are a ring's and some headers."""
    paper = scaling_model.sent(scaling_model.ring_calls(2, weights, WORKLOADS["S"].method, gathers=0))
    if any(not paper <= counted <= 1.001 * paper for counted in turn["bytes"]):
        raise SystemExit(f"error: DDP: expected {paper} bytes on its sockets, counted {turn['bytes']}")
    print(f"DDP: 2 processes send {turn['bytes']} bytes through their sockets, a ring's {paper} and headers")
    return {"bytes": turn["bytes"], "paper": paper}


# --------------------------------------------------------------------------------------------------------------------- run


def measure(options: argparse.Namespace, work: Path) -> dict:
    native = Native(options, work)
    traffic = count_traffic(options, native)
    sides, facts = start_torch(options, native, work)
    rounds = {model: min(count, options.rounds or count) for model, count in ROUNDS.items()}
    turns: dict[str, list] = {kind: [] for kind in (*WORKLOADS, *TORCH)}
    for number in range(rounds["S"]):
        turns["S"].append(native_turn(native, "S", number))
        for way, kinds in sides.items():
            turns[way].append({name: side.run() for name, side in kinds.items()})
        print(f"round {number + 1} of {rounds['S']}", file=sys.stderr)
    traffic["ddp"] = check_torch_traffic(turns["plain"][0][TWO], facts["weights"])
    for side in (side for kinds in sides.values() for side in kinds.values()):
        side.close()
    turns["M"] += [native_turn(native, "M", number) for number in range(rounds["M"])]
    return {"turns": turns, "traffic": traffic, "torch": facts["torch"], "mode": options.mode}


def count_traffic(options: argparse.Namespace, native: Native) -> dict:
    """More processes than cores: only what they send is of use."""
    bare = WORKLOADS["S"].bare
    many = [
        check_traffic(native.run("S", bare, Way(ranks, 1, "all", prompts), 1), bare, prompts, "S, bare steps")
        for ranks, prompts in ((3, 5), (4, 8), (8, 3))
    ]
    found = native.run("S", WORKLOADS["S"], WAYS[TWO], 1)
    two = check_traffic(found, WORKLOADS["S"], PROMPTS, "S")
    return {"two": two, "many": many, "plan": check_plan(options, native, two, found["weights"])}


def machine() -> dict:
    """What the system says of its processors; a virtual machine does not see which of them share a core."""
    listed = subprocess.run(["lscpu"], stdout=subprocess.PIPE, text=True, env=os.environ | {"LC_ALL": "C"}).stdout
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in listed.splitlines())}
    version = subprocess.run(["mpirun", "--version"], stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]
    return {
        "processor": f"{processor()} (family {facts.get('CPU family')}, model {facts.get('Model')})",
        "cpus": os.cpu_count(),
        "threads_per_core": facts.get("Thread(s) per core", "an unknown number of"),
        "mpi": version.replace("mpirun (Open MPI)", "Open MPI"),
        "load": os.getloadavg()[0],
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / ".build/release", help="folder of library and programs")
    parser.add_argument("--out", type=Path, default=Path("out/ranks"), help="folder for the figures")
    parser.add_argument("--page", type=Path, help="the page to write (OUT/scaling.md)")
    parser.add_argument("--mode", choices=["compile", "eager"], default="compile", help="of PyTorch")
    parser.add_argument("--rounds", type=int, help="rounds at most")
    parser.add_argument(
        "--from", dest="figures", type=Path, help="write the page from these figures, without measuring"
    )
    options = parser.parse_args(arguments)
    options.page = options.page or options.out / "scaling.md"
    return options


def check_tools(options: argparse.Namespace):
    for program in ("mpicc", "mpirun"):
        if not shutil.which(program):
            raise SystemExit(f"error: no {program}: install Open MPI (apt-get install libopenmpi-dev openmpi-bin)")
    for name in ("libmixgrpo.so", "benchmark", "mixgrpo-command"):
        if not (options.build / name).exists():
            raise SystemExit(f"error: --build: expected {name} in {options.build}, got none")
    if os.getloadavg()[0] > 0.5:
        print(f"warning: the machine is busy (load {os.getloadavg()[0]:.1f}): times will not hold", file=sys.stderr)


def main(arguments: list[str] | None = None):
    options = parse(arguments)
    if options.figures:
        summary = json.loads(options.figures.read_text())
    else:
        check_tools(options)
        facts = machine()
        with tempfile.TemporaryDirectory() as folder:
            summary = {"machine": facts, **measure(options, Path(folder))}
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "ranks.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(scaling_page.write(summary, options.page))


if __name__ == "__main__":
    try:
        main()
    except SideError as error:
        raise SystemExit(f"error: {error}") from error
