"""The benchmark of several processes: bytes and calls on paper are those that a collective counts; times follow from them."""

import json
import socket
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from thread_ranks import Member, Table, on_threads
from torch_fixtures import required
from tree import ROOT

MODULES = (
    "scaling_model", "scaling_page", "scaling_tasks", "rank_workloads", "compare_ranks", "compare_torch", "results",
    "torch_ranks", "torch_grpo", "torch_flux",
)  # fmt: skip


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples/lab/benchmark"))
    import scaling_model

    yield scaling_model
    for name in MODULES:
        sys.modules.pop(name, None)


class Counted(Member):
    """A rank that counts the calls and the bytes that it gives to others."""

    def __init__(self, table, rank):
        super().__init__(table, rank)
        self.bytes = 0

    def all_gather(self, sent, received):
        self.bytes += (self.size - 1) * len(sent)
        super().all_gather(sent, received)

    def all_to_all(self, sent, sent_bytes, received, received_bytes):
        self.bytes += sum(sent_bytes) - sent_bytes[self.rank]
        super().all_to_all(sent, sent_bytes, received, received_bytes)


def counted(mixgrpo, config, size, prompts):
    """Bytes and calls of each rank in an iteration, and the number of weights."""
    table = Table(size)
    sampling = mixgrpo.SamplingConfig(steps=4, window_length=2, group_size=3)

    def rank(index):
        with mixgrpo.Context(1) as context:
            model = mixgrpo.Model(config, seed=7, context=context)
            lines = mixgrpo.Prompts.hashed_words(
                [f"prompt {index}" for index in range(prompts)],
                text_length=4,
                text_width=6,
                pooled_width=5,
                context=context,
            )
            evaluator = mixgrpo.Evaluator(model, height_tokens=2, width_tokens=2, text_length=4, max_batch=3)
            learning = mixgrpo.LearningConfig(updates_per_iteration=2)
            trainer = mixgrpo.Trainer(evaluator, lines, sampling, learning, rewards=["one", "two"])
            member = Counted(table, index)
            trainer.set_collective(member)
            member.bytes = member.calls = 0
            rewards = trainer.rollout(range(prompts)).mean(axis=(2, 3))
            trainer.update(np.stack([rewards, -rewards]))
            return member.bytes, member.calls, model.weights.read().size

    return on_threads(size, rank)


@pytest.mark.parametrize("prompts", [1, 4, 5, 8])
@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_bytes_and_calls_on_paper_are_those_that_a_collective_counts(scaling, mixgrpo, config, size, prompts):
    method = scaling.Method(steps=2, group=3, rewards=2)
    for rank, (sent, calls, weights) in enumerate(counted(mixgrpo, config, size, prompts)):
        paper = scaling.native_calls(rank, size, prompts, weights, method)
        assert (scaling.sent(paper), sum(each.count for each in paper)) == (sent, calls)


def test_a_rank_sends_and_gathers_a_slice_of_the_weights_for_each_other_rank(scaling):
    weights = 40_000_000
    for ranks in (2, 8, 64, 512):
        paper = scaling.native_calls(0, ranks, ranks, weights, scaling.Method(steps=1))
        gradients = sum(each.count * each.sent for each in paper[3:])
        assert gradients == pytest.approx(2 * 4 * weights * (ranks - 1) / ranks, rel=1e-4)
        ring = scaling.ring_calls(ranks, weights, scaling.Method(steps=1), gathers=0)
        assert scaling.sent(ring) == pytest.approx(gradients, rel=1e-4)


@pytest.mark.parametrize("gathers", [None, 20])
def test_exchanges_take_their_messages_and_their_bytes(scaling, gathers):
    task = scaling.Task("task", 1_000_000, 3.0, 2.0, 0.25, 0.5, gathers=gathers)
    idle, wire = scaling.Network("", 0, 1e30), scaling.Network.of(8, 0)
    assert task.seconds(1, 64, wire) == 64 * 5 + 4 * 0.25
    assert task.seconds(3, 64, idle) == pytest.approx(22 * 5 + 4 * 0.5)  # the rank with most prompts
    bytes_of_gradients = 4 * 2 * 4_000_000 * 7 / 8
    assert task.exchange(8, 64, wire) == pytest.approx(bytes_of_gradients / 1e9, rel=0.01)
    assert task.exchange(8, 64, scaling.Network("", 1e-3, 1e30)) == pytest.approx(
        1e-3 * (4 * 2 * 7 + (20 * 7 if gathers else 3 * 32))
    )
    assert 1 > task.efficiency(8, 64, wire) > task.efficiency(64, 64, wire) > task.efficiency(512, 64, wire)
    large = replace(task, trained=100_000_000)
    slow = scaling.Network("", 0, large.tenth())
    assert large.exchange(512, 512, slow) / large.seconds(512, 512, slow) == pytest.approx(0.1, rel=0.02)


def made_up(scaling_model, weights=1_000_000):
    """Figures of a benchmark whose processes keep to the model on paper."""
    import rank_workloads as ranks

    network = scaling_model.Network("", 10e-6, 1e9)
    probe = {"512": 10e-6, "1048576": 10e-6 + (1 << 20) / 1e9}

    def turn(workload, way, pair=0.01, step=0.02):
        count = way.processes if way.collective == "all" else 1
        prompts = way.prompts // count
        update = workload.minibatches * step + prompts * pair * workload.pairs
        exchange = scaling_model.Task("", weights, 0, 0, method=workload.method).exchange(count, way.prompts, network)
        return {"rollout": [0.5 * prompts], "update": [update + exchange], "weights": weights, "probe": probe}

    def native(workload):
        found = {name: turn(workload, way) for name, way in ranks.WAYS.items()}
        return found | {label: turn(workload.bare, ranks.WAYS[name]) for name, label in ranks.BARE.items()}

    torch_turn = {"rollout": [1.0], "update": [2.0], "bytes": [100, 100], "gathers": 20}
    turns = {model: [native(workload)] for model, workload in ranks.WORKLOADS.items()}
    turns |= {way: [dict.fromkeys(ranks.WAYS, torch_turn)] for way in ("plain", "library")}
    machine = {"processor": "one", "cpus": 2, "threads_per_core": "1", "mpi": "MPI", "load": 0.1, "nice": 0}
    traffic = {"two": {"bytes": [123456, 123456]}, "plan": [{"bytes": 123456}, {"ranks": 8}], "many": [{"ranks": 3}]}
    traffic["ddp"] = {"bytes": [100, 100], "paper": 99}
    return {"turns": turns, "traffic": traffic, "machine": machine, "torch": "2", "mode": "eager"}


def test_the_page_predicts_processes_that_keep_to_the_paper(scaling, monkeypatch, tmp_path):
    import scaling_page
    import scaling_tasks

    monkeypatch.setattr(scaling_page, "draw", lambda on_paper, path: path.write_text("<svg/>"))
    summary = json.loads(json.dumps(made_up(scaling)))
    found = scaling_tasks.Measured(summary)
    for model in ("S", "M"):
        for base in ("two apart", "one of one thread"):
            assert scaling_tasks.prediction(found, model, base) == pytest.approx(0, abs=1e-6)
    small, medium, _ = scaling_tasks.tasks(found)
    assert (small.rollout, small.update, small.step) == pytest.approx((0.5, 0.4, 0.02))
    assert (medium.rollout, medium.update) == pytest.approx((0.5 * 179 / 23, 0.4))
    text = scaling_page.write(summary, tmp_path / "scaling.md")
    assert text == (tmp_path / "scaling.md").read_text() and (tmp_path / "pictures/scaling.svg").exists()
    assert "123,456 bytes by `mixgrpo plan --ranks 2`, and 123,456 counted" in text
    assert "nan" not in text and "{" not in text


def test_work_on_paper_is_that_of_the_plan(scaling, mixgrpo):
    import rank_workloads

    for workload in (*rank_workloads.WORKLOADS.values(), rank_workloads.WORKLOADS["S"].bare):
        sampling = mixgrpo.SamplingConfig(
            steps=workload.steps, group_size=workload.group, window_length=workload.window,
            window_start=workload.start, window_mode=mixgrpo.WindowMode.FROZEN,
        )  # fmt: skip
        planned = mixgrpo.Plan(sampling).iteration(0, minibatches=workload.minibatches)
        assert (planned.rollout_model_calls, planned.update_model_calls) == (workload.calls, workload.pairs)


def test_other_traffic_than_on_paper_ends_the_benchmark(scaling):
    import compare_ranks

    workload = compare_ranks.WORKLOADS["S"]
    paper = [scaling.native_calls(rank, 2, 2, 1000, workload.method) for rank in range(2)]
    found = {"ranks": 2, "weights": 1000, "bytes": [scaling.sent(each) for each in paper]}
    found["calls"] = [sum(call.count for call in each) for each in paper]
    assert compare_ranks.check_traffic(found, workload, 2, "S")["bytes"] == found["bytes"]
    for wrong in ({"bytes": [found["bytes"][0], found["bytes"][1] + 1]}, {"calls": [found["calls"][0] + 1] * 2}):
        with pytest.raises(SystemExit, match="on paper, counted"):
            compare_ranks.check_traffic(found | wrong, workload, 2, "S")


class ToyFlux:
    """A model with a prompt, for the loop in plain PyTorch."""

    device, tokens, channels = "cpu", 3, 4

    def __init__(self, torch):
        torch.manual_seed(1)
        self.prompt, self.forward = 0, torch.nn.Linear(4, 4)

    def trained_weights(self):
        return list(self.forward.parameters())

    def velocity(self, latents, sigma):
        return self.forward(latents + self.prompt) * sigma[:, None, None]


def test_gradients_of_the_loop_in_pytorch_are_means_over_the_prompts_of_all_ranks(scaling):
    required("diffusers")
    import torch
    import torch_ranks
    from torch_grpo import Settings

    def gradients(prompts, rolled=None):
        """Of the first minibatch, before they are clipped."""
        flux, found = ToyFlux(torch), []
        rank = torch_ranks.PlainRank(flux, Settings(group=4, steps=8, updates=2), prompts, ranks=1)
        rolled = rank.rollout() if rolled is None else rolled
        with pytest.MonkeyPatch.context() as patch:
            weights = flux.trained_weights()
            clip = lambda *_, **__: found.append([each.grad.clone() for each in weights])  # noqa: E731
            patch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
            rank.update(rolled, [samples[:, 0, 0] for samples, _ in rolled])
        return found[0], rolled

    both, rolled = gradients(range(2))
    first, _ = gradients(range(1), rolled[:1])
    second, _ = gradients(range(1, 2), rolled[1:])
    for mean, one, other in zip(both, first, second, strict=True):
        assert float(mean.norm()) > 0
        torch.testing.assert_close(mean, (one + other) / 2)


def test_bytes_on_sockets_are_those_that_were_sent(scaling):
    required("diffusers")
    import torch_ranks

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        other, _ = server.accept()
        with other:
            before = torch_ranks.sent_bytes()
            client.sendall(bytes(1000))
            assert len(other.recv(1000, socket.MSG_WAITALL)) == 1000
            end = time.monotonic() + 60
            while torch_ranks.sent_bytes() - before < 1000 and time.monotonic() < end:
                time.sleep(0.01)
            assert torch_ranks.sent_bytes() - before == 1000
