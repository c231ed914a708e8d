"""Ranks that are processes of mpirun, over mpi4py."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest
import rank_training
from thread_ranks import Member, Table

pytest.importorskip("mpi4py", reason="needs the package mpi4py")
if shutil.which("mpirun") is None:
    pytest.skip("needs mpirun", allow_module_level=True)


def run(folder, count, *arguments):
    """The finished mpirun of so many ranks. mpirun removes the temporary folder that all of one user share."""
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    program = [sys.executable, "-m", "mpi4py", rank_training.__file__, *map(str, arguments)]
    return subprocess.run(
        ["mpirun", "--oversubscribe", "-n", str(count), *program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_any_number_of_processes_trains_to_the_bits_of_one(mixgrpo, tmp_path):
    weights, loss, reward = rank_training.trained(Member(Table(1), 0))
    expected = f"{hashlib.sha256(weights.tobytes()).hexdigest()} {loss} {reward}"
    for count in (1, 2, 3, 4):
        process = run(tmp_path, count)
        assert process.returncode == 0, process.stderr
        assert process.stdout.split("\n") == [expected, ""]


def test_an_exception_of_one_process_ends_all(mixgrpo, tmp_path):
    process = run(tmp_path, 3, 1)
    assert process.returncode != 0 and "ValueError: this rank has no rewards" in process.stderr
