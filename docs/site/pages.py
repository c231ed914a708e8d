"""The Markdown files of the tree as pages of the site. A link to another file leads to a page that shows it."""

import os
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tests" / "docs"))
from links import FENCE, documents  # noqa: E402

LINK = re.compile(r"(?<=\]\()<?([^)\s>]+)>?(?=(?:\s+\"[^\"]*\")?\))")
FUNCTION = re.compile(r"`(mixgrpo_[a-z0-9_]+)`")
IMAGES, BINARY = {".svg", ".png"}, {".safetensors"}
LANGUAGES = {
    ".c": "c", ".h": "c", ".hpp": "cpp", ".cpp": "cpp", ".py": "python", ".rs": "rust", ".swift": "swift", ".sh": "bash",
    ".go": "go", ".lua": "lua", ".rb": "ruby", ".java": "java", ".json": "json", ".toml": "toml",
}  # fmt: skip


def place(path: pathlib.Path) -> pathlib.Path:
    """Where a Markdown file or a picture stands in the site: docs/ is its root, and docs/README.md its first page."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "docs":
        inside = inside.relative_to("docs")
        return inside.with_name("index.md") if inside.name == "README.md" and len(inside.parts) == 1 else inside
    return inside


class Pages:
    """Writes pages to `site`. `listed`: those in the navigation; `functions`: the names with an entry in the C reference."""

    def __init__(self, site: pathlib.Path, listed: set[str], functions: set[str]) -> None:
        self.site, self.listed, self.functions = site, listed, functions
        self.documents = {
            path for path in documents(ROOT) if path.relative_to(ROOT).parts[0] not in ("Sources", "Tests")
        }
        self.shown: set[pathlib.Path] = set()

    def write(self) -> None:
        for document in self.documents:
            target = self.site / place(document)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.translated(document))

    def translated(self, document: pathlib.Path) -> str:
        """A page's text, with links that lead to the site's pages and names of C functions as links, except in programs."""
        text, parts, end = document.read_text(), [], 0
        for program in FENCE.finditer(text):
            parts += [self.prose(text[end : program.start()], document), program[0]]
            end = program.end()
        text = "".join([*parts, self.prose(text[end:], document)])
        return text if str(place(document).with_suffix("")) in self.listed else "---\norphan: true\n---\n" + text

    def prose(self, text: str, document: pathlib.Path) -> str:
        text = LINK.sub(lambda link: self.link(link[1], document), text)
        return FUNCTION.sub(lambda name: f"{{c:func}}`{name[1]}`" if name[1] in self.functions else name[0], text)

    def link(self, link: str, document: pathlib.Path) -> str:
        address, mark, anchor = link.partition("#")
        if not address or re.match(r"[a-z][a-z0-9+.-]*:", link):
            return link
        path = (document.parent / address).resolve()
        target = self.page(path)
        return os.path.relpath(target, place(document).parent) + (mark + anchor if target.suffix == ".md" else "")

    def page(self, path: pathlib.Path) -> pathlib.Path:
        """The page of a file or folder of the tree."""
        if path.is_dir():
            return self.page(path / "README.md") if path / "README.md" in self.documents else self.folder(path)
        if path in self.documents:
            return place(path)
        return self.picture(path) if path.suffix in IMAGES else self.source(path)

    def picture(self, path: pathlib.Path) -> pathlib.Path:
        target = self.site / place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        return place(path)

    def source(self, path: pathlib.Path) -> pathlib.Path:
        """A page that shows a file."""
        page = pathlib.Path("tree", f"{path.relative_to(ROOT)}.md")
        body = (
            "" if path.suffix in BINARY else f"``````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text()}\n``````\n"
        )
        return self.shows(path, page, body)

    def folder(self, path: pathlib.Path) -> pathlib.Path:
        """A page that lists a folder."""
        page = pathlib.Path("tree", path.relative_to(ROOT), "index.md")
        files = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        items = [f"- [{file.relative_to(path)}]({os.path.relpath(self.page(file), page.parent)})" for file in files]
        return self.shows(path, page, "\n".join(items) + "\n")

    def shows(self, path: pathlib.Path, page: pathlib.Path, body: str) -> pathlib.Path:
        if path not in self.shown:
            self.shown.add(path)
            (self.site / page).parent.mkdir(parents=True, exist_ok=True)
            (self.site / page).write_text(f"---\norphan: true\n---\n# {path.relative_to(ROOT)}\n\n{body}")
        return page
