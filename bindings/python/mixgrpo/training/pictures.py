"""What a run leaves to be looked at: images of the same prompts and noise, before, meanwhile and after."""

from collections.abc import Callable, Sequence
from pathlib import Path

from .._arrays import ByteArray, FloatArray
from .._folders import replace_file
from ..errors import InputOutputError
from ..image import Image
from ..person_reward import PersonReward
from .argument_types import Decoder
from .evaluation import ResolvedEvaluation
from .scoring import decoded

SAMPLES = 2
"""Images of a prompt, at most."""
_SHOWN = 8
"""Images of a moment, at most."""
_COLUMNS = 4


class ShownSamples:
    """Decodes some of an evaluation's samples, once, for all who show them. Without an evaluation, the first prompts."""

    def __init__(self, lines: Sequence[str], decode: Decoder, evaluation: ResolvedEvaluation | None) -> None:
        known = range(len(lines)) if evaluation is None else evaluation.prompts
        samples = SAMPLES if evaluation is None else min(SAMPLES, evaluation.sampling.samples_per_prompt)
        self.rows = list(known)[: _SHOWN // samples]
        self.prompts = [lines[row] for row in self.rows]
        self.receivers: list[Callable[[ByteArray], None]] = []
        """Of images (P, S, height, width, 3), a row for each prompt."""
        self._decode = decode

    def add(self, samples: FloatArray) -> None:
        """Shows samples (P, S, …) of the model as it is."""
        if not self.receivers:
            return
        shown = samples[: len(self.rows), :SAMPLES]
        images = decoded(shown, self._decode)
        for receive in self.receivers:
            receive(images.reshape(*shown.shape[:2], *images.shape[1:]))


def write_pictures(folder: Path, iteration: int, images: ByteArray) -> None:
    """Writes images (P, S, height, width, 3) as one into the folder of a run. Raises `InputOutputError`."""
    place = folder / "pictures"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputOutputError(f"{place}: expected a folder, got {error}") from error
    flat = images.reshape(-1, *images.shape[2:])
    replace_file(place / f"{iteration:06d}.png", Image.grid(flat, columns=min(_COLUMNS, len(flat)), gap=4).encode())


def show_person(person: PersonReward, prompts: Sequence[str], images: ByteArray) -> None:
    """Shows images (P, S, height, width, 3) on the page of a person who votes."""
    flat = images.reshape(-1, *images.shape[2:])
    person.show_progress(flat, prompts, columns=min(_COLUMNS, len(flat)))
