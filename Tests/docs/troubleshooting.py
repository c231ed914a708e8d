"""The errors on the troubleshooting page are those that the command prints: troubleshooting.py COMMAND

`<!-- try: … -->` before a heading is a command that fails. Its message must contain the words of the heading, where `…` stands
for anything.
"""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENTRY = re.compile(r"^<!-- try: mixgrpo (.*?) -->\n### `(.*?)`$", re.M)
ANYTHING = r"(?<!\d)…+|…+(?!\d)"  # but not the mark of a range such as 1…65536


def prepare(folder: pathlib.Path) -> None:
    """Files that the commands of the page name."""
    (folder / "base").symlink_to(ROOT / "examples" / "base")
    texts = {
        "prompts.txt": b"a red circle\na blue square\n",
        "empty.txt": b"",
        "latin.txt": b"a\xff\n",
        "text.png": b"a",
    }
    for name, content in texts.items():
        (folder / name).write_bytes(content)
    for name in ("old", "nopictures", "other", "broken", "plain"):
        (folder / name).mkdir()
    (folder / "old" / "settings.json").write_text("{}")
    shutil.copy(folder / "base" / "config.json", folder / "broken")
    weights = "diffusion_pytorch_model.safetensors"
    for file in ("config.json", weights):
        (folder / "plain" / file).symlink_to(folder / "base" / file)
    (folder / "other" / weights).symlink_to(folder / "base" / weights)
    (folder / "broken" / weights).write_bytes((folder / "base" / weights).read_bytes()[:5000])
    sizes = json.loads((folder / "base" / "config.json").read_text())
    (folder / "other" / "config.json").write_text(json.dumps(sizes | {"_class_name": "UNet2DConditionModel"}))


def fault(command: str, folder: pathlib.Path, arguments: str, words: str) -> str | None:
    """What is wrong with an entry of the page."""
    shutil.rmtree(folder / "new", ignore_errors=True)
    ran = subprocess.run([command, *shlex.split(arguments)], cwd=folder, capture_output=True, text=True, timeout=120)
    if ran.returncode == 0:
        return "the command succeeds"
    pattern = ".*".join(re.escape(part) for part in re.split(ANYTHING, words))
    return None if re.search(pattern, ran.stderr) else f"the command says {ran.stderr.strip().splitlines()[-1]!r}"


def main() -> int:
    command = str(pathlib.Path(sys.argv[1]).resolve())
    entries = ENTRY.findall((ROOT / "docs" / "troubleshooting.md").read_text())
    faults = []
    with tempfile.TemporaryDirectory() as name:
        prepare(pathlib.Path(name))
        for arguments, words in entries:
            if reason := fault(command, pathlib.Path(name), arguments, words):
                faults.append(f"docs/troubleshooting.md: {words}: {reason}")
    print(
        "\n".join(faults)
        if faults
        else f"the {len(entries)} errors that the troubleshooting page shows are those of the command"
    )
    return 1 if faults or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
