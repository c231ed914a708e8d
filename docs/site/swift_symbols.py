"""Lets docc compile the Swift documentation; a warning or a public symbol without a docstring is an error.

python3 docs/site/swift_symbols.py --modules .build/release/Modules --out FOLDER

The result holds each page as JSON, in FOLDER/data. swift_reference.py makes the site's pages of it: docc's own need a server.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What `import MixGRPO` gives besides its own symbols: Sources/MixGRPO/Exports.swift.
EXPORTED = ["MixBasics", "MixFlowModel", "MixLearning", "MixSampling", "MixStorage"]


def toolchain() -> tuple[pathlib.Path, str]:
    """The folder of the toolchain's programs, and what it compiles for."""
    info = json.loads(subprocess.check_output(["swiftc", "-print-target-info"]))
    return pathlib.Path(info["paths"]["runtimeResourcePath"]).parents[1] / "bin", info["target"]["unversionedTriple"]


def extract(module: str, modules: pathlib.Path, graphs: pathlib.Path) -> None:
    """The public symbols of a compiled module, those of `EXPORTED` as its own, in one symbol graph."""
    programs, triple = toolchain()
    command = [programs / "swift-symbolgraph-extract", "-module-name", module, "-target", triple, "-output-dir", graphs]
    command += ["-minimum-access-level", "public", "-skip-synthesized-members", "-I", modules]
    command += [option for module_map in c_modules(modules) for option in ("-Xcc", f"-fmodule-map-file={module_map}")]
    subprocess.run([*command, f"-experimental-allowed-reexported-modules={','.join(EXPORTED)}"], check=True)


def c_modules(modules: pathlib.Path) -> list[pathlib.Path]:
    """The module maps of the C targets: in their folders, beside the header, or made by SwiftPM."""
    folders = [ROOT / "include", *ROOT.glob("Sources/*"), *ROOT.glob("Sources/*/include")]
    maps = [folder / "module.modulemap" for folder in folders if (folder / "module.modulemap").exists()]
    return [*maps, *modules.parent.glob("*.build/module.modulemap")]


def undocumented(graph: dict) -> list[str]:
    """`file:line: symbol` of each public symbol without a docstring."""
    found = []
    for symbol in graph["symbols"]:
        if any(line["text"].strip() for line in symbol.get("docComment", {}).get("lines", [])):
            continue
        place = symbol.get("location", {"uri": "?", "position": {"line": -1}})
        path = place["uri"].removeprefix("file://").removeprefix(f"{ROOT}/")
        found.append(f"{path}:{place['position']['line'] + 1}: {'.'.join(symbol['pathComponents'])}")
    return sorted(found)


def judge_all_comments(path: pathlib.Path, graph: dict, module: str) -> None:
    """docc checks the comments of its own module alone: let all be that."""
    for symbol in graph["symbols"]:
        if "docComment" in symbol:
            symbol["docComment"]["module"] = module
    path.write_text(json.dumps(graph))


def convert(catalogue: pathlib.Path | None, graphs: pathlib.Path, module: str, options: argparse.Namespace) -> int:
    programs, _ = toolchain()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    command = [programs / "docc", "convert", *([catalogue] if catalogue else [])]
    command += ["--additional-symbol-graph-dir", graphs, "--output-dir", options.out, "--warnings-as-errors"]
    command += ["--fallback-display-name", module, "--fallback-bundle-identifier", module.lower()]
    command += ["--fallback-default-module-kind", "Library"]
    return subprocess.run(command).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", default="MixGRPO", help="what is imported (default: %(default)s)")
    parser.add_argument("--modules", type=pathlib.Path, required=True, help="folder of the compiled modules")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder that docc writes")
    options = parser.parse_args()
    catalogue = ROOT / "Sources" / options.module / f"{options.module}.docc"
    with tempfile.TemporaryDirectory() as folder:
        graphs = pathlib.Path(folder)
        extract(options.module, options.modules, graphs)
        path = graphs / f"{options.module}.symbols.json"
        graph = json.loads(path.read_text())
        if missing := undocumented(graph):
            print("public symbols without a docstring:", *missing, sep="\n  ", file=sys.stderr)
            return 1
        judge_all_comments(path, graph, options.module)
        if convert(catalogue if catalogue.exists() else None, graphs, options.module, options) != 0:
            return 1
    print(f"{len(graph['symbols'])} public symbols of {options.module} are documented")
    return 0


if __name__ == "__main__":
    sys.exit(main())
