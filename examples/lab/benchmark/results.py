"""Ratios, table and figure of a comparison."""

import statistics
import textwrap
from pathlib import Path

TITLES = {
    "forward1": "forward, 1 sample",
    "forward12": "forward, 12 samples",
    "forward_backward12": "forward + backward, 12 samples",
    "rollout0": "rollout, window at 0",
    "update0": "update, window at 0",
    "window0": "iteration, window at 0",
    "rollout10": "rollout, window at 10",
    "update10": "update, window at 10",
    "window10": "iteration, window at 10, and mean of the sweep",
    "window20": "iteration, window at 20",
    "flash": "iteration, Flash, window at 10",
    "flash_star": "iteration, Flash*, window at 0",
}
SIDES = {"ours": "MixGRPO", "compile": "torch.compile", "eager": "eager", "one-by-one": "one by one"}
TORCH_SIDES = ("compile", "eager", "one-by-one", "compile-autocast", "compile-bf16")
HALF_SIDES = {
    "ours": "MixGRPO, float32",
    "ours-bf16": "MixGRPO, bfloat16",
    "compile": "torch.compile, float32",
    "compile-autocast": "torch.compile, autocast",
    "compile-bf16": "torch.compile, weights in bfloat16",
}


def summarize(measured: list[dict], peak: float, half_peak: float) -> dict:
    """Medians of each side, ratios, and the shares of the peaks in float32 and bfloat16, in GFLOP/s."""
    rows = [row(entry, peak, half_peak) for entry in with_parts(measured)]
    add_shares_of_torch(rows, peak)
    return {
        "ratios": {f"{row['model']}_{row['case']}": main_ratio(row) for row in rows},
        "ratios_same_model_calls": {
            f"{row['model']}_{row['case']}": row["ratios"]["compile_over_unshared"]
            for row in rows
            if "compile_over_unshared" in row["ratios"] and row["case"].startswith("window")
        },
        "memory_ratios": memory_ratios(rows),
        "sgemm_gflop_per_second": peak,
        "bfloat16_gflop_per_second": half_peak,
        "rows": rows,
    }


def with_parts(measured: list[dict]) -> list[dict]:
    """Inserts rollout and update as separate entries before each iteration that measures them separately."""
    entries = []
    for entry in measured:
        for part in ("rollout", "update"):
            case = entry["case"].replace("window", part)
            if case in TITLES and case != entry["case"]:
                turns = [
                    {**turn, "seconds": turn[f"seconds_{part}"], "operations": turn.get(f"operations_{part}")}
                    for turn in entry["turns"]
                ]
                entries.append({**entry, "case": case, "turns": turns})
        entries.append(entry)
    return entries


def row(entry: dict, peak: float, half_peak: float) -> dict:
    """One case of one model."""
    sides = {turn["side"]: [] for turn in entry["turns"]}
    for turn in entry["turns"]:
        sides[turn["side"]].append(turn)
    found = {
        name: {
            "seconds": statistics.median(turn["seconds"] for turn in turns),
            "turns": [turn["seconds"] for turn in turns],
            "peak_bytes": max(turn["peak_bytes"] for turn in turns),
        }
        for name, turns in sides.items()
    }
    for name in ("ours", "unshared", "undo", "ours-bf16"):
        if name in sides:
            found[name]["gflop"] = sides[name][0]["operations"] * 1e-9
            found[name]["gflop_recalled"] = sides[name][0]["operations_recalled"] * 1e-9
            fastest = half_peak if name == "ours-bf16" else peak
            found[name]["share_of_peak"] = found[name]["gflop"] / found[name]["seconds"] / fastest
    ratios = {
        f"{name}_over_{base}": round_ratio(sides[name], sides[base])
        for base in ("ours", "unshared", "ours-bf16")
        if base in sides
        for name in ("ours", *TORCH_SIDES)
        if name in sides and name != base
    }
    return {"model": entry["model"], "case": entry["case"], "sides": found, "ratios": ratios}


def round_ratio(numerator: list[dict], denominator: list[dict]) -> float:
    """The median ratio of times over the rounds in which both took part."""
    times = {turn["round"]: turn["seconds"] for turn in denominator}
    return statistics.median(turn["seconds"] / times[turn["round"]] for turn in numerator if turn["round"] in times)


def main_ratio(row: dict) -> float:
    """Ratio against torch.compile, or for a single sample against eager, which lacks the overhead of a compiled call."""
    return row["ratios"]["eager_over_ours" if row["case"] == "forward1" else "compile_over_ours"]


def add_shares_of_torch(rows: list[dict], peak: float):
    """PyTorch evaluates shared latents once per member, wherever the window is, and reuses no activations."""
    unshared = {
        row["model"]: row["sides"]["unshared"]["gflop"] + row["sides"]["unshared"]["gflop_recalled"]
        for row in rows
        if "unshared" in row["sides"]
    }
    for row in rows:
        for name, side in row["sides"].items():
            if name not in (
                "compile",
                "eager",
                "one-by-one",
            ):  # a share of the peak in float32 says nothing of bfloat16
                continue
            case = row["case"]
            gflop = unshared.get(row["model"]) if case.startswith("window") else row["sides"]["ours"]["gflop"]
            if gflop is not None and not case.startswith(("rollout", "update", "flash")):
                side["gflop"] = gflop
                side["share_of_peak"] = gflop / side["seconds"] / peak


def memory_ratios(rows: list[dict]) -> dict:
    """Memory of one iteration: the smaller of PyTorch's two ways over ours."""
    ratios = {}
    for row in rows:
        sides = row["sides"]
        if row["case"] == "window0":
            torch = min(sides[name]["peak_bytes"] for name in ("compile", "eager") if name in sides)
            ratios[row["model"]] = torch / sides["ours"]["peak_bytes"]
    return ratios


# ---------------------------------------------------------------------------------------------------------------- table


def duration(seconds: float) -> str:
    value, unit = (seconds * 1e3, "ms") if seconds < 1 else (seconds, "s")
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def wrapped(text: str) -> str:
    """Paragraphs and list items with lines of one width; tables, pictures and headings stay."""
    blocks = []
    for block in text.split("\n\n"):
        if block.startswith(("|", "!", "#")):
            blocks.append(block)
            continue
        lines = []
        for item in block.replace("\n- ", "\n\n- ").split("\n\n"):
            indent = "  " if item.startswith("- ") else ""
            words = " ".join(item.split())
            lines += textwrap.wrap(words, 128, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def cell(side: dict | None, share: bool = False) -> str:
    if side is None:
        return "–"
    return duration(side["seconds"]) + (
        f" ({100 * side['share_of_peak']:.0f} %)" if share and "share_of_peak" in side else ""
    )


def mebibytes(side: dict | None) -> str:
    return "–" if side is None else f"{side['peak_bytes'] / 2**20:.0f} MiB"


def markdown(summary: dict) -> str:
    lines = [
        "# Side by side with PyTorch\n",
        f"{summary['processor']}, {summary['threads']} threads, float32 where nothing else is said; the fastest matrix product "
        f"makes {summary['sgemm_gflop_per_second']:.0f} GFLOP/s, shares of it in brackets. Medians; the sides took turns.\n",
        "| model | part | " + " | ".join(SIDES.values()) + " | faster than torch.compile | than eager |",
        "|---|---|" + "--:|" * (len(SIDES) + 2),
    ]
    for row in summary["rows"]:
        cells = [cell(row["sides"].get(name), share=name in ("ours", "compile")) for name in SIDES]
        ratios = [row["ratios"].get(f"{name}_over_ours") for name in ("compile", "eager")]
        shown = ["–" if ratio is None else f"{ratio:.2f} ×" for ratio in ratios]
        lines.append(f"| {row['model']} | {TITLES[row['case']]} | " + " | ".join(cells + shown) + " |")
    columns = {"ours": "MixGRPO", "undo": "MixGRPO that can undo", **{name: SIDES[name] for name in list(SIDES)[1:]}}
    lines += ["", "| memory of an iteration | " + " | ".join(columns.values()) + " |", "|---|" + "--:|" * len(columns)]
    for row in summary["rows"]:
        if row["case"] == "window0":
            lines.append(
                f"| {row['model']} | " + " | ".join(mebibytes(row["sides"].get(name)) for name in columns) + " |"
            )
    lines += same_calls(summary) + half_precision(summary)
    if summary.get("left_out"):
        lines += ["", "Left out, because PyTorch failed: " + "; ".join(summary["left_out"]) + "."]
    return "\n".join(lines) + "\n"


def same_calls(summary: dict) -> list[str]:
    """The ratio when our side, too, evaluates shared latents once per member."""
    ratios = summary["ratios_same_model_calls"]
    if not ratios:
        return []
    text = ", ".join(f"{name.split('_')[0]} {ratio:.2f} ×" for name, ratio in ratios.items())
    return ["", f"With the same model calls as PyTorch (nothing shared), window at 0, against torch.compile: {text}."]


def half_precision(summary: dict) -> list[str]:
    """Ours in bfloat16 against the faster of PyTorch's two ways, and against ours in float32."""
    rows = [row for row in summary["rows"] if "ours-bf16" in row["sides"]]
    peak = summary["bfloat16_gflop_per_second"]
    titles = ["model", "part", *HALF_SIDES.values(), "bfloat16: faster than PyTorch's best", "than ours in float32"]
    words = f"PyTorch's fastest product in bfloat16 makes {peak:.0f} GFLOP/s; shares of it are in brackets."
    lines = ["", words, "", "| " + " | ".join(titles) + " |", "|---|---|" + "--:|" * (len(titles) - 2)] if rows else []
    for row in rows:
        cells = [cell(row["sides"].get(name), share=name == "ours-bf16") for name in HALF_SIDES]
        ratios = (row["ratios"].get(f"{name}_over_ours-bf16") for name in ("compile-autocast", "compile-bf16"))
        best = min((ratio for ratio in ratios if ratio is not None), default=None)
        cells += ["–" if best is None else f"{best:.2f} ×", f"{row['ratios']['ours_over_ours-bf16']:.2f} ×"]
        lines.append(f"| {row['model']} | {TITLES[row['case']]} | " + " | ".join(cells) + " |")
    return lines


# --------------------------------------------------------------------------------------------------------------- figure

OURS, TORCH, GRID, INK = "#1f5fa8", "#c9a26b", "#dddddd", "#333333"
SHADES = {"S": "#9cc3ea", "between": "#4f8fcd", "M": "#17497f"}


def pyplot():
    """matplotlib.pyplot in the style of all figures, without a display."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.size": 9,
            "font.family": "DejaVu Sans",
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "svg.hashsalt": "mixgrpo",  # the same bytes for the same figure
        }
    )
    return plt


def plain(axes, grid: str = "x"):
    """No frame, no ticks, a thin grid behind the data."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(which="both", length=0)
    axes.grid(axis=grid, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def draw(summary: dict, path: Path):
    """Left: how many times faster. Right: the share of the fastest matrix product's speed that each side reaches."""
    plt = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9), width_ratios=[1.25, 1], layout="constrained")
    draw_ratios(left, summary)
    draw_shares(right, summary)
    for axes in (left, right):
        plain(axes)
    figure.savefig(path, dpi=110)


def legend(axes):
    """One row below the axes, clear of the bars."""
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.07), borderaxespad=0)


def models_of(summary: dict) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in summary["rows"]))


def draw_ratios(axes, summary: dict):
    models = models_of(summary)
    omitted = ("rollout", "update")  # to keep the figure small
    cases = [
        case for case in TITLES if not case.startswith(omitted) and any(row["case"] == case for row in summary["rows"])
    ]
    height = 0.8 / len(models)
    for index, model in enumerate(models):
        rows = {row["case"]: row for row in summary["rows"] if row["model"] == model}
        places = [place for place, case in enumerate(cases) if case in rows]
        ratios = [rows[case]["ratios"]["compile_over_ours"] for case in cases if case in rows]
        offsets = [place + (index - (len(models) - 1) / 2) * height for place in places]
        bars = axes.barh(offsets, ratios, height * 0.92, color=SHADES.get(model, OURS), label=f"model {model}")
        axes.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios], padding=3, fontsize=8)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(range(len(cases)), [TITLES[case].split(", and")[0] for case in cases])
    axes.invert_yaxis()
    axes.set_title("Times faster than torch.compile, batched", loc="left", fontsize=10, fontweight="bold")
    legend(axes)
    axes.margins(x=0.12)


def draw_shares(axes, summary: dict):
    shown = [("forward12", "forward"), ("forward_backward12", "forward + backward"), ("window0", "iteration")]
    entries = [
        (row, f"{row['model']}, {title}")
        for case, title in shown
        for row in summary["rows"]
        if row["case"] == case and "share_of_peak" in row["sides"]["compile"]
    ]
    for name, label, colour, offset in (("ours", "MixGRPO", OURS, -0.2), ("compile", "torch.compile", TORCH, 0.2)):
        shares = [100 * row["sides"][name]["share_of_peak"] for row, _ in entries]
        bars = axes.barh([place + offset for place in range(len(entries))], shares, 0.37, color=colour, label=label)
        axes.bar_label(bars, [f"{share:.0f}" for share in shares], padding=3, fontsize=8)
    axes.set_yticks(range(len(entries)), [title for _, title in entries])
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_title("Share of the peak, %", loc="left", fontsize=10, fontweight="bold")
    legend(axes)
