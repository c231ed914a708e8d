"""The page of a run as HTML, complete in one file, with the data that it draws inside."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from typing import Any

_MARK = '<script type="application/json" id="mixgrpo-report">'
_FORMAT = 2
_MOST_MOMENTS = 9  # of pictures


@dataclass
class ReportData:
    """What a page shows. The page itself is `report.html`, which the command `mixgrpo` fills too."""

    title: str = "MixGRPO"
    state: str = "running"
    """running, stopped or finished."""
    planned: int = 0
    """Iterations; 0 where that is not known."""
    iterations: list[dict[str, Any]] = field(default_factory=list)
    """The lines of a metrics file: figures, and under "rewards" each reward's mean by name."""
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    """Iteration, and the means by name."""
    held_out: list[str] = field(default_factory=list)
    """Names of the rewards that are not trained on."""
    warnings: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    """Of the pictures."""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """Iteration, and rows: for each prompt, PNGs in base64."""
    settings: dict[str, Any] = field(default_factory=dict)

    def cut(self, iteration: int) -> None:
        """Forgets what a resumed run does again."""
        self.iterations = [entry for entry in self.iterations if entry["iteration"] < iteration]
        self.evaluations = [entry for entry in self.evaluations if entry["iteration"] <= iteration]
        self.pictures = [entry for entry in self.pictures if entry["iteration"] <= iteration]

    def add_pictures(self, iteration: int, rows: list[list[str]]) -> None:
        """Adds or replaces the pictures of an iteration. The first and the latest stay, and some between."""
        self.pictures = [entry for entry in self.pictures if entry["iteration"] < iteration]
        self.pictures.append({"iteration": iteration, "rows": rows})
        if len(self.pictures) > _MOST_MOMENTS:
            self.pictures = self.pictures[:-1:2] + self.pictures[-1:]


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
    empty = ReportData()
    for part in fields(ReportData):
        if type(getattr(data, part.name)) is not type(getattr(empty, part.name)):
            raise ValueError(f"{part.name} of another type")
    for entries in (data.iterations, data.evaluations, data.pictures):
        if not all(map(_has_iteration, entries)):
            raise ValueError("figures without an iteration")
    return data


def _has_iteration(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("iteration"), int)


def rendered(data: ReportData) -> str:
    """The whole page."""
    content = json.dumps(_plain({"format": _FORMAT, **asdict(data)}), allow_nan=False).replace("<", "\\u003c")
    return files("mixgrpo").joinpath("report.html").read_text("utf-8").replace(_MARK, _MARK + content, 1)


def _plain(value: Any) -> Any:
    """Numbers that JSON has no word for become null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
