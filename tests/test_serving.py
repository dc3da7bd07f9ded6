"""Test the process tree of `portal serve`, with stand-ins for the app and the worker: start, restart, stop."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from portal import serving
from portal.settings import CannotStart

pytestmark = [pytest.mark.slow, pytest.mark.infra]

PARENT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from portal.embedded import EmbeddedPostgres
    from portal.serving import serve
    from portal.settings import CannotStart, Settings
    data, port, app, worker, with_database = sys.argv[1:]
    settings = Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": data, "PORTAL_BASE_URL": f"http://127.0.0.1:{port}"})
    database = EmbeddedPostgres(Path(data), options={"fsync": "off"}) if with_database == "yes" else None
    if database:
        database.start()
    work = [sys.executable, "-c", f"from tests import standins; standins.{worker}({data + '/notes'!r})"]
    try:
        serve(settings, host="127.0.0.1", port=int(port), database=database, app=f"tests.standins:{app}", worker=work,
              ready=lambda: print("ready", flush=True))
    except CannotStart as refusal:
        sys.exit(str(refusal))
    print("stopped", flush=True)
""")


class Tree:
    """A running parent process of `portal serve`, and access to the processes that it has started.

    `app` and `worker` name the stand-ins for the app and the job worker. `database` says whether the parent process
    also starts the embedded database server.
    """

    def __init__(
        self, data: Path, app: str = "create_app", worker: str = "steady_worker", database: bool = False
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-c", PARENT, str(data), str(self.port), app, worker, "yes" if database else "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.data = data

    def until_ready(self) -> "Tree":
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def get(self, path: str, **headers: str) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=5).text

    def everything(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def notes(self) -> list[list[str]]:
        path = self.data / "notes"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def end(self) -> None:
        left = self.everything() if self.process.poll() is None else []
        self.process.kill()
        self.process.communicate()
        assert eventually(lambda: all(over(process) for process in left))


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def tree(data: Path) -> Iterator[Callable[..., Tree]]:
    started: list[Tree] = []

    def start(**how: str | bool) -> Tree:
        started.append(Tree(data, **how))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.end()


def eventually(true: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def over(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE or not process.is_running()
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_of_it_stops_within_five_seconds_with_streams_open(
    tree: Callable[..., Tree], number: signal.Signals
) -> None:
    """The process tree stops within five seconds, although event streams are open and the worker ignores SIGTERM."""
    running = tree(database=True).until_ready()
    everything = running.everything()
    names = " ".join(process.name() for process in everything)
    assert "postgres" in names
    with contextlib.ExitStack() as streams:
        for _ in range(4):
            answer = streams.enter_context(httpx.stream("GET", f"http://127.0.0.1:{running.port}/stream"))
            assert next(answer.iter_text()).startswith("data: tick")
        began = time.monotonic()
        running.process.send_signal(number)
        assert running.process.wait(10) == 0
        assert time.monotonic() - began < 5
    assert all(over(process) for process in everything)
    assert running.process.stdout is not None
    # On a busy machine, the web server may have to kill its worker, and says so before.
    *said, last = running.process.stdout.read().splitlines()
    assert (last, [line for line in said if "Killing worker" not in line]) == ("stopped", [])


def test_kill_9_of_the_parent_ends_everything(tree: Callable[..., Tree]) -> None:
    running = tree(database=True).until_ready()
    everything = running.everything()
    assert len(everything) > 5
    running.process.kill()
    assert eventually(lambda: all(over(process) for process in everything))
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", running.port))


def test_kill_9_of_each_child_brings_it_back(tree: Callable[..., Tree]) -> None:
    """Each process that is killed with SIGKILL is replaced: a web worker, the web server, the worker, the database."""
    running = tree(database=True).until_ready()
    server = int(running.get("/pid"))
    os.kill(server, signal.SIGKILL)
    assert eventually(lambda: _answers_from_another(running, server))
    web = next(child for child in psutil.Process(running.process.pid).children() if "portal.serving" in child.cmdline())
    web.kill()
    assert eventually(lambda: _answers_from_another(running, web.pid))
    assert eventually(lambda: len(running.notes()) == 1)
    os.kill(int(running.notes()[0][0]), signal.SIGKILL)
    assert eventually(lambda: len(running.notes()) == 2)
    postgres = [child for child in psutil.Process(running.process.pid).children() if child.name() == "postgres"]
    postgres[0].kill()
    assert eventually(
        lambda: any(
            child.name() == "postgres" and child.pid != postgres[0].pid
            for child in psutil.Process(running.process.pid).children()
        )
    )


def _answers_from_another(running: Tree, pid: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return int(running.get("/pid")) != pid
    return False


def test_a_worker_that_keeps_dying_is_started_again_with_growing_pauses(tree: Callable[..., Tree]) -> None:
    running = tree(worker="short_worker").until_ready()
    assert eventually(lambda: len(running.notes()) >= 4, 15)
    times = [float(at) for _, at in running.notes()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] >= 0.5
    assert pauses[1] >= 1.0
    assert pauses[2] >= 2.0
    assert running.get("/health") == "well", "the web goes on in the meantime"


def test_an_app_that_does_not_load_ends_the_start_with_a_sentence(tree: Callable[..., Tree]) -> None:
    broken = tree(app="broken_app")
    _, said = broken.process.communicate(timeout=30)
    assert broken.process.returncode == 1
    assert said.strip().endswith("The web server did not start: what it said above tells why.")


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(
            CannotStart,
            match=rf"^Port {port} of 127\.0\.0\.1 cannot be used \(Address already in use\): choose another",
        ):
            serving.refuse_taken_port("127.0.0.1", port)


def test_children_read_the_same_settings_and_believe_no_proxy(
    tree: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R6: a forged `X-Forwarded-For` header does not change the client's IP address.

    Child processes get the settings with which the parent was started, and not the `DATABASE_URL` of the environment.
    """
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    running = tree().until_ready()
    assert running.get("/environment").strip() == "test"
    forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Forwarded-Proto": "https"}
    assert running.get("/peer", **forged) == "127.0.0.1 http"


def test_secrets_stand_in_no_command_line(tree: Callable[..., Tree]) -> None:
    """R86: no command line of a process contains a secret."""
    running = tree().until_ready()
    secret = (running.data / "secret").read_text().strip()
    assert all(secret not in " ".join(process.cmdline()) for process in running.everything())
