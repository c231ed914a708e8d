"""The tests that mutants must face, quickest first."""

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

# What a line of output contains when a test has failed; the rest need not run.
SWIFT_FAILURE = ("✘",)
C_FAILURE = (": not true: ", ": expected ")


@dataclass
class Suite:
    name: str
    command: list[str]
    folder: Path
    failure: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    reached: set[int] = field(default_factory=set)

    def start(self, **more: str) -> subprocess.Popen:
        temporary = tempfile.mkdtemp(prefix="mutant-")
        environment = {**os.environ, **self.environment, "TMPDIR": temporary, "SWIFT_BACKTRACE": "enable=no", **more}
        limited = ["timeout", "--signal=KILL", str(int(20 + 10 * self.seconds)), *self.command]
        return subprocess.Popen(
            ["bash", "-c", f'"$@"; status=$?; rm -rf {temporary}; exit $status', "bash", *limited],
            cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True,
        )  # fmt: skip

    def calibrate(self) -> None:
        """Runs without a mutant: all must pass, and the mutants reached are noted."""
        with tempfile.NamedTemporaryFile() as trace:
            started = time.monotonic()
            self.seconds = 60
            process = self.start(MUTANT_TRACE=trace.name)
            output, _ = process.communicate()
            self.seconds = time.monotonic() - started
            if process.returncode != 0:
                raise SystemExit(f"{self.name}: fails without any change:\n{output[-4000:]}")
            if wrong := [line for line in output.split("\n") if self.has_failed(line)]:
                raise SystemExit(f"{self.name}: passes, and yet its output has a line of a failure: {wrong[0]}")
            self.reached = {int(line) for line in Path(trace.name).read_text().split()}

    def has_failed(self, line: str) -> bool:
        return any(mark in line for mark in self.failure)

    def fails(self, number: int) -> bool:
        process = self.start(MUTANT=str(number))
        assert process.stdout is not None
        for line in process.stdout:
            if self.has_failed(line):
                os.killpg(process.pid, 9)
                break
        else:
            return process.wait() != 0
        process.stdout.close()
        process.wait()
        return True


def swift(folder: Path, name: str, modules: str) -> Suite:
    binary = str(folder / ".build/release/mixgrpoPackageTests.xctest")
    return Suite(name, [binary, "--testing-library", "swift-testing", "--filter", modules], folder, SWIFT_FAILURE)


def c_program(folder: Path, name: str, standard: str, sources: list[str]) -> list[str]:
    """A program of C sources, linked with the changed library."""
    library, program = folder / ".build/release", folder / ".build" / name
    link = library / "libmixgrpo.so.0"
    link.unlink(missing_ok=True)
    link.symlink_to("libmixgrpo.so")
    flags = [f"-L{library}", "-lmixgrpo", f"-Wl,-rpath,{library}", "-ldl", "-lm", "-lpthread"]
    include = [f"-I{folder / 'include'}", f"-I{folder / 'Tests/c'}"]
    paths = [str(path) for source in sources for path in sorted((folder / "Tests").glob(source))]
    subprocess.run(["cc", f"-std={standard}", "-O1", *include, "-o", str(program), *paths, *flags], check=True)
    return [str(program)]


def prepared(folder: Path) -> list[Suite]:
    found = [
        swift(folder, "the modules' tests", "MixSamplingTests|MixLearningTests"),
        swift(folder, "the trainer's tests", "MixGRPOTests"),
        Suite(
            "the C tests",
            c_program(folder, "c-tests", "c99", ["c/main.c", "c/check.c", "c/fixture.c", "c/test_*.c"]),
            folder,
            C_FAILURE,
        ),
        Suite(
            "the tests at a process's limits",
            c_program(folder, "limits", "c11", ["limits/*.c", "c/check.c"]),
            folder,
            C_FAILURE,
        ),
    ]
    for suite in found:
        suite.calibrate()
        print(f"{suite.name}: {suite.seconds:.1f} s, reaches {len(suite.reached)} changes", flush=True)
    return found
