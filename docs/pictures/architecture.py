"""Draws architecture.svg, the picture of ARCHITECTURE.md: pipeline, model owners, modules.

python docs/pictures/architecture.py            writes the picture beside this script
python docs/pictures/architecture.py --check    exit status 1 when the committed picture differs

Either way it fails when an arrow between two modules is missing, or is not what Package.swift declares.
"""

import pathlib
import re
import sys
from html import escape

PICTURE = pathlib.Path(__file__).with_name("architecture.svg")
PACKAGE = pathlib.Path(__file__).parents[2] / "Package.swift"
WIDTH, HEIGHT = 1120, 1004
LIBRARY, HOST, MODEL, FRAME = "#dbe9f6", "#fde3c8", "#dff0d8", "#f7f7f7"

parts: list[str] = []
drawn: list[tuple[str, str]] = []  # a module and one that it imports


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
    text(302, 66, "Trainer: one iteration; it asks for velocities and never calls a model", 13, "bold", "start")
    text(800, 184, "window · tickets · metrics · faults · all or nothing · checkpoints", 12, "normal", "end")
    stages = [
        ("settings", LIBRARY, "one table", "MixSettings"), ("plan", LIBRARY, "grid, windows", "MixSampling"),
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
        (846, "latents, σ", "down", "end"), (866, "velocity", "up", "start"),
        (932, "∂L/∂velocity", "down", "start"), (1024, "step, undo", "down", "start"),
    ]  # fmt: skip
    for x, line, direction, side in requests:
        arrow(x, *((262, x, 164) if direction == "up" else (162, x, 260)))
        text(x + (6 if side == "start" else -6), 232, line, 12, "normal", side)
    box(24, 264, 1072, 112, FRAME)
    text(36, 284, "Model owner: answers every request; one of two", 13, "bold", "start")
    flux = "FLUX transformer, float32, forward and backward, AdamW"
    box(44, 294, 506, 70, MODEL, "built-in", flux, "MixFlowModel, MixNumerics, MixLearning")
    own = "any model, framework and device; its own optimizer"
    box(570, 294, 506, 70, HOST, "host", own, "next and submit, from C, C++, Python, PyTorch, Rust or Swift")


def module(name: str, x: float, y: float, width: float, height: float, *lines: str) -> None:
    fill = MODEL if name == "MixFlowModel" else LIBRARY
    box(x, y, width, height, fill, name, *lines)


def imports(above: str, below: str, x1: float, y1: float, x2: float, y2: float) -> None:
    drawn.append((above, below))
    arrow(x1, y1, x2, y2)


def bindings() -> None:
    names = [
        ("C++", "mixgrpo.hpp"), ("Rust", "mixgrpo"), ("Python", "mixgrpo"), ("PyTorch", "mixgrpo.torch"),
        ("C host", "mixgrpo.h"),
    ]  # fmt: skip
    for number, (name, what) in enumerate(names):
        x = 24 + 144 * number
        box(x, 444, 130, 44, HOST, name, what)
        if name == "PyTorch":
            arrow(x, 466, x - 12, 466)
        else:
            arrow(x + 65, 488, x + 65, 508)


def modules() -> None:
    text(24, 414, "Modules: arrows lead to what a module imports; indirect imports are not drawn", 13, "bold", "start")
    text(24, 434, "host code and bindings; declarations generated from mixgrpo.h", 12, "normal", "start")
    bindings()
    module("MixCommand", 750, 444, 346, 44, "the command mixgrpo: settings, rewards, runs")
    module("MixGRPOC", 24, 512, 706, 44, "libmixgrpo.so: checks, translates, calls")
    module("MixCompare", 750, 512, 160, 44, "methods compared")
    module("ProceduralWorld", 936, 512, 160, 44, "simple pictures")
    module("MixGRPO", 24, 580, 1072, 44, "Swift interface: trainer, evaluation, checkpoints, pretraining")
    module("MixFlowModel", 24, 648, 340, 112, "transformer, weights, evaluator")
    module("MixLearning", 388, 648, 708, 44, "advantages, policy loss, update, AdamW, watchdog")
    module("MixSampling", 388, 716, 708, 44, "time grid, window, transitions, rollout")
    module("MixNumerics", 24, 784, 532, 112, "matrix products, row kernels, attention,", "random numbers, threads, arenas")
    module("MixSettings", 580, 784, 516, 44, "one table of all settings")
    module("MixStorage", 580, 852, 516, 44, "safetensors, JSON, PNG, atomic files, logs")
    module("MixBasics", 24, 920, 1072, 44, "errors, validation, memory, run context, velocity request")
    imports("MixCommand", "MixCompare", 830, 488, 830, 508)
    imports("MixGRPOC", "MixGRPO", 377, 556, 377, 576)
    imports("MixCompare", "ProceduralWorld", 910, 534, 932, 534)
    imports("ProceduralWorld", "MixGRPO", 1016, 556, 1016, 576)
    imports("MixGRPO", "MixFlowModel", 194, 624, 194, 644)
    imports("MixGRPO", "MixLearning", 742, 624, 742, 644)
    imports("MixLearning", "MixSampling", 742, 692, 742, 712)
    imports("MixFlowModel", "MixNumerics", 194, 760, 194, 780)
    imports("MixSampling", "MixNumerics", 472, 760, 472, 780)
    imports("MixSampling", "MixSettings", 838, 760, 838, 780)
    imports("MixSettings", "MixStorage", 838, 828, 838, 848)
    imports("MixNumerics", "MixBasics", 290, 896, 290, 916)
    imports("MixStorage", "MixBasics", 838, 896, 838, 916)
    for x, fill, line in [(24, LIBRARY, "library"), (124, HOST, "host code and bindings"), (314, MODEL, "model and optimizer")]:
        parts.append(f'<rect x="{x}" y="978" width="14" height="14" fill="{fill}" stroke="#444"/>')
        text(x + 20, 990, line, 12, "normal", "start")


def declared() -> set[tuple[str, str]]:
    """The arrows that Package.swift declares among the modules of the drawing, without those that others imply."""
    targets = dict(re.findall(r'\.target\(\s*name: "(\w+)",\s*dependencies: \[(.*?)\]', PACKAGE.read_text(), re.S))
    known = {name for pair in drawn for name in pair}
    direct = {name: {other for other in re.findall(r'"(\w+)"', targets[name]) if other in known} for name in known}

    def reached(name: str) -> set[str]:
        return direct[name].union(*(reached(other) for other in direct[name]))

    return {
        (name, other)
        for name, others in direct.items()
        for other in others
        if not any(other in reached(between) for between in others - {other})
    }


def drawing() -> str:
    parts.clear()
    drawn.clear()
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
    picture = drawing()
    if wrong := declared() ^ set(drawn):
        arrows = ", ".join(f"{above} → {below}" for above, below in sorted(wrong))
        sys.exit(f"arrows of {pathlib.Path(__file__).name} are not those of Package.swift: {arrows}")
    if "--check" not in sys.argv[1:]:
        PICTURE.write_text(picture)
    elif PICTURE.read_text() != picture:
        sys.exit(f"{PICTURE.name} differs from its script; run python docs/pictures/architecture.py")
