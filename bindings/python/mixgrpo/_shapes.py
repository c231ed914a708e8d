"""Results that hold arrays, shown by type and shape."""

from dataclasses import fields
from typing import Any

import numpy as np


class ShownByShape:
    """A dataclass whose `repr` shows `float32 (4, 12)` in place of the values of an array."""

    def __repr__(self) -> str:
        shown = (f"{field.name}={_text(getattr(self, field.name))}" for field in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"


def _text(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else repr(value)
