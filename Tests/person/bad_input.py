"""What a page on which a person votes must withstand, without a browser: bad_input.py

Strangers, bodies without end, votes too late, a port in use, Ctrl-C. The page itself is looked at by look_at_page.py.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from alignment import COMMAND, ROOT, SMALL, Alignment, post, request, wait_for

PROMPTS = "a red circle at the left\na blue <b>square</b>\n<img src=x onerror=alert(1)>\n"
RUN = [
    "--model",
    str(ROOT / "examples/base"),
    "--prompts",
    "prompts.txt",
    "--reward-person",
    "--group-size",
    "4",
    *SMALL,
]
QUICK = ["--set", "person.undo_seconds=0"]


def expect(holds: bool, claim: str, got: object = "") -> None:
    if not holds:
        raise AssertionError(f"{claim}: {got}")


def raw(run: Alignment, text: bytes, seconds: float = 30) -> bytes:
    """The answer to these bytes; also what has arrived when the other side stops listening."""
    parts = urllib.parse.urlsplit(run.address)
    with socket.create_connection((parts.hostname, parts.port), seconds) as connection:
        answer = b""
        try:
            connection.sendall(text)
            while piece := connection.recv(1 << 16):
                answer += piece
        except OSError:
            pass
        return answer


def memory(run: Alignment) -> int:
    """Resident mebibytes."""
    return int(Path(f"/proc/{run.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def seconds_of_work(run: Alignment) -> float:
    fields = Path(f"/proc/{run.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def strangers(run: Alignment) -> None:
    page = run.address
    bare = page.rsplit("/", 2)[0]
    for path in ("/", "/state", "/favicon.ico", "/0123456789abcdef0123456789abcdef/", "/../etc/passwd"):
        expect(request(bare + path)[0] == 404, "a request without the secret gets nothing", path)
    status, headers, _ = request(page)
    expect(status == 200 and headers["cache-control"] == "no-store", "the page is kept nowhere", headers)
    expect("default-src 'none'" in headers["content-security-policy"], "the page loads nothing from elsewhere", headers)
    expect(headers["referrer-policy"] == "no-referrer", "the secret is named to nobody", headers)
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:x", "[::1]:80"):
        expect(request(page, headers={"Host": host})[0] == 403, "another name of this machine is refused", host)
    for host in ("localhost:9", "127.0.0.1", "LOCALHOST"):
        expect(request(page, headers={"Host": host})[0] == 200, "a tunnel may have another port", host)
    group = run.group()["id"]
    vote = {"group": group, "favourites": [0]}
    expect(post(page + "vote", vote, Origin="http://evil.example")[0] == 403, "a page of another site cannot vote")
    expect(post(page + "vote", vote, Content_Type="text/plain")[0] == 415, "a form of another site cannot vote")
    expect(request(page + "vote", "PUT", b"{}")[0] == 405, "only GET and POST")
    expect(request(page + "nowhere")[0] == 404 and post(page + "nowhere", {})[0] == 404, "nothing else is there")
    expect(run.state()["group"]["id"] == group, "strangers change nothing")


def floods(run: Alignment) -> None:
    path = urllib.parse.urlsplit(run.address).path.encode()
    head = b"POST " + path + b"vote HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    before = memory(run)
    gigabyte = head + b"Content-Length: 1073741824\r\n\r\n"
    expect(b" 413 " in raw(run, gigabyte), "a body of a gigabyte is refused before it is sent")
    raw(run, gigabyte + bytes(64 << 20))
    expect(b" 413 " in raw(run, head + b"Content-Length: 99999999999999999999999\r\n\r\n"), "an absurd length")
    expect(b" 400 " in raw(run, head + b"Content-Length: -1\r\n\r\n"), "a negative length")
    expect(b" 400 " in raw(run, head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "two lengths")
    expect(b" 411 " in raw(run, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "a body without a length")
    expect(b" 431 " in raw(run, b"GET " + path + b" HTTP/1.1\r\nX: " + b"a" * (1 << 20)), "a head without end")
    for text in (
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/3\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ):
        expect(b" 400 " in raw(run, text), "garbage is refused", text)
    expect(memory(run) - before < 32, "floods take no memory", f"{before} MiB, then {memory(run)}")
    address = urllib.parse.urlsplit(run.address)
    silent = [socket.create_connection((address.hostname, address.port)) for _ in range(40)]
    wait_for(lambda: request_or_none(run.address), "the page beside 40 silent connections", run, 60)
    for connection in silent:
        connection.close()


def request_or_none(address: str) -> bool:
    try:
        return request(address)[0] == 200
    except OSError:
        return False


def wrong_votes(run: Alignment) -> None:
    group = run.group()["id"]
    for vote in (
        {}, {"favourites": []}, {"favourites": [0, 1, 2, 3]}, {"favourites": [4]}, {"favourites": [-1]}, {"favourites": [0, 0]},
        {"favourites": "0"}, {"favourites": [0.5]}, {"favourites": [0], "skipped": True}, {"skipped": False},
        {"stars": [1, 2, 3]},
        {"stars": [6, 1, 1, 1]}, {"stars": [1, None, None, None]}, {"pairs": []}, {"pairs": [[0, 0]]}, {"pairs": [[0, 4]]},
        {"pairs": [[0]]}, {"pairs": [[0, 1], 2]},
    ):  # fmt: skip
        status, answer = post(run.address + "vote", {"group": group, **vote})
        expect(status == 400 and "expected" in answer["error"], "a vote that makes no sense is refused", (vote, answer))
    for body in (b"", b"null", b"[1]", b"{", b'{"group": "1"}', b"[" * 5000, b'{"group": 1e400}'):
        expect(post(run.address + "vote", body)[0] == 400, "a body that is no vote is refused", body[:20])
    expect(post(run.address + "vote", {"group": group + 99, "favourites": [0]})[0] == 400, "a group that never was")
    expect(post(run.address + "undo", {"group": group})[0] == 409, "nothing to take back")
    expect(run.state()["group"]["id"] == group and run.state()["votes"] == 0, "wrong votes change nothing")


def late_votes(run: Alignment) -> None:
    """The page is open twice, undo goes back one vote, and what the model has learned stays learned."""
    first = run.group()["id"]
    status, state = post(run.address + "vote", {"group": first, "favourites": [1]})
    expect(status == 200 and state["votes"] == 1 and state["undo"] == first, "a vote is taken", state)
    status, answer = post(run.address + "vote", {"group": first, "favourites": [2]})
    expect(status == 409 and "vote already" in answer["error"], "a second page cannot vote again", answer)
    status, state = post(run.address + "undo", {"group": first})
    expect(status == 200 and state["group"]["id"] == first and state["votes"] == 0, "a vote is taken back", state)
    post(run.address + "vote", {"group": first, "favourites": [3]})
    second = run.group()["id"]
    expect(second != first, "the next group comes while the model waits", (first, second))
    status, state = post(run.address + "vote", {"group": second, "stars": [5, None, 1, 1]})
    expect(state["undo"] == second, "the last vote of an iteration can be taken back for a moment", state)
    wait_for(lambda: run.state()["work"] != "drawing" or run.state()["iteration"] > 0, "the update", run)
    status, answer = post(run.address + "undo", {"group": second})
    expect(status == 409 and "already learned" in answer["error"], "no undo after the update", answer)
    wait_for(lambda: run.state()["group"], "the next iteration", run)
    for old in (first, second):
        status, answer = post(run.address + "vote", {"group": old, "favourites": [0]})
        expect(status == 409 and "already learned" in answer["error"], "no vote for a group that has gone", answer)
        expect(request(f"{run.address}picture/{old}/0")[0] == 404, "its pictures have gone")


def vote_through(run: Alignment, choose: int = 0) -> None:
    """Votes on every group to the end."""
    while run.process.poll() is None:
        try:
            if group := run.state()["group"]:
                post(run.address + "vote", {"group": group["id"], "favourites": [choose]})
        except OSError:
            pass
        time.sleep(0.02)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def weights(run: Path) -> bytes:
    return (run / "model/diffusion_pytorch_model.safetensors").read_bytes()


def refused(folder: Path, code: int, words: str, *arguments: str) -> None:
    done = subprocess.run([COMMAND, "align", *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    expect(done.returncode == code and words in done.stderr, f"refused with {words!r}", (done.returncode, done.stderr))


def interrupted(folder: Path) -> None:
    """Ctrl-C while a vote is open saves; the resumed run keeps the votes and ends with the bits of a repeated one."""
    with Alignment(*RUN, *QUICK, "--iterations", "2", "--out", "cut", folder=folder) as run:
        post(run.address + "vote", {"group": run.group()["id"], "favourites": [2]})
        run.group()
        time.sleep(0.2)
        before = seconds_of_work(run)
        time.sleep(2)
        expect(seconds_of_work(run) - before < 0.2, "waiting for a vote is no work", seconds_of_work(run) - before)
        run.interrupt()
        expect(run.end() == 130, "Ctrl-C while a vote is open saves and stops", run.lines)
        expect("saved at iteration 0" in "\n".join(run.lines), "the run says what it saved", run.lines)
    with Alignment("--resume", "--out", "cut", folder=folder) as run:
        expect(run.group()["prompt"] != "", "the resumed run asks again")
        expect(run.state()["votes"] == 1, "the vote before Ctrl-C is kept", run.state())
        vote_through(run)
        expect(run.end() == 0, "the resumed run ends", run.lines)
    again = [*RUN, *QUICK, "--iterations", "2", "--votes", "cut/votes.jsonl"]
    with Alignment(*again, "--out", "again", folder=folder) as run:
        expect(run.end() == 0, "stored votes need no person", run.lines)
        expect("open this page" not in "\n".join(run.lines), "no page is opened when all votes are stored", run.lines)
    expect(weights(folder / "cut") == weights(folder / "again"), "repeated votes give the same bits")
    expect(
        [{k: v for k, v in line.items() if k != "seconds"} for line in lines(folder / "cut/votes.jsonl")][-4:]
        == lines(folder / "again/votes.jsonl"),
        "a repeated run keeps its votes, too",
    )
    refused(folder, 2, "cut/votes.jsonl, line", *again, "--seed", "7", "--out", "other")
    (folder / "torn.jsonl").write_text('{"iteration": 0, "prompt')
    refused(folder, 2, "torn.jsonl, line 1", *RUN, "--votes", "torn.jsonl", "--out", "torn")
    (folder / "strange.jsonl").write_text('{"iteration": 0}\n')
    refused(
        folder,
        2,
        "strange.jsonl, line 1: expected iteration and prompt_index",
        *RUN,
        "--votes",
        "strange.jsonl",
        "--out",
        "s",
    )


def ended_early(folder: Path) -> None:
    with Alignment(*RUN, *QUICK, "--iterations", "50", "--out", "early", folder=folder) as run:
        for choice in ({"skipped": True}, {"skipped": True}, {"pairs": [[0, 1], [1, 2]]}, {"favourites": [1]}):
            post(run.address + "vote", {"group": run.group()["id"], **choice})
        wait_for(lambda: run.state()["iteration"] == 2, "two iterations", run)
        run.group()
        expect(run.state()["skipped"] == 2, "skipped groups are counted apart", run.state())
        post(run.address + "stop", {})
        results = wait_for(lambda: run.state().get("results"), "the results", run)
        expect(
            Path(results["model"]).is_dir() and Path(results["votes"]).is_file(), "the page names the files", results
        )
        expect(run.end() == 0, "a run that the person ends is a whole one", run.lines)
    expect(len(lines(folder / "early/metrics.jsonl")) == 2, "two iterations are done")


def held_port(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(folder, 1, f"choose another than {port}, or 0", *RUN, "--port", port, "--out", "port")


def wrong_settings(folder: Path) -> None:
    plain = ["--prompts", "prompts.txt", "--reward", "darkness", "--out", "o"]
    refused(folder, 2, "person.votes: expected none without the reward person", *plain, "--votes", "votes.jsonl")
    refused(folder, 2, "evaluation.held_out", *plain, "--held-out", "person", "--evaluate-every", "1")
    refused(folder, 2, "person.port: expected", *RUN, "--port", "70000", "--out", "o")


def main() -> int:
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "prompts.txt").write_text(PROMPTS)
        with Alignment(
            *RUN, "--set", "person.undo_seconds=0.5", "--iterations", "3", "--out", "run", folder=folder
        ) as run:
            for part in (strangers, floods, wrong_votes, late_votes):
                part(run)
                print(part.__name__.replace("_", " "))
        for whole in (interrupted, ended_early, held_port, wrong_settings):
            whole(folder)
            print(whole.__name__.replace("_", " "))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
