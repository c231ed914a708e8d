"""A person with a hidden taste, who votes on the page in a headless Chromium: voter.py [--kind KIND] [--picture PNG]

The person looks at the pictures of the page, marks the quarter that is most to their taste, every fifth time another one by
mistake, and sends. Then the same prompts and noise as before must be more to their taste. --picture records the page and the
pictures over the votes for the documents. How many votes a taste needs is measured without a browser, by
examples/lab/votes/votes.py.

CHROMIUM: the executable.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "compare"))
from alignment import ROOT, Alignment, wait_for  # noqa: E402
from browser import Browser  # noqa: E402

# What the person likes: something colourful on a dark ground. The chroma of the most colourful tenth of the pixels, less the
# brightness of the frame of four pixels (of the whole grid: of every picture in it, which is about 99 pixels wide).
TASTE = """(async () => {
  const seen = [];
  for (const image of document.querySelectorAll(SELECTOR)) {
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const size = canvas.width > 128 ? 100 : canvas.width, edge = size / 8, chroma = [], frame = [];
    for (let place = 0; place < pixels.length; place += 4) {
      const colour = [pixels[place], pixels[place + 1], pixels[place + 2]], white = Math.min(...colour) > 250;
      const [x, y] = [place / 4 % canvas.width % size, Math.floor(place / 4 / canvas.width) % size];
      chroma.push(Math.max(...colour) - Math.min(...colour));
      if (!white && Math.min(x, y, size - 1 - x, size - 1 - y) < edge) frame.push((colour[0] + colour[1] + colour[2]) / 3);
    }
    const best = chroma.sort((a, b) => b - a).slice(0, chroma.length / 10), mean = v => v.reduce((a, b) => a + b, 0) / v.length;
    seen.push((mean(best) - mean(frame)) / 255);
  }
  return seen;
})()"""
PROMPTS = (
    "a red circle at the left\na blue square in the middle\na green triangle at the top\na yellow star at the right\n"
)


def liked(browser: Browser, selector: str) -> list[float]:
    """How much the person likes each of the pictures."""
    return browser.ask(TASTE.replace("SELECTOR", json.dumps(selector)))


def click(browser: Browser, selector: str, place: int = 0) -> None:
    """A click of a mouse at the middle of an element."""
    box = browser.ask(
        f"(() => {{ const e = document.querySelectorAll({json.dumps(selector)})[{place}];"
        "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)


def press(browser: Browser, key: str) -> None:
    text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
    code = {"Enter": 13, "ArrowLeft": 37, "ArrowRight": 39}.get(key, 0)
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


def screenshot(browser: Browser) -> bytes:
    """What is seen, as a PNG."""
    return base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])


def screen(browser: Browser, width: int, height: int) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
    )


STRIP = """<!doctype html><style>
  body {{ margin: 0; padding: 24px; width: 1232px; background: #f6f5f2; font: 600 17px system-ui, sans-serif; color: #1c1b19; }}
  div {{ display: flex; gap: 20px; justify-content: space-between; align-items: start; }}
  .pages img {{ height: 620px; border-radius: 14px; border: 1px solid #dedbd4; }}
  figure {{ margin: 22px 0 0; }} figcaption {{ margin-bottom: 8px; }}
  figure img {{ width: {width}px; border-radius: 10px; image-rendering: pixelated; }}
</style><div class="pages">{pages}</div><div>{grids}</div>"""


def picture(browser: Browser, pages: list[bytes], grids: list[tuple[str, bytes]], path: Path) -> None:
    """Writes screenshots, and below them grids with their captions, as one PNG."""

    def image(png: bytes) -> str:
        return f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}">'

    figures = [f"<figure><figcaption>{words}</figcaption>{image(png)}</figure>" for words, png in grids]
    width = (1232 - 20 * (len(grids) - 1)) // len(grids)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "strip.html"
        page.write_text(STRIP.format(width=width, pages="".join(map(image, pages)), grids="".join(figures)))
        browser.show(page, width=1280, height=700, dark=False)
        browser.screenshot(path)


class Voter:
    """Votes on every group that the page shows."""

    def __init__(self, browser: Browser, seed: int, kind: str = "favourites", mistakes: float = 0.2) -> None:
        self.browser = browser
        self.chance = random.Random(seed)
        self.kind = kind
        self.mistakes = mistakes
        self.groups = 0

    def open(self, address: str) -> None:
        self.browser.call("Page.navigate", url=address)
        wait_for(lambda: self.browser.ask("typeof shown !== 'undefined' && shown !== null"), "the first group")
        click(self.browser, f"[data-kind={self.kind}]")

    def vote(self) -> None:
        liking = liked(self.browser, "#pictures img") if self.kind != "pairs" else []
        getattr(self, "_" + self.kind)(liking)
        group = self.browser.ask("shown.id")
        press(self.browser, "Enter")
        self.groups += 1
        wait_for(lambda: self.browser.ask(f"hasEnded || !shown || shown.id !== {group}"), "the vote to be taken")

    def wait(self) -> bool:
        """Whether there is another group; False at the end."""
        wait_for(lambda: self.browser.ask("hasEnded || (shown !== null && !isSending)"), "the next group", seconds=300)
        return not self.browser.ask("hasEnded")

    def _wrong(self) -> bool:
        return self.chance.random() < self.mistakes

    def _favourites(self, liking: list[float]) -> None:
        best = sorted(range(len(liking)), key=lambda index: -liking[index])[: max(1, len(liking) // 4)]
        chosen = {self.chance.randrange(len(liking)) if self._wrong() else index for index in best}
        for index in sorted(chosen):
            click(self.browser, "#pictures .tile > button", index)

    def _stars(self, liking: list[float]) -> None:
        order = sorted(range(len(liking)), key=lambda index: liking[index])
        for index in range(len(liking)):
            stars = self.chance.randrange(5) if self._wrong() else order.index(index) * 5 // len(liking)
            click(self.browser, f"#pictures .tile:nth-child({index + 1}) .stars button", stars)

    def _pairs(self, _: list[float]) -> None:
        while self.browser.ask("marks.left.length > 1"):
            left, right = liked(self.browser, "#pictures img")
            press(self.browser, "ArrowLeft" if (left > right) != self._wrong() else "ArrowRight")


def taught(browser: Browser, folder: Path, kind: str) -> tuple[float, float]:
    """How much the person likes the pictures of the same prompts and noise, before and after. Each vote must be kept."""
    (folder / "prompts.txt").write_text(PROMPTS)
    given = [
        "--model",
        str(ROOT / "examples/base"),
        "--prompts",
        "prompts.txt",
        "--out",
        "taught",
        "--reward-person",
        *QUICK,
    ]
    with Alignment(*given, *SHORT, folder=folder) as run:
        person = Voter(browser, 1, kind)
        person.open(run.address)
        while person.wait():
            person.vote()
        curve = []
        for place in (0, len(browser.ask("state.grids")) - 1):
            browser.ask(f"(() => {{ at('time').value = {place}; at('time').oninput(); }})()")
            curve += liked(browser, "#now img")
        assert run.end() == 0, run.lines
    assert len((folder / "taught/votes.jsonl").read_text().splitlines()) == person.groups == VOTES
    return curve[0], curve[1]


def recorded(browser: Browser, folder: Path, path: Path) -> None:
    """Teaches with the usual settings, and makes a picture of the page and of what the model becomes."""
    (folder / "prompts.txt").write_text(PROMPTS)
    given = ["--prompts", "prompts.txt", "--out", "recorded", "--reward-person", *QUICK]
    pages = []
    with Alignment(*given, folder=folder) as run:
        person = Voter(browser, 1)
        person.open(run.address)
        while person.wait():
            if person.groups in (3, 4):
                pages.append(marked(browser, *((1280, 900) if person.groups == 3 else (390, 844))))
            person.vote()
        assert run.end() == 0, run.lines
    grids = sorted((folder / "recorded/pictures").glob("*.png"))
    captions = [f"after {2 * int(grid.stem)} votes" if int(grid.stem) else "before" for grid in grids]
    picture(browser, pages, [(words, grid.read_bytes()) for words, grid in zip(captions, grids, strict=True)], path)


def marked(browser: Browser, width: int, height: int) -> bytes:
    """The page on a screen of this size, with three pictures marked for the moment."""
    screen(browser, width, height)
    browser.ask("draw()")
    liking = liked(browser, "#pictures img")
    for index in sorted(range(len(liking)), key=lambda index: -liking[index])[:3]:
        browser.ask(f"press({index})")
    browser.ask("scrollTo(0, 0)")
    time.sleep(0.4)
    seen = screenshot(browser)
    browser.ask("marks.favourites = []; mark()")
    return seen


QUICK = ["--set", "person.undo_seconds=0"]
VOTES = 16
SHORT = f"--iterations {VOTES // 2} --group-size 8 --pictures-every {VOTES // 2}".split()
GAIN = 0.3  # of the hidden taste, which that many votes must reach


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=("favourites", "stars", "pairs"), default="favourites")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    executable = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not executable:
        print("there is no Chromium")
        return 2
    folder = Path(tempfile.mkdtemp())
    try:
        with Browser(executable) as browser:
            screen(browser, 1280, 900)
            if given.picture:
                recorded(browser, folder, given.picture.resolve())
                return 0
            before, after = taught(browser, folder, given.kind)
            print(f"the hidden taste rose from {before:.3f} to {after:.3f} by {VOTES} votes, a fifth of them wrong")
            assert after - before > GAIN, (before, after)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
