"""A line chart as SVG that follows the reader's light or dark scheme."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 410, 44, 200
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_LIGHTER = ("#4da3e0", "#ff8a3d", "#2cc49a", "#e0a3c4")
_MOST_POINTS = 300
_SMALLEST, _LARGEST = 1e-290, 1e300  # beyond them the arithmetic of ticks underflows or overflows

STYLE = (
    ".chart text{font:12px system-ui,sans-serif;fill:#666}.chart .title{font-size:15px;font-weight:600;fill:#333}"
    ".chart polyline{fill:none;stroke-width:2;stroke-linejoin:round}.chart .grid{stroke:#8885}"
    + "".join(f".s{index}{{stroke:{colour};fill:{colour}}}" for index, colour in enumerate(_COLOURS))
    + "@media(prefers-color-scheme:dark){.chart text{fill:#aaa}.chart .title{fill:#ddd}"
    + "".join(f".s{index}{{stroke:{colour};fill:{colour}}}" for index, colour in enumerate(_LIGHTER))
    + "}"
)
"""Rules for all charts of a page."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class LineChart:
    """Series of (x, y) by name; points that are not finite are left out."""

    title: str
    series: dict[str, Points]

    def svg(self) -> str:
        """The picture; empty when there is nothing to draw."""
        drawn = {name: thinned(finite(points)) for name, points in self.series.items()}
        drawn = {name: points for name, points in drawn.items() if points}
        if not drawn:
            return ""
        x = Axis([x for points in drawn.values() for x, _ in points], whole=True)
        y = Axis([y for points in drawn.values() for _, y in points])
        lines = "".join(_line(index, points, x, y) for index, points in enumerate(drawn.values()))
        return (
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            f'<text class="title" x="{_LEFT}" y="16">{escape(self.title)}</text>'
            f"{''.join(_legend(list(drawn)))}{''.join(_ticks(x, y))}{lines}</svg>"
        )


class Axis:
    """A range with ticks at round numbers, or at whole ones."""

    def __init__(self, values: Sequence[float], *, whole: bool = False) -> None:
        smallest, largest = min(values), max(values)
        span = largest - smallest
        if span <= max(1e-12 * max(abs(smallest), abs(largest)), _SMALLEST):
            span = max(abs(largest) * 0.1, _SMALLEST) if abs(largest) > _SMALLEST else 1.0
        step = max(_round_step(span / 4), 1.0 if whole else 0.0)
        self.low = math.floor(smallest / step + 1e-9) * step
        self.high = max(math.ceil(largest / step - 1e-9) * step, self.low + step)
        self._step = step

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places with their names."""
        count = min(20, round((self.high - self.low) / self._step))
        for index in range(count + 1):
            value = self.low + index * self._step
            yield value, f"{0.0 if abs(value) < self._step / 1e6 else value:.4g}"


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * 0.999)


def finite(points: Points) -> list[tuple[float, float]]:
    """The points that can be drawn."""
    return [(x, y) for x, y in points if abs(x) < _LARGEST and abs(y) < _LARGEST]


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most some hundred points, each the mean of its neighbours."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return points
    pieces = (points[start : start + size] for start in range(0, len(points), size))
    return [(sum(x for x, _ in piece) / len(piece), sum(y for _, y in piece) / len(piece)) for piece in pieces]


def _place(point: tuple[float, float], x: Axis, y: Axis) -> tuple[float, float]:
    return _LEFT + x.share(point[0]) * (_RIGHT - _LEFT), _BOTTOM - y.share(point[1]) * (_BOTTOM - _TOP)


def _ticks(x: Axis, y: Axis) -> Iterator[str]:
    for value, name in y.ticks():
        _, at = _place((x.low, value), x, y)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text text-anchor="end" x="{_LEFT - 6}" y="{at + 4:.1f}">{name}</text>'
    for value, name in x.ticks():
        at, _ = _place((value, y.low), x, y)
        yield f'<text text-anchor="middle" x="{at:.1f}" y="{_BOTTOM + 16}">{name}</text>'
    yield f'<text text-anchor="middle" x="{(_LEFT + _RIGHT) / 2:.0f}" y="{HEIGHT - 6}">iteration</text>'


def _legend(names: list[str]) -> Iterator[str]:
    for index, name in enumerate(names if len(names) > 1 else []):
        at = _LEFT + index * 120
        yield f'<circle class="s{index % len(_COLOURS)}" cx="{at + 4}" cy="30" r="3"/>'
        yield f'<text x="{at + 12}" y="34">{escape(name)}</text>'


def _line(index: int, points: list[tuple[float, float]], x: Axis, y: Axis) -> str:
    places = [_place(point, x, y) for point in points]
    colour = f"s{index % len(_COLOURS)}"
    dots = places if len(places) <= 40 else []
    path = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
    circles = "".join(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="2.4"/>' for left, top in dots)
    return f'<g class="{colour}"><polyline points="{path}"/>{circles}</g>'
