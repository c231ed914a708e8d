"""Makes a folder of captioned emoji that `mixgrpo pretrain` reads.

    python emoji.py --out emoji                      # 32 x 32 pixels
    python emoji.py --out emoji-64 --size 64

The pictures are the bitmaps of Debian's fonts-noto-color-emoji (Google, SIL Open Font License 1.1), on white. Names, groups and
keywords come from Debian's unicode-data and unicode-cldr-core (Unicode licence). `make pictures` installs what is missing.

OUT/metadata.jsonl has a line for each picture: file_name, text (the name), group, subgroup, keywords, code_point.
OUT/held-out is a folder of the same form: combinations such as "orange heart" whose parts all occur in OUT, but not
together. A model that was trained on OUT and draws them has composed them. Each folder also has all of its names in
prompts.txt, a line each, and all of its pictures in sheet.png, in the same order, 16 in a row.

The set leaves out what nobody recognises at this size, and every emoji that looks too much like an earlier one (--distance)."""

import argparse
import io
import json
import re
import shutil
import sys
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy
from fontTools.ttLib import TTFont
from PIL import Image

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
NAMES = Path("/usr/share/unicode/emoji/emoji-test.txt")
KEYWORDS = Path("/usr/share/unicode/cldr/common/annotations/en.xml")
PACKAGES = {FONT: "fonts-noto-color-emoji", NAMES: "unicode-data", KEYWORDS: "unicode-cldr-core"}

CANVAS = 136  # side of the square that a bitmap of the font is centred in
COLUMNS = 16  # of sheet.png
DEFAULT_DISTANCE = 0.3

SUBGROUPS = {
    "Smileys & Emotion": "face-smiling face-affection face-tongue face-hand face-neutral-skeptical face-sleepy face-unwell "
    "face-hat face-glasses face-concerned face-negative face-costume cat-face heart",
    "People & Body": "hand-fingers-closed body-parts",
    "Animals & Nature": "animal-mammal animal-bird animal-amphibian animal-reptile animal-marine "
    "animal-bug plant-flower plant-other",
    "Food & Drink": "food-fruit food-vegetable food-prepared food-asian food-marine food-sweet drink",
    "Travel & Places": "transport-ground transport-water transport-air sky&weather",
    "Activities": "event award-medal sport game",
    "Objects": "clothing musical-instrument phone light&video book-paper lock tool science",
}
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white")
COMBINED = re.compile(rf"({'|'.join(COLOURS)}) (circle|square|heart)")
HELD_OUT = {
    "orange heart", "purple heart", "green circle", "brown circle", "blue square", "yellow square",
    "smiling cat with heart-eyes", "crying cat",
}  # fmt: skip
PARTS = {
    "smiling face with heart-eyes", "crying face", "grinning face", "grinning cat", "kissing cat", "weary cat",
    "pouting cat",
}  # fmt: skip
FAMOUS = {
    "red apple", "banana", "watermelon", "pizza", "hamburger", "doughnut", "soft ice cream", "birthday cake",
    "beer mug", "hot beverage", "rabbit face", "pig face", "cow face", "bear", "koala", "elephant", "turtle",
    "octopus", "whale", "spouting whale", "butterfly", "sunflower", "sun", "star", "snowman", "umbrella",
    "high voltage", "jack-o-lantern", "wrapped gift", "balloon", "basketball", "baseball", "tennis", "key",
    "light bulb", "bell", "camera", "crown", "hammer", "house", "bicycle", "automobile", "ghost", "skull", "t-shirt",
    "hatching chick", "snail", "crab", "spider web", "eyes", "game die", "pool 8 ball", "frog", "panda", "penguin",
    "owl", "honeybee", "tropical fish", "lady beetle", "fox", "tiger face", "robot", "alien", "pile of poo",
    "clown face", "smiling face with horns", "cowboy hat face", "strawberry", "pineapple", "carrot", "mushroom",
    "cactus", "grapes", "lemon", "avocado", "palm tree", "maple leaf", "rocket", "airplane", "fire", "water wave",
    "guitar", "teddy bear", "bullseye", "puzzle piece", "video game", "jeans", "oncoming taxi", "ambulance",
    "soccer ball", "evergreen tree",
}  # fmt: skip


@dataclass(frozen=True)
class Emoji:
    """An emoji of one code point, with its picture."""

    code_point: str
    name: str
    group: str
    subgroup: str
    keywords: list[str]
    picture: Image.Image

    @property
    def is_always_chosen(self) -> bool:
        """Such pictures are in the set however much they look like each other."""
        return COMBINED.fullmatch(self.name) is not None or self.name in PARTS | HELD_OUT | FAMOUS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures: a new one, or an earlier set")
    parser.add_argument("--size", type=int, choices=(32, 64), default=32, help="side of a picture in pixels (32)")
    distance_help = f"how different two pictures are at least, in 0...1 ({DEFAULT_DISTANCE})"
    parser.add_argument("--distance", type=float, default=DEFAULT_DISTANCE, help=distance_help)
    parser.add_argument("--every", action="store_true", help="every emoji of one code point that the font has")
    options = parser.parse_args()
    require_packages()
    prepare(options.out)
    everything = read_emoji(options.size)
    chosen = everything if options.every else recognisable(everything, options.distance)
    held_out = [emoji for emoji in chosen if emoji.name in HELD_OUT]
    train = [emoji for emoji in chosen if emoji.name not in HELD_OUT]
    write(train, options.out)
    write(held_out, options.out / "held-out")
    print(f"{options.out}: {len(train)} emoji of {options.size} x {options.size} pixels; held-out/: {len(held_out)}")


def require_packages() -> None:
    missing = [package for file, package in PACKAGES.items() if not file.exists()]
    if missing:
        sys.exit(
            f"emoji.py: files of Debian's {', '.join(missing)} are missing; install them: apt-get install {' '.join(missing)}"
        )


def prepare(folder: Path) -> None:
    """Removes an earlier set. A folder of anything else is refused."""
    if not folder.exists():
        return
    if any(folder.iterdir()) and not (folder / "held-out" / "metadata.jsonl").exists():
        sys.exit(f"emoji.py: --out: expected a new folder, or one with an earlier set, got {folder}")
    shutil.rmtree(folder)


def read_emoji(size: int) -> list[Emoji]:
    font = TTFont(FONT)
    glyphs = font.getBestCmap()
    bitmaps = font["CBDT"].strikeData[0]
    keywords = read_keywords()
    found = []
    for code_point, name, group, subgroup in named_code_points():
        glyph = glyphs.get(ord(code_point))
        if glyph not in bitmaps:
            continue
        picture = on_white(bitmaps[glyph].imageData, size)
        found.append(Emoji(code_point, name, group, subgroup, keywords.get(code_point, []), picture))
    return found


def named_code_points() -> list[tuple[str, str, str, str]]:
    """Code point, name, group and subgroup of each emoji that is one code point, in Unicode's order."""
    found = []
    group = subgroup = ""
    for line in NAMES.read_text("utf-8").splitlines():
        if line.startswith("# group:"):
            group = line.removeprefix("# group:").strip()
        elif line.startswith("# subgroup:"):
            subgroup = line.removeprefix("# subgroup:").replace(" ", "")
        elif entry := re.fullmatch(r"([0-9A-F]+)(?: FE0F)? +; fully-qualified +# \S+ E[0-9.]+ (.+)", line):
            name = entry[2].replace("large square", "square")
            found.append((chr(int(entry[1], 16)), name, group, subgroup))
    return found


def read_keywords() -> dict[str, list[str]]:
    annotations = xml.etree.ElementTree.parse(KEYWORDS).iter("annotation")
    return {a.attrib["cp"]: (a.text or "").split(" | ") for a in annotations if "type" not in a.attrib}


def on_white(png: bytes, size: int) -> Image.Image:
    bitmap = Image.open(io.BytesIO(png)).convert("RGBA")
    canvas = Image.new("RGBA", (CANVAS, CANVAS), "white")
    canvas.alpha_composite(bitmap, ((CANVAS - bitmap.width) // 2, (CANVAS - bitmap.height) // 2))
    return canvas.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)


def recognisable(everything: list[Emoji], distance: float) -> list[Emoji]:
    """Emoji of the subgroups above that differ from each one before them, and those that are always chosen."""
    unknown = (PARTS | HELD_OUT | FAMOUS) - {emoji.name for emoji in everything}
    if unknown:
        sys.exit(f"emoji.py: {NAMES} or {FONT} has no {', '.join(sorted(unknown))}")
    kept: list[Emoji] = []
    looks: list[numpy.ndarray] = []
    for emoji in sorted(everything, key=lambda emoji: not emoji.is_always_chosen):
        is_of_subgroup = emoji.subgroup in SUBGROUPS.get(emoji.group, "").split() and "moon" not in emoji.name
        look = coarse(emoji.picture)
        is_near = any(numpy.sqrt(numpy.mean((look - other) ** 2)) < distance for other in looks)
        if emoji.is_always_chosen or (is_of_subgroup and not is_near):
            kept.append(emoji)
            looks.append(look)
    return kept


def coarse(picture: Image.Image) -> numpy.ndarray:
    """What is left of a picture at 16 x 16 pixels, in 0...1."""
    return numpy.asarray(picture.resize((16, 16), Image.Resampling.BOX), numpy.float64) / 255


def write(chosen: list[Emoji], folder: Path) -> None:
    folder.mkdir(parents=True)
    size = chosen[0].picture.width
    sheet = Image.new("RGB", (size * COLUMNS, size * -(-len(chosen) // COLUMNS)), "white")
    (folder / "prompts.txt").write_text("".join(f"{emoji.name}\n" for emoji in chosen), "utf-8")
    with open(folder / "metadata.jsonl", "w", encoding="utf-8") as lines:
        for index, emoji in enumerate(chosen):
            file_name = f"{index:04d}.png"
            emoji.picture.save(folder / file_name)
            sheet.paste(emoji.picture, (index % COLUMNS * size, index // COLUMNS * size))
            line = {"file_name": file_name, "text": emoji.name, "group": emoji.group, "subgroup": emoji.subgroup}
            line |= {"keywords": emoji.keywords, "code_point": f"U+{ord(emoji.code_point):04X}"}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    sheet.save(folder / "sheet.png", optimize=True)


if __name__ == "__main__":
    main()
