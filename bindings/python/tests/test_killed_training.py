"""`mixgrpo.train` killed at every boundary, and two trainings in one folder."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small import brightness

PROGRAM = Path(__file__).with_name("killed_training.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def run(folder, kill_at=0):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, PROGRAM, folder, str(kill_at)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT).returncode


def contents(folder):
    """All files; figures without their times."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    lines = [json.loads(line) for line in files.pop("metrics.jsonl").splitlines()]
    return files, [{key: value for key, value in line.items() if "seconds" not in key} for line in lines]


def test_a_run_killed_at_any_boundary_goes_on_to_the_files_of_a_whole_one(mixgrpo, tmp_path):
    assert run(tmp_path / "whole") == 0
    expected = contents(tmp_path / "whole")
    assert [line["iteration"] for line in expected[1]] == [0, 1, 2]
    for place in range(1, 200):
        folder = tmp_path / str(place)
        if run(folder, place) == 0:
            assert place > 20
            return
        assert run(folder) == 0
        assert contents(folder) == expected, f"killed at boundary {place}"
    pytest.fail("expected a run of fewer boundaries")


def test_figures_are_reported_before_they_are_saved(mixgrpo, make_trainer, codec, tmp_path):
    seen = []

    def report(metrics):
        seen.append(sorted(path.name for path in tmp_path.glob("iteration-*")))

    options = dict(decode=codec.decode, prompts_per_iteration=2, progress=False, checkpoints=tmp_path)
    mixgrpo.train(make_trainer(), brightness, iterations=2, on_iteration=report, **options)
    assert seen == [[], ["iteration-00000001.safetensors"]]


def test_a_second_run_in_a_folder_is_refused_and_names_the_first(mixgrpo, make_trainer, codec, tmp_path):
    options = dict(decode=codec.decode, iterations=1, prompts_per_iteration=2, progress=False, checkpoints=tmp_path)

    def second(metrics):
        with pytest.raises(
            mixgrpo.InvalidStateError, match=rf"in use by process {os.getpid()} on \S+ since 20\S+Z; wait"
        ):
            mixgrpo.train(make_trainer(), brightness, **options)
        seen.append(metrics)

    seen = []
    mixgrpo.train(make_trainer(), brightness, on_iteration=second, **options)
    assert seen and not (tmp_path / "run.lock").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "\x1b[2J", "host": "", "since": ""}'])
def test_a_lock_without_a_readable_holder_still_excludes(mixgrpo, tmp_path, content):
    from mixgrpo.training.folder_lock import FolderLock

    with FolderLock(tmp_path):
        (tmp_path / "run.lock").write_bytes(content)
        with pytest.raises(mixgrpo.InvalidStateError, match="in use by another process;"):
            FolderLock(tmp_path)
    (tmp_path / "run.lock").write_bytes(content)  # as a kill leaves it
    with FolderLock(tmp_path):
        assert json.loads((tmp_path / "run.lock").read_text())["pid"] == os.getpid()


def test_a_forked_child_does_not_keep_the_lock(mixgrpo, tmp_path):
    from mixgrpo.training.folder_lock import FolderLock

    lock = FolderLock(tmp_path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b".")
        signal.pause()
        os._exit(0)
    try:
        os.read(reader, 1)
        lock._close()  # as a kill does
        FolderLock(tmp_path).release()
    finally:
        os.close(reader)
        os.close(writer)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_lines_of_figures_that_cannot_be_read_are_an_error_and_stay(mixgrpo, make_trainer, codec, tmp_path):
    figures = tmp_path / "metrics.jsonl"
    figures.write_text('{"iteration": 0}\nnonsense\n')
    with pytest.raises(mixgrpo.InvalidFormatError, match=r"metrics.jsonl, line 2: expected an object"):
        mixgrpo.train(
            make_trainer(), brightness, decode=codec.decode, iterations=1, prompts_per_iteration=2, progress=False,
            checkpoints=tmp_path / "run", metrics=figures,
        )  # fmt: skip
    assert figures.read_text() == '{"iteration": 0}\nnonsense\n'
