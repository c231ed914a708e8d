#!/usr/bin/env python3
"""Kills runs of the command at each change of a file: what resumes leaves the files of a run that nobody stopped.

    command_kills.py COMMAND KILL_AT_LIBRARY [--every N]

The library ends a process just before its n-th write, rename, unlink or mkdir. For n = 1, 1 + N, … the run is killed there,
started again with --resume (from the beginning when it had no settings yet), and compared: metrics without their times,
evaluations, pictures, model, best model. --every 1 tries each place.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = "base"
SMALL = ["--height", "8", "--width", "8", "--group-size", "2", "--steps", "3", "--window-length", "1"]
ALIGN = [
    "align", "--model", BASE, "--prompts", "prompts.txt", *SMALL, "--prompts-per-iteration", "1", "--threads", "1",
    "--reward", "darkness", "--held-out", "brightness", "--evaluate-every", "1", "--iterations", "4", "--save-every", "2",
    "--pictures-every", "1", "--set", "learning.updates_per_iteration=1", "--set", "evaluation.prompts=1",
    "--set", "pictures_per_prompt=1", "--set", "picture_prompts=1",
]  # fmt: skip
PRETRAIN = [
    "pretrain", "--data", "data", "--heads", "2", "--head-dim", "16", "--double-blocks", "1", "--single-blocks", "1",
    "--batch", "1", "--steps", "4", "--save-every", "2", "--pictures-every", "1", "--threads", "1",
]  # fmt: skip


class Command:
    """The command with the library that kills."""

    def __init__(self, program, library, folder):
        self.program, self.library, self.folder = program, library, folder

    def run(self, arguments, **environment):
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=os.environ | {"LD_PRELOAD": self.library} | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def check(self, arguments, **environment):
        done = self.run(arguments, **environment)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"


def untimed(figures):
    return {key: value for key, value in figures.items() if "seconds" not in key}


def shown(page):
    """The data of a page, without the folder's name in its title and settings."""
    data = json.loads(page.partition(b'id="mixgrpo-report">')[2].partition(b"</script>")[0])
    data["iterations"] = [untimed(figures) for figures in data["iterations"]]
    return {key: value for key, value in data.items() if key not in ("title", "settings")}


def contents(run):
    """What must not depend on a kill."""
    files = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name = str(path.relative_to(run))
        if "tfevents" in name or ".mixgrpo-" in name:
            continue
        data = path.read_bytes()
        if name == "metrics.jsonl":
            data = [untimed(json.loads(line)) for line in data.splitlines()]
        if name == "report.html":
            data = shown(data)
        files[name] = data
    return files


def survive(command, name, arguments, every):
    whole, killed = command.folder / f"{name}-whole", command.folder / f"{name}-killed"
    counted = command.folder / "count"
    command.check([*arguments, "--out", whole.name], KILL_COUNT=str(counted))
    changes = int(counted.read_text())
    expected = contents(whole)
    # The name of the folder is a setting.
    expected["settings.json"] = expected["settings.json"].replace(whole.name.encode(), killed.name.encode())
    tried = 0
    for place in range(1, changes + 1, every):
        shutil.rmtree(killed, ignore_errors=True)
        stopped = command.run([*arguments, "--out", killed.name], KILL_AT=str(place))
        assert stopped.returncode == -signal.SIGKILL, f"{name}, change {place}: {stopped.stderr}"
        has_settings = (killed / "settings.json").exists()
        command.check(
            [*arguments[:1], "--resume"] * has_settings + arguments * (not has_settings) + ["--out", killed.name]
        )
        found = contents(killed)
        found.pop("checkpoints/run.lock", None)
        names = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        assert not names, (
            f"{name}, killed at change {place} of {changes}: expected the files of a whole run, differ: {names}"
        )
        tried += 1
    print(f"{name}: killed at {tried} of {changes} changes of files; every run went on to the files of a whole one")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = Command(str(options.command.resolve()), str(options.library.resolve()), Path(folder))
        (command.folder / "prompts.txt").write_text("a red circle\na blue square\n")
        # The shipped model without mixgrpo.json, which remembers the size of its pictures: smaller ones are enough here.
        shutil.copytree(ROOT / "examples" / "base", command.folder / BASE, ignore=lambda *_: {"mixgrpo.json"})
        command.check(
            [
                "sample",
                "a red circle",
                "--model",
                BASE,
                "--height",
                "8",
                "--width",
                "8",
                "--steps",
                "1",
                "--samples",
                "2",
            ]
            + ["--each", "data"]
        )
        lines = [
            json.dumps({"file_name": path.name, "text": "a red circle"}) for path in (command.folder / "data").iterdir()
        ]
        (command.folder / "data" / "metadata.jsonl").write_text("\n".join(sorted(lines)) + "\n")
        survive(command, "align", ALIGN, options.every)
        survive(command, "pretrain", PRETRAIN, options.every)


if __name__ == "__main__":
    main()
