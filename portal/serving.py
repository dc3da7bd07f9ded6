"""Run the processes of `portal serve` and `portal demo`: a parent that only keeps its child processes running.

    parent ─┬─ web: Granian with its workers
            ├─ `portal worker`, unless it runs elsewhere
            └─ PostgreSQL, if it is the embedded one

A child that exits is started again, after a pause that grows each time. SIGTERM and Ctrl-C stop everything within 5 s,
even while streams are open; kill -9 of the parent stops the children too (`portal/children.py`).
"""

import contextlib
import http.client
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from portal import children, console, logs, memory
from portal.embedded import EmbeddedPostgres
from portal.settings import CannotStart, Settings

log = structlog.get_logger("portal.serving")

APP = "portal.app:create_app"
WORKER = (sys.executable, "-m", "portal", "worker")

STOPPING_SECONDS = 3.0
"""How many seconds the web and worker processes may take to stop; they are stopped at the same time.

The database then takes at most 2 s, so that stopping takes less than 5 s in total.
"""
_KILL_SECONDS = 2
_STARTING_SECONDS = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0
"""If a process exits after more than this many seconds, the pause before its restart is `_FIRST_PAUSE` again."""
_TICK = 0.1


def refuse_taken_port(host: str, port: int) -> None:
    """Raise `CannotStart` if this host and port cannot be listened on, for example because another program uses them.

    This is checked before any process is started.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except UnicodeError as error:
        raise CannotStart("The name of the host cannot be used: choose another with --host.") from error
    except OSError as error:
        raise CannotStart(
            f"Port {port} of {host} cannot be used ({error.strerror}): choose another with --port."
        ) from error


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    database: EmbeddedPostgres | None = None,
    ready: Callable[[], None] = lambda: None,
    app: str = APP,
    worker: Sequence[str] | None = WORKER,
) -> None:
    """Run the web and worker processes until SIGTERM, SIGINT or SIGHUP; then stop them and the `database`.

    `database` is the embedded server, which already runs, or None. `app` names the factory of the ASGI app, as
    `module:function`, and `worker` is the command of the worker process. If `worker` is None, jobs are left to a worker
    that runs elsewhere. `ready` is called once, when the app responds. Logging is set up for this process. Raise
    `CannotStart` if the web process ends before the app has responded, or the app does not respond in time. Call this
    from the main thread only.
    """
    logs.set_up(settings.log_level)
    environment = {**_inherited(os.environ), **settings.as_environment()}
    figures = tempfile.mkdtemp(prefix="portal-figures-")
    web_environment = {**environment, "PROMETHEUS_MULTIPROC_DIR": figures}
    web = _Child(
        "web", (sys.executable, "-m", "portal.serving", app, host, str(port), str(settings.workers)), web_environment
    )
    tree = _Tree([web, *([_Child("worker", worker, environment)] if worker else [])], database)
    with _signals(tree):
        try:
            tree.start()
            if tree.wait_until(partial(_answers, host, port, settings.allowed_hosts[0]), web):
                ready()
            tree.watch()
        finally:
            tree.stop()
            shutil.rmtree(figures, ignore_errors=True)


def _inherited(environ: Any) -> dict[str, str]:
    """Return the environment variables without database URLs and the demo password.

    Child processes get these values only from `Settings.as_environment`.
    """
    left_out = ("DATABASE_URL", "DATABASE_OWNER_URL", "PORTAL_DEMO_PASSWORD")
    return {name: value for name, value in environ.items() if name not in left_out}


class _Child:
    """One child process, which is restarted after a pause if it exits.

    `began` is when it was last started, and `due` when it may be started again, both on the clock `time.monotonic()`.
    """

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.pause = _FIRST_PAUSE
        self.began = self.due = 0.0

    def start(self) -> None:
        self.began = time.monotonic()
        self.process = children.spawn(self.command, at_our_death=signal.SIGKILL, environment=self.environment)

    def look_after(self) -> None:
        """Start the process again if it has exited and the pause since then is over.

        Each exit doubles the pause, up to `_LONGEST_PAUSE`. If the process had run for more than `_STEADY_SECONDS`
        before it exited, the pause is `_FIRST_PAUSE` again.
        """
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return
            children.end(self.process, ())
            self.pause = _FIRST_PAUSE if now - self.began > _STEADY_SECONDS else self.pause
            self.due = now + self.pause
            log.warning(
                "a process ended and is started again", name=self.name, code=self.process.returncode, pause=self.pause
            )
            self.pause = min(self.pause * 2, _LONGEST_PAUSE)
            self.process = None
        if now >= self.due:
            self.start()


class _Tree:
    """The child processes and the embedded database, and the loop that restarts those that exit."""

    def __init__(self, all_children: list[_Child], database: EmbeddedPostgres | None) -> None:
        self.children = all_children
        self.database = database
        self.asked_to_stop = False

    def ask_to_stop(self, *_: Any) -> None:
        self.asked_to_stop = True

    def start(self) -> None:
        for child in self.children:
            child.start()

    def wait_until(self, answers: Callable[[], bool], web: _Child) -> bool:
        """Wait until `answers` returns True, and return True; return False if this process was asked to stop first.

        `answers` checks whether the app responds. Raise `CannotStart` if the web process ends or does not respond in
        time: a first start that fails is not tried again.
        """
        deadline = time.monotonic() + _STARTING_SECONDS
        while not self.asked_to_stop:
            if answers():
                return True
            if web.process is None or web.process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart("The web server did not start: what it said above tells why.")
            time.sleep(_TICK)
        return False

    def watch(self) -> None:
        """Restart the database and the child processes whenever they exit, until this process is asked to stop."""
        while not self.asked_to_stop:
            if self.database is not None and not self.database.is_running():
                log.warning("the database ended and is started again")
                with contextlib.suppress(CannotStart):  # The next round of this loop tries again.
                    self.database.start()
            for child in self.children:
                child.look_after()
            time.sleep(_TICK)

    def stop(self) -> None:
        """Ask all children to stop at the same time, and kill those that still run after `STOPPING_SECONDS`.

        Then stop the database.
        """
        deadline = time.monotonic() + STOPPING_SECONDS
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        for process in running:
            children.end(process, ((signal.SIGTERM, max(0.0, deadline - time.monotonic())),))
        if self.database is not None:
            self.database.stop()


@contextlib.contextmanager
def _signals(tree: _Tree) -> Any:
    """Handle SIGTERM, SIGINT and SIGHUP by asking `tree` to stop, for the duration of the block."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, tree.ask_to_stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(host: str, port: int, name: str) -> bool:
    """Return whether an HTTP server responds at this host and port, with any HTTP status.

    `name` is sent as the Host header.
    """
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/health", headers={"Host": name})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


# --- The web process


def _load(app: str) -> Any:
    """Return the ASGI app. Granian calls this in each worker process that it has forked.

    The worker is made to end with its parent; otherwise it would continue to run and occupy the port.
    """
    children.die_with_parent()
    module, _, factory = app.partition(":")
    return getattr(importlib.import_module(module), factory)()


def _web(app: str, host: str, port: str, workers: str) -> None:
    """Run the web server Granian in this process until it is stopped. `app` names the factory of the ASGI app.

    Granian is set up to trust no proxy's headers, and to log no requests, so that no query string is logged (R21).
    """
    logs.set_up(os.environ.get("PORTAL_LOG_LEVEL", "info"))
    importlib.import_module(
        app.partition(":")[0]
    )  # The app is imported once, before the workers are forked, so that they share its memory.
    memory.collect_less()  # Objects that the collector never touches are not written to, so their memory stays shared.
    server = Granian(
        app,
        address=host,
        port=int(port),
        interface=Interfaces.ASGI,
        workers=int(workers),
        loop=Loops.auto if sys.platform == "win32" else Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=15_000, max_buffer_size=64 * 1024),
        websockets=False,
        backlog=1024,
        backpressure=512,
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_KILL_SECONDS,
    )
    server.serve(target_loader=_load)


if __name__ == "__main__":
    console.prepare()
    _web(*sys.argv[1:])
