"""README and articles show example files, or single functions of them.

Each is named in a comment before its code block: `<!-- path -->`, or `<!-- path#function -->` for one function of a C file.
The block must be the file, or the function, word for word.

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
    "docs/bring-your-own-model.md",
    "docs/guides/align-your-diffusers-model.md",
    *(f"docs/guides/{language}.md" for language in ("cpp", "python", "pytorch", "rust", "swift")),
]
BLOCK = re.compile(r"<!-- ([^\s#]+)(?:#(\w+))? -->\n```(\w+)\n(.*?)```", re.S)


def source(path: str, function: str | None) -> str:
    text = (ROOT / path).read_text()
    if function is None:
        return text
    found = re.search(rf"^\w[^\n;]*\b{function}\(.*?^}}\n", text, re.M | re.S)
    return found[0] if found else sys.exit(f"{path}: no function {function}")


def embedded(match: re.Match[str]) -> str:
    path, function, language, _ = match.groups()
    name = f"{path}#{function}" if function else path
    return f"<!-- {name} -->\n```{language}\n{source(path, function)}```"


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
    print(f"{document} shows {len(BLOCK.findall(text))} example programs as they are")
    return True


if __name__ == "__main__":
    agreed = [check(document, "--write" in sys.argv[1:]) for document in DOCUMENTS]
    sys.exit(0 if all(agreed) else 1)
