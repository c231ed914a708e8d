#!/usr/bin/env python3
"""frames.py LIBRARY: fails when a function of the library takes more than a page of stack at once.

The library runs on threads of the host, whose stacks end in a guard page. A function that takes at most a page cannot pass it
without touching it, so a stack that is too small ends in a fault and never in silently overwritten memory. Reads the machine
code with objdump; the Swift runtime, libpng and zlib, which the library contains, are listed but not refused.
"""

import collections
import platform
import re
import subprocess
import sys

PAGE = 4096
MODULES = "MixBasics MixNumerics MixFlowModel MixStorage MixSettings MixSampling MixLearning MixGRPO MixGRPOC".split()
OWN = re.compile(r"mixgrpo_|\$s.*(" + "|".join(f"{len(name)}{name}" for name in MODULES) + ")")
FIXED = [
    re.compile(r"\bsub\s+\$0x([0-9a-f]+),%rsp$"),
    re.compile(r"\blea\s+-0x([0-9a-f]+)\(%r(?!bp)\w+\),%rsp$"),
    re.compile(r"\badd\s+\$0x(f{8}[0-9a-f]{8}),%rsp$"),
]
ADDRESS_BELOW = re.compile(r"\bsub\s+%\w+,%(r\w+)$")
# The size in a type's value witness table, which generic code asks for.
SIZE_OF_A_TYPE = re.compile(r"\bmovq?\s+0x40\(%r\w+\),%r\w+$|\bmov\s+0x40\(%r\w+\),")


def functions(library):
    """(name, instructions) of every function."""
    listing = subprocess.Popen(
        ["objdump", "-d", "--no-show-raw-insn", "--section=.text", library],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    name, instructions = None, []
    for line in listing.stdout:
        line = line.rstrip()
        if line.endswith(">:"):
            if name:
                yield name, instructions
            name, instructions = line[line.index("<") + 1 : -2], []
        elif "\t" in line:
            instructions.append(line.split("\t", 1)[1].strip())
    if listing.wait() != 0:
        sys.exit(f"error: objdump cannot read {library}")
    if name:
        yield name, instructions


def frame(instructions):
    """The most bytes that one instruction takes, with the return address and the registers saved before."""
    greatest, saved = 8, 8
    for instruction in instructions:
        if instruction.startswith("push"):
            saved += 8
        for form in FIXED:
            found = form.search(instruction)
            if found:
                size = int(found[1], 16)
                greatest = max(greatest, saved + (size if size < 1 << 63 else (1 << 64) - size))
    return greatest


def has_unknown_size(instructions):
    """Whether it takes a number of bytes that only the running program knows, other than the size of a type."""
    below = set()
    for instruction in instructions:
        found = ADDRESS_BELOW.search(instruction)
        if found:
            below.add(found[1])
        taken = re.search(r"\bmov\s+%(r\w+),%rsp$", instruction)
        if "rsp" in below or taken and taken[1] in below:
            return not any(SIZE_OF_A_TYPE.search(other) for other in instructions)
    return False


def demangled(name):
    try:
        return (
            subprocess.run(["swift", "demangle", "-compact", name], capture_output=True, text=True).stdout.strip()
            or name
        )
    except OSError:
        return name


def main(library):
    if platform.machine() != "x86_64":
        return print("frames are read on x86-64 only")
    own, others, unknown, count = {}, collections.Counter(), [], 0
    for name, instructions in functions(library):
        size = frame(instructions)
        if not OWN.match(name):
            others[name] = size
            continue
        count += 1
        own[name] = size
        if has_unknown_size(instructions):
            unknown.append(name)
    if count < 1000:
        sys.exit(f"error: {library}: expected the names of the library's functions, got {count}")
    for name in sorted(own, key=own.get, reverse=True):
        if own[name] > PAGE:
            print(f"error: {own[name]} bytes of stack, more than a page: {demangled(name)}", file=sys.stderr)
    for name in unknown:
        print(f"error: stack of a size that the code does not show: {demangled(name)}", file=sys.stderr)
    greatest, other = max(own, key=own.get), others.most_common(1)[0]
    print(
        f"{count} functions take at most {own[greatest]} bytes of stack; in the runtime at most {other[1]}, {other[0][:60]}"
    )
    sys.exit(own[greatest] > PAGE or bool(unknown))


if __name__ == "__main__":
    main(sys.argv[1])
