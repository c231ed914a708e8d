"""Draws architecture.svg, the picture of ARCHITECTURE.md: pipeline, model owners, modules.

python docs/pictures/architecture.py            writes the picture beside this script
python docs/pictures/architecture.py --check    exit status 1 when the committed picture differs
"""

import pathlib
import sys
from html import escape

PICTURE = pathlib.Path(__file__).with_name("architecture.svg")
WIDTH, HEIGHT = 1120, 822
LIBRARY, HOST, MODEL, FRAME = "#dbe9f6", "#fde3c8", "#dff0d8", "#f7f7f7"

parts: list[str] = []


def text(x: float, y: float, line: str, size: int = 13, weight: str = "normal", anchor: str = "middle") -> None:
    parts.append(
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(line)}</text>'
    )


def box(x: float, y: float, width: float, height: float, fill: str, title: str = "", *lines: str) -> None:
    parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="#444"/>')
    first = y + height / 2 - 8 * len(lines) + 5
    if title:
        text(x + width / 2, first, title, 14, "bold")
    for number, line in enumerate(lines, 1):
        text(x + width / 2, first + 17 * number, line, 12)


def arrow(x1: float, y1: float, x2: float, y2: float) -> None:
    parts.append(
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="#444" stroke-width="1.6" marker-end="url(#head)"/>'
    )


def pipeline() -> None:
    box(290, 46, 806, 150, FRAME)
    text(302, 66, "Trainer: one iteration, whoever owns the model", 13, "bold", "start")
    text(800, 184, "window · tickets · metrics · faults · all or nothing · checkpoints", 12, "normal", "end")
    stages = [
        ("settings", LIBRARY, "checked once", "MixGRPO"), ("plan", LIBRARY, "grid, windows", "MixSampling"),
        ("rollout", LIBRARY, "P × G latents", "MixSampling"), ("samples", LIBRARY, "σ = 0", "MixSampling"),
        ("rewards", HOST, "any code", "host"), ("advantages", LIBRARY, "per group", "MixLearning"),
        ("update", LIBRARY, "policy loss", "MixLearning"), ("optimizer", MODEL, "new weights", "model owner"),
    ]  # fmt: skip
    for number, (name, fill, what, where) in enumerate(stages):
        x = 24 + 136 * number
        box(x, 82, 112, 78, fill, name, what, where)
        if number:
            arrow(x - 22, 121, x - 3, 121)


def owners() -> None:
    requests = [
        (324, "latents, σ", "down", "end"), (380, "velocity", "up", "start"),
        (846, "latents, σ", "down", "end"), (870, "velocity", "up", "start"), (946, "∂L/∂velocity", "down", "start"),
    ]  # fmt: skip
    for x, line, direction, side in requests:
        arrow(x, *((262, x, 164) if direction == "up" else (162, x, 260)))
        text(x + (6 if side == "start" else -6), 232, line, 12, "normal", side)
    box(24, 264, 1072, 112, FRAME)
    text(36, 284, "Model owner: one of two", 13, "bold", "start")
    box(44, 294, 506, 70, MODEL, "built-in", "FLUX transformer, float32, forward and backward, AdamW", "MixFlowModel, MixNumerics, MixLearning")
    box(570, 294, 506, 70, HOST, "host", "any model, framework and device; its own optimizer", "answers requests from C, C++, Python, PyTorch, Rust or Swift")


def modules() -> None:
    text(24, 414, "Modules: each one imports only modules below it", 13, "bold", "start")
    box(24, 426, 120, 44, HOST, "C++", "mixgrpo.hpp")
    box(154, 426, 120, 44, HOST, "Rust", "mixgrpo")
    box(284, 426, 120, 44, HOST, "Python", "mixgrpo")
    box(414, 426, 136, 44, HOST, "PyTorch", "mixgrpo.torch")
    box(560, 426, 180, 44, HOST, "C host", "mixgrpo.h")
    box(750, 426, 346, 96, LIBRARY, "MixCommand", "the command mixgrpo: settings, rewards, runs;", "with MixCompare and ProceduralWorld")
    box(24, 478, 716, 44, LIBRARY, "MixGRPOC", "libmixgrpo.so: checks, translates, calls")
    box(24, 530, 1072, 44, LIBRARY, "MixGRPO", "Swift interface: trainer, evaluation, checkpoints, pretraining")
    box(24, 582, 326, 96, MODEL, "MixFlowModel", "transformer, weights, evaluator")
    box(360, 582, 380, 44, LIBRARY, "MixLearning", "advantages, loss, update, AdamW, watchdog")
    box(360, 634, 380, 44, LIBRARY, "MixSampling", "time grid, window, transitions, rollout")
    box(750, 582, 346, 148, LIBRARY, "MixStorage", "safetensors, JSON, PNG,", "atomic files, logs")
    box(24, 686, 716, 44, LIBRARY, "MixNumerics", "matrix products, row kernels, random numbers, threads")
    box(24, 738, 1072, 44, LIBRARY, "MixBasics", "errors, validation, memory, run context")
    for x, fill, line in [(24, LIBRARY, "library"), (124, HOST, "host code and bindings"), (314, MODEL, "model and optimizer")]:
        parts.append(f'<rect x="{x}" y="796" width="14" height="14" fill="{fill}" stroke="#444"/>')
        text(x + 20, 808, line, 12, "normal", "start")


def drawing() -> str:
    parts.clear()
    text(24, 30, "Pipeline: settings and prompts in, aligned model out", 13, "bold", "start")
    pipeline()
    owners()
    modules()
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" fill="#111">\n'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if PICTURE.read_text() != drawing():
            sys.exit(f"{PICTURE.name} differs from its script; run python docs/pictures/architecture.py")
    else:
        PICTURE.write_text(drawing())
