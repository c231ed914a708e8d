"""A vision-language model behind an OpenAI-compatible server that gives marks by a rubric."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from .._arguments import short, whole
from .._arrays import ByteArray, DoubleArray
from .._endpoint import Endpoint, NoAnswerError
from .._pictures import pictures_of
from ..errors import InputOutputError, InvalidArgumentError
from ..image import Image

RUBRIC = """You are shown a picture that an image generator made for a caption.

Caption: {prompt}

Judge the picture by two questions. Does it show everything that the caption names, with the right number, colour, place and
action, and nothing that contradicts it? And is it a good picture: sharp, natural, without distorted parts?
Give one mark from 1 (poor) to 5 (excellent); fractions are allowed. Write your reasons in at most three sentences, and then a
last line of exactly this form:
Final Score: <mark>"""
"""The rubric that `Judge` uses by default, of the form that UnifiedReward's pointwise scores have."""


class Judge(Endpoint):
    """A reward that a vision-language model gives, behind any server with OpenAI's chat completions, such as vLLM or
    SGLang:

        judge = mixgrpo.rewards.Judge("http://localhost:8000/v1", "UnifiedReward-qwen-7b")

    Each picture is one POST to `url`/chat/completions: the rubric with the prompt, and the picture as PNG. The model
    writes freely and ends with "Final Score: 4"; the last such mark counts. The reward is 0…1: (mark − 1) / 4.

    `model`: its name on the server.
    `rubric`: the text that is sent, by default `RUBRIC`; {prompt} in it becomes the prompt. For a model that was trained on
    one rubric, pass that rubric.
    `marks`: what stands before the colon of a mark, one or several, whose mean counts, such as ["Alignment Score",
    "Coherence Score", "Style Score"]. `scale`: the lowest and the highest mark.
    `api_key`: sent as bearer token. `headers`: sent along.
    `max_tokens`, `temperature`: of the answer.
    `parallel`: pictures that the server is asked about at the same time.
    `timeout`, `retries`, `backoff`: as for `mixgrpo.HTTPReward`. An answer without a mark is tried again, too.

    A picture that got no mark (prose, a mark beyond the scale, no answer) gets NaN: the library excludes the sample.
    `failures` has the reasons. When no picture got a mark the call raises `InputOutputError` with the last reason, and the
    rollout can be scored again.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        rubric: str | None = None,
        marks: str | Sequence[str] = "Final Score",
        scale: tuple[float, float] = (1.0, 5.0),
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_tokens: int = 1024,
        temperature: float = 0.0,
        parallel: int = 8,
        timeout: float = 120.0,
        retries: int = 3,
        backoff: float = 0.5,
    ) -> None:
        bearer = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        super().__init__(url, bearer | dict(headers or {}), timeout=timeout, retries=retries, backoff=backoff)
        self.url = _completions(self.url)
        self.model = model
        self.rubric = RUBRIC if rubric is None else rubric
        self.marks = (marks,) if isinstance(marks, str) else tuple(marks)
        self.scale = _checked_scale(scale)
        self.max_tokens = whole(max_tokens, "max_tokens", 1)
        self.temperature = temperature
        self.parallel = whole(parallel, "parallel", 1)
        _check_rubric(self.rubric, self.marks)

    def __repr__(self) -> str:
        return f"Judge({self.url!r}, {self.model!r})"

    def __call__(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """Scores B images, uint8 (B, height, width, 3), of B prompts: (B) in 0…1, NaN where there is no mark."""
        images = pictures_of(images, prompts)
        self.failures = []
        pool = ThreadPoolExecutor(self.parallel, thread_name_prefix="mixgrpo-judge")
        try:
            scores = list(pool.map(self._score, images, prompts))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if self.failures and len(self.failures) == len(scores):
            raise InputOutputError(f"{self.url}: expected marks, got none: {self.failures[-1]}")
        return np.array(scores, np.float64)

    def _score(self, image: ByteArray, prompt: str) -> float:
        picture = base64.b64encode(Image(image).encode()).decode()
        content = [
            {"type": "text", "text": self.rubric.replace("{prompt}", prompt)},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        ]
        question = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }
        read = partial(score_of, marks=self.marks, scale=self.scale)
        try:
            return self.ask(json.dumps(question).encode(), "application/json", read)
        except NoAnswerError as error:
            self.failures.append(str(error))
            return float("nan")


def score_of(answer: bytes, marks: Sequence[str], scale: tuple[float, float]) -> float:
    """The mean of the marks in a chat completion, 0…1. Raises `ValueError`."""
    text = _text(answer)
    low, high = scale
    return sum((_mark(text, name, low, high) - low) / (high - low) for name in marks) / len(marks)


def _text(answer: bytes) -> str:
    """What the model wrote."""
    try:
        choice = json.loads(answer)["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise ValueError(f"answer: expected a chat completion, got {answer[:200]!r}") from None
    if not isinstance(text, str):
        raise ValueError(f"answer: expected text, got none (finish_reason {reason!r}); is max_tokens too small?")
    return text


def _mark(text: str, name: str, low: float, high: float) -> float:
    """The last mark of this name, however it is emphasised: "Final Score: 4", "**Final Score (1-5):** [4.5]"."""
    pattern = re.escape(name) + r"(?:\s*\([^()\n]*\))?[\s*]*:[\s*\[<]*(-?\d+(?:\.\d+)?)"
    found = re.findall(pattern, text, re.IGNORECASE)
    if not found:
        raise ValueError(f"answer: expected {name!r} with a number, got {_end(text)}")
    mark = float(found[-1])
    if not low <= mark <= high:
        raise ValueError(f"answer: expected {name} in {low:g}…{high:g}, got {found[-1][:20]}")
    return mark


def _end(text: str) -> str:
    return f"{text[-200:]!a}" if text else "nothing"


def _completions(url: str) -> str:
    """The address of the chat completions below an API's address."""
    url = url.rstrip("/")
    return url if url.endswith("/chat/completions") else f"{url}/chat/completions"


def _checked_scale(scale: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = map(float, scale)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"scale: expected the lowest and the highest mark, got {short(scale)}") from None
    if not -np.inf < low < high < np.inf:
        raise InvalidArgumentError(f"scale: expected a lowest mark below the highest, got {low:g} and {high:g}")
    return low, high


def _check_rubric(rubric: str, marks: tuple[str, ...]) -> None:
    if not isinstance(rubric, str) or "{prompt}" not in rubric:
        raise InvalidArgumentError(f"rubric: expected text with {{prompt}} at the prompt's place, got {short(rubric)}")
    if not marks:
        raise InvalidArgumentError("marks: expected one name or more, got none")
    for name in marks:
        if name.lower() not in rubric.lower():
            raise InvalidArgumentError(f"rubric: expected text that asks for the mark {name!r}, got none; see `marks`")
