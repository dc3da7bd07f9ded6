"""Test the embedded PostgreSQL server: however it is killed, it starts again with all committed rows."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from portal.embedded import EmbeddedPostgres, place
from portal.settings import CannotStart

pytestmark = [pytest.mark.slow, pytest.mark.infra]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")


def sql(url: str, statement: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


OWNER = textwrap.dedent("""
    import signal, sys, time
    from pathlib import Path
    from portal.embedded import EmbeddedPostgres
    server = EmbeddedPostgres(Path(sys.argv[1]))
    print(server.start(), flush=True)
    print(server.pid, flush=True)
    time.sleep(600)
""")


def another_process(data: Path) -> tuple[subprocess.Popen[str], str, int]:
    """Start a process that runs an embedded server. Return the process, and the URL and process id of the server."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    return process, url, int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_server_starts_stops_and_keeps_what_was_written(data: Path) -> None:
    server = EmbeddedPostgres(data)
    url = server.start()
    assert server.is_running()
    assert server.start() == url, "a second start of the same one does nothing"
    sql(url, "create table kept as select 42 as n")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5
    assert not server.is_running()
    began = time.monotonic()
    assert sql(server.start(), "select n from kept") == 42
    assert time.monotonic() - began < 3, "a second start is quick"
    server.stop()


def test_the_server_is_durable_and_listens_on_a_private_socket_only(data: Path) -> None:
    """The embedded server listens only on a socket in a folder with mode 0700 and writes with fsync.

    It sorts by the built-in locale C.UTF-8.
    """
    server = EmbeddedPostgres(data)
    url = server.start()
    try:
        assert (
            sql(url, "show fsync") == sql(url, "show full_page_writes") == sql(url, "show synchronous_commit") == "on"
        )
        assert sql(url, "show listen_addresses") == ""
        assert (
            sql(url, "select string_agg(distinct type || ' ' || auth_method, ',') from pg_hba_file_rules")
            == "local peer"
        )
        assert sql(url, "select datlocale from pg_database where datname = 'portal'") == "C.UTF-8"
        assert int(sql(url, "show server_version_num")) >= 180000
        folder = Path(sql(url, "show unix_socket_directories"))
        assert folder.stat().st_mode & 0o777 == 0o700
        assert psutil.Process(server.pid).net_connections("tcp") == []
    finally:
        server.stop()


@AS_ROOT
def test_as_root_the_server_runs_as_somebody_else(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    try:
        assert psutil.Process(server.pid).uids().real != 0
        assert psutil.Process(server.pid).gids().real != 0
    finally:
        server.stop()


def test_databases_are_made_from_a_template(data: Path) -> None:
    server = EmbeddedPostgres(data, options={"fsync": "off"})
    try:
        sql(server.start(), "create table kept as select 1 as n")
        assert sql(server.url(), "show fsync") == "off"
        copy = server.create_database("copy_1", template="portal")
        assert sql(copy, "select n from kept") == 1
        with pytest.raises(ValueError, match="is not a valid name"):
            server.create_database('x"; drop database portal')
        with pytest.raises(RuntimeError, match="already exists"):
            server.create_database("portal")
    finally:
        server.stop()


def test_another_role_can_be_let_in_and_is_not_the_owner(data: Path) -> None:
    """R88: another database role can be given access to the server, and that role cannot become the owner."""
    server = EmbeddedPostgres(data, options={"fsync": "off"})
    try:
        sql(server.start(), "create role clerk nologin")
        url = server.let_in("clerk")
        assert sql(url, "select session_user::text") == "clerk"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            sql(url, "set session authorization postgres")
    finally:
        server.stop()


def test_a_second_owner_gets_an_error_that_the_server_is_already_running(data: Path) -> None:
    process, url, _ = another_process(data)
    assert EmbeddedPostgres(data).found_running() == url
    try:
        with pytest.raises(CannotStart, match=rf"already running on {data} \(process {process.pid}\)\.$"):
            EmbeddedPostgres(data).start()
        assert sql(url, "select 1") == 1, "the first is not disturbed"
    finally:
        end(process)


def test_the_server_dies_with_the_process_that_owned_it_and_nothing_is_lost(data: Path) -> None:
    """If the process that owns the embedded server is killed, the server stops, and no committed row is lost."""
    process, url, pid = another_process(data)
    sql(url, "create table kept as select 42 as n")
    end(process)
    server = EmbeddedPostgres(data)
    assert sql(server.start(), "select n from kept") == 42
    assert gone(pid)
    server.stop()


def test_a_killed_server_is_started_again_under_the_same_address(data: Path) -> None:
    """If the embedded server is killed, it is started again with the same URL, despite the stale pid file."""
    server = EmbeddedPostgres(data)
    url = server.start()
    sql(url, "create table kept as select 42 as n")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert gone(server.pid or 0)
    assert not server.is_running()
    assert server.found_running() is None
    assert server.start() == url
    assert sql(url, "select n from kept") == 42
    server.stop()


def test_after_both_were_killed_the_next_start_recovers(data: Path) -> None:
    process, url, pid = another_process(data)
    sql(url, "create table kept as select 42 as n")
    os.kill(pid, signal.SIGKILL)
    end(process)
    assert (data / "database" / "postmaster.pid").exists()
    server = EmbeddedPostgres(data)
    assert sql(server.start(), "select n from kept") == 42
    server.stop()


def test_a_server_that_outlived_its_owner_is_stopped_first(data: Path) -> None:
    """An embedded server that outlived the process that started it is stopped before a new server starts.

    A server outlives that process if the kernel did not signal the end of the process, or while the server shuts down.
    The test suspends the server, so that it cannot react to the signal.
    """
    process, url, pid = another_process(data)
    sql(url, "create table kept as select 42 as n")
    os.kill(pid, signal.SIGSTOP)
    end(process)
    server = EmbeddedPostgres(data)
    os.kill(pid, signal.SIGCONT)
    assert sql(server.start(), "select n from kept") == 42
    assert server.pid != pid
    assert gone(pid)
    server.stop()


def test_a_pid_file_that_names_a_strange_process_harms_nobody(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    server.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (data / "database" / "postmaster.pid").write_text(
            f"{stranger.pid}\n{data}/database\n1\n5432\n/tmp\n\n0 0\nready\n"
        )
        server.start()
        assert stranger.poll() is None
        server.stop()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_set_up_that_was_broken_off_is_done_again(data: Path) -> None:
    (data / "database.new").mkdir()
    (data / "database.new" / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(data)
    assert sql(server.start(), "select 1") == 1
    server.stop()


def test_a_folder_with_something_else_in_it_is_left_alone(data: Path) -> None:
    (data / "database").mkdir()
    (data / "database" / "letter.txt").write_text("Dear")
    with pytest.raises(CannotStart, match="is not a database and not empty"):
        EmbeddedPostgres(data).start()
    assert (data / "database" / "letter.txt").read_text() == "Dear"
    (data / "database" / "letter.txt").unlink()


def test_a_path_too_long_for_a_socket_is_no_obstacle(data: Path) -> None:
    deep = data / ("long-" * 20) / ("name-" * 20)
    deep.parent.mkdir()
    server = EmbeddedPostgres(deep)
    url = server.start()
    run = Path(sql(url, "show unix_socket_directories"))
    assert place.is_temporary(run)
    server.stop()
    assert not run.exists()


def test_a_folder_for_a_socket_does_not_outlive_a_crash(data: Path) -> None:
    deep = data / ("long-" * 20) / ("name-" * 20)
    deep.parent.mkdir()
    process, url, _ = another_process(deep)
    run = Path(sql(url, "show unix_socket_directories"))
    assert run.exists()
    end(process)
    server = EmbeddedPostgres(deep)
    server.start()
    server.stop()
    assert not run.exists()


@AS_ROOT
def test_below_a_folder_that_only_root_may_enter_the_data_go_elsewhere(data: Path) -> None:
    """If only root may enter the parent of the data folder, the database is stored below `place.SYSTEM` instead.

    The file `database.where` in the data folder contains the path.
    """
    home = data / "home"
    home.mkdir(mode=0o700)
    within = home / "clone" / "data"
    server = EmbeddedPostgres(within)
    try:
        sql(server.start(), "create table kept as select 42 as n")
        assert not (within / "database").exists()
        where = Path((within / "database.where").read_text().strip())
        assert where.is_relative_to(place.SYSTEM)
        assert where.stat().st_mode & 0o777 == 0o700
        server.stop()
        again = EmbeddedPostgres(within)
        assert sql(again.start(), "select n from kept") == 42
        again.remove()
        assert not where.exists()
        assert home.stat().st_mode & 0o777 == 0o700, "the home itself is not touched"
    finally:
        server.remove()


@AS_ROOT
def test_binaries_below_a_folder_that_only_root_may_enter_are_copied(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = place.wheel_folder().parent
    home = tmp_path / "home"
    shutil.copytree(package / "pginstall18", home / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), home / f"{package.name}.libs")
    home.chmod(0o700)
    monkeypatch.setattr(place, "wheel_folder", lambda: home / package.name / "pginstall18")
    monkeypatch.setattr(place, "SYSTEM", data / "system")
    server = EmbeddedPostgres(data)
    try:
        assert sql(server.start(), "select 1") == 1
        assert Path(psutil.Process(server.pid).exe()).is_relative_to(data / "system")
    finally:
        server.stop()


@AS_ROOT
def test_the_owner_of_existing_data_stays_their_owner(data: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (data / "database").mkdir()
    os.chown(data / "database", nobody.pw_uid, nobody.pw_gid)
    account = place.account_for(data)
    assert account is not None
    assert account.name == "nobody"


def test_only_the_main_thread_may_start_it(data: Path) -> None:
    """The server can be started in the main thread only.

    The kernel stops the server as soon as the thread that started it ends.
    """

    async def elsewhere() -> None:
        await asyncio.to_thread(EmbeddedPostgres(data).start)

    with pytest.raises(RuntimeError, match="from the main thread"):
        asyncio.run(elsewhere())
