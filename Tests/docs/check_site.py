"""Looks at the documentation site: check_site.py FOLDER

Every link leads to a file of the site, and to a place that this file has. Nothing is loaded from elsewhere. In a Chromium
that opens the files without a server no page is wider than a phone or a desktop, every picture is there, and the search finds
something. Of the pages made by cargo, in api/, only the first is looked at. Exit status 2: there is no Chromium.
"""

from __future__ import annotations

import html
import json
import pathlib
import re
import shutil
import sys
import time
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).parents[1] / "compare"))
from browser import Browser  # noqa: E402

LINK = re.compile(r"<(\w+)\b[^>]*?\s(?:href|src)=\"([^\"]*)\"")
PLACE = re.compile(r"\s(?:id|name)=\"?([^\"\s>]+)")
WIDTHS = (390, 1280)
LOOK = """JSON.stringify({
  wider: document.documentElement.scrollWidth - innerWidth,
  outside: [...document.querySelectorAll("article *")].filter(e => {
    if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let box = e; box && box.tagName != "ARTICLE"; box = box.parentElement)
      if (getComputedStyle(box).overflowX != "visible") return false;
    return true;
  }).map(e => e.tagName + " " + e.textContent.slice(0, 40)).slice(0, 3),
  missing: [...document.images].filter(image => image.complete && image.naturalWidth == 0).map(image => image.src),
})"""


def own_pages(site: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in sorted(site.rglob("*.html")) if path.relative_to(site).parts[0] != "api"]


def broken_links(site: pathlib.Path) -> list[str]:
    texts = {path: path.read_text() for path in own_pages(site)}
    places = {path: {html.unescape(place) for place in PLACE.findall(text)} for path, text in texts.items()}
    found = []
    for path, text in texts.items():
        for tag, link in set(LINK.findall(text)):
            if reason := fault(path, tag, html.unescape(link), places):
                found.append(f"{path.relative_to(site)}: {link}: {reason}")
    print(f"the links of {len(texts)} pages were followed")
    return found


def fault(page: pathlib.Path, tag: str, link: str, places: dict[pathlib.Path, set[str]]) -> str | None:
    """What is wrong with a link; None for a good one, and for one that leads out of the site."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return "loaded from elsewhere" if tag in ("script", "link", "img") and not link.startswith("data:") else None
    address, _, place = link.partition("#")
    target = (page.parent / urllib.parse.unquote(address.partition("?")[0])).resolve() if address else page
    if not target.is_file():
        return "no such file"
    if place and target in places and urllib.parse.unquote(place) not in places[target]:
        return "no such place in the page"
    return None


def faults_in_browser(browser: Browser, site: pathlib.Path) -> list[str]:
    found = []
    pages = [*own_pages(site), site / "api" / "mixgrpo" / "index.html"]
    for page in pages:
        browser.show(page, width=WIDTHS[0], height=900, dark=False)
        for width in WIDTHS:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            browser.call("Emulation.setDeviceMetricsOverride", **size)
            seen = json.loads(browser.ask(LOOK))
            if seen["wider"] > 0 or seen["outside"] or seen["missing"]:
                found.append(f"{page.relative_to(site)} at {width} pixels: {seen}")
    print(f"{len(pages)} pages were looked at, {' and '.join(map(str, WIDTHS))} pixels wide")
    return found


def search_finds(browser: Browser, site: pathlib.Path, words: str) -> bool:
    address = (site / "search.html").as_uri() + "?q=" + urllib.parse.quote(words)
    browser.call("Page.navigate", url=address)
    for _ in range(300):
        if browser.ask("document.querySelectorAll('#search-results ul.search li').length"):
            return True
        time.sleep(0.1)
    return False


def main() -> int:
    site = pathlib.Path(sys.argv[1]).resolve()
    found = broken_links(site)
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable:
        with Browser(executable) as browser:
            found += faults_in_browser(browser, site)
            if not search_finds(browser, site, "mixgrpo_trainer_rollout"):
                found.append("search.html: the search finds nothing")
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0 if executable else 2


if __name__ == "__main__":
    sys.exit(main())
