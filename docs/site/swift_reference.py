"""The reference of the Swift library: a page for each type and article, made of what docc compiled (swift_symbols.py)."""

import json
import pathlib
import re
from collections.abc import Iterator

TYPES = {"class", "struct", "enum", "protocol"}
SECTIONS = {"case": "Cases", "init": "Initializers", "property": "Properties", "method": "Methods"}


def write(data: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the pages from docc's folder `data`."""
    Reference(data, folder).write()


class Reference:
    def __init__(self, data: pathlib.Path, folder: pathlib.Path) -> None:
        self.folder = folder
        compiled = [json.loads(path.read_text()) for path in sorted(data.rglob("*.json"))]
        self.nodes = {node["identifier"]["url"]: node for node in compiled}
        self.module = next(node for node in compiled if kind(node) == "module")
        self.pages = {one: slug(one).removeprefix("swift-") for one, node in self.nodes.items() if self.is_page(node)}

    def is_page(self, node: dict) -> bool:
        """Types, articles and what belongs to no type have pages; other symbols stand on the page of their type."""
        return kind(node) in TYPES or kind(node) == "article" or parent(node) == self.module["identifier"]["url"]

    def write(self) -> None:
        self.folder.mkdir(parents=True)
        for address, name in self.pages.items():
            (self.folder / f"{name}.md").write_text("\n\n".join(self.page(self.nodes[address])) + "\n")
        names = sorted(self.pages.values())
        hidden = "```{toctree}\n:hidden:\n" + "\n".join(self.listed(names)) + "\n```\n"
        (self.folder / "index.md").write_text("\n\n".join(["# Swift", *self.body(self.module), *self.topics(), hidden]))

    def listed(self, names: list[str]) -> Iterator[str]:
        """Pages for the navigation in the order of docc's topics, those that no topic names at the end."""
        ordered = [self.pages[address] for topic in self.module["topicSections"] for address in topic["identifiers"]]
        yield from [*ordered, *(name for name in names if name not in ordered)]

    def topics(self) -> Iterator[str]:
        for topic in self.module["topicSections"]:
            lines = [
                f"- {self.link(address)}: {self.abstract(self.nodes[address])}" for address in topic["identifiers"]
            ]
            yield f"## {topic['title']}\n\n" + "\n".join(lines)

    def page(self, node: dict) -> Iterator[str]:
        address = node["identifier"]["url"]
        yield f"({slug(address)})=\n# {escaped(node['metadata']['title'])}"
        yield from self.body(node)
        members = [other for other in self.nodes.values() if parent(other) == address and kind(other) != "article"]
        nested = [self.link(other["identifier"]["url"]) for other in members if self.is_page(other)]
        if nested and node is not self.module:
            yield "Types inside: " + ", ".join(nested) + "."
        for what, title in SECTIONS.items():
            found = [other for other in members if not self.is_page(other) and what in kind(other)]
            if found:
                yield f"## {title}"
            for other in found:
                yield f"({slug(other['identifier']['url'])})=\n### {escaped(other['metadata']['title'])}"
                yield from self.body(other)

    def body(self, node: dict) -> Iterator[str]:
        """Abstract, declaration, parameters and discussion."""
        for section in node.get("primaryContentSections", []):
            if section["kind"] == "declarations":
                code = "".join(token["text"] for token in section["declarations"][0]["tokens"])
                yield f"```swift\n{code}\n```"
        yield self.abstract(node)
        for section in node.get("primaryContentSections", []):
            if section["kind"] == "parameters":
                yield "\n".join(self.item(f"`{one['name']}`: ", one["content"]) for one in section["parameters"])
            elif section["kind"] == "content":
                yield from (self.block(block) for block in section["content"])

    def abstract(self, node: dict) -> str:
        return self.inline(node.get("abstract", []))

    def item(self, mark: str, blocks: list[dict]) -> str:
        text = "\n\n".join(self.block(block) for block in blocks)
        return "- " + mark + text.replace("\n", "\n  ")

    def block(self, block: dict) -> str:
        match block["type"]:
            case "paragraph":
                return self.inline(block["inlineContent"])
            case "codeListing":
                return "\n".join([f"```{block.get('syntax') or 'swift'}", *block["code"], "```"])
            case "heading":
                return (
                    ""
                    if block["text"] in ("Overview", "Discussion", "Return Value")
                    else f"**{escaped(block['text'])}**"
                )
            case "unorderedList":
                return "\n".join(self.item("", item["content"]) for item in block["items"])
            case "aside":
                return f"**{block['name']}:** " + "\n\n".join(self.block(inner) for inner in block["content"])
        raise ValueError(f"docc gave a block of an unknown type: {block['type']}")

    def inline(self, parts: list[dict]) -> str:
        return "".join(self.span(part) for part in parts)

    def span(self, part: dict) -> str:
        match part["type"]:
            case "text":
                return escaped(part["text"])
            case "codeVoice":
                return f"`{part['code']}`"
            case "strong":
                return f"**{self.inline(part['inlineContent'])}**"
            case "reference":
                return self.link(part["identifier"])
        raise ValueError(f"docc gave a text of an unknown type: {part['type']}")

    def link(self, address: str) -> str:
        node = self.nodes[address]
        title = node["metadata"]["title"]
        return f"[{escaped(title) if kind(node) == 'article' else f'`{title}`'}](#{slug(address)})"


def kind(node: dict) -> str:
    return node["metadata"].get("symbolKind", node["kind"])


def parent(node: dict) -> str | None:
    return ([None] + node["hierarchy"].get("paths", [[]])[0])[-1]


def slug(address: str) -> str:
    """The name of a page or of a place in one, such as swift-trainer-rollout-prompts."""
    path = address.partition("/documentation/")[2].partition("/")[2] or "module"
    return "swift-" + re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")


def escaped(text: str) -> str:
    return re.sub(r"([\\*_<>\[\]{}$#~|`])", r"\\\1", text)
