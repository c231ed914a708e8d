"""Every link in every Markdown file of the tree leads somewhere: the file exists, and so does the heading that it names.

python Tests/docs/links.py [folder]     exit status 1 with a line for each broken link
"""

import html
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.S | re.M)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.M)


def documents(root: pathlib.Path) -> list[pathlib.Path]:
    """Markdown files that git knows or that are new; all of them outside of a repository."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode != 0:
        return sorted(root.rglob("*.md"))
    return [root / name for name in sorted(set(listed.stdout.split("\0"))) if name and (root / name).exists()]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings: lower case, no punctuation, hyphens for spaces, numbers for repetitions."""
    found: set[str] = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    counts: dict[str, int] = {}
    for title in HEADING.findall(FENCE.sub("", text)):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", html.unescape(title))
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = counts.get(slug, 0)
        counts[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def fault(document: pathlib.Path, link: str) -> str | None:
    """What is wrong with a link; None when it leads somewhere or out of the tree."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return None
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.exists():
        return "no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
        return f"no such heading in {target.name}"
    return None


def check(root: pathlib.Path) -> tuple[int, list[str]]:
    """The number of links, and a line for each broken one."""
    count, faults = 0, []
    for document in documents(root):
        text = FENCE.sub(lambda block: "\n" * block[0].count("\n"), document.read_text())
        text = CODE.sub(lambda code: "`" * len(code[0]), text)
        for match in LINK.finditer(text):
            link = match[1] or match[2]
            count += 1
            if problem := fault(document, link):
                line = text.count("\n", 0, match.start()) + 1
                faults.append(f"{document.relative_to(root)}:{line}: {link}: {problem}")
    return count, faults


if __name__ == "__main__":
    count, faults = check(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    print("\n".join(faults) if faults else f"all {count} links of the Markdown files lead somewhere")
    sys.exit(1 if faults or count == 0 else 0)
