"""Writes all mutants of a module into its sources at once. The environment variable MUTANT chooses one when the program runs.

So one build serves all. An operator becomes one of its own, such as `<⊕⊗`, of the same precedence; its function asks whether
its mutant is the chosen one. A statement gets an `if` before it. MUTANT_TRACE names a file to which the program appends, when
it ends, the numbers of the mutants whose code it has reached.
"""

from pathlib import Path

from sites import OPERATORS, Site

DIGITS = "⊕⊖⊗⊘⊙⊚⊛⊜"
PRECEDENCE = {
    **dict.fromkeys(["<", "<=", ">", ">=", "==", "!="], "ComparisonPrecedence"),
    "&&": "LogicalConjunctionPrecedence",
    "||": "LogicalDisjunctionPrecedence",
    **dict.fromkeys(["+", "-"], "AdditionPrecedence"),
    **dict.fromkeys(["*", "/"], "MultiplicationPrecedence"),
    "..<": "RangeFormationPrecedence",
}
CONSTRAINT = {
    **dict.fromkeys(["<", "<=", ">", ">="], ["Comparable"]),
    **dict.fromkeys(["==", "!="], ["Equatable"]),
    **dict.fromkeys(["+", "-"], ["AdditiveArithmetic"]),
    "*": ["Numeric"],
    "/": ["FloatingPoint", "BinaryInteger"],
}
# The module's own part: which mutant is chosen, and which ones were reached.
CHOICE = """
import Glibc

nonisolated(unsafe) private var reached = [UInt8](repeating: 0, count: COUNT)
private let traceFile = getenv("MUTANT_TRACE").map { String(cString: $0) }
private let chosen: Int = {
  if traceFile != nil {
    atexit {
      guard let traceFile, let file = fopen(traceFile, "a") else { return }
      for (index, isReached) in reached.enumerated() where isReached != 0 { fputs("\\(index)\\n", file) }
      fclose(file)
    }
  }
  return getenv("MUTANT").flatMap { Int(String(cString: $0)) } ?? -1
}()

@inline(never) func isMutant(_ index: Int) -> Bool {
  let isChosen = chosen == index
  if traceFile != nil { reached.withUnsafeMutableBufferPointer { $0[index] = 1 } }
  return isChosen
}
"""


def token(operator: str, index: int) -> str:
    digits = ""
    while True:
        digits, index = DIGITS[index % 8] + digits, index // 8
        if index == 0:
            return operator + digits


def declaration(site: Site, index: int) -> str:
    """The operator that stands for a site."""
    if site.kind == "statement":
        return ""
    name = token(site.before, index)
    if site.kind == "negation":
        return f"prefix operator {name}\nprefix func {name} (a: Bool) -> Bool {{ isMutant({index}) ? a : !a }}\n"
    head = f"infix operator {name}: {PRECEDENCE[site.before]}\n"
    if site.kind == "range":
        return head + (
            f"func {name} <T: FixedWidthInteger>(a: T, b: T) -> Range<T> {{ a..<(isMutant({index}) ? max(a, b - 1) : b) }}\n"
        )
    choice = f"isMutant({index}) ? a {site.after} b : a {site.before} b"
    if site.before in ("&&", "||"):
        body = "(a: Bool, b: @autoclosure () throws -> Bool) rethrows -> Bool {\n  "
        return f"{head}func {name} {body}isMutant({index}) ? try a {site.after} b() : try a {site.before} b()\n}}\n"
    result = "T" if site.before in "+-*/" else "Bool"
    return head + "".join(
        f"func {name} <T: {constraint}>(a: T, b: T) -> {result} {{ {choice} }}\n"
        for constraint in CONSTRAINT[site.before]
    )


def write_if_new(path: Path, content: bytes) -> None:
    """Leaves an equal file as it is, so that it is not compiled again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def write_file(path: Path, original: str, sites: list[tuple[int, Site]]) -> None:
    """Statements enclose operators: from the end of the file, the innermost first."""
    opened = {site.start: index for index, site in sites if site.kind == "statement"}
    closed = {site.end for _, site in sites if site.kind == "statement"}
    inner = {site.start: (index, site) for index, site in sites if site.kind != "statement"}
    out, position = [], 0
    while position <= len(original):
        if position in closed:
            out.append(" }")
        if position in opened:
            out.append(f"if !isMutant({opened[position]}) {{ ")
        if position in inner:
            index, site = inner[position]
            out.append(token(site.before, index))
            position = site.end
            continue
        out.append(original[position : position + 1])
        position += 1
    write_if_new(path, "".join(out).encode())


def write_module(module: str, tree: Path, originals: dict[str, str], sites: dict[int, Site], count: int) -> None:
    """`sites`: by their numbers, which are counted over all modules; `originals`: texts by path."""
    for file, text in originals.items():
        write_file(tree / file, text, [(index, site) for index, site in sites.items() if site.file == file])
    support = CHOICE.replace("COUNT", str(count)) + "".join(declaration(site, index) for index, site in sites.items())
    write_if_new(tree / "Sources" / module / "Mutants.swift", support.encode())


assert set(PRECEDENCE) == {*OPERATORS, "..<"}
