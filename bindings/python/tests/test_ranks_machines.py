"""Two "machines", each a network namespace with an address of its own, and a link between them that is cut."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from torch_fixtures import required

required("torch")

import ranked_runs as runs  # noqa: E402
from ranked_runs import Case  # noqa: E402
from test_ranks import IS_WHOLE, same  # noqa: E402

NAMES, ADDRESSES, LINKS = ["mixgrpo-a", "mixgrpo-b"], ["10.87.0.1", "10.87.0.2"], ["mixgrpo0", "mixgrpo1"]


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


@pytest.fixture
def machines():
    """Two namespaces and a link with 20 ms of delay, where the system can delay."""
    if not IS_WHOLE:
        pytest.skip("make test-ranks runs this")
    if os.geteuid() != 0 or shutil.which("ip") is None or ip("netns", "add", NAMES[0]).returncode != 0:
        pytest.skip("this needs iproute2 and the right to make network namespaces")
    ip("netns", "add", NAMES[1])
    try:
        ip("link", "add", LINKS[0], "type", "veth", "peer", "name", LINKS[1])
        for name, address, link in zip(NAMES, ADDRESSES, LINKS, strict=True):
            ip("link", "set", link, "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", "lo", "up")
            assert ip("-n", name, "link", "set", link, "up").returncode == 0
            if shutil.which("tc"):
                delay = ["tc", "qdisc", "add", "dev", link, "root", "netem", "delay", "20ms"]
                subprocess.run(["ip", "netns", "exec", name, *delay], capture_output=True)
        yield
    finally:
        for name in NAMES:
            ip("netns", "del", name)


def run(folder, program, *arguments):
    """What the ranks of both machines wrote."""
    port = runs.free_port()
    processes = []
    for rank, (name, link) in enumerate(zip(NAMES, LINKS, strict=True)):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        environment |= {"GLOO_SOCKET_IFNAME": link, "MIXGRPO_TEST_ADDRESS": ADDRESSES[0]}
        command = ["ip", "netns", "exec", name, sys.executable, runs.__file__, str(rank), "2", str(port), str(folder)]
        processes.append(
            subprocess.Popen(
                [*command, program, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True,
            )
        )  # fmt: skip
    texts = [process.communicate(timeout=300) for process in processes]
    missing = [text for rank, text in enumerate(texts) if not (folder / f"{rank}.json").exists()]
    assert not missing, missing
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_a_link_that_is_cut_in_an_update_loses_nothing(machines, tmp_path):
    first, second = run(tmp_path, "cut", LINKS[1], tmp_path / "run")
    assert "RankLostError" in first["error"] and "rank 1 has given no sign of life" in first["error"]
    assert "RankLostError" in second["error"] and "has not answered" in second["error"]
    for rank in (first, second):
        assert rank["is_before"] and rank["seconds"] < 30
    assert ip("-n", NAMES[1], "link", "set", LINKS[1], "up").returncode == 0
    case = Case(optimizer="adamw")
    trainer = runs.trainer_of(case)
    expected = runs.result_of(trainer, runs.iterate(case, trainer))
    for rank in run(tmp_path, "resumes", "ddp", tmp_path / "run", 2):
        same(rank["weights"], expected["weights"], 1e-12, "resumed")
