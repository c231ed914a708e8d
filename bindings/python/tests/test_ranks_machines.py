"""Two "machines", each a network namespace with an address of its own, and a link of 20 ms between them that is cut."""

import json
import os
import subprocess
import sys

import pytest
from torch_fixtures import required
from tree import ROOT

required("torch")

import ranked_runs as runs  # noqa: E402
from ranked_runs import Case  # noqa: E402
from test_ranks import IS_WHOLE, same  # noqa: E402

sys.path.insert(0, str(ROOT / "Tests/machines"))
from machines import ADDRESSES, LINK, Machines, ip, obstacle  # noqa: E402


@pytest.fixture
def machines():
    if not IS_WHOLE:
        pytest.skip("make test-ranks runs this")
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with Machines() as made:
        yield made


def run(machines, folder, program, *arguments):
    """What the ranks of both machines wrote."""
    port = runs.free_port()
    processes = []
    for rank in range(2):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        environment |= {"GLOO_SOCKET_IFNAME": LINK, "MIXGRPO_TEST_ADDRESS": ADDRESSES[0]}
        program_of_rank = [
            sys.executable,
            runs.__file__,
            str(rank),
            "2",
            str(port),
            str(folder),
            program,
            *map(str, arguments),
        ]
        processes.append(
            subprocess.Popen(
                machines.command(rank, *program_of_rank), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True,
            )
        )  # fmt: skip
    texts = [process.communicate(timeout=300) for process in processes]
    missing = [text for rank, text in enumerate(texts) if not (folder / f"{rank}.json").exists()]
    assert not missing, missing
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_a_link_that_is_cut_in_an_update_loses_nothing(machines, tmp_path):
    first, second = run(machines, tmp_path, "cut", LINK, tmp_path / "run")
    assert "RankLostError" in first["error"] and "rank 1 has given no sign of life" in first["error"]
    assert "RankLostError" in second["error"] and "has not answered" in second["error"]
    for rank in (first, second):
        assert rank["is_before"] and rank["seconds"] < 30
    assert ip("-n", machines.names[1], "link", "set", LINK, "up").returncode == 0
    case = Case(optimizer="adamw")
    trainer = runs.trainer_of(case)
    expected = runs.result_of(trainer, runs.iterate(case, trainer))
    for rank in run(machines, tmp_path, "resumes", "ddp", tmp_path / "run", 2):
        same(rank["weights"], expected["weights"], 1e-12, "resumed")
