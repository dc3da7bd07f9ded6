"""Test the `portal` commands on a data folder of their own; only a command can create the first admin (R11)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded import EmbeddedPostgres

pytestmark = [pytest.mark.slow, pytest.mark.infra]

CREATE = ("admin", "create", "--name", "Nora Falk", "--email", "nora@desk.example", "--time-zone", "Europe/Berlin")


def portal(data: Path, *command: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PORTAL_DATA": str(data),
        "PORTAL_SECRET": "kX7-vT3pQ9mZ2wR8_bN5cL1jH6fD4sAy",
        "PORTAL_BASE_URL": "https://desk.company.example",
    }
    return subprocess.run(
        [sys.executable, "-m", "portal", *command],
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_administrator_is_made_with_a_password_from_standard_input(data: Path) -> None:
    """R11: `portal admin create` reads the password from standard input.

    A weak password or a mail address that is in use is refused with one error message, and nothing changes.
    """
    refused = portal(data, *CREATE, typed="short\n")
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, "Use at least 12 characters.")
    made = portal(data, *CREATE, typed="quite-a-Long9-phrase\n")
    assert made.returncode == 0
    assert made.stdout == (
        "Nora Falk is an administrator and signs in as nora@desk.example at https://desk.company.example/sign-in.\n"
    )
    again = portal(data, *CREATE, typed="quite-a-Long9-phrase\n")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.splitlines()[-1] == "--email: Somebody signs in with this address already."


def test_admin_create_names_the_wrong_argument_and_the_address_as_it_is_stored(data: Path) -> None:
    wrong = portal(
        data, *CREATE[:2], "--name", " ", "--email", "x", "--time-zone", "Moon", typed="quite-a-Long9-phrase\n"
    )
    assert wrong.returncode == 1
    said = wrong.stderr.splitlines()[-1]
    assert [argument for argument in ("--name:", "--email:", "--time-zone:") if argument not in said] == []
    # The time zone is refused before a password is read; standard input is empty.
    assert portal(data, *CREATE[:6], "--time-zone", "Moon", typed="").stderr.splitlines()[-1].startswith("--time-zone:")
    spelt = portal(data, *CREATE[:4], "--email", "nora\u200b@bu\u0308ro.example", typed="quite-a-Long9-phrase\n")
    assert "signs in as nora@b\u00fcro.example at" in spelt.stdout


def test_a_server_that_runs_for_another_process_is_used_with_it(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    try:
        assert portal(data, "migrate").returncode == 0
        assert portal(data, *CREATE, typed="quite-a-Long9-phrase\n").returncode == 0
        assert server.is_running()
    finally:
        server.stop()
