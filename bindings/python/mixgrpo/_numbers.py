"""Numbers as people read them."""

import math


def digits(value: float) -> str:
    """Three significant digits: `0.512`, `12.3`, `4.00e-06`; `nan` whatever its sign."""
    if math.isnan(value):
        return "nan"
    if value == 0 or math.isinf(value):
        return f"{value + 0:g}"
    size = abs(value)
    if not 1e-3 <= size < 1e5:
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"


def clock(seconds: float) -> str:
    """`0:07`, `12:34`, `3:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
