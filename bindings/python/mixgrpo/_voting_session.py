"""What the page of votes shows, and what the person has said: shared by the run and the server. docs/voting-protocol.md has
the protocol."""

import hashlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ._arrays import ByteArray, DoubleArray
from .errors import InputOutputError, InvalidFormatError
from .image import Image
from .votes import scores_from_pairs, scores_from_ratings

KINDS = ("favourites", "stars", "pairs")
Vote: TypeAlias = Mapping[str, Any]
"""One of {"favourites": [2, 5]}, {"stars": [1, None, 5]}, {"pairs": [[winner, loser], …]}, {"skipped": True}."""


class RefusedError(Exception):
    """A request of the page that cannot be granted, with the status of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def checked_vote(content: Mapping[str, Any], pictures: int) -> Vote:
    """The vote of a request or of a file. Raises `RefusedError`."""
    given = [name for name in (*KINDS, "skipped") if name in content]
    if len(given) != 1:
        raise RefusedError(400, f"vote: expected one of favourites, stars, pairs, skipped, got {given}")
    kind, value = given[0], content[given[0]]
    if kind == "skipped":
        holds, wanted = value is True, "true"
    elif kind == "favourites":
        holds = _are_members(value, pictures) and len(set(value)) == len(value) and 0 < len(value) < pictures
        wanted = f"1…{pictures - 1} different pictures of 0…{pictures - 1}"
    elif kind == "stars":
        stars = value if isinstance(value, list) else []
        holds = len(stars) == pictures and all(star is None or _is_index(star, 1, 5) for star in stars)
        holds = holds and sum(star is not None for star in stars) >= 2
        wanted = f"{pictures} entries, 1…5 or null, at least two of them numbers"
    else:
        pairs = value if isinstance(value, list) else []
        holds = 0 < len(pairs) <= 65536 and all(
            _are_members(pair, pictures) and len(pair) == 2 and pair[0] != pair[1] for pair in pairs
        )
        wanted = f"one or more of [winner, loser], two different pictures of 0…{pictures - 1}"
    if not holds:
        raise RefusedError(400, f"{kind}: expected {wanted}, got {str(value)[:80]}")
    return {kind: value}


def _are_members(value: Any, pictures: int) -> bool:
    return isinstance(value, list) and all(_is_index(index, 0, pictures - 1) for index in value)


def _is_index(value: Any, first: int, last: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and first <= value <= last


def scores(vote: Vote, pictures: int) -> DoubleArray:
    """(G), 0 to 1; NaN for a picture about which nothing is said."""
    if "favourites" in vote:
        return scores_from_ratings([float(index in vote["favourites"]) for index in range(pictures)])
    if "stars" in vote:
        return scores_from_ratings([np.nan if star is None else star for star in vote["stars"]])
    if "pairs" in vote:
        return scores_from_pairs(vote["pairs"], pictures)
    return np.full(pictures, np.nan)


class VotesFile:
    """Votes as JSON lines. A group whose pictures and prompt have a vote is not asked about again, so that a run is
    repeated, or resumed, without the person."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._votes: dict[tuple[str, str], Vote | None] = {}
        if path is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise InputOutputError(f"{path}: expected a readable file of votes, got {error}") from error
        for number, line in enumerate(text.splitlines(), 1):
            try:
                content = json.loads(line)
                key = (content["prompt"], content["pictures"])
                self._votes[key] = None if content.get("undone") is True else content
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise InvalidFormatError(f"{path}, line {number}: expected a vote, got {error!r}") from None

    def find(self, prompt: str, pictures: ByteArray) -> Vote | None:
        """The vote on a group, if there is one. Raises `InvalidFormatError`."""
        found = self._votes.get((prompt, digest(pictures)))
        if found is None:
            return None
        try:
            return checked_vote(found, len(pictures))
        except RefusedError as error:
            raise InvalidFormatError(f"{self._path}: {error}") from None

    def append(self, prompt: str, pictures: ByteArray, content: Mapping[str, Any]) -> None:
        """Raises `OSError`."""
        line = {"prompt": prompt, "pictures": digest(pictures), **content}
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._votes[prompt, line["pictures"]] = None if content.get("undone") is True else line


def digest(pictures: ByteArray) -> str:
    """A checksum by which the pictures of one group are known."""
    return hashlib.blake2b(np.ascontiguousarray(pictures).tobytes(), digest_size=8).hexdigest()


@dataclass
class _Group:
    id: int
    prompt: str
    pictures: ByteArray
    files: list[bytes]
    vote: Vote | None = None
    repeated: bool = False
    shown: float = field(default_factory=time.monotonic)
    voted: float = 0.0


class VotingSession:
    """The state behind one page. May be used by several threads at once."""

    def __init__(self, votes: VotesFile, *, kind: str, undo_seconds: float, iterations: int) -> None:
        self._votes, self._kind, self._undo_seconds, self._iterations = votes, kind, undo_seconds, iterations
        self._changed = threading.Condition()
        self._groups: list[_Group] = []
        self._last_id = 0
        self._iteration = -1
        self._learning = False
        self._given = self._skipped = 0
        self._stopped = False
        self._grids: dict[int, bytes] = {}
        self._grid_prompts: list[str] = []
        self._first: ByteArray | None = None
        self._change = 0.0
        self._results: Mapping[str, str] | None = None
        self._seen = threading.Event()
        self._asked = float("-inf")
        self._begun = time.monotonic()

    # ------------------------------------------------------------------------------------------------- for the run

    def ask(self, groups: Sequence[tuple[str, ByteArray]]) -> list[Vote] | None:
        """Shows groups and waits for the votes on them; None once the person has ended the run."""
        with self._changed:
            self._iteration += 1
            self._learning = False
            self._groups = [self._shown(prompt, pictures) for prompt, pictures in groups]
            while not self._stopped:
                votes = [group.vote for group in self._groups if group.vote is not None]
                left = self._seconds_to_undo() if len(votes) == len(self._groups) else 3600.0
                if left <= 0:
                    self._learning = True
                    return votes
                self._changed.wait(min(left, 0.2))  # short: Ctrl-C is noticed between waits
            return None

    def _shown(self, prompt: str, pictures: ByteArray) -> _Group:
        self._last_id += 1
        group = _Group(self._last_id, prompt, pictures, [Image(picture).encode() for picture in pictures])
        group.vote = self._votes.find(prompt, pictures)
        group.repeated = group.vote is not None
        if group.vote is not None:
            self._count(group.vote, 1)
        return group

    def _seconds_to_undo(self) -> float:
        own = [group.voted for group in self._groups if not group.repeated]
        return max(own) + self._undo_seconds - time.monotonic() if own else 0.0

    def needs_person(self, groups: Sequence[tuple[str, ByteArray]]) -> bool:
        """Whether a group has no vote yet."""
        return any(self._votes.find(prompt, pictures) is None for prompt, pictures in groups)

    def add_grid(self, pixels: ByteArray, prompts: Sequence[str]) -> None:
        """Shows pictures of the same prompts and noise as before."""
        file = Image(pixels).encode()
        with self._changed:
            self._first = pixels if self._first is None else self._first
            if self._first.shape == pixels.shape:
                self._change = float(np.abs(self._first.astype(np.int16) - pixels).mean() / 255)
            self._grids[self._iteration + 1] = file
            self._grid_prompts = list(prompts)

    def finish(self, results: Mapping[str, str]) -> bool:
        """Shows the end. Returns whether a page is open and has seen it."""
        with self._changed:
            self._results, self._groups, self._iteration = results, [], self._iteration + 1
            is_open = time.monotonic() - self._asked < 5
        return is_open and self._seen.wait(5)

    # ---------------------------------------------------------------------------------------------- for the server

    def state(self) -> dict[str, Any]:
        """The state as the page reads it."""
        with self._changed:
            self._asked = time.monotonic()
            group = next((group for group in self._groups if group.vote is None), None)
            undo = next((group.id for group in reversed(self._groups) if group.vote and not group.repeated), None)
            state: dict[str, Any] = {
                "iteration": max(self._iteration, 0),
                "iterations": self._iterations,
                "work": "learning" if self._learning else "drawing",
                "votes": self._given,
                "skipped": self._skipped,
                "seconds": time.monotonic() - self._begun,
                "change": self._change,
                "stopped": self._stopped,
                "grids": sorted(self._grids),
                "grid_prompts": self._grid_prompts,
                "kind": self._kind,
                "group": None if group is None or self._stopped else _described(group),
                "undo": None if self._learning else undo,
            }
            if self._results is not None:
                state["results"] = dict(self._results)
                self._seen.set()
            return state

    def picture(self, group: int, member: int) -> bytes | None:
        """The PNG of a member of a group that is still there."""
        with self._changed:
            files = next((shown.files for shown in self._groups if shown.id == group), [])
            return files[member] if 0 <= member < len(files) else None

    def grid(self, iteration: int) -> bytes | None:
        """The PNG of a grid."""
        with self._changed:
            return self._grids.get(iteration)

    def vote(self, content: Mapping[str, Any]) -> None:
        """Takes a vote. Raises `RefusedError`."""
        with self._changed:
            group = self._group(content)
            if group.vote is not None:
                raise RefusedError(409, "this group has a vote already")
            if self._stopped:
                raise RefusedError(409, "the run has been ended")
            vote = checked_vote(content, len(group.files))
            seconds = round(time.monotonic() - group.shown, 3)
            self._store(group, {**vote, "iteration": self._iteration, "seconds": seconds})
            group.vote, group.voted = vote, time.monotonic()
            self._count(vote, 1)
            self._changed.notify_all()

    def undo(self, content: Mapping[str, Any]) -> None:
        """Takes a vote back. Raises `RefusedError`."""
        with self._changed:
            group = self._group(content)
            if self._learning:
                raise RefusedError(409, "the model has already learned from this vote")
            if group.vote is None or group.repeated:
                raise RefusedError(409, "this group has no vote that could be taken back")
            self._store(group, {"undone": True, "iteration": self._iteration})
            self._count(group.vote, -1)
            group.vote, group.shown = None, time.monotonic()

    def stop(self) -> None:
        """Ends the run."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _group(self, content: Mapping[str, Any]) -> _Group:
        number = content.get("group")
        if not isinstance(number, int) or isinstance(number, bool):
            raise RefusedError(400, "group: expected a whole number, got none")
        for group in self._groups:
            if group.id == number:
                return group
        if 0 < number <= self._last_id:
            raise RefusedError(409, "the model has already learned from this group")
        raise RefusedError(400, f"group: expected one that was shown, got {number}")

    def _store(self, group: _Group, content: Mapping[str, Any]) -> None:
        try:
            self._votes.append(group.prompt, group.pictures, content)
        except OSError as error:
            raise RefusedError(500, f"the vote could not be stored: {error}") from None

    def _count(self, vote: Vote, number: int) -> None:
        if "skipped" in vote:
            self._skipped += number
        else:
            self._given += number


def _described(group: _Group) -> dict[str, Any]:
    height, width = group.pictures.shape[1:3]
    return {"id": group.id, "prompt": group.prompt, "pictures": len(group.files), "width": width, "height": height}
