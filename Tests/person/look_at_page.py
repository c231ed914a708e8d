"""The page on which a person votes, in a headless Chromium: look_at_page.py

Pages of a phone and of a desktop, light and dark: nothing sticks out, everything has a name for a screen reader, contrast is
enough. Prompts with HTML in them, a reload, a second page, a page that is closed or loses its connection, keys and touch.

CHROMIUM: the executable. OUT: a folder for screenshots.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "compare"))
from alignment import ROOT, SMALL, Alignment, post, wait_for  # noqa: E402
from browser import Browser  # noqa: E402
from voter import click, press, screenshot  # noqa: E402

PROMPTS = (
    "<img src=x onerror=\"document.title='stolen'\"> & <b>a red circle</b>\n"
    "a prompt that is quite long, as people write them for large models, with an unbreakablewordthatgoesonandonandon\n"
)
LOOK = """(() => {
  const number = text => { const v = text.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
  const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = number(getComputedStyle(e).backgroundColor);
      if (colour[3] > .9) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = e => {
    const [a, b] = [light(number(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  };
  const seen = [...document.querySelectorAll("body *")]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().width > 1);
  const hasText = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const written = seen.filter(e => hasText(e) && !e.closest(":disabled, .heard") && !e.matches(".tile:not(.marked) .tick"));
  const name = e => (e.getAttribute("aria-label") || e.textContent || e.alt || "").trim();
  const nameless = e => e.matches("button, input, [role=group]") && !name(e) && !(e.labels && e.labels.length);
  return {
    wider: document.documentElement.scrollWidth - innerWidth,
    faint: written.filter(e => contrast(e) < 4.5).map(e => [contrast(e), e.textContent.trim().slice(0, 30)]),
    nameless: seen.filter(nameless).map(e => e.outerHTML.slice(0, 80)),
    small: seen.filter(e => e.matches("button") && e.getBoundingClientRect().height < 36).map(name),
    missing: [...document.images].filter(i => i.checkVisibility() && !(i.complete && i.naturalWidth)).map(i => i.src),
  };
})()"""


def expect(holds: bool, claim: str, got: object = "") -> None:
    if not holds:
        raise AssertionError(f"{claim}: {got}")


class Page:
    """The page in a browser."""

    def __init__(self, browser: Browser, run: Alignment) -> None:
        self.browser = browser
        self.run = run

    def open(self) -> None:
        self.browser.call("Page.navigate", url=self.run.address)
        self.wait("typeof shown !== 'undefined' && shown !== null", "a group in the page")

    def wait(self, expression: str, what: str) -> None:
        wait_for(lambda: self.browser.ask(f"Boolean({expression})"), what, self.run)

    def screen(self, width: int, height: int, *, dark: bool, mouse: bool) -> None:
        self.browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=not mouse
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.call("Emulation.setEmulatedMedia", features=[scheme])


def looks_right(page: Page, out: Path | None) -> None:
    for kind in ("favourites", "stars", "pairs"):
        for name, width, height, mouse in (("phone", 390, 844, False), ("desktop", 1280, 900, True)):
            for dark in (False, True):
                page.screen(width, height, dark=dark, mouse=mouse)
                click(page.browser, f"[data-kind={kind}]")
                page.wait("[...document.images].every(i => i.complete)", "the pictures")
                time.sleep(0.3)
                if out:
                    (out / f"{kind}-{name}-{'dark' if dark else 'light'}.png").write_bytes(screenshot(page.browser))
                seen = page.browser.ask(LOOK)
                faults = {key: value for key, value in seen.items() if value}
                expect(not faults, f"{kind} on a {name}{' in the dark' if dark else ''}", faults)
    click(page.browser, "[data-kind=favourites]")


def keeps_html_as_text(page: Page) -> None:
    for _ in range(2):
        text = page.browser.ask("at('prompt').textContent")
        if text.startswith("<img"):
            expect(page.browser.ask("at('prompt').children.length") == 0, "HTML of a prompt is text", text)
            expect(page.browser.ask("document.title") != "stolen", "HTML of a prompt runs nothing")
            return
        press(page.browser, "s")
        page.wait(f"shown && at('prompt').textContent !== {text!r}", "the next group")
    raise AssertionError("the prompt with HTML was not shown")


def survives_a_reload(page: Page) -> None:
    click(page.browser, "#pictures .tile > button", 1)
    press(page.browser, "3")
    expect(
        page.browser.ask("marks.favourites.join()") == "1,2",
        "a click and a key mark pictures",
        page.browser.ask("marks"),
    )
    expect(
        page.browser.ask("document.querySelectorAll('[aria-pressed=true].tile, .tile [aria-pressed=true]').length")
        == 2,
        "named",
    )
    page.browser.call("Page.reload")
    time.sleep(0.3)
    page.wait("typeof shown !== 'undefined' && shown !== null", "the page after a reload")
    expect(page.browser.ask("marks.favourites.join()") == "1,2", "marks survive a reload", page.browser.ask("marks"))


def is_closed_and_opened(page: Page) -> None:
    page.browser.call("Page.navigate", url="about:blank")
    time.sleep(0.5)
    expect(page.run.process.poll() is None, "a closed page ends nothing")
    page.open()
    expect(page.browser.ask("marks.favourites.join()") == "1,2", "a page opened again goes on")


def sleeps(page: Page) -> None:
    """The connection is away for a while, as when a laptop is closed."""

    def connected(state: bool) -> None:
        page.browser.call(
            "Network.emulateNetworkConditions", offline=not state, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    page.browser.call("Network.enable")
    connected(False)
    page.wait("!at('trouble').hidden", "the word that the run is away")
    connected(True)
    page.wait("at('trouble').hidden", "the run to be back")
    expect(page.browser.ask("marks.favourites.join()") == "1,2", "marks survive a sleep")
    page.browser.call("Network.disable")


def hears_of_another_page(page: Page) -> None:
    group = page.browser.ask("shown.id")
    post(page.run.address + "vote", {"group": group, "favourites": [0]})
    press(page.browser, "Enter")
    page.wait("!at('trouble').hidden || !shown || shown.id !== " + str(group), "the answer")
    page.wait(f"shown && shown.id !== {group}", "the group after the one that another page voted on")


def obeys_fingers(page: Page) -> None:
    page.screen(390, 844, dark=False, mouse=False)
    page.browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    time.sleep(0.3)
    box = page.browser.ask(
        "(() => { const e = document.querySelector('#pictures button'); e.scrollIntoView({block: 'center'});"
        "const b = e.getBoundingClientRect(); return [b.x + 20, b.y + 20]; })()"
    )
    page.browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": box[0], "y": box[1]}])
    page.browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    page.wait("marks.favourites.length === 1", "a mark by touch")
    group = page.browser.ask("shown.id")
    click(page.browser, "#send")
    page.wait(f"!shown || shown.id !== {group}", "the vote to be taken")
    page.wait("state.undo !== null", "an undo")
    click(page.browser, "#undo")
    page.wait(f"shown && shown.id === {group}", "the group whose vote was taken back")
    expect(page.browser.ask("marks.favourites.length") == 1, "marks come back with an undo")
    page.browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


def ends(page: Page, out: Path | None) -> None:
    click(page.browser, "#stop")
    page.wait("at('sure').open", "the question")
    click(page.browser, "#no")
    click(page.browser, "#stop")
    click(page.browser, "#yes")
    page.wait("hasEnded && !at('results').hidden", "the results")
    for name, width, mouse in (("phone", 390, False), ("desktop", 1280, True)):
        page.screen(width, 900, dark=False, mouse=mouse)
        time.sleep(0.4)
        seen = {key: value for key, value in page.browser.ask(LOOK).items() if value}
        expect(not seen, f"the results on a {name}", seen)
        if out:
            (out / f"results-{name}.png").write_bytes(screenshot(page.browser))
    expect(page.run.end() == 0, "the run ends well", page.run.lines)
    time.sleep(2.5)
    expect(page.browser.ask("at('trouble').hidden"), "a finished page asks no more")


def misses_the_run(page: Page) -> None:
    page.run.process.kill()
    wait_for(lambda: page.browser.ask("!at('trouble').hidden"), "the word that the run does not answer")
    expect("--resume" in page.browser.ask("at('trouble').textContent"), "the page says how to go on")


def main() -> int:
    executable = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not executable:
        print("there is no Chromium")
        return 2
    out = Path(os.environ["OUT"]) if "OUT" in os.environ else None
    folder = Path(tempfile.mkdtemp())
    (folder / "prompts.txt").write_text(PROMPTS)
    given = [
        "--model",
        str(ROOT / "examples/base"),
        "--prompts",
        "prompts.txt",
        "--reward-person",
        "--group-size",
        "6",
        *SMALL,
    ]
    try:
        with Browser(executable) as browser:
            with Alignment(
                *given, "--set", "person.undo_seconds=3", "--iterations", "9", "--out", "a", folder=folder
            ) as run:
                page = Page(browser, run)
                page.screen(1280, 900, dark=False, mouse=True)
                page.open()
                looks_right(page, out)
                for part in (
                    keeps_html_as_text,
                    survives_a_reload,
                    is_closed_and_opened,
                    sleeps,
                    hears_of_another_page,
                    obeys_fingers,
                ):
                    part(page)
                    print(part.__name__.replace("_", " "))
                ends(page, out)
            with Alignment(*given, "--iterations", "9", "--out", "b", folder=folder) as run:
                page = Page(browser, run)
                page.open()
                misses_the_run(page)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("the page looks right, and withstands reloads, sleep, other pages and the end of its run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
