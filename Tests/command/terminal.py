"""Runs of `mixgrpo` in a virtual terminal: what a person sees on the screen, and what goes to a file.

Usage: terminal.py COMMAND BASE, in an empty folder, with pyte and Pillow installed. BASE is a model folder."""

import os
import re
import subprocess
import sys

from PIL import Image
from virtual_terminal import Terminal

command, base = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
small = (
    "--group-size 4 --steps 4 --window-length 2 --prompts-per-iteration 1 --pictures-every 0 --evaluate-every 0".split()
)
small += ["--set", "learning.updates_per_iteration=2"]
BAR = re.compile(r"^\[[#.]+\]")


def align(*words: str) -> list[str]:
    return [command, "align", "--model", base, "--prompts", "prompts.txt", *small, *words]


def check(holds: object, claim: str, seen: Terminal) -> None:
    if not holds:
        print("\n".join(seen.lines), file=sys.stderr)
        sys.exit(f"FAILED: {claim}")


def common(seen: Terminal, columns: int, iterations: int) -> None:
    """What holds for every run on a terminal."""
    check(seen.code == 0, f"the run ends with {seen.code}", seen)
    check(b"\x1b" not in seen.output, "escape sequences", seen)
    check(not any(BAR.match(line) for line in seen.lines), "a bar stays on the screen", seen)
    check(seen.output.count(b"rollout ") and seen.output.count(b"update "), "no progress within an iteration", seen)
    for number in range(1, iterations + 1):
        rows = [line for line in seen.lines if line.split()[:1] == [f"{number}/{iterations}"]]
        check(len(rows) == 1, f"expected iteration {number} as one line", seen)
    last = seen.lines[-1]
    check(last.startswith("model: "), "the last line names the model", seen)
    # Each time the bar is drawn it returns to the beginning of its line: a bar that wraps leaves its beginning behind.
    drawn = re.split(rb"[\r\n]+", seen.output)
    bars = [line.decode(errors="replace") for line in drawn if BAR.match(line.decode(errors="replace"))]
    check(bars and all(len(bar) < columns for bar in bars), "a bar as wide as the terminal", seen)


def table_of_iterations() -> None:
    for columns in [40, 80, 200]:
        seen = Terminal(align("--reward", "darkness", "--iterations", "6", "--out", f"table-{columns}"), columns)
        common(seen, columns, 6)
        header = next(line for line in seen.lines if "iteration" in line.split()[:1])
        check(header.split() == ["iteration", "darkness", "trend", "left"], f"the columns: {header}", seen)
        row = next(line for line in seen.lines if line.split()[:1] == ["5/6"])
        check(re.fullmatch(r" *5/6 +0\.\d{4} +[-+][\d.e-]+ +\d+:\d\d", row), f"a row: {row}", seen)
        check(len(row) == len(header), "rows below their header", seen)
        check(any(line.startswith("mean of 3") for line in seen.lines), "a summary", seen)
        check(any(line.startswith("next: mixgrpo sample ") for line in seen.lines), "the next command", seen)


def many_rewards() -> None:
    rewards = ["darkness", "contrast", "symmetry", "saturation", "warmth", "sharpness", "smoothness", "colourfulness"]
    words = [word for reward in rewards for word in ("--reward", reward)]
    for columns in [40, 80]:
        seen = Terminal(align(*words, "--iterations", "3", "--out", f"many-{columns}"), columns)
        common(seen, columns, 3)
        header = next(line for line in seen.lines if "iteration" in line.split()[:1])
        check(header.split()[1] == "mean" and header.split()[-2:] == ["trend", "left"], f"the columns: {header}", seen)
        check(
            all(any(line.startswith(reward[:9]) for line in seen.lines) for reward in rewards),
            "every reward in the end",
            seen,
        )


def wide_characters() -> None:
    name = "暗い絵🎨"
    program = f"{name}=python3 {os.path.dirname(os.path.abspath(__file__))}/scorer.py index"
    seen = Terminal(align("--reward-program", program, "--iterations", "3", "--out", "wide"), 40)
    common(seen, 40, 3)
    # pyte's display has an empty cell after a wide character.
    check(any(name in line.replace(" ", "") for line in seen.lines), "the name of the reward", seen)


def evaluations() -> None:
    watched = ["--reward", "darkness", "--evaluate-every", "1", "--held-out", "brightness", "--watchdog", "stop"]
    rate = ["--learning-rate", "1e-4", "--iterations", "30", "--set", "evaluation.watchdog_patience=2"]
    seen = Terminal(align(*watched, *rate, "--out", "hacked"), 100)
    check(seen.code == 0 and any(line.startswith("stopped: ") for line in seen.lines), "the watchdog stops", seen)
    check(seen.lines[-1] == "model: hacked/best", "the last line names the best model", seen)
    check(any(re.match(r"darkness +[\d.]+ .*\+", line) for line in seen.lines), "the trained reward rose", seen)
    check(
        any(re.match(r"brightness \[held out\] +[\d.]+ .*-", line) for line in seen.lines),
        "the held-out reward fell",
        seen,
    )
    check(any(re.match(r"best evaluation: iteration \d+", line) for line in seen.lines), "the best evaluation", seen)


def warnings() -> None:
    settings = ["--reward", "darkness", "--iterations", "3", "--learning-rate", "0", "--out", "still"]
    seen = Terminal(align(*settings), 200)
    said = [line for line in seen.lines if line.startswith("warning: ")]
    check(len(said) == 1 and "the learning rate was 0" in said[0] and ".md" in said[0], "one warning", seen)
    program = f"mine=python3 {os.path.dirname(os.path.abspath(__file__))}/scorer.py"
    for behaviour, words in [("all-nan", "NaN or infinite for all 4"), ("constant", "reward mine was 0.5 for all")]:
        seen = Terminal(
            align("--reward-program", f"{program} {behaviour}", "--iterations", "3", "--out", behaviour), 200
        )
        said = [line for line in seen.lines if line.startswith("warning: ")]
        check(len(said) == 1 and words in said[0], f"one warning about {behaviour}", seen)
        check("nan" not in re.sub("all-nan|NaN", "", "\n".join(seen.lines)), "nan is printed", seen)


def without_terminal() -> None:
    dumb = Terminal(align("--reward", "darkness", "--iterations", "3", "--out", "dumb"), 80, TERM="dumb")
    check(dumb.code == 0 and b"\r\r" not in dumb.output and b"\x1b" not in dumb.output, "a dumb terminal", dumb)
    check(not BAR.search(dumb.output.decode()) and "[#" not in dumb.output.decode(), "a bar on a dumb terminal", dumb)
    check(any(line.startswith("3/3  darkness 0.") for line in dumb.lines), "plain lines on a dumb terminal", dumb)
    common(Terminal(align("--reward", "darkness", "--iterations", "3", "--out", "plain"), 80, NO_COLOR="1"), 80, 3)
    done = subprocess.run(
        align("--reward", "darkness", "--iterations", "3", "--out", "file"), capture_output=True, text=True, check=True
    )
    assert not set(done.stderr + done.stdout) & {"\r", "\x1b"}, done.stderr
    assert [line[:3] for line in done.stderr.splitlines()[-3:]] == ["1/3", "2/3", "3/3"], done.stderr


def picture_texts() -> None:
    words = ["a red circle", "赤い丸", "a blue square"]
    subprocess.run(
        [
            command,
            "sample",
            *words,
            "--model",
            base,
            "--samples",
            "1",
            "--steps",
            "1",
            "--out",
            "p.png",
            "--each",
            "each",
        ],
        check=True,
        capture_output=True,
    )
    texts = Image.open("p.png").text
    assert [texts[f"prompt {number}"] for number in (1, 2, 3)] == words and texts["seed"] == "0", texts
    assert Image.open("each/0001-0000.png").text["prompt"] == words[1]


with open("prompts.txt", "w") as file:
    file.write("a red circle\na blue square\na green triangle\n")
for test in [
    table_of_iterations,
    many_rewards,
    wide_characters,
    evaluations,
    warnings,
    without_terminal,
    picture_texts,
]:
    test()
    print(test.__name__.replace("_", " "))
