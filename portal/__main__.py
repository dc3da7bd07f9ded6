"""The command `portal`. Each command imports only the modules that it needs, so that it starts quickly."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from portal import console
from portal.startup import database_of, refuse_unfit, run_tree, settings_for, step, with_pool

if TYPE_CHECKING:
    from portal.settings import Settings

ACCOUNTS = (
    ("Noor", "noor@desk.example", "admin: settings, people and all below"),
    ("Max", "max@desk.example", "manager: approvals, billing"),
    ("Ines", "ines@desk.example", "agent: cases, time"),
    ("Ada", "ada@acme.example", "customer Acme: all its cases, invoices"),
    ("Alan", "alan@acme.example", "customer Acme: own cases"),
    ("Gil", "gil@globex.example", "customer Globex"),
)
"""The people of the demo who can sign in: name, mail address, and what they may see or do."""

LONGEST_LINE = 10_000
"""The maximum number of characters that are read as a password from standard input. A longer password is refused."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 for success, 1 for a refusal, 130 after Ctrl-C.

    A refusal is printed as one line on standard error. A full disk or a database that goes down is reported in the same
    way, without a traceback, because neither is a programming error. Wrong arguments end the process with status 2.
    Without `arguments`, the arguments of this process are read. `portal simulate` has its own statuses and messages.
    """
    given = _parser().parse_args(arguments)
    if given.command == "simulate":
        from portal.billing.simulate import main as simulate

        return simulate([given.file])
    from asyncpg import InterfaceError, PostgresError

    from portal.errors import Refusal
    from portal.settings import CannotStart

    signal.signal(signal.SIGTERM, _leave)
    try:
        given.run(given)
    except (CannotStart, Refusal) as refusal:
        console.say(str(refusal))
    except (PostgresError, InterfaceError) as error:
        console.say(f"The database refused: {error}.")
    except OSError as error:
        console.say(f"The portal cannot go on: {error}.")
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    return 1


def command() -> NoReturn:
    """Run the command that the arguments of this process name, and exit with its status."""
    console.run(main)


def _leave(*_: Any) -> None:
    """Handle SIGTERM: raise `SystemExit`, so that the usual clean-up runs before the process ends.

    `portal serve` and `portal demo` replace this handler by one that stops their child processes first.
    """
    raise SystemExit(128 + signal.SIGTERM)


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports wrong arguments in one line and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong with the arguments, and exit with status 2."""
        console.say(f"{self.format_usage()} ({message})")
        self.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="portal", description="Support cases, the time worked on them, and the invoices that follow.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve in production, behind a proxy that speaks https")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8000, help="port to listen on (8000)")
    serve.add_argument("--no-worker", action="store_true", help="leave the jobs to a portal worker elsewhere")
    serve.set_defaults(run=_serve)

    demo = commands.add_parser("demo", help="serve with a database of its own and made-up data")
    demo.add_argument("--port", type=_port, default=8000, help="port to listen on, on 127.0.0.1 (8000)")
    demo.add_argument("--data", metavar="DIR", help="folder for its database and files (.data)")
    demo.set_defaults(run=_demo)

    commands.add_parser("migrate", help="bring the database's schema up to date").set_defaults(run=_migrate)
    commands.add_parser("worker", help="run the jobs alone; serve starts one by itself").set_defaults(run=_worker)

    verify = commands.add_parser("verify", help="check the invariants of money and time; exit status 1 where one fails")
    verify.add_argument("--data", metavar="DIR", help="folder of an embedded database")
    verify.set_defaults(run=_verify)

    backup = commands.add_parser("backup", help="copy the database and the files that it names, from one point in time")
    restore = commands.add_parser("restore", help="bring a backup into an empty database and its storage")
    for command, run in ((backup, _backup), (restore, _restore)):
        command.add_argument("folder", metavar="FOLDER", help="the backup's own folder")
        command.add_argument("--data", metavar="DIR", help="folder of an embedded database")
        command.set_defaults(run=run)

    simulate = commands.add_parser("simulate", help="run the billing engine over a JSON document, without a database")
    simulate.usage = "portal simulate FILE"
    simulate.add_argument("file", metavar="FILE")

    admin = commands.add_parser("admin", help="administrators").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    create = admin.add_parser(
        "create", help="make an administrator; the password is asked for, or read from standard input"
    )
    create.add_argument("--name", required=True)
    create.add_argument("--email", required=True)
    create.add_argument("--time-zone", default="UTC", help="such as Europe/Berlin (UTC)")
    create.set_defaults(run=_create_admin)
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a port: use a number from 1 to 65535")
    return int(text)


def _serve(given: argparse.Namespace) -> None:
    from portal.settings import Settings

    settings = Settings.from_environment()
    if settings.environment == "production" and settings.owner_url is not None and settings.database_url is None:
        from portal.settings import CannotStart

        raise CannotStart("DATABASE_URL is missing: the app needs a role of its own beside the owner's.")
    refuse_unfit(settings)
    greeting = f"The portal serves {settings.base_url}."
    run_tree(settings, given.host, given.port, lambda: console.greet(greeting), with_worker=not given.no_worker)


def _demo(given: argparse.Namespace) -> None:
    from portal.settings import Settings

    environ = {"PORTAL_BASE_URL": f"http://127.0.0.1:{given.port}", **os.environ, "PORTAL_ENVIRONMENT": "demo"}
    if given.data:
        environ["PORTAL_DATA"] = given.data
    settings = Settings.from_environment(environ)

    def greet() -> None:
        lines = [f"\nThe portal is at {settings.base_url}. Sign in with the password {settings.demo_password} as\n"]
        lines += [f"    {address:<22}{name:<6}{who}" for name, address, who in ACCOUNTS]
        console.greet("\n".join([*lines, "\nCtrl-C stops it."]))

    run_tree(settings, "127.0.0.1", given.port, greet, _fill_demo)


def _fill_demo(settings: "Settings") -> None:
    """Fill the database with the invented data of the demo, and print the progress.

    If the database has a company already, only set the passwords of the people who can sign in.
    """
    from datetime import UTC, datetime

    import uvloop

    from portal import demo
    from portal.storage import open_storage

    def say(what: str) -> None:
        print(f"    {what}", file=sys.stderr, flush=True)

    filling = demo.fill(datetime.now(UTC), settings.demo_password or "", open_storage(settings.storage_url), say)
    # About twenty thousand small queries follow, one after the other; uvloop halves the time that they take.
    with step("Demo data"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_pool(settings, filling))


def _migrate(_: argparse.Namespace) -> None:
    from portal.database import schema
    from portal.settings import Settings

    with database_of(Settings.from_environment()) as settings:
        asyncio.run(schema.migrate(settings.owner_url or ""))


def _worker(_: argparse.Namespace) -> None:
    from portal import worker
    from portal.settings import Settings

    checked = Settings.from_environment()
    refuse_unfit(checked)
    with database_of(checked) as settings:
        worker.run(settings)


def _verify(given: argparse.Namespace) -> None:
    from portal.billing import INVARIANTS, violations
    from portal.database import transaction
    from portal.people.readers import SYSTEM
    from portal.settings import CannotStart

    async def check() -> dict[str, list[str]]:
        async with transaction(SYSTEM, readonly=True):
            return await violations()

    with database_of(settings_for(given.data)) as settings:
        broken = asyncio.run(with_pool(settings, check()))
    for sentence in INVARIANTS:
        rows = broken.get(sentence, [])
        print(f"{len(rows):>6}  {sentence}", *rows, sep="\n          ")
    if broken:
        raise CannotStart(f"{len(broken)} of {len(INVARIANTS)} invariants do not hold.")


def _backup(given: argparse.Namespace) -> None:
    from datetime import UTC, datetime
    from pathlib import Path

    from portal.backup import back_up
    from portal.storage import open_storage

    with database_of(settings_for(given.data)) as settings:
        storage, folder = open_storage(settings.storage_url), Path(given.folder).absolute()
        made = asyncio.run(back_up(settings.owner_url or "", storage, folder, datetime.now(UTC)))
    print(f"The database and {len(made['files'])} files are in {folder}.")


def _restore(given: argparse.Namespace) -> None:
    from datetime import UTC, datetime
    from pathlib import Path

    from portal.backup import restore
    from portal.storage import open_storage

    with database_of(settings_for(given.data), migrate=False) as settings:
        storage, folder = open_storage(settings.storage_url), Path(given.folder).absolute()
        made = asyncio.run(restore(folder, settings.owner_url or "", storage, datetime.now(UTC)))
    print(f"The database and {len(made['files'])} files of {made['at']} are restored. Check them with portal verify.")


def _create_admin(given: argparse.Namespace) -> None:
    from datetime import UTC, datetime

    from portal.database import transaction
    from portal.errors import Invalid
    from portal.people.agents import create_admin, refuse_wrong_admin
    from portal.people.readers import SYSTEM
    from portal.settings import CannotStart, Settings

    async def create() -> tuple[str, str]:
        async with transaction(SYSTEM):
            admin = await create_admin(
                name=given.name, address=given.email, password=password, zone=given.time_zone, at=datetime.now(UTC)
            )
            return admin.name, (await admin.credential())["email"]

    checked = Settings.from_environment()
    try:
        # Check the arguments before asking for the password: nobody should type it again because of a wrong argument.
        refuse_wrong_admin(name=given.name, address=given.email, zone=given.time_zone)
        password = _asked_password()
        with database_of(checked) as settings:
            name, address = asyncio.run(with_pool(settings, create()))
    except Invalid as refusal:
        wrong = [
            f"--{field.replace('_', '-')}: {sentence}"
            for field, sentence in refusal.fields.items()
            if field != "password"
        ]
        raise CannotStart(" ".join(wrong) or refusal.sentence) from None
    print(f"{name} is an administrator and signs in as {address} at {settings.base_url}/sign-in.")


def _asked_password() -> str:
    """Read the password from the first line of standard input, and return it.

    If standard input is a terminal, ask for the password twice without showing it. The password is not an argument of
    the command, because other users of the machine can see arguments (R86). Raise `CannotStart` if the input on the
    terminal ends before both passwords are typed, if they differ, or if standard input is not UTF-8.
    """
    from portal.settings import CannotStart

    if not sys.stdin.isatty():
        try:
            return sys.stdin.readline(LONGEST_LINE).rstrip("\n")
        except UnicodeDecodeError:
            raise CannotStart("The password on standard input is not UTF-8.") from None
    import getpass

    try:
        password, again = getpass.getpass("Password: "), getpass.getpass("The same again: ")
    except EOFError:
        raise CannotStart("No password was typed.") from None
    if again != password:
        raise CannotStart("The two passwords are not the same.")
    return password


if __name__ == "__main__":
    command()
