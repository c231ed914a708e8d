"""The page of a run as HTML, complete in one file, with the data that it was made of inside."""

import json
import math
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from ._line_chart import STYLE, LineChart, Points
from ._numbers import digits

_MARK = '<script type="application/json" id="mixgrpo-report">'
_FORMAT = 1
_FIGURES = {
    "gradient_norm": "gradient norm",
    "clip_fraction": "clip fraction",
    "max_log_ratio_nats": "largest change of a log-probability, nats",
    "learning_rate": "learning rate",
}
_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:24px auto;padding:0 16px}"
    "table{border-collapse:collapse}td,th{padding:4px 12px 4px 0;text-align:left;vertical-align:middle}"
    "td.number{text-align:right;font-variant-numeric:tabular-nums}.charts{display:flex;flex-wrap:wrap;gap:16px}"
    ".chart{width:420px;max-width:100%}img{width:96px;max-width:30vw;image-rendering:pixelated;margin:2px}" + STYLE
)


@dataclass
class ReportData:
    """What a page shows."""

    iterations: list[dict[str, Any]] = field(default_factory=list)
    """Figures, and the rewards' means by name."""
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    """Iteration, and the means by name."""
    warnings: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    """Of the pictures."""
    pictures: dict[str, list[list[str]]] = field(default_factory=dict)
    """By title, for each prompt: PNGs in base64."""

    def cut(self, iteration: int) -> None:
        """Forgets what a resumed run does again."""
        self.iterations = [entry for entry in self.iterations if entry["iteration"] < iteration]
        self.evaluations = [entry for entry in self.evaluations if entry["iteration"] <= iteration]


def parsed(page: str) -> ReportData:
    """The data of a page. Raises `ValueError` for another file."""
    _, mark, rest = page.partition(_MARK)
    if not mark:
        raise ValueError("no data of a report")
    content = json.loads(rest.partition("</script>")[0])
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise ValueError("data of another format")
    try:
        data = ReportData(**content)
    except TypeError as error:
        raise ValueError(str(error)) from None
    for entries in (data.iterations, data.evaluations):
        if not isinstance(entries, list) or not all(map(_has_iteration, entries)):
            raise ValueError("figures without an iteration")
    return data


def _has_iteration(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("iteration"), int)


def rendered(data: ReportData) -> str:
    """The whole page."""
    content = json.dumps(_plain({"format": _FORMAT, **asdict(data)}), allow_nan=False).replace("<", "\\u003c")
    done = data.iterations[-1]["iteration"] + 1 if data.iterations else 0
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>MixGRPO: {done} iterations</title><style>{_STYLE}</style>"
        f"<h1>MixGRPO: {done} iterations</h1>{_warnings(data)}{_summary(data)}{_pictures(data)}"
        f'<h2>Rewards</h2><div class="charts">{"".join(_reward_charts(data))}</div>'
        f'<h2>Learning</h2><div class="charts">{"".join(_figure_charts(data))}</div>'
        f"{_MARK}{content}</script></html>\n"
    )


def _plain(value: Any) -> Any:
    """Numbers that JSON has no word for become null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _warnings(data: ReportData) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in data.warnings)
    return f"<h2>Warnings</h2><ul>{items}</ul>" if items else ""


def _summary(data: ReportData) -> str:
    rows = [_row(f"{name}, evaluation", points) for name, points in _means(data.evaluations).items()]
    rows += [
        _row(f"{name}, training (mean of a tenth)", _ends(points)) for name, points in _means(data.iterations).items()
    ]
    rows = [row for row in rows if row]
    head = "<tr><th>reward<th>first<th>last<th>change</tr>"
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""


def _ends(points: Points) -> Points:
    """The means of the first and of the last tenth: the reward of a single iteration depends on its prompts."""
    known = [y for _, y in points if math.isfinite(y)]
    size = max(1, len(known) // 10)
    return [(0, sum(part) / size) for part in (known[:size], known[-size:]) if part]


def _row(label: str, points: Points) -> str:
    known = [y for _, y in points if math.isfinite(y)]
    if not known:
        return ""
    numbers = (
        digits(known[0]),
        digits(known[-1]),
        f"{'+' if known[-1] >= known[0] else ''}{digits(known[-1] - known[0])}",
    )
    return f"<tr><td>{escape(label)}{''.join(f'<td class=number>{number}' for number in numbers)}</tr>"


def _pictures(data: ReportData) -> str:
    if not data.pictures:
        return ""
    head = "".join(f"<th>{escape(title)}" for title in data.pictures)
    rows = "".join(
        f"<tr><td>{escape(prompt)}{''.join(f'<td>{_images(rows[index])}' for rows in data.pictures.values())}</tr>"
        for index, prompt in enumerate(data.prompts)
    )
    return f"<h2>Samples, from the same noise</h2><table><tr><th>prompt{head}</tr>{rows}</table>"


def _images(encoded: list[str]) -> str:
    return "".join(f'<img alt="" src="data:image/png;base64,{escape(png)}">' for png in encoded)


def _reward_charts(data: ReportData) -> list[str]:
    training, evaluation = _means(data.iterations), _means(data.evaluations)
    return [
        LineChart(
            name if name in training else f"{name}, held out",
            {"training": training.get(name, []), "evaluation": evaluation.get(name, [])},
        ).svg()
        for name in {**training, **evaluation}
    ]


def _figure_charts(data: ReportData) -> list[str]:
    """Charts of what changes; a constant learning rate is none."""
    series = {key: [(entry["iteration"], _number(entry.get(key))) for entry in data.iterations] for key in _FIGURES}
    changing = {
        key: points for key, points in series.items() if key != "learning_rate" or len({y for _, y in points}) > 1
    }
    return [LineChart(_FIGURES[key], {_FIGURES[key]: points}).svg() for key, points in changing.items()]


def _means(entries: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """(iteration, mean) of each reward by name."""
    points: dict[str, list[tuple[float, float]]] = {}
    for entry in entries:
        for name, mean in entry["means"].items():
            points.setdefault(name, []).append((entry["iteration"], _number(mean)))
    return points


def _number(value: float | None) -> float:
    return math.nan if value is None else value
