"""Looks at a report in a real browser: check_page.py PAGE [FOLDER FOR SCREENSHOTS]

At the width of a phone and of a desktop, light and dark: nothing sticks out to the right, every picture is there, every chart
has its lines, text has enough contrast, and nothing was loaded from elsewhere.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from browser import Browser

LUMINANCE = """
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
"""

LOOK = """(() => {
  LUMINANCE
  const images = [...document.images];
  const body = getComputedStyle(document.body);
  const [ink, paper] = [luminance(body.color), luminance(body.backgroundColor)];
  return JSON.stringify({
    width: document.documentElement.scrollWidth - innerWidth,
    outside: [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
      .map(e => e.tagName + " " + (e.textContent || "").slice(0, 40)),
    images: images.length,
    broken: images.filter(i => !i.complete || i.naturalWidth == 0 || i.clientWidth < 100).length,
    charts: document.querySelectorAll(".charts svg").length,
    emptyCharts: [...document.querySelectorAll(".charts svg")].filter(c => c.querySelectorAll("polyline").length < 2).length,
    contrast: (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05),
    isDark: paper < 0.2,
    loaded: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
    scripts: document.scripts.length,
    smallText: [...document.querySelectorAll("p, li, td, th, h1")]
      .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length,
  });
})()""".replace("LUMINANCE", LUMINANCE)


def faults(browser: Browser, page: Path, width: int, height: int, dark: bool) -> list[str]:
    browser.show(page, width=width, height=height, dark=dark)
    seen = json.loads(browser.ask(LOOK))
    wanted = {
        "it is wider than the screen": seen["width"] <= 0,
        "something sticks out": not seen["outside"],
        "there are pictures": seen["images"] >= 2,
        "a picture is missing": seen["broken"] == 0,
        "there are charts": seen["charts"] >= 4,
        "a chart has no lines": seen["emptyCharts"] == 0,
        "text is hard to read": seen["contrast"] >= 7,
        "the scheme is not the reader's": seen["isDark"] == dark,
        "it needs other files": not seen["loaded"] and seen["scripts"] == 0,
        "text is too small": seen["smallText"] == 0,
    }
    return [f"{width} px, {'dark' if dark else 'light'}: {name}: {seen}" for name, holds in wanted.items() if not holds]


def main() -> int:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        print("Chromium is not here", file=sys.stderr)
        return 2
    page = Path(sys.argv[1])
    shots = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    found: list[str] = []
    with Browser(executable) as browser:
        for width, height in [(390, 844), (1280, 900)]:
            for dark in [False, True]:
                found += faults(browser, page, width, height, dark)
                if shots:
                    shots.mkdir(parents=True, exist_ok=True)
                    browser.screenshot(shots / f"{width}-{'dark' if dark else 'light'}.png")
    print(
        "\n".join(found) if found else "the page looks right at 390 and 1280 pixels, light and dark",
        file=sys.stderr if found else sys.stdout,
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
