"""Measures the PyTorch side: reads arguments line by line and answers with a line of JSON each, as `benchmark serve` does.

Usage: torch_worker.py FOLDER MODE THREADS, with a mode of torch_flux.py or one-by-one
Lines: forward|forward-backward|rollout|iteration [--batch B] [--window L] [--flash R] [--repeats R] [--seconds S]
"""

import argparse
import json
import re
import statistics
import sys
import time
from pathlib import Path

import torch
from torch_flux import MODES, TorchFlux, exported
from torch_grpo import Settings, Trainer


def parse(line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("part", choices=["forward", "forward-backward", "rollout", "iteration"])
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--flash", type=float, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args(line.split())


def peak_bytes() -> int:
    """The most memory held at once since the process began, or since `reset_peak`."""
    return 1024 * int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])


def reset_peak():
    """Excludes the memory of compiling from the peak, where the system allows."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def prepare(flux: TorchFlux, mode: str, options: argparse.Namespace):
    """The timed function, and a warm-up that compiles and allocates everything."""
    settings = Settings(window=options.window, flash=options.flash)
    batch = options.batch if options.part.startswith("forward") else settings.group
    if mode == "one-by-one":
        batch = 1
    latents = torch.randn(batch, flux.tokens, flux.channels)
    sigma = torch.full((batch,), 0.5)

    def forward():
        with torch.no_grad():
            return flux.velocity(latents, sigma)

    def forward_backward():
        velocity = flux.velocity(latents, sigma)
        velocity.backward(velocity.detach())

    trainer = Trainer(flux, settings, one_by_one=mode == "one-by-one")
    timed = {
        "forward": forward,
        "forward-backward": forward_backward,
        "rollout": trainer.rollout,
        "iteration": trainer.iteration,
    }[options.part]
    forward()
    if options.part in ("forward-backward", "iteration"):
        forward_backward()
        flux.model.zero_grad(set_to_none=True)
    return timed


def measure(timed, options: argparse.Namespace) -> dict:
    """Runs until the repeats are done or the seconds have passed; at least once."""
    times, parts, started = [], [], time.perf_counter()
    while not times or (len(times) < options.repeats and time.perf_counter() - started < options.seconds):
        begin = time.perf_counter()
        found = timed()
        times.append(time.perf_counter() - begin)
        parts += [found] if options.part == "iteration" else []
    medians = {
        f"seconds_{part}": statistics.median(each[part] for each in parts) for part in ("rollout", "update") if parts
    }
    return {"seconds": statistics.median(times), "runs": len(times), "peak_bytes": peak_bytes(), **medians}


def main():
    folder, mode, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    # Answers go to the real output; the output of libraries must not mix with them.
    answers, sys.stdout = sys.stdout, sys.stderr
    flux, error = exported(folder, MODES["eager" if mode == "one-by-one" else mode])
    prepared, setting = None, None
    print(json.dumps({"error_of_velocity": error, "torch": torch.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            options = parse(line)
            if setting != (options.part, options.batch, options.window, options.flash):
                prepared, setting = (
                    prepare(flux, mode, options),
                    (options.part, options.batch, options.window, options.flash),
                )
                reset_peak()
            answer = measure(prepared, options)
        except (argparse.ArgumentError, RuntimeError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
