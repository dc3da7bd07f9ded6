"""Start and stop the embedded PostgreSQL server, and recover if the server or its parent process was killed."""

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil

from portal import children
from portal.embedded import place
from portal.embedded.cluster import OWNER, environment, initialise, last_line, make_folder
from portal.embedded.pid_file import PidFile
from portal.settings import CannotStart

DATABASE = "portal"

_STARTING_SECONDS = 120.0
"""The time limit for starting. It is long because a server that was killed replays its write-ahead log first."""
_LEFT_BEHIND_SECONDS = 15.0
_LARGEST_LOG = 5_000_000
_STOP = ((signal.SIGINT, 1.5), (signal.SIGQUIT, 0.5))
"""The signals that stop the server, and the seconds to wait after each. Only SIGINT lets it write all data to disk."""

_CONFIGURATION = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
}
# Only the user of this process can connect, over the unix socket, authenticated by the kernel, as any database role.
_WHO_GETS_IN = "local all all peer map=portal\n"


class EmbeddedPostgres:
    """The embedded server of one data folder.

    One process at a time owns the data folder, and the server ends with that process. `options` are further settings of
    PostgreSQL, such as `{"fsync": "off"}` for the throwaway databases of tests.
    """

    def __init__(self, data: Path, *, options: Mapping[str, str] | None = None) -> None:
        self.data = data.absolute()
        self._options = _CONFIGURATION | dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._account: children.Account | None = None
        self._folder = self._run = self._bin = Path()

    def start(self) -> str:
        """Start the server, and return the URL that connects to the database `portal` as its owner.

        End a server that an earlier crash left running, and create the data folder and the database if they are missing.
        If the server is running already, only return the URL; if it has died, start it again under the same URL. Raise
        `CannotStart` if another process owns the data folder or the server does not start. Call this from the main
        thread only.
        """
        if self.is_running():
            return self.url()
        try:
            self.own()
            self._prepare()
            self._end_leftover()
            self._launch()
            if DATABASE not in self._psql("postgres", "select datname from pg_database").split():
                self.create_database(DATABASE)
        except BaseException:
            self.stop()
            raise
        return self.url()

    def stop(self) -> None:
        """Stop the server within 2 s, and release the lock on the data folder. Do nothing if it was not started."""
        if self._process is not None:
            children.end(self._process, _STOP)
            self._process = None
        if self._lock is not None:
            if place.is_temporary(self._run):
                shutil.rmtree(self._run, ignore_errors=True)
            self._run = Path()
            self._lock.close()
            self._lock = None

    def found_running(self) -> str | None:
        """Return the owner's database URL if another process runs the server of this data folder, otherwise None."""
        if self._lock is not None:
            return None
        folder = place.known_folder(self.data)
        found = PidFile.read(folder)
        if found is None or not found.is_ready or found.server(folder) is None:
            return None
        self._run = found.socket_folder
        return self.url()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Return the process id of the server, or None if it is not running."""
        return self._process.pid if self._process is not None and self.is_running() else None

    def url(self, name: str = DATABASE, role: str = OWNER) -> str:
        """Return the URL that connects to the database `name` over the unix socket, as its owner or as another `role`."""
        return f"postgresql://{role}@/{name}?host={quote(str(self._run), safe='')}"

    def let_in(self, role: str) -> str:
        """Allow an existing role to log in, and return the URL that connects to the database `portal` as this role.

        The app connects as a role that does not own the tables, so that it cannot become the owner (R88).
        """
        self._psql(DATABASE, f"alter role {_checked(role)} login")
        return self.url(role=role)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, and return the URL that connects to it as its owner. The server must be running.

        With `template`, make it a copy of that database, to which nobody may be connected. Raise `RuntimeError` if
        PostgreSQL refuses, for example because a database of that name exists.
        """
        copy = f" template {_checked(template)}" if template else ""
        self._psql("postgres", f"create database {_checked(name)}{copy}")
        return self.url(name)

    def remove(self) -> None:
        """Stop the server, and delete the database with its log, its lock and the other files that belong to it.

        Other files in the data folder stay.
        """
        self.stop()
        folder = place.known_folder(self.data)
        shutil.rmtree(folder, ignore_errors=True)
        for path in folder.parent.glob(f"{folder.name}.*"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        (self.data / "database.where").unlink(missing_ok=True)

    def own(self) -> None:
        """Lock the database folder for this process, as `start` does, without starting the server.

        The folders above it are created. The kernel releases the lock when the process ends. Raise `CannotStart` if
        another process holds the lock or the folder belongs to another user.
        """
        if self._lock is not None:
            return
        try:
            self._account = place.account_for(self.data)
            self._folder = place.database_folder(self.data, self._account)
            lock = open(os.open(f"{self._folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")  # noqa: SIM115 (kept open)
        except PermissionError as error:
            raise CannotStart(
                f"{error.filename} belongs to another user: start as that user, or use another --data."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            with lock:
                owner = lock.read().strip()
            raise CannotStart(f"The portal is already running on {self.data} (process {owner}).") from error
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _prepare(self) -> None:
        """Create the database and socket folders if they are missing, and write the files that say who may connect.

        A database folder is created under another name and then renamed, so that it exists either completely or not at
        all.
        """
        self._bin = place.binaries(self._account)
        if not (self._folder / "PG_VERSION").is_file():
            if self._folder.exists() and any(self._folder.iterdir()):
                raise CannotStart(f"{self._folder} is not a database and not empty: use another --data.")
            fresh = self._folder.with_name(f"{self._folder.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            initialise(fresh, self._bin, self._account, self._beside("log"))
            fresh.rename(self._folder)
        us = pwd.getpwuid(os.geteuid()).pw_name
        for path, text in ((self._beside("hba"), _WHO_GETS_IN), (self._beside("ident"), f'portal "{us}" all\n')):
            path.write_text(text)
            path.chmod(0o644)
        if self._run == Path():
            self._run = place.socket_folder(self._folder)
        if not self._run.exists():
            make_folder(self._run, self._account)

    def _end_leftover(self) -> None:
        """Stop a server that still runs although the process that started it was killed.

        Delete the socket folder of that server if it is in /tmp.
        """
        left = PidFile.read(self._folder)
        if left is None:
            return
        if place.is_temporary(left.socket_folder) and left.socket_folder != self._run:
            shutil.rmtree(left.socket_folder, ignore_errors=True)
        server = left.server(self._folder)
        with contextlib.suppress(psutil.NoSuchProcess):
            if server is None or not server.name().startswith("postgres"):
                return
            for number, seconds in (*_STOP, (signal.SIGKILL, 10.0)):
                server.send_signal(number)
                try:
                    server.wait(seconds)
                except psutil.TimeoutExpired:
                    continue
                return

    def _launch(self) -> None:
        """Start the server and wait until it accepts connections. Raise `CannotStart` if it does not start.

        The processes of a killed server may need a moment to end, so starting is tried again for up to 15 seconds. A log
        of more than 5 MB is first renamed to `.log.old`.
        """
        log = self._beside("log")
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_suffix(".log.old"))
        files = {
            "hba_file": self._beside("hba"),
            "ident_file": self._beside("ident"),
            "unix_socket_directories": self._run,
        }
        settings = self._options | {name: str(path) for name, path in files.items()}
        command: list[str | Path] = [self._bin / "postgres", "-D", self._folder]
        command += [f"--{name}={value}" for name, value in settings.items()]
        began = time.monotonic()
        while True:
            with log.open("ab") as output:
                written = output.tell()
                self._process = children.spawn(
                    command,
                    at_our_death=signal.SIGINT,
                    account=self._account,
                    output=output,
                    folder="/",
                    environment=environment(),
                )
            if self._becomes_ready(began + _STARTING_SECONDS):
                return
            said = log.read_bytes()[written:].decode(errors="replace")
            left = re.search(r"pre-existing shared memory block|lock file .* already exists", said)
            if not left or time.monotonic() - began > _LEFT_BEHIND_SECONDS:
                raise CannotStart(f"The database did not start: {last_line(log)} Its log is {log}.")
            time.sleep(0.2)

    def _becomes_ready(self, deadline: float) -> bool:
        """Wait until the server's pid file says that it is ready, and return True.

        Return False if the server ends instead. Raise `CannotStart` after the deadline, a value of `time.monotonic()`.
        """
        process = self._process
        while process is not None and process.poll() is None:
            found = PidFile.read(self._folder)
            if found and found.is_ready and found.pid == process.pid:
                return True
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"The database did not start within {_STARTING_SECONDS:.0f} s. Its log is {self._beside('log')}."
                )
            time.sleep(0.02)
        return False

    def _beside(self, kind: str) -> Path:
        """Return the path of the file `<database folder>.<kind>`, which the server's account cannot change."""
        return self._folder.with_name(f"{self._folder.name}.{kind}")

    def _psql(self, database: str, statement: str) -> str:
        """Run a statement with `psql` as the owner, and return its output, one line for each row.

        Raise `RuntimeError` with psql's message if the statement fails.
        """
        program = str(self._bin / "psql")
        command = [program, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 (ours)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout


def _checked(name: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is not a valid name: use a-z, 0-9 and _.")
    return name
