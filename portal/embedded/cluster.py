"""Create a database folder, and run PostgreSQL's programs in a clean environment."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from portal import children
from portal.settings import CannotStart

OWNER = "postgres"
"""The database role that owns everything in a new database folder."""


def make_folder(folder: Path, account: children.Account | None) -> None:
    """Create a folder of mode 0700 that belongs to `account`, or to the current user if that is None."""
    folder.mkdir(mode=0o700)
    if account:
        os.chown(folder, account.uid, account.gid)


def initialise(folder: Path, programs: Path, account: children.Account | None, log: Path) -> None:
    """Create a database folder with `initdb`, which writes to `log`. Raise `CannotStart` if that fails."""
    make_folder(folder, account)
    options = (
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--encoding=UTF8",
        "--no-instructions",
    )
    command = (
        programs / "initdb",
        "-D",
        folder,
        f"--username={OWNER}",
        "--auth-local=peer",
        "--auth-host=reject",
        *options,
    )
    with log.open("ab") as output:
        done = children.spawn(
            command,
            at_our_death=signal.SIGKILL,
            account=account,
            output=output,
            folder="/",
            environment=environment(),
        )
        if done.wait() != 0:
            raise CannotStart(f"The database could not be made: {last_line(log)} Its log is {log}.")


def environment() -> Mapping[str, str]:
    """Return the environment variables for PostgreSQL's programs: no secrets, and no settings such as PGPORT."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def last_line(log: Path) -> str:
    """Return the last line of the log that reports an error or, if no line does, the last line of the log."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error" in line]
    return (telling or lines or ["it said nothing."])[-1]
