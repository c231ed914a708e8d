#!/usr/bin/env python3
"""mixgrpo align under mpirun on two machines with a cable of 20 ms, which is cut in the middle of an update: the survivors end
with an error that names the lost machine, no saved iteration is lost, and the run resumes to the bits of an undisturbed one.

Usage: mpi.py COMMAND MODEL, in an empty folder. COMMAND is built with MPI.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from machines import ADDRESSES, LINK, Machines, obstacle

# Seconds until the last process of either machine has ended, on a machine that may do much else. Half an iteration passes
# before the cut.
LIMIT = 60
# mpirun and its daemon find that the other machine is lost in 2 + 3 · 1 seconds.
NOTICE = {"oob_tcp_keepalive_time": 2, "oob_tcp_keepalive_intvl": 1, "oob_tcp_keepalive_probes": 3}
ENDED_BY_TIMEOUT = 124
NETWORK = {"btl": "tcp,self", "btl_tcp_if_include": LINK, "oob_tcp_if_include": LINK}
RUN = (
    "--prompts prompts.txt --prompts-per-iteration 2 --group-size 4 --steps 4 --window-length 2 --iterations 2 --save-every 1 "
    "--evaluate-every 0 --pictures-every 0 --reward darkness --learning-rate 1e-4 --threads 1"
).split()


def check(condition: bool, claim: str, text: str = "") -> None:
    if not condition:
        sys.exit(f"FAILED: {claim}\n{text[-4000:]}")


def wait_for(condition, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"timed out waiting for {what}")
        time.sleep(0.01)


def agent(machines: Machines) -> Path:
    """What mpirun starts its daemon on the other machine with, in place of ssh."""
    path = Path("agent").absolute()
    start = " ".join(f"'{word}'" for word in machines.command(1, "sh", "-c"))
    path.write_text(f'#!/bin/sh\nshift\nexec {start} "$*"\n')
    path.chmod(0o755)
    return path


def start(machines: Machines, command: str, *arguments: str) -> subprocess.Popen:
    """One process on each machine."""
    settings = {**NOTICE, **NETWORK, "plm_rsh_agent": agent(machines)}
    words = [word for name, value in settings.items() for word in ("--mca", name, str(value))]
    hosts = ",".join(f"{address}:1" for address in ADDRESSES)
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return subprocess.Popen(
        machines.command(0, "timeout", "150", "mpirun", *words, "--host", hosts, command, "align", *arguments),
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finished(process: subprocess.Popen) -> str:
    text = process.communicate(timeout=120)[0]
    check(process.returncode == 0, "expected the run to finish", text)
    return text


# A refused connection takes the way there and back.
CONNECT = f"""
import socket, time
begin = time.monotonic()
print(socket.socket().connect_ex(("{ADDRESSES[1]}", 9)) != 0 and time.monotonic() - begin)
"""


def check_delay(machines: Machines) -> None:
    seconds = float(
        subprocess.run(machines.command(0, "python3", "-c", CONNECT), capture_output=True, text=True, timeout=60).stdout
    )
    check(seconds >= 0.04, f"expected a delay of 20 ms each way, got {seconds} s there and back")


def result_of(run: str) -> tuple[bytes, str]:
    """Weights, and metrics without times."""
    metrics = (Path(run) / "metrics.jsonl").read_text()
    weights = (Path(run) / "model/diffusion_pytorch_model.safetensors").read_bytes()
    return weights, re.sub(r',"seconds[a-z_]*":[-+.e0-9]+', "", metrics)


def cut(machines: Machines, command: str, bytes_of_iteration: int) -> str:
    """What mpirun says when the cable is cut halfway through the traffic of the second iteration, most of it the update's."""
    process = start(machines, command, *RUN, "--out", "cut")
    wait_for(Path("cut/checkpoints/iteration-00000001.safetensors").exists, 60, "the first iteration")
    machines.cut_after(bytes_of_iteration // 2)
    begin = time.monotonic()
    wait_for(lambda: not machines.processes(0) + machines.processes(1), LIMIT, "the end of all processes")
    text = process.communicate()[0]
    check(process.returncode not in (0, ENDED_BY_TIMEOUT), "a cut cable is not noticed", text)
    print(f"{time.monotonic() - begin:.1f} s after the cut was ordered all processes have ended")
    return text


def main(command: str, model: str) -> None:
    os.environ["MIXGRPO_BASE"] = model
    Path("prompts.txt").write_text("a red circle\na blue square\n")
    undisturbed = [command, "align", *RUN, "--out", "alone", "--set", "sum_per_prompt=true"]
    subprocess.run(undisturbed, check=True, capture_output=True, timeout=100)
    plan = [command, "plan", *RUN[:6], "--model", model, "--group-size", "4", "--ranks", "2", "--json"]
    traffic = json.loads(subprocess.run(plan, check=True, capture_output=True, timeout=100).stdout)["ranks"]
    with Machines() as machines:
        check_delay(machines)
        text = cut(machines, command, 2 * traffic["sent_bytes_per_iteration"])
        check(ADDRESSES[1] in text or machines.names[1] in text, "the error does not name the lost machine", text)
        saved = sorted(path.name for path in Path("cut/checkpoints").glob("iteration-*"))
        check(saved == ["iteration-00000001.safetensors"], "expected the cut in the second iteration", str(saved))
        machines.mend()
        finished(start(machines, command, "--resume", "--out", "cut"))
    check(result_of("cut") == result_of("alone"), "the resumed run has other bits than an undisturbed one")
    print("two machines, 20 ms, a cable that is cut in an update: noticed, and resumed to the same bits")


if __name__ == "__main__":
    reason = obstacle()
    if reason:
        print(f"{reason}: two machines are skipped")
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("FAILED: ended from outside"))  # with the machines put away
        main(*sys.argv[1:])
