"""Text embeddings of all prompts of a run."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import whole
from ._arrays import FloatArray, floats, pointer, texts
from ._handle import Object
from ._library import call, create, library
from .context import Context, given_context
from .errors import InvalidArgumentError


class Prompts(Object):
    """The text embeddings of all prompts of a run; elsewhere a prompt is given by its row. Immutable.

    `text`: (prompts, L, J), `pooled`: (prompts, Q), copied in. `lines`: the prompts as text, which `train` passes to
    rewards.
    """

    _destroy = "mixgrpo_prompts_destroy"
    lines: tuple[str, ...] | None
    """The prompts as text, if known."""

    def __init__(
        self, text: ArrayLike, pooled: ArrayLike, *, lines: Sequence[str] | None = None, context: Context | None = None
    ) -> None:
        tokens, pools = floats(text, "text"), floats(pooled, "pooled")
        if tokens.ndim != 3 or pools.ndim != 2 or pools.shape[0] != tokens.shape[0]:
            raise InvalidArgumentError(
                f"text, pooled: expected (prompts, L, J) and (prompts, Q), got {tokens.shape} and {pools.shape}"
            )
        arguments = (pointer(tokens), tokens.size, pointer(pools), pools.size, *tokens.shape, pools.shape[1])
        self._open("mixgrpo_prompts_create", arguments, len(tokens), lines, context)

    @classmethod
    def hashed_words(
        cls,
        lines: Sequence[str],
        *,
        text_length: int,
        text_width: int,
        pooled_width: int,
        context: Context | None = None,
    ) -> "Prompts":
        """Encodes prompts by hashing their words: see `hashed_words`."""
        prompts = cls.__new__(cls)
        arguments = (texts(lines, "lines"), len(lines), text_length, text_width, pooled_width)
        prompts._open("mixgrpo_prompts_create_hashed_words", arguments, len(lines), lines, context)
        return prompts

    def _state(self) -> str:
        count, shown = len(self), [repr(line) for line in (self.lines or ())[:2]]
        return ", ".join(
            [f"{count} prompt{'s' if count != 1 else ''}", *shown, *(["…"] if shown and count > 2 else [])]
        )

    def __len__(self) -> int:
        return int(library.mixgrpo_prompts_count(self.handle))

    def _open(
        self,
        function: str,
        arguments: tuple[object, ...],
        count: int,
        lines: Sequence[str] | None,
        context: Context | None,
    ) -> None:
        if lines is not None and len(lines) != count:
            raise InvalidArgumentError(f"lines: expected one for each of {count} prompts, got {len(lines)}")
        self.context = given_context(context)
        self._adopt(create(function, self.context.handle, *arguments))
        self.lines = None if lines is None else tuple(lines)


def hashed_words(
    lines: Sequence[str], *, text_length: int, text_width: int, pooled_width: int
) -> tuple[FloatArray, FloatArray]:
    """A deterministic stand-in for a text encoder, for examples and tests: text (prompts, L, J) and pooled (prompts,
    Q).

    Each word becomes a fixed pseudo-random vector derived from its letters, plus one for its position; the pooled
    embedding is the scaled sum of the words. It knows which words stand where and nothing of what they mean: models
    trained with a text encoder need that encoder's embeddings. Words after `text_length` have no token; tokens after
    the last word are 0.

    `text_length` L, 1…4096; `text_width` J and `pooled_width` Q, 1…16384.
    """
    encoded = texts(lines, "lines")
    for name, value in (("text_length", text_length), ("text_width", text_width), ("pooled_width", pooled_width)):
        whole(value, name, 1, 16384)
    text = np.empty((len(lines), text_length, text_width), np.float32)
    pooled = np.empty((len(lines), pooled_width), np.float32)
    call(
        "mixgrpo_hashed_words_encode",
        encoded,
        len(lines),
        text_length,
        text_width,
        pooled_width,
        pointer(text),
        text.size,
        pointer(pooled),
        pooled.size,
    )
    return text, pooled
