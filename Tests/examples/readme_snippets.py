"""README and articles show whole example files.

Each is named in a comment before its code block, and the block must be the file word for word.

python Tests/examples/readme_snippets.py           compares, exit status 1 on a difference
python Tests/examples/readme_snippets.py --write   puts the files into the documents
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [
    "README.md",
    "Sources/MixGRPO/MixGRPO.docc/AlignAModel.md",
    *(f"docs/guides/{language}.md" for language in ("cpp", "python", "pytorch", "rust", "swift")),
]
BLOCK = re.compile(r"<!-- (\S+) -->\n```(\w+)\n(.*?)```", re.S)


def embedded(match: re.Match[str]) -> str:
    path, language, _ = match.groups()
    return f"<!-- {path} -->\n```{language}\n{(ROOT / path).read_text()}```"


def check(document: str, write: bool) -> bool:
    text = (ROOT / document).read_text()
    wanted = BLOCK.sub(embedded, text)
    if write:
        (ROOT / document).write_text(wanted)
    elif text != wanted:
        print(
            f"{document}: its examples differ from the files they show; run python Tests/examples/readme_snippets.py --write"
        )
        return False
    print(f"{document} shows {len(BLOCK.findall(text))} example files as they are")
    return True


if __name__ == "__main__":
    agreed = [check(document, "--write" in sys.argv[1:]) for document in DOCUMENTS]
    sys.exit(0 if all(agreed) else 1)
