"""Fails for a raw system call on files, or a `try?`, in Sources outside the places below.

Each of these hides a failure: a raw `read` that is short or interrupted, a `try?` that turns "could not look" into "is not
there".
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLS = (
    "open openat read pread write pwrite lseek fsync fdatasync ftruncate truncate flock fcntl stat lstat fstat access mmap "
    "opendir readdir rename unlink mkdir rmdir fopen fread fwrite mkdtemp mkstemp getline fgets"
).split()
CALL = re.compile(r"(?<![\w.])(?:Glibc\.)?(" + "|".join(CALLS) + r")\(")
SYSTEM = re.compile(r"^(?:@\w+ )?import (?:Glibc|Darwin|Foundation\w*)$", re.M)

RAW = {
    "MixBasics/KernelFile.swift": "files of the kernel; an unreadable one counts as no limit",
    "MixBasics/FloatStorage.swift": "memory without a file",
    "MixBasics/Memory.swift": "asks for address space",
    "MixStorage/Files/OpenFile.swift": "the checked calls on a descriptor",
    "MixStorage/Files/FileAccess.swift": "the checked calls on a path",
    "MixStorage/Files/OutputPlace.swift": "asks what is in the way of a result before the work",
    "MixStorage/Files/AtomicFile.swift": "names of temporary files; syncing a folder",
    "MixCommand/Rewards/ChildProcess.swift": "pipes to a program, read and written without waiting",
    "MixCommand/Person/LoopbackServer.swift": "sockets of the page on which a person votes",
    "MixCommand/Rewards/ScratchFolder.swift": "temporary files, removed as the process ends",
    "MixCompare/Runs/Machine.swift": "the name of the processor, for a report",
    "MixCompare/Runs/RewardRun.swift": "removes its own folder if that is empty",
}
TRY = {
    "MixSettings/SettingsTable.swift": "a row's own default; SettingsTableTests checks every row",
    "MixGRPO/Trainer/TrainingIterations.swift": "clean-up after an error, which is what the caller gets",
}


def faults(path: Path) -> list[str]:
    name = path.relative_to(ROOT / "Sources").as_posix()
    text = path.read_text()
    found = []
    # Without the system's module these names are functions of this library; so are those that the file declares.
    checked = SYSTEM.search(text) and name not in RAW
    own = set(re.findall(r"func (\w+)", text)) if checked else set()
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r"func \w+", "", line.split("//")[0])
        call = CALL.search(code) if checked else None
        if call and call[1] not in own:
            found.append(
                f"{name}:{number}: {call[1]}: expected a call of FileAccess or OpenFile, got a raw system call"
            )
        if re.search(r"\btry\?(?!\w)", code) and name not in TRY:
            found.append(f"{name}:{number}: expected an error that is handled by its code, got try?")
    return found


def main() -> int:
    found = [fault for path in sorted((ROOT / "Sources").rglob("*.swift")) for fault in faults(path)]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


sys.exit(main())
