"""Measures one iteration of each method on any device, for a model of FLUX.1-dev's size with LoRA and random weights.

    python examples/lab/benchmark/torch_gpu.py --out out                     # a GPU with 80 GB or more
    python examples/lab/benchmark/torch_gpu.py --size tiny --device cpu      # the same in seconds, to try it

Beside the library run, over the same module: a loop in plain PyTorch (torch_grpo.py), and that loop with one sample in each
call, as public trainers do it. Neither shares latents or activations; their time does not depend on the window. The window in
the middle of the sweep stands for the mean of the sweep, because time falls linearly as the window moves.

`own` is the library with a model that costs nothing. Written: torch-gpu.json, torch-gpu.md.
"""

import argparse
import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import mixgrpo
import mixgrpo.torch as mixtorch
import torch
import torch_grpo
from random_flux import SIZES, RandomFlux
from torch_grpo import seconds_on


@dataclass(frozen=True)
class Row:
    """A method and its place in the sweep of the window: 0 for its start, ½ for the middle, 1 for its end."""

    name: str
    preset: str
    place: float | None
    shares: bool


ROWS = {
    "dance": Row("DanceGRPO, nothing shared", "dance_grpo", None, False),
    "start": Row("MixGRPO, window at the start, nothing shared", "mixgrpo", 0, False),
    "flash": Row("Flash, window at the start, nothing shared", "mixgrpo_flash", 0, False),
    "flash-star": Row("Flash*", "mixgrpo_flash_star", None, True),
    "middle": Row("MixGRPO, window in the middle", "mixgrpo", 0.5, True),
    "flash-middle": Row("Flash, window in the middle", "mixgrpo_flash", 0.5, True),
    "end": Row("MixGRPO, window at the end", "mixgrpo", 1, True),
}
PLAIN = {"plain": "plain PyTorch, MixGRPO", "one-by-one": "plain PyTorch, MixGRPO, one sample in each call"}
WINDOW_LENGTH = 4


@dataclass(frozen=True)
class Measured:
    rollout: float  # seconds
    update: float
    first_ratio: tuple[float, float] | None = None

    @property
    def total(self) -> float:
        return self.rollout + self.update


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="flux")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--group", type=int, default=12, help="samples")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--minibatches", type=int, default=4, help="optimizer steps of an update")
    parser.add_argument("--batch", type=int, default=3, help="latents in one call of the model")
    parser.add_argument("--keep", type=int, default=0, help="latents whose activations the rollout keeps")
    parser.add_argument("--checkpointing", action="store_true", help="compute activations twice, to save memory")
    parser.add_argument("--compile", action="store_true", help="compile each block of the model, for all rows")
    parser.add_argument("--repeats", type=int, default=1, help="iterations of each row; the median counts")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, *PLAIN], default=[*ROWS, *PLAIN])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    return parser.parse_args(arguments)


def settings_of(row: Row, chosen: argparse.Namespace) -> tuple[mixgrpo.SamplingConfig, mixgrpo.LearningConfig]:
    sampling, learning = mixgrpo.preset(row.preset)
    sampling = replace(sampling, steps=chosen.steps, group_size=chosen.group, exact_sharing=row.shares)
    if row.place is not None:
        sampling = replace(sampling, window_mode=mixgrpo.WindowMode.GIVEN, window_length=WINDOW_LENGTH)
    return sampling, replace(learning, updates_per_iteration=chosen.minibatches)


def place_of(row: Row, chosen: argparse.Namespace) -> int:
    return int((row.place or 0) * (chosen.steps - 1 - WINDOW_LENGTH))


def measure_library(flux: RandomFlux, row: Row, chosen: argparse.Namespace) -> Measured:
    sampling, learning = settings_of(row, chosen)
    optimizer = torch.optim.AdamW(flux.trained_weights(), lr=1e-5, fused=True)
    trainer = mixtorch.TorchTrainer(
        flux.policy(chosen.batch), optimizer, ["a prompt"], sampling, learning, keep_activations=chosen.keep
    )
    if row.place is not None:
        trainer.set_window(place_of(row, chosen))
    rollouts, updates = [], []
    for _ in range(chosen.repeats + 1):  # the first one warms up and compiles
        begin = seconds_on(flux.device)
        samples = trainer.rollout([0])
        middle = seconds_on(flux.device)
        metrics = trainer.update(samples[..., 0, 0])
        rollouts.append(middle - begin)
        updates.append(seconds_on(flux.device) - middle)
    ratio = (metrics.first_ratio_min, metrics.first_ratio_max)
    return Measured(statistics.median(rollouts[1:]), statistics.median(updates[1:]), ratio)


def measure_plain(flux: RandomFlux, chosen: argparse.Namespace, *, one_by_one: bool) -> Measured:
    settings = torch_grpo.Settings(
        window=0, group=chosen.group, steps=chosen.steps, updates=chosen.minibatches, batch=chosen.batch,
        window_length=WINDOW_LENGTH,
    )  # fmt: skip
    trainer = torch_grpo.Trainer(flux, settings, one_by_one)
    runs = [trainer.iteration() for _ in range(chosen.repeats + 1)][1:]
    return Measured(*(statistics.median(run[part] for run in runs) for part in ("rollout", "update")))


def own_seconds(flux: RandomFlux, chosen: argparse.Namespace, batch: int) -> tuple[float, int]:
    """Seconds of a rollout whose model costs nothing, and its requests."""
    sampling, _ = settings_of(ROWS["start"], chosen)
    shape = flux.asked.latent_shape
    answer = torch.zeros(batch, *shape, device=flux.device, dtype=flux.dtype)
    policy = mixtorch.TorchPolicy(
        lambda latents, sigmas, prompts: answer[: len(latents)], shape, batch_size=batch, device=flux.device,
        dtype=flux.dtype,
    )  # fmt: skip
    plan, seconds = mixgrpo.Plan(sampling), []
    for _ in range(4):
        rollout = mixgrpo.Rollout(plan, [0], latent_size=policy.latent_size, max_batch=batch, window_start=0)
        begin = seconds_on(flux.device)
        policy.run(rollout)
        seconds.append(seconds_on(flux.device) - begin)
    return statistics.median(seconds[1:]), chosen.steps * -(-chosen.group // batch)


def machine(flux: RandomFlux) -> str:
    name = torch.cuda.get_device_name(flux.device) if flux.device.type == "cuda" else "CPU"
    return f"{name}, torch {torch.__version__}"


def report(flux: RandomFlux, chosen: argparse.Namespace, results: dict[str, Measured], own: dict[str, float]) -> str:
    names = {**{key: row.name for key, row in ROWS.items()}, **PLAIN}
    unit = next(iter(results.values())).total
    lines = [
        f"{machine(flux)}; {flux.weight_count() / 1e9:.2f} billion weights, {chosen.dtype}, LoRA, "
        f"{flux.tokens} image tokens, groups of {chosen.group}, {chosen.steps} steps, {chosen.minibatches} minibatches, "
        f"{chosen.batch} latents in a call, checkpointing {'on' if chosen.checkpointing else 'off'}, "
        f"{'compiled' if chosen.compile else 'eager'}, activations of {chosen.keep} latents kept.",
        "",
        f"| | rollout | update | total | of {names[next(iter(results))].partition(',')[0]} | first ratio |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for key, one in results.items():
        ratio = "–" if one.first_ratio is None else "…".join(f"{end:.7g}" for end in one.first_ratio)
        lines.append(
            f"| {names[key]} | {one.rollout:.3g} s | {one.update:.3g} s | {one.total:.3g} s | {one.total / unit:.2f} "
            f"| {ratio} |"
        )
    if {"middle", "plain"} <= results.keys():
        faster = results["plain"].total / results["middle"].total
        lines += ["", f"Over the sweep the library is {faster:.2f} times faster than plain PyTorch."]
    lines += ["", f"The library itself takes {own['milliseconds']:.2f} ms of a request of {chosen.group} latents."]
    if "share" in own:
        lines += [f"That is {own['share']:.2%} of the rollout with the window at the start."]
    if "peak_gib" in own:
        lines += [f"Memory of the device: {own['peak_gib']:.1f} GiB."]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    chosen = options(arguments)
    torch.backends.cuda.enable_cudnn_sdp(False)  # its backward in bfloat16 gives NaN in torch 2.11
    flux = RandomFlux(
        SIZES[chosen.size], chosen.device, getattr(torch, chosen.dtype), compile=chosen.compile,
        checkpointing=chosen.checkpointing,
    )  # fmt: skip
    results: dict[str, Measured] = {}
    for key in chosen.rows:
        if key in ROWS:
            results[key] = measure_library(flux, ROWS[key], chosen)
        else:
            results[key] = measure_plain(flux, chosen, one_by_one=key == "one-by-one")
        print(f"{key}: {results[key].total:.3g} s", flush=True)
    seconds, requests = own_seconds(flux, chosen, chosen.group)
    own = {"milliseconds": 1e3 * seconds / requests}
    if "start" in results:
        own["share"] = own_seconds(flux, chosen, chosen.batch)[0] / results["start"].rollout
    if flux.device.type == "cuda":
        own["peak_gib"] = torch.cuda.max_memory_allocated(flux.device) / 2**30
    chosen.out.mkdir(parents=True, exist_ok=True)
    text = report(flux, chosen, results, own)
    found = {key: {**asdict(one), "total": one.total} for key, one in results.items()}
    facts = {"machine": machine(flux), "settings": {**vars(chosen), "out": str(chosen.out)}, "rows": found, "own": own}
    (chosen.out / "torch-gpu.json").write_text(json.dumps(facts, indent=1))
    (chosen.out / "torch-gpu.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
