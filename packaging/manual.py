"""Writes the manual pages of the command from its own help.

mixgrpo --experimental-dump-help | python3 packaging/manual.py FOLDER VERSION

One page for the command and one for each subcommand: FOLDER/mixgrpo.1, FOLDER/mixgrpo-align.1 and so on.
"""

import json
import pathlib
import sys


def escaped(text: str) -> str:
    """Text that groff prints as it stands, also at the beginning of a line."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    text = "".join(letter if ord(letter) < 128 else f"\\[u{ord(letter):04X}]" for letter in text)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def paragraphs(discussion: str) -> list[str]:
    """Paragraphs are filled, indented lines stay as they are."""
    lines = []
    for block in discussion.strip("\n").split("\n\n"):
        if block.startswith("  "):
            lines += [
                ".PP",
                ".RS 4",
                ".nf",
                *(escaped(line.strip("\n")[2:]) for line in block.split("\n")),
                ".fi",
                ".RE",
            ]
        else:
            lines += [".PP", escaped(" ".join(block.split()))]
    return lines


def label(argument: dict) -> str:
    value = f"\\fI{escaped(argument['valueName'])}\\fR"
    if argument["kind"] == "positional":
        return value
    names = [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument["names"]]
    text = ", ".join(f"\\fB{escaped(name)}\\fR" for name in names)
    return f"{text} {value}" if argument["kind"] == "option" else text


def options(arguments: list[dict]) -> list[str]:
    """Those without a heading come first, the others under the headings that the help has for them."""
    lines: list[str] = []
    for title in dict.fromkeys([None, *(argument.get("sectionTitle") for argument in arguments)]):
        lines += [f".SS {escaped(title)}"] if title else []
        for argument in arguments:
            if argument.get("sectionTitle") == title:
                lines += [".TP", label(argument), escaped(meaning(argument))]
    return lines


def meaning(argument: dict) -> str:
    text, values = argument.get("abstract", ""), argument.get("allValues", [])
    if not all(value in text for value in values):
        text += f" One of {', '.join(values)}."
    return text + (f" Default: {argument['defaultValue']}." if argument.get("defaultValue") else "")


def page(name: str, command: dict, version: str, related: list[str]) -> str:
    shown = [argument for argument in command["arguments"] if argument["shouldDisplay"]]
    synopsis = " ".join([name, *(["SUBCOMMAND"] if command.get("subcommands") else []), "[OPTIONS]"])
    synopsis += "".join(f" [{argument['valueName']}]" for argument in shown if argument["kind"] == "positional")
    lines = [
        f'.TH {escaped(name.replace(" ", "-").upper())} 1 "" "mixgrpo {version}" "User Commands"',
        ".ad l",
        ".SH NAME",
        f"{escaped(name.replace(' ', '-'))} \\- {escaped(command['abstract'].rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fB{escaped(synopsis)}\\fR",
        ".SH DESCRIPTION",
        *paragraphs(command.get("discussion", ""))[1:],
    ]
    if related and command.get("subcommands"):
        lines.append(".SH SUBCOMMANDS")
        for sub in command["subcommands"]:
            lines += [".TP", f"\\fB{escaped(sub['commandName'])}\\fR", escaped(sub["abstract"])]
    lines += [".SH OPTIONS", *options(shown)]
    lines += [".SH SEE ALSO", ",\n".join(f".BR {escaped(other)} (1)" for other in related).replace(",\n.BR", " ,\n.BR")]
    return "\n".join(lines) + "\n"


def main() -> None:
    folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    command = json.load(sys.stdin)["command"]
    command["subcommands"] = [
        sub for sub in command["subcommands"] if sub["commandName"] != "help" and sub["shouldDisplay"]
    ]
    names = ["mixgrpo", *(f"mixgrpo-{sub['commandName']}" for sub in command["subcommands"])]
    pages = [("mixgrpo", command), *((f"mixgrpo {sub['commandName']}", sub) for sub in command["subcommands"])]
    folder.mkdir(parents=True, exist_ok=True)
    for file, (name, content) in zip(names, pages, strict=True):
        related = [other for other in names if other != file] if file == "mixgrpo" else ["mixgrpo"]
        (folder / f"{file}.1").write_text(page(name, content, version, related))


if __name__ == "__main__":
    main()
