"""The README shows whole example files: each is named in a comment before its code block and must be there word for word.

python Tests/examples/readme_snippets.py           compares, exit status 1 on a difference
python Tests/examples/readme_snippets.py --write   puts the files into the README
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- (\S+) -->\n```(\w+)\n(.*?)```", re.S)


def embedded(match: re.Match[str]) -> str:
    path, language, _ = match.groups()
    return f"<!-- {path} -->\n```{language}\n{(ROOT / path).read_text()}```"


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    wanted = BLOCK.sub(embedded, text)
    if "--write" in sys.argv[1:]:
        readme.write_text(wanted)
    elif text != wanted:
        print("README.md: its examples differ from the files they show; run python Tests/examples/readme_snippets.py --write")
        return 1
    print(f"README.md shows {len(BLOCK.findall(text))} example files as they are")
    return 0


if __name__ == "__main__":
    sys.exit(main())
