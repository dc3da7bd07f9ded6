"""Test that each command reports a full disk, closed streams or huge arguments in one line, without a traceback."""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from portal.__main__ import _parser
from portal.embedded import EmbeddedPostgres
from tests.billing.documents import changed, document

pytestmark = [pytest.mark.slow, pytest.mark.infra]

LONG = "9" * 100_000
PASSWORD = "quite-a-Long9-phrase\n"
ADMIN = ("admin", "create", "--name", "Nora Falk", "--email")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """Yield a data folder whose embedded server is running, so that no command has to start one."""
    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder, options={"fsync": "off"})
    server.start()
    assert run(folder, "migrate").returncode == 0
    yield folder
    server.remove()
    shutil.rmtree(folder)


def environment(data: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PORTAL_DATA": str(data),
        "PORTAL_SECRET": "kX7-vT3pQ9mZ2wR8_bN5cL1jH6fD4sAy",
        "PORTAL_BASE_URL": "https://desk.company.example",
    }


def run(
    data: Path, *command: str, typed: bytes = b"", out: int | IO[Any] = subprocess.PIPE, module: str = "portal"
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *command],
        env=environment(data),
        input=typed,
        stdout=out,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, (done.stdout or b"").decode(), done.stderr.decode(errors="replace")
    )


def closed(data: Path, streams: str, *command: str, typed: str = "") -> int:
    """Run a command from a shell that closes or redirects `streams`, such as `>&- 2>&-`, and return the exit status."""
    line = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "portal", *command]
    return subprocess.run(line, env=environment(data), input=typed, text=True, timeout=60).returncode


def names() -> set[str]:
    found: set[str] = set()
    for action in _parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= set(action.choices)
    return found


def simulated(folder: Path, content: Any) -> str:
    (folder / "document.json").write_text(json.dumps(content))
    return str(folder / "document.json")


def printing(data: Path, folder: Path) -> dict[str, tuple[tuple[str, ...], str, int]]:
    """Return the arguments, the standard input and the exit status of each command, by the command's name.

    The exit status is the one after a failed write to standard output. The commands that run until they are stopped,
    such as `serve`, are left out.
    """
    number = len(list(folder.glob("backup*")))
    return {
        "migrate": (("migrate",), "", 0),
        "verify": (("verify", "--data", str(data)), "", 1),
        "backup": (("backup", str(folder / f"backup{number}"), "--data", str(data)), "", 1),
        "restore": (("restore", str(folder / "none"), "--data", str(data)), "", 1),
        "admin": ((*ADMIN, f"nora{time.monotonic_ns()}@desk.example"), PASSWORD, 1),
        "simulate": (("simulate", simulated(folder, document())), "", 1),
    }


def test_every_command_is_tested_in_this_module(data: Path, tmp_path: Path) -> None:
    assert set(printing(data, tmp_path)) | {"serve", "demo", "worker"} == names()


@pytest.mark.parametrize("name", sorted(names() - {"serve", "demo", "worker"}))
def test_a_full_disk_is_reported_in_one_line(name: str, data: Path, tmp_path: Path) -> None:
    command, typed, status = printing(data, tmp_path)[name]
    with Path("/dev/full").open("wb") as full:
        done = run(data, *command, typed=typed.encode(), out=full)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode == status
    last = done.stderr.splitlines()[-1]
    if name not in ("migrate", "restore"):
        assert last == "The output cannot be written: No space left on device."


ALL_STREAMS = [
    (name, streams)
    for name in sorted(names() - {"serve", "demo", "worker"})
    for streams in (">&-", "2>&-", ">&- 2>&-", "2>/dev/full", ">/dev/full 2>/dev/full")
]


@pytest.mark.parametrize(
    ("name", "streams"),
    [
        one if one[0] in ("simulate", "restore") or one[1] == ">&- 2>&-" else pytest.param(*one, marks=pytest.mark.long)
        for one in ALL_STREAMS
    ],
)
def test_closed_and_full_streams_change_no_other_status(name: str, streams: str, data: Path, tmp_path: Path) -> None:
    """If standard output is closed or full, a command exits with the status that `printing` names.

    If only standard error is closed or full, each command succeeds with status 0, except `restore`, which always fails
    here.
    """
    command, typed, status = printing(data, tmp_path)[name]
    expected = status if streams.startswith(">") or name == "restore" else 0
    assert closed(data, streams, *command, typed=typed) == expected


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full 2>/dev/full"])
def test_a_bad_document_has_its_status_whatever_streams_there_are(streams: str, data: Path, tmp_path: Path) -> None:
    """A malformed document ends `simulate` with exit status 2, whatever streams are closed or full."""
    assert closed(data, streams, "simulate", simulated(tmp_path, changed(("vat.rate", "x")))) == 2


def test_a_reader_that_goes_away_is_reported_in_one_line(data: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(data, "simulate", simulated(tmp_path, document()), out=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "The output cannot be written: Broken pipe.\n")


@pytest.mark.parametrize("module", ["portal", "portal.billing.simulate"])
@pytest.mark.parametrize("given", [[], ["a", "b"], ["a", "--fast\nnow"]])
def test_wrong_arguments_are_one_line_of_usage(module: str, given: list[str], data: Path) -> None:
    done = run(data, *(["simulate"] if module == "portal" else []), *given, module=module)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"usage: portal (simulate FILE|\[-h\]).*\n", done.stderr)


TOO_LARGE = {
    "serve": [("--port", LONG), ("--host", LONG)],
    "demo": [("--port", LONG), ("--data", LONG)],
    "migrate": [(LONG,)],
    "worker": [(LONG,)],
    "verify": [("--data", LONG)],
    "backup": [(LONG,), ("x", "--data", LONG)],
    "restore": [(LONG,), ("x", "--data", LONG)],
    "admin": [
        ("create", "--name", LONG, "--email", "a@b.example"),
        ("create", "--name", "A", "--email", f"{LONG}@b.example"),
        ("create", "--name", "A", "--email", "a@b.example", "--time-zone", LONG),
        ("create", "--name", "\udcff", "--email", "a\udcff@b.example"),
    ],
    "simulate": [(LONG,), ("/dev/zero",), ("/",), ("\udcff",)],
}


@pytest.mark.parametrize(
    ("name", "given"),
    [(name, given) for name in TOO_LARGE for given in TOO_LARGE[name]],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode(),
)
def test_arguments_that_are_too_large_are_refused_in_a_short_line(
    name: str, given: tuple[str, ...], data: Path
) -> None:
    done = run(data, name, *given, typed=PASSWORD.encode())
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()[-1]) < 1000


def test_every_command_has_arguments_that_are_too_large() -> None:
    assert set(TOO_LARGE) == names()


@pytest.mark.parametrize("typed", [b"9" * 50_000_000, b"\xff" * 20 + b"\n", b""])
def test_a_password_that_is_none_is_refused(typed: bytes, data: Path) -> None:
    done = run(data, *ADMIN, "nina@desk.example", typed=typed)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("streams", [">/dev/full 2>/dev/full", "<&- >&- 2>&-"])
def test_a_server_runs_where_nobody_hears_it(streams: str, data: Path) -> None:
    """`portal serve` keeps running if its output streams are closed or full, although it logs failed requests there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "portal", "serve", "--port", str(port)]
    url = "postgresql://portal_app@/portal?" + EmbeddedPostgres(data).found_running().partition("?")[2]  # type: ignore[union-attr]
    process = subprocess.Popen(line, env=environment(data) | {"DATABASE_URL": url, "PORTAL_LOG_LEVEL": "debug"})
    try:
        for _ in range(300):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/health", headers={"Host": "desk.company.example"})
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.1)
        assert answer.status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def test_a_command_keeps_its_status_whatever_happens_in_other_threads_when_the_interpreter_ends() -> None:
    """R95: `console.run` exits with the command's status and without finalizing the interpreter.

    During finalization, a thread of the storage library could abort the process and so change the status.
    """
    ends = "import atexit, os; from portal import console; atexit.register(os._exit, 134); "
    for returned, status, said in (("0", 0, ""), ("print('made') or 1", 1, "made\n"), ("1 / 0", 1, "")):
        program = f"{ends}console.run(lambda: {returned})"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (status, said)
        assert ("ZeroDivisionError" in done.stderr) is (returned == "1 / 0")
