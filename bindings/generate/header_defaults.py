"""Compares the defaults and ranges that the header's comments state with the library's table of settings."""

import re
from collections.abc import Iterator

from .settings import CHOICE, FLAG, Configuration, Setting

VALUE = r"-?\d+(?:\.\d+)?(?:e-?\d+|\^\d+)?"
LOWER = [(rf"({VALUE})\.\.\.", False), (rf"\babove ({VALUE})", True), (rf"\bat least ({VALUE})", False),
         (rf"({VALUE}) <= ", False), (rf"({VALUE}) or more", False)]  # fmt: skip
UPPER = [(rf"\.\.\.({VALUE})(?! -|\w)", False), (rf"\bat most ({VALUE})", False), (rf"\bbelow ({VALUE})", True),
         (rf" < ({VALUE})", True), (rf"[a-z]\w* <= ({VALUE})", False)]  # fmt: skip


def problems(configurations: tuple[Configuration, ...]) -> Iterator[str]:
    """One line for each comment that says something else than the table."""
    for configuration in configurations:
        for setting in configuration.settings:
            for problem in compared(setting):
                yield f"include/mixgrpo.h: {configuration.struct.name}.{setting.field.name}: {problem}"


def compared(setting: Setting) -> Iterator[str]:
    stated = setting.field.comment.partition("Default ")[2]
    if not stated:
        if "(default)" not in setting.field.comment:
            yield f"expected `Default {setting.default}`, got none"
        return
    stated = re.split(r"\. (?=[A-Z])", re.sub(r" ?\(.*?\)", "", stated))[0]
    value, _, values = stated.partition("; ")[0].partition(", ")
    if setting.field.length:
        value, values = stated, ""
    if not same_default(setting, value):
        yield f"expected `Default {setting.default}`, got `Default {value}`"
    if values and setting.kind not in (FLAG, CHOICE):
        yield from compared_limits(setting, values)


def same_default(setting: Setting, value: str) -> bool:
    if setting.kind == CHOICE:
        return value == setting.default.upper()
    if setting.kind == FLAG:
        return value == str(int(setting.default == "true"))
    if setting.field.length:
        return value == setting.default
    return re.fullmatch(VALUE, value) is not None and worth(value) == float(setting.default)


def compared_limits(setting: Setting, values: str) -> Iterator[str]:
    """A default that must be replaced is itself the least that the table takes; an end in symbols is not compared."""
    lower, upper = first(LOWER, values), first(UPPER, values)
    if "must be replaced" in values:
        lower = (float(setting.default), False)
    if lower is None and upper is None:
        yield f"expected `{setting.limits}`, got `{values}`"
    if lower not in (None, (setting.minimum, setting.minimum_open)):
        yield f"expected `{setting.limits}`, got `{values}`"
    elif upper not in (None, (setting.maximum, setting.maximum_open)):
        yield f"expected `{setting.limits}`, got `{values}`"


def first(forms: list[tuple[str, bool]], text: str) -> tuple[float, bool] | None:
    found = ((re.search(form, text), is_open) for form, is_open in forms)
    return next(((worth(match[1]), is_open) for match, is_open in found if match), None)


def worth(value: str) -> float:
    """`10^6` is a million."""
    base, power, exponent = value.partition("^")
    return float(base) ** float(exponent) if power else float(value)
