"""One process of several that train in PyTorch: reads arguments line by line and answers with a line of JSON each.

Usage: torch_ranks.py FOLDER --way plain|library --mode compile --threads 1 --rank 0 --ranks 2 --store FILE
Lines: iteration [--repeats R]

`plain`: torch_grpo.py's loop with DistributedDataParallel over gloo, one synchronisation in each optimizer step.
`library`: mixgrpo.torch's TorchTrainer over the same module.

Both train all weights of the model that `benchmark export` wrote. An answer has the seconds of each iteration and, for one of
them, the bytes that this process has sent through its sockets.
"""

import argparse
import contextlib
import json
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch_flux import MODES, Inputs, TorchFlux, exported
from torch_grpo import Settings, Trainer, Trajectory, group_advantages

PROMPTS = 2


class PlainRank:
    """A rank of the loop in plain PyTorch: every rank has whole groups, and gradients are the mean over the ranks."""

    def __init__(self, flux: TorchFlux, settings: Settings, prompts: range, ranks: int):
        self.flux, self.settings, self.prompts = flux, settings, prompts
        self.trainer = Trainer(flux, settings, one_by_one=False)
        self.replica = DistributedDataParallel(flux.forward) if ranks > 1 else None
        if self.replica is not None:
            flux.forward = self.replica

    def rollout(self) -> list[tuple[torch.Tensor, Trajectory]]:
        """Samples and trajectory of each prompt."""
        return [self._of(prompt).rollout() for prompt in self.prompts]

    def update(self, rolled: list[tuple[torch.Tensor, Trajectory]], rewards: list[torch.Tensor]):
        # The loss is linear in the advantages, so a mean over prompts divides them.
        advantages = [group_advantages(each) / len(self.prompts) for each in rewards]
        for members in torch.arange(self.settings.group).chunk(self.settings.updates):
            for index, (prompt, (_, trajectory)) in enumerate(zip(self.prompts, rolled, strict=True)):
                with self._synchronised(index == len(rolled) - 1):
                    self._of(prompt).backward_of_minibatch(trajectory, members, advantages[index])
            torch.nn.utils.clip_grad_norm_(self.flux.trained_weights(), 1.0, foreach=True)
            self.trainer.optimizer.step()
            self.trainer.optimizer.zero_grad(set_to_none=True)

    def iteration(self) -> dict[str, float]:
        begin = time.perf_counter()
        rolled = self.rollout()
        middle = time.perf_counter()
        self.update(rolled, [samples[:, 0, 0] for samples, _ in rolled])
        return {"rollout": middle - begin, "update": time.perf_counter() - middle}

    def _of(self, prompt: int) -> Trainer:
        self.flux.prompt = prompt
        return self.trainer

    @contextlib.contextmanager
    def _synchronised(self, is_last: bool) -> Iterator[None]:
        with contextlib.nullcontext() if self.replica is None or is_last else self.replica.no_sync():
            yield


class PromptVelocity:
    """A velocity for mixgrpo.torch: every latent has a prompt of its own."""

    def __init__(self, flux: TorchFlux):
        self.forward, self._flux = flux.forward, flux

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        inputs = self._flux.inputs
        return self.forward(
            hidden_states=latents,
            encoder_hidden_states=inputs.text[prompts],
            pooled_projections=inputs.pooled[prompts],
            timestep=sigmas,
            guidance=None if inputs.guidance is None else inputs.guidance.expand(len(latents)),
            img_ids=inputs.image_ids,
            txt_ids=self._flux.text_ids,
            return_dict=False,
        )[0]


class LibraryRank:
    """A rank of mixgrpo.torch."""

    def __init__(self, flux: TorchFlux, settings: Settings):
        import mixgrpo
        import mixgrpo.torch as mixtorch

        sampling = mixgrpo.SamplingConfig(
            steps=settings.steps,
            group_size=settings.group,
            window_length=settings.window_length,
            window_mode=mixgrpo.WindowMode.FROZEN,
            window_start=settings.window,
        )
        learning = mixgrpo.LearningConfig(
            updates_per_iteration=settings.updates, undo=mixgrpo.Undo.NONE, max_velocity_change=0
        )
        optimizer = torch.optim.AdamW(
            flux.trained_weights(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        policy = mixtorch.TorchPolicy(
            PromptVelocity(flux),
            (flux.tokens, flux.channels),
            device="cpu",
            dtype=torch.float32,
            batch_size=settings.group,
        )
        names = [f"prompt {index}" for index in range(PROMPTS)]
        self.trainer = mixtorch.TorchTrainer(policy, optimizer, names, sampling, learning)

    def iteration(self) -> dict[str, float]:
        begin = time.perf_counter()
        samples = self.trainer.rollout(range(PROMPTS))
        middle = time.perf_counter()
        self.trainer.update(samples[..., 0, 0][None])
        return {"rollout": middle - begin, "update": time.perf_counter() - middle}


# ------------------------------------------------------------------------------------------------------------- traffic


def sent_bytes() -> int:
    """What the TCP sockets of this process have sent and the other side has received, from the kernel's tcp_info."""
    total = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if not str(entry.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=socket.dup(int(entry.name))) as each:
                if each.type == socket.SOCK_STREAM and each.family in (socket.AF_INET, socket.AF_INET6):
                    info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                    total += struct.unpack_from("Q", info, 120)[0]  # tcpi_bytes_acked
        except OSError:  # closed in the meantime
            continue
    return total


class CountedGathers:
    """How often mixgrpo.torch gathers decisions and rewards."""

    def __init__(self):
        self.count, self._gather = 0, dist.all_gather
        dist.all_gather = self

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.count += 1
        return self._gather(*arguments, **named)


# --------------------------------------------------------------------------------------------------------------- turns


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--way", choices=["plain", "library"], required=True)
    parser.add_argument("--mode", choices=MODES, default="compile")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--store", type=Path, help="a file that the processes find each other by")
    parser.add_argument("--window", type=int, default=10)
    return parser.parse_args(arguments)


def start(options: argparse.Namespace) -> tuple[PlainRank | LibraryRank, float]:
    """This rank, and the error of its model's velocity."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.rank)
    if options.ranks > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{options.store}", rank=options.rank, world_size=options.ranks,
            timeout=timedelta(minutes=10),
        )  # fmt: skip
    flux, error = exported(options.folder, MODES[options.mode])
    flux.inputs = with_prompts(flux.inputs, PROMPTS)
    settings = Settings(window=options.window)
    own = range(options.rank * PROMPTS // options.ranks, (options.rank + 1) * PROMPTS // options.ranks)
    if options.way == "library":
        return LibraryRank(flux, settings), error
    return PlainRank(flux, settings, own, options.ranks), error


def with_prompts(inputs: Inputs, count: int) -> Inputs:
    """The one prompt of an exported model, and others like it."""
    generator = torch.Generator().manual_seed(1)
    text, pooled = (
        torch.cat([each, *(torch.randn(each.shape, generator=generator) for _ in range(count - 1))])
        for each in (inputs.text, inputs.pooled)
    )
    return Inputs(text, pooled, inputs.image_ids, inputs.guidance)


def measure(rank: PlainRank | LibraryRank, ranks: int, gathers: CountedGathers, repeats: int) -> dict[str, Any]:
    parts, sent, count = [], [], []
    for _ in range(repeats):
        if ranks > 1:
            dist.barrier()
        before = sent_bytes(), gathers.count
        parts.append(rank.iteration())
        sent.append(sent_bytes() - before[0])
        count.append(gathers.count - before[1])
    times = {name: [each[name] for each in parts] for name in ("rollout", "update")}
    return {**times, "bytes": statistics.median_low(sent), "gathers": statistics.median_low(count)}


def main():
    options = parse()
    # Answers go to the real output; the output of libraries must not mix with them.
    answers, sys.stdout = sys.stdout, sys.stderr
    gathers = CountedGathers()
    rank, error = start(options)
    rank.iteration()  # compiles and allocates everything
    weights = sum(weight.numel() for weight in rank.flux.trained_weights()) if options.way == "plain" else 0
    print(
        json.dumps({"error_of_velocity": error, "torch": torch.__version__, "weights": weights}),
        file=answers,
        flush=True,
    )
    line_parser = argparse.ArgumentParser(exit_on_error=False)
    line_parser.add_argument("part", choices=["iteration"])
    line_parser.add_argument("--repeats", type=int, default=1)
    for line in sys.stdin:
        answer = measure(rank, options.ranks, gathers, line_parser.parse_args(line.split()).repeats)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
