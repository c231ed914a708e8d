"""The reference of the command `mixgrpo`, a page for each subcommand, made of what the command says about itself."""

import json
import pathlib
import re
import subprocess
from collections.abc import Iterator


def write(command: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the pages."""
    folder.mkdir(parents=True)
    top = json.loads(subprocess.check_output([command, "--experimental-dump-help"]))["command"]
    subcommands = [one for one in top["subcommands"] if one["commandName"] != "help"]
    for one in subcommands:
        (folder / f"{one['commandName']}.md").write_text("\n\n".join(page(one, f"mixgrpo {one['commandName']}")) + "\n")
    names = [one["commandName"] for one in subcommands]
    listed = "\n".join(["```{toctree}", *names, "```"])
    (folder / "index.md").write_text("\n\n".join([*page(top, "The command mixgrpo"), "## Subcommands", listed]) + "\n")


def page(command: dict, title: str) -> Iterator[str]:
    yield f"# {title}"
    yield command["abstract"]
    yield discussion(command.get("discussion", ""))
    section = ""
    for argument in command.get("arguments", []):
        if not argument["shouldDisplay"]:
            continue
        here = argument.get("sectionTitle") or ("Arguments" if argument["kind"] == "positional" else "Options")
        if here != section:
            yield f"## {here}"
            section = here
        yield option(argument)


def option(argument: dict) -> str:
    """The names of an option and what it means, as a definition."""
    value = "" if argument["kind"] == "flag" else f" <{argument['valueName']}>"
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    names = [f"`{dashes[name['kind']]}{name['name']}{value}`" for name in argument.get("names", [])]
    meaning = escaped(argument.get("abstract", ""))
    if argument.get("allValues"):
        meaning += " Values: " + ", ".join(f"`{one}`" for one in argument["allValues"]) + "."
    if argument.get("defaultValue"):
        meaning += f" Default: `{argument['defaultValue']}`."
    return f"{', '.join(names) or f'`{value.strip()}`'}\n: {meaning}"


def discussion(text: str) -> str:
    """Paragraphs; those that are indented are commands to type."""
    return "\n\n".join(
        program(block) if block.startswith("  ") else escaped(block) for block in re.split(r"\n\n+", text)
    )


def program(block: str) -> str:
    return "```sh\n" + re.sub("^  ", "", block, flags=re.M) + "\n```"


def escaped(text: str) -> str:
    """Marks of Markdown taken as they stand, outside of names in backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if i % 2 else re.sub(r"([\\*_<>\[\]{}$#~|])", r"\\\1", part) for i, part in enumerate(parts))
