"""The reference of the Rust crate, as cargo makes it, with a way back to the site on every page."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
PAGE = """# Rust

The reference of the crate has pages of its own, made by `cargo doc`, with a search of its own.

<p><a href="../api/mixgrpo/index.html">Open the reference of the crate <code>mixgrpo</code></a></p>

[The guide](../guides/rust.md) shows a program.
"""
LEFT_OUT = """# Rust

This site was built without cargo: `cargo doc --open` in `bindings/rust` builds the reference.
"""


def write(folder: pathlib.Path, work: pathlib.Path) -> pathlib.Path | None:
    """Writes the page that leads to cargo's pages, and returns the folder that holds them under api/."""
    folder.mkdir(parents=True)
    if not shutil.which("cargo") and not os.environ.get("CI"):
        (folder / "index.md").write_text(LEFT_OUT)
        return None
    target = ROOT / ".build" / "rust-docs"
    flags = f"-D warnings --html-in-header {HERE}/rust_header.html --html-before-content {HERE}/rust_bar.html"
    settings = {"CARGO_TARGET_DIR": str(target), "CARGO_NET_OFFLINE": "true", "DOCS_RS": "1", "RUSTDOCFLAGS": flags}
    shutil.rmtree(target / "doc", ignore_errors=True)
    crate = ROOT / "bindings" / "rust"
    subprocess.run(["cargo", "doc", "--quiet", "--no-deps"], cwd=crate, env=os.environ | settings, check=True)
    shutil.copytree(target / "doc", work / "api")
    (folder / "index.md").write_text(PAGE)
    return work
