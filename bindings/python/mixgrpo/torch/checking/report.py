"""What `check` found, in words."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

Topic: TypeAlias = Literal[
    "training mode", "dropout", "feature cache", "determinism", "sigma", "reference", "first ratio", "gradients",
    "precision", "memory", "clip range",
]  # fmt: skip
"""What was looked at."""

Severity: TypeAlias = Literal["error", "warning", "fine"]
"""Whether training would go wrong, may go wrong, or is as it should be."""

_ORDER: tuple[Severity, ...] = ("error", "warning", "fine")


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    topic: Topic
    severity: Severity
    text: str
    """What was expected, what came, and the way out."""

    def __str__(self) -> str:
        """One line."""
        return f"{self.severity:<8}{self.topic}: {self.text}"


@dataclass(frozen=True)
class CheckReport:
    """All findings of one `check`, printable."""

    findings: tuple[Finding, ...]
    """In the order in which they were found; each topic that could be looked at at least once."""

    @property
    def is_fit(self) -> bool:
        """Whether there is no error."""
        return all(finding.severity != "error" for finding in self.findings)

    def about(self, topic: Topic) -> tuple[Finding, ...]:
        """The findings of one topic."""
        return tuple(finding for finding in self.findings if finding.topic == topic)

    def __str__(self) -> str:
        """A line for each finding, the worst first."""
        counts = Counter(finding.severity for finding in self.findings)
        lines = [f"errors: {counts['error']}, warnings: {counts['warning']}, fine: {counts['fine']}"]
        return "\n".join([*lines, *map(str, sorted(self.findings, key=lambda one: _ORDER.index(one.severity)))])
