"""Small runs that one process and several ranks make alike; a program when it is started with a rank."""

import copy
import dataclasses
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import mixgrpo
import mixgrpo.torch as mixtorch
import numpy as np
import torch

torch.set_num_threads(1)
TOKENS, CHANNELS, WIDTH, GROUP = 3, 4, 8, 4
SHAPE, D = (TOKENS, CHANNELS), TOKENS * CHANNELS
LINES = ["red", "green", "blue", "white", "black"]
ITERATIONS = 3
SEED = 1


class Flow(torch.nn.Module):
    """A velocity with a block of its own, so that FSDP2 has two to shard. `adapted`: only low-rank factors train."""

    def __init__(self, dtype=torch.float64, adapted=False):
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)

        def matrix(rows, columns):
            return torch.randn(rows, columns, generator=generator, dtype=torch.float64).to(dtype) * rows**-0.5

        self.enter, self.leave = torch.nn.Parameter(matrix(D, WIDTH)), torch.nn.Parameter(matrix(WIDTH, D))
        self.prompt = torch.nn.Parameter(matrix(len(LINES), WIDTH))
        self.unused = torch.nn.Parameter(matrix(1, 1))
        self.block = torch.nn.Linear(WIDTH, WIDTH, dtype=dtype)
        self.block.weight.data, self.block.bias.data = matrix(WIDTH, WIDTH), matrix(1, WIDTH)[0]
        if adapted:
            self.requires_grad_(False)
            self.down, self.up = torch.nn.Parameter(matrix(WIDTH, 2)), torch.nn.Parameter(matrix(2, WIDTH))
        self.is_adapted = adapted

    def forward(self, latents, sigmas, prompts):
        hidden = latents.reshape(len(latents), D).to(self.enter.dtype) @ self.enter
        hidden = hidden + sigmas[:, None].to(hidden) + self.prompt[prompts]
        if self.is_adapted:
            hidden = hidden + hidden @ self.down @ self.up
        return (torch.tanh(self.block(torch.tanh(hidden))) @ self.leave).reshape(latents.shape)


@dataclasses.dataclass(frozen=True)
class Case:
    wrap: str = "plain"  # plain, ddp, fsdp
    kind: str = "group"
    optimizer: str = "sgd"
    dtype: str = "float64"  # bfloat16: autocast of float32 weights
    adapted: bool = False
    batch_size: int = 3

    def __str__(self):
        return "-".join(str(value) for value in dataclasses.astuple(self))

    @property
    def names(self):
        return ["one", "two"] if self.kind in ("gdpo", "failures") else ["one"]

    def learning(self):
        settings = {
            "batch": {"std_scope": mixgrpo.StdScope.BATCH},
            "gdpo": {"advantage_mode": mixgrpo.AdvantageMode.GDPO},
            "kl": {"kl_reference": 0.1, "kl_old": 0.01},
        }
        return mixgrpo.LearningConfig(
            updates_per_iteration=2, clip_range=0.2, max_gradient_norm=0.02, **settings.get(self.kind, {})
        )

    def sampling(self):
        settings = {
            "adaptive": {
                "window_mode": mixgrpo.WindowMode.ADAPTIVE, "window_interval": 2, "window_minimum_interval": 2,
                "window_trend": 2, "window_minimum_gain": 1000,
            },
            "flash": {"flash_ratio": 0.5, "dynamics": mixgrpo.Dynamics.CPS},
            "noise": {"initial_noise": mixgrpo.InitialNoise.OWN, "trained_fraction": 0.5},
        }  # fmt: skip
        base = {"steps": 6, "window_length": 2, "group_size": GROUP, "seed": 11}
        return mixgrpo.SamplingConfig(**{**base, **settings.get(self.kind, {})})


def wrapped(module, wrap):
    if wrap == "ddp":
        return torch.nn.parallel.DistributedDataParallel(module)
    if wrap == "fsdp":
        from torch.distributed.fsdp import fully_shard

        fully_shard(module.block)
        return fully_shard(module)
    return module


def trainer_of(case, *, world=False, velocity=lambda module: module, **options):
    """A trainer; its `module` is the unwrapped one. `world`: wrap the module for several ranks."""
    is_mixed = case.dtype == "bfloat16"
    dtype = torch.float32 if is_mixed else getattr(torch, case.dtype)
    module = Flow(dtype, case.adapted)
    reference = copy.deepcopy(module).requires_grad_(False) if case.kind == "kl" else None
    inner = wrapped(module, case.wrap) if world else module
    policy = mixtorch.TorchPolicy(
        velocity(inner), SHAPE, reference=reference, batch_size=case.batch_size, dtype=dtype,
        autocast=torch.bfloat16 if is_mixed else None,
    )  # fmt: skip
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    rate = 0.5 if case.optimizer == "sgd" else 1e-3
    optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[case.optimizer](weights, lr=rate)
    options = {"plan": case.sampling(), "learning": case.learning(), "rewards": case.names, **options}
    trainer = mixtorch.TorchTrainer(policy, optimizer, LINES, **options)
    trainer.module = module
    return trainer


def scores_of(case, samples, lines, iteration):
    """Rewards of samples (P, G, …) of these prompts; those of some fail."""
    flat = samples.reshape(*samples.shape[:2], D)
    scores = {"one": flat.mean(axis=2) * 3, "two": np.abs(flat).max(axis=2)}
    for place, line in enumerate(lines):
        if case.kind == "failures" and line in ("red", "black"):
            scores["two"][place, 1] = np.nan
        if case.kind == "failures" and line == "green":
            scores["one"][place] = np.inf
        if case.kind == "dead" and iteration % 2 == 0 and line in ("red", "green"):
            scores["one"][place] = np.nan  # all samples of rank 0
    return {name: scores[name] for name in case.names}


def iterate(case, trainer, iterations=ITERATIONS):
    figures = []
    for iteration in range(trainer.iteration, trainer.iteration + iterations):
        chosen = [(iteration + place) % len(LINES) for place in range(4)]
        if case.kind == "workers":
            figures.append(_with_tickets(case, trainer, chosen, iteration))
        else:
            samples = trainer.rollout(chosen)
            lines = [LINES[index] for index in trainer.share(chosen)]
            figures.append(trainer.update(scores_of(case, samples, lines, iteration)))
    return figures


def _with_tickets(case, trainer, chosen, iteration):
    for part in (chosen[:1], chosen[1:]):
        ticketed = trainer.rollout_ticket(part)
        lines = [LINES[index] for index in ticketed.prompt_indices]
        if lines:
            trainer.submit_rewards(ticketed, scores_of(case, ticketed.samples, lines, iteration))
    return trainer.update_tickets()


def whole(weight):
    return (weight.full_tensor() if hasattr(weight, "full_tensor") else weight).detach().double().flatten()


def local(weight):
    return (weight.to_local() if hasattr(weight, "to_local") else weight).detach()


def result_of(trainer, figures):
    weights = torch.cat([whole(weight) for weight in trainer.module.parameters()])
    return {"weights": weights.tolist(), "metrics": [dataclasses.asdict(one) for one in figures]}


# Programs of ranks


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(count, folder, program, *arguments):
    """The processes of so many ranks, which run a function of `rank_programs`."""
    port = free_port()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    return [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(count), str(port), str(folder), program, *arguments],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip


def results(processes, folder, timeout=120):
    """What the ranks wrote, after all ended well."""
    texts = [process.communicate(timeout=timeout) for process in processes]
    for rank, (process, (out, err)) in enumerate(zip(processes, texts, strict=True)):
        assert process.returncode == 0, f"rank {rank} ended with {process.returncode}:\n{out[-2000:]}{err[-4000:]}"
    return [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(len(processes))]


def _main(rank, count, port, folder, program, *arguments):
    import rank_programs

    address = os.environ.get("MIXGRPO_TEST_ADDRESS", "127.0.0.1")
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"tcp://{address}:{port}",
        rank=int(rank),
        world_size=int(count),
        timeout=timedelta(seconds=60),
    )
    found = getattr(rank_programs, program)(int(rank), int(count), Path(folder), *arguments)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found))
    if program in ("killed", "cut"):
        os._exit(0)  # the exchanges that a lost rank left unfinished would hold the end of the process
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(*sys.argv[1:])
