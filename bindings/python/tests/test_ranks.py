"""Several processes that train one model together, over gloo on this machine: to the result of one process."""

import functools
import importlib.util
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from torch_fixtures import required

required("torch")

import rank_programs  # noqa: E402
import ranked_runs as runs  # noqa: E402
from ranked_runs import Case  # noqa: E402

KINDS = ["group", "batch", "gdpo", "failures", "dead", "kl", "adaptive", "flash", "workers", "noise"]
WRAPS, OPTIMIZERS = ["plain", "ddp", "fsdp"], ["sgd", "adamw"]
IS_WHOLE = os.environ.get("MIXGRPO_RANKS") == "all"
"""Whether every combination runs, not one of each kind and number of ranks; `make test-ranks`."""
FAILURES = [
    "plain,raise",
    "ddp,memory",
    "plain,Ctrl-C",
    "ddp,cancel",
    "plain,nan",
    "fsdp,raise",
    "fsdp,nan",
    "fsdp,Ctrl-C",
]
ALONE_FAILURES = ["ddp,nan", "fsdp,raise", "fsdp,nan"]
"""Of a rank that is the only one."""
ODD = [
    Case("ddp", "kl", "adamw", "float32"), Case("fsdp", "batch", "sgd", "float32"), Case("fsdp", adapted=True),
    Case("ddp", "kl", adapted=True), Case("plain", "gdpo", "adamw", batch_size=0), Case("fsdp", batch_size=0),
    Case("ddp", dtype="bfloat16"), Case("fsdp", dtype="bfloat16"),
]  # fmt: skip


HAS_ACCELERATE = importlib.util.find_spec("accelerate") is not None


def cases_of(ranks):
    if IS_WHOLE:
        return [Case(wrap, kind, optimizer) for kind in KINDS for wrap in WRAPS for optimizer in OPTIMIZERS] + ODD
    place = (ranks - 2) % 3
    turns = range(place, place + len(KINDS))
    some = [Case(WRAPS[turn % 3], kind, OPTIMIZERS[turn % 2]) for turn, kind in zip(turns, KINDS, strict=True)]
    return some + ODD[place::2]


def program(name, *arguments):
    return json.dumps([name, *map(str, arguments)])


def cases(count):
    return json.dumps(["cases", *(json.dumps(asdict(case)) for case in cases_of(count))])


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What one, two and three ranks found, which run at the same time, and what was left of two of which one was killed."""
    names = ("one", "two", "three", "plain", "sharded")
    one, two, three, plain, sharded = (tmp_path_factory.mktemp(name) for name in names)
    single = [cases(1), program("failures", *ALONE_FAILURES), program("saves", "fsdp")]
    single += [program("resumes", "fsdp", one / "2-saves" / "run-fsdp")]
    saved = {wrap: two / f"{place}-saves" / f"run-{wrap}" for place, wrap in enumerate(("ddp", "fsdp"))}
    programs = [
        program("saves", "ddp"), program("saves", "fsdp"), cases(2), program("failures", *FAILURES),
        program("policies"), program("rewards_fail"), program("refused"), program("cannot_save"),
        program("trains", 0), program("trains", 2), *([program("accelerated")] if HAS_ACCELERATE else []),
        program("destroyed"),
    ]  # fmt: skip
    others = [
        cases(3), program("alone"), program("resumes", "fsdp", saved["fsdp"]),
        program("resumes", "fsdp", saved["ddp"]), program("resumes", "ddp", saved["fsdp"]),
    ]  # fmt: skip
    killed = [(plain, runs.start(2, plain, "killed", "plain"))]
    if IS_WHOLE:
        killed.append((sharded, runs.start(2, sharded, "killed", "fsdp")))
    groups = [
        runs.start(count, folder, "several", *work)
        for count, folder, work in ((1, one, single), (2, two, programs), (3, three, others))
    ]
    found = [runs.results(group, folder, timeout=3600) for group, folder in zip(groups, (one, two, three), strict=True)]
    left = []
    for folder, (survivor, victim) in killed:
        survivor.communicate(timeout=120)
        victim.communicate(timeout=120)
        left.append(json.loads((folder / "0.json").read_text()))
    return {1: found[0], 2: found[1], 3: found[2], "killed": left, "saved": saved, "folder": two}


def part(ranks, count, name):
    """What each rank found with a program."""
    return [next(value for key, value in rank.items() if key.startswith(name)) for rank in ranks[count]]


def same(found, expected, tolerance, name):
    difference = np.abs(np.array(found) - np.array(expected)).max() / np.abs(np.array(expected)).max()
    assert difference <= tolerance, f"{name}: {difference}"


@functools.cache
def of_one_process(case):
    trainer = runs.trainer_of(case)
    return runs.result_of(trainer, runs.iterate(case, trainer))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ranks_train_to_the_weights_and_metrics_of_one_process(ranks, count):
    for case in cases_of(count):
        expected = of_one_process(case)
        weights, figures = {"float64": (1e-12, 1e-9), "float32": (1e-6, 1e-4), "bfloat16": (1e-3, 0.05)}[case.dtype]
        for found in (rank[str(case)] for rank in part(ranks, count, "cases")):
            same(found["weights"], expected["weights"], weights, case)
            for one, other in zip(found["metrics"], expected["metrics"], strict=True):
                for name in [name for name in one if not name.startswith("seconds")]:
                    is_close = np.isclose(one[name], other[name], rtol=figures, atol=1e-3 * figures, equal_nan=True)
                    assert is_close, (str(case), name, one[name], other[name])


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_on_one_rank_leaves_all_where_they_were_before_the_update(ranks, kind):
    first, second = (rank[kind] for rank in part(ranks, 2, "failures"))
    for rank in (first, second):
        assert rank["is_before"] and not rank["has_gradient"] and rank["is_same"] and rank["seconds"] < 20
    own = {"raise": "LookupError: gone", "memory": "OutOfMemoryError: CUDA", "Ctrl-C": "KeyboardInterrupt"}
    reason = own.get(kind.partition(",")[2], "")
    assert second["error"].startswith(reason) and f"rank 1: {reason}" in first["error"]


@pytest.mark.parametrize("kind", ALONE_FAILURES)
def test_one_rank_is_where_it_was_before_an_update_that_fails(ranks, kind):
    (found,) = (rank[kind] for rank in part(ranks, 1, "failures"))
    assert found["is_before"] and not found["has_gradient"] and found["is_same"]


def test_ranks_follow_the_fault_policy_together(ranks):
    first, second = part(ranks, 2, "policies")
    assert first == second
    for wrap in ("plain", "fsdp"):
        skipped, undone = first[f"{wrap} SKIP"], first[f"{wrap} ROLL_BACK"]
        assert (skipped["skipped"], skipped["iteration"], skipped["is_before"]) == (1, 1, False)
        assert undone["rolled_back"] and undone["is_before"] and undone["iteration"] == 1
    same(first["fsdp SKIP"]["weights"], first["plain SKIP"]["weights"], 1e-12, "skip")


def test_a_reward_that_fails_on_one_rank_is_raised_on_all_and_training_goes_on(ranks):
    first, second = part(ranks, 2, "rewards_fail")
    assert first["error"] == "InternalError: rank 1: TimeoutError: the judge does not answer"
    assert second["error"] == "TimeoutError: the judge does not answer"
    assert first["left"] == second["left"] == 2 and first["iteration"] == second["iteration"] == 3


def test_a_killed_rank_ends_the_others_with_its_name(ranks):
    for left in ranks["killed"]:
        assert (
            "RankLostError: process group: expected all 2 ranks, got fewer: rank 1 has given no sign" in left["error"]
        )
        assert left["seconds"] < 30 and left["is_before"]


REFUSED = {
    "seed": "seed: expected the same on every rank, as 11 on rank 0, got 12 on rank 1",
    "clip_range": "clip_range: expected the same on every rank, as 0.2 on rank 0, got 0.3 on rank 1",
    "fault_policy": "fault_policy: expected the same on every rank, as",
    "rewards": 'reward_names: expected the same on every rank, as ["one"] on rank 0, got ["two"] on rank 1',
    "prompts": "prompts: expected the same on every rank, as",
    "sizes": "weights of the optimizer: expected the same on every rank, as 6 on rank 0, got 2 on rank 1",
    "values": "values of weight 0 of the optimizer: expected the same on every rank, as",
    "settings of one rank": "reward_names: expected 1…1024 distinct names",
    "chosen": "prompt_indices: expected the same on every rank, as on rank 0, got another on rank 1",
    "calls": "update: expected a rollout first, got none",
    "shape": "rewards: expected shape (1, 2, 4)",
    "no group": "process_group: expected a group of this process",
}


@pytest.mark.parametrize("field", REFUSED)
def test_ranks_that_differ_are_refused_on_all_naming_rank_and_field(ranks, field):
    first, second = (rank[field] for rank in part(ranks, 2, "refused"))
    assert REFUSED[field] in first and REFUSED[field] in second


@pytest.mark.skipif(not HAS_ACCELERATE, reason="accelerate is not installed: .ci/setup python .venv")
def test_what_accelerate_has_prepared_trains_alike(ranks):
    expected = of_one_process(Case(optimizer="adamw"))
    for rank in part(ranks, 2, "accelerated"):
        assert rank["is_ddp"]
        same(rank["weights"], expected["weights"], 1e-12, "accelerate")


def test_a_group_that_was_destroyed_is_named(ranks):
    for rank in part(ranks, 2, "destroyed"):
        assert "process_group: expected it to live as long as the trainer, got a destroyed one" in rank["error"]


def test_a_rank_may_be_alone_or_have_no_prompt(ranks):
    case = Case()
    few, expected = runs.trainer_of(case), of_one_process(case)
    few.update(runs.scores_of(case, few.rollout([2]), [runs.LINES[2]], 0))
    for rank in part(ranks, 3, "alone"):
        assert rank["weights"] == expected["weights"]
        same(rank["with few"], rank_programs._weights(few).tolist(), 1e-12, "one prompt")
    assert [rank["few"] for rank in part(ranks, 3, "alone")] == [[0], [0], [1]]


@pytest.mark.parametrize("wrap", ["ddp", "fsdp"])
def test_a_checkpoint_is_one_file_or_shards(ranks, wrap):
    names = {"ddp": ["iteration-00000002.pt"], "fsdp": ["iteration-00000002"]}
    for rank in part(ranks, 2, f"saves {wrap}"):
        assert rank["files"] == names[wrap]


def test_one_rank_saves_and_resumes_a_sharded_model(ranks, tmp_path):
    (saved,), (resumed,) = part(ranks, 1, "saves fsdp"), part(ranks, 1, "resumes fsdp")
    assert saved["files"] == ["iteration-00000002.pt"]
    same(resumed["weights"], saved["weights"], 1e-12, "resumed")
    same(saved["weights"], part(ranks, 2, "saves fsdp")[0]["weights"], 1e-12, "ranks")


@pytest.mark.parametrize("how", ["fsdp", "ddp"])
def test_a_run_resumes_with_another_number_of_ranks(ranks, how):
    (expected, _) = part(ranks, 2, "saves fsdp")
    found = [value for rank in ranks[3] for key, value in rank.items() if key.startswith(f"resumes {how}")]
    assert len(found) >= 3
    for rank in found:
        assert rank["iteration"] == 2 and rank["skipped"] == 0
        same(rank["weights"], expected["weights"], 1e-12, "resumed")


@pytest.mark.parametrize("wrap", ["ddp", "fsdp"])
def test_one_process_resumes_a_run_of_ranks(ranks, wrap, tmp_path):
    (expected, _) = part(ranks, 2, "saves fsdp")
    found = rank_programs.resumes(0, 1, tmp_path, "plain", ranks["saved"][wrap])
    same(found["weights"], expected["weights"], 1e-12, "resumed")


def test_damaged_shards_are_skipped(mixgrpo, ranks, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ranks["saved"]["fsdp"], folder)
    shard = next(folder.glob("*/__0_*"))
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(damaged)
    trainer = runs.trainer_of(Case(optimizer="adamw"))
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected correct checksums"):
        trainer.resume(folder)
    shard.unlink()
    with pytest.raises(mixgrpo.InvalidFormatError, match="expected __0_"):
        trainer.resume(folder)


def test_all_ranks_learn_that_a_checkpoint_was_not_written(ranks):
    first, second = part(ranks, 2, "cannot_save")
    for wrap in ("ddp", "fsdp"):
        assert "expected to save a checkpoint" in first[wrap] and second[wrap] == f"rank 0: {first[wrap]}"


@pytest.mark.parametrize("workers", [0, 2])
def test_train_runs_unchanged_and_writes_once(ranks, workers, tmp_path):
    expected = rank_programs.trains(0, 1, tmp_path, str(workers))
    for rank in part(ranks, 2, f"trains {workers}"):
        same(rank["weights"], expected["weights"], 1e-12, "train")
        same(rank["rewards"], expected["rewards"], 1e-12, "rewards")
        assert [one.keys() for one in rank["evaluations"]] == [one.keys() for one in expected["evaluations"]]
        for one, other in zip(rank["evaluations"], expected["evaluations"], strict=True):
            same(list(one.values()), list(other.values()), 1e-12, "evaluation")
    scored = [sum(rank["scored"]) for rank in part(ranks, 2, f"trains {workers}")]
    assert sum(scored) == sum(expected["scored"]) and min(scored) > 0
    folder = next(Path(ranks["folder"]).glob(f"{8 + workers // 2}-trains"))
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0, 1, 2]
    pages = [(place / "report.html").read_text() for place in (folder, tmp_path)]
    assert pages[0].count("data:image/png") == pages[1].count("data:image/png") > 0
