"""`python -m mixgrpo info`: what is installed and what it finds."""

import argparse
import platform

import numpy as np

from . import Context, MixGRPOError, __version__, library_path, library_version, preset_names
from ._abi import ABI_VERSION


def info() -> str:
    """The facts that belong in a bug report, one in each line."""
    try:
        with Context() as context:
            threads = str(context.threads)
    except MixGRPOError as error:
        threads = str(error)
    facts = {
        "package": __version__,
        "library": f"{library_version()} (binary interface {ABI_VERSION})",
        "file": library_path,
        "threads": threads,
        "presets": ", ".join(preset_names()),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "NumPy": np.__version__,
    }
    return "\n".join(f"{name:9}{fact}" for name, fact in facts.items())


def main() -> None:
    description = "Align flow-matching image models with any reward."
    parser = argparse.ArgumentParser(prog="python -m mixgrpo", description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="what is installed and which library is in use")
    parser.parse_args()
    print(info())


if __name__ == "__main__":
    main()
