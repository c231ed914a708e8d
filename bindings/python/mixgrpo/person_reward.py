"""A person as the reward: votes on a page of this machine."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ._arguments import short
from ._arrays import ByteArray, DoubleArray
from ._voting_page import VotingPage
from ._voting_session import KINDS, VotesFile, VotingSession, scores
from .errors import CancelledError, InvalidArgumentError
from .image import Image
from .training.argument_types import FilePath

_SECONDS_FOR_PICTURES = 1.0
"""In which an open page fetches the last pictures."""


class PersonReward:
    """A reward that is a person's votes, for `mixgrpo.train` and for `mixgrpo.torch`:

        sampling, learning = mixgrpo.preset("person")          # the settings that need the fewest votes
        trainer = mixgrpo.Trainer(evaluator, prompts, sampling, learning)
        with mixgrpo.PersonReward(votes="votes.jsonl", iterations=15) as person:
            mixgrpo.train(trainer, person, decode=codec.decode, iterations=15, prompts_per_iteration=2, score_workers=1)

    The first group of pictures starts a server on 127.0.0.1 and prints the address of its page, which contains a secret.
    The person chooses favourites, gives stars or compares pairs, skips groups and takes votes back. With
    `score_workers=1` the next prompt is drawn while the person votes.

    `votes`: a file of JSON lines, to which votes are appended. A group whose pictures and prompt have a vote in it is not
    asked about again: a run that is repeated or resumed draws the same pictures, and learns the same without the person.
    None keeps no votes.
    `iterations`: shown on the page; 0 when unknown.
    `kind`: how the page asks first, "favourites", "stars" or "pairs"; the person may change it.
    `port`: 0 for any that is free. `undo_seconds`: how long the last vote can be taken back, 0 or more.
    `group_size`: pictures of one prompt; None when prompts that follow each other differ.
    `announce`: receives the sentence with the address; by default it is printed on standard error.

    `train` shows its evaluations on the page: the same prompts and noise, before and now.

    A skipped group gets NaN: the library excludes it. The call raises `CancelledError` when the person ends the run; the
    model keeps what it has learned. Ctrl-C works as with any reward.
    """

    def __init__(
        self,
        *,
        votes: FilePath | None = None,
        iterations: int = 0,
        kind: str = "favourites",
        port: int = 0,
        undo_seconds: float = 2.0,
        group_size: int | None = None,
        announce: Callable[[str], object] | None = None,
    ) -> None:
        _check(kind in KINDS, "kind", " or ".join(KINDS), kind)
        _check(isinstance(port, int) and 0 <= port <= 65535, "port", "0…65535", port)
        _check(isinstance(iterations, int) and iterations >= 0, "iterations", "a whole number, 0 or more", iterations)
        _check(
            isinstance(undo_seconds, int | float) and 0 <= undo_seconds <= 3600, "undo_seconds", "0…3600", undo_seconds
        )
        _check(
            group_size is None or (isinstance(group_size, int) and group_size >= 2),
            "group_size",
            "2 or more",
            group_size,
        )
        self._file = None if votes is None else Path(votes)
        self._session = VotingSession(
            VotesFile(self._file), kind=kind, undo_seconds=undo_seconds, iterations=iterations
        )
        self._port, self._group_size = port, group_size
        self._announce = announce or (lambda line: print(line, file=sys.stderr, flush=True))
        self._page: VotingPage | None = None

    def __repr__(self) -> str:
        return f"PersonReward(votes={str(self._file) if self._file else None!r})"

    @property
    def address(self) -> str | None:
        """The address of the page; None before the first group that needs the person."""
        return None if self._page is None else self._page.address

    def __call__(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """Shows B images, uint8 (B, height, width, 3), of B prompts, group by group: (B) scores, 0 to 1, once the person
        has voted on all groups."""
        groups = self._groups(np.asarray(images), prompts)
        if self._page is None and self._session.needs_person(groups):
            self._page = VotingPage(self._session, self._port)
            self._announce(f"open this page to vote: {self._page.address}")
        votes = self._session.ask(groups)
        if votes is None:
            raise CancelledError("the person has ended the run")
        return np.concatenate([scores(vote, len(pictures)) for vote, (_, pictures) in zip(votes, groups, strict=True)])

    def show_progress(self, images: ByteArray, prompts: Sequence[str], columns: int | None = None) -> None:
        """Shows on the page what the model has become: always the same prompts from the same noise, as
        `Evaluator.sample` draws them with a seed. The first call is "before".

        `images`: uint8 (B, height, width, 3), row by row; `prompts`: of the rows; `columns`: B divided by the number of
        prompts by default.
        """
        images = np.asarray(images)
        wide = columns or max(1, len(images) // max(1, len(prompts)))
        self._session.add_grid(Image.grid(images, columns=wide, gap=4).pixels(), prompts)

    def close(self, **results: FilePath) -> None:
        """Ends the page: it shows these files by name, such as `model="aligned"`, `report="report.html"`, and the file of
        votes."""
        if self._page is None:
            return
        found = {name: str(Path(file).resolve()) for name, file in results.items()}
        if self._file is not None:
            found.setdefault("votes", str(self._file.resolve()))
        if self._session.finish(found):
            time.sleep(_SECONDS_FOR_PICTURES)
        page, self._page = self._page, None
        page.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _groups(self, images: ByteArray, prompts: Sequence[str]) -> list[tuple[str, ByteArray]]:
        if images.ndim != 4 or isinstance(prompts, str) or len(images) != len(prompts) or not len(images):
            raise InvalidArgumentError(
                f"images, prompts: expected (B, height, width, 3) and B texts, got shape {images.shape} and {short(prompts)}"
            )
        size = self._group_size
        if size is not None and len(images) % size:
            raise InvalidArgumentError(f"images: expected groups of {size} (group_size), got {len(images)}")
        starts = [
            index for index in range(len(images))
            if (index % size == 0 if size else index == 0 or prompts[index] != prompts[index - 1])
        ]  # fmt: skip
        return [
            (prompts[start], images[start:end]) for start, end in zip(starts, [*starts[1:], len(images)], strict=True)
        ]


def _check(holds: bool, field: str, expected: str, got: object) -> None:
    if not holds:
        raise InvalidArgumentError(f"{field}: expected {expected}, got {got!r}")
