"""Test `transaction(reader)`: readers see only rows that they may see, and a failed transaction leaves nothing."""

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from portal import database
from portal.database import current, transaction
from portal.database.rows import insert_all
from portal.desk import Case
from portal.errors import Unavailable
from portal.people.access.attempts import Attempt
from portal.people.readers import SYSTEM
from tests.world import ACME, ADA, ALAN, GIL, INCIDENT, INES, NOW


@pytest.mark.usefixtures("dsn")
class TestReaders:
    async def test_the_sign_in_role_reads_no_customers_data(self) -> None:
        """R24: the sign-in role has no right to read customers' data."""
        for table in ("customer", "contact", "cases", "message", "time_entry", "invoice", "attachment"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with transaction(None) as tx:
                    await tx.fetch(f"select * from {table}")

    async def test_a_contact_reads_rows_of_the_own_customer_only(self) -> None:
        """R24: row-level security shows a contact only the rows of their own customer."""
        for reader in (ADA, GIL):
            async with transaction(reader, readonly=True) as tx:
                assert {row["customer_id"] for row in await tx.fetch("select customer_id from contact")} == {
                    reader.customer_id
                }
                assert [row["id"] for row in await tx.fetch("select id from customer")] == [reader.customer_id]

    @pytest.mark.parametrize("table", ["time_entry", "approval", "rejection", "allocation", "pgqueuer", "rate"])
    async def test_a_contact_has_no_right_to_what_is_internal(self, table: str) -> None:
        """R24, D57: the contacts' role may not read internal tables, not even rows of the contact's own customer."""
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ADA) as tx:
                await tx.fetch(f"select from {table}")

    async def test_after_a_transaction_the_reader_is_gone(self) -> None:
        """R24: after a transaction, the reader's database role and customer are no longer set on the connection."""
        async with transaction(ADA) as tx:
            assert await tx.fetchval("select current_user") == "portal_contact"
        async with transaction(None) as tx:
            assert await tx.fetchval("select current_user") == "portal_app"
            assert await tx.fetchval("select app_customer()") is None

    async def test_a_contact_cannot_write_for_another_customer(self) -> None:
        """R24: row-level security refuses a row that a contact inserts for another customer."""
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(GIL) as tx:
                await tx.execute(
                    "insert into outbox (kind, customer_id, contact_may_know, subject_id, at) values ('x', $1, true, 1, now())",
                    ACME,
                )

    @pytest.mark.parametrize(
        ("table", "columns", "values"),
        [
            ("message", "case_id, kind, agent_id, author_name, text, html, at", "id, 'reply', 1, 'x', 'x', 'x', now()"),
            ("message", "case_id, kind, contact_id, author_name, text, html, at", "id, 'reply', contact_id, 'x', 'x', 'x', now()"),
            ("case_event", "case_id, kind, contact_may_know, agent_id, actor_name, details, at", "id, 'x', true, 1, 'x', '{}', now()"),
            ("cases", "contact_id, subject, case_type_id, priority, status, opened_at, updated_at", "contact_id, 'x', 1, 1, 'new', now(), now()"),
            ("outbox", "kind, contact_may_know, subject_id, actor_id, at", "'x', true, 1, 1, now()"),
        ],
        ids=["a reply as an agent", "a reply as a colleague", "an event as an agent", "a case as a colleague", "a notice as somebody"],
    )  # fmt: skip
    async def test_a_contact_writes_as_themselves_only(self, table: str, columns: str, values: str) -> None:
        """R24: row-level security refuses rows that a contact inserts in another person's name.

        This holds even if the portal's code omits the check.
        """
        async with transaction(ADA):
            await Case.open(by=ADA, subject="VPN", text="It drops.", case_type_id=INCIDENT, at=NOW)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with transaction(ALAN) as tx:
                await tx.execute(
                    f"insert into {table} (customer_id, {columns}) select customer_id, {values} from cases"
                )


@pytest.mark.usefixtures("dsn")
class TestTransactions:
    async def test_a_nested_transaction_is_a_savepoint(self) -> None:
        async with transaction(SYSTEM) as tx:
            await tx.execute("insert into role (name) values ('kept')")
            with pytest.raises(ValueError, match="no"):
                async with transaction(SYSTEM):
                    await current().execute("insert into role (name) values ('lost')")
                    raise ValueError("no")
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select array_agg(name) from role where name in ('kept', 'lost')") == ["kept"]

    async def test_a_lock_of_somebody_else_is_no_mistake_of_ours(self) -> None:
        """R84: a transaction that waits too long for a lock raises `Unavailable` (503).

        Once the lock is released, the same transaction succeeds.
        """

        async def wait_for_it() -> None:
            async with transaction(SYSTEM) as tx:
                await tx.execute("set local lock_timeout = '50ms'; select from customer for update")

        async with transaction(SYSTEM) as tx:
            await tx.execute("select from customer for update")
            with pytest.raises(Unavailable):
                await asyncio.create_task(wait_for_it(), context=contextvars.Context())
        await wait_for_it()

    async def test_hooks_run_after_the_commit_and_never_after_a_rollback(self) -> None:
        told: list[str] = []

        def tell(word: str):
            async def hook() -> None:
                told.append(word)

            return hook

        async with transaction(SYSTEM) as tx:
            tx.on_commit(tell("committed"))
            with pytest.raises(KeyError):
                async with transaction(SYSTEM) as inner:
                    inner.on_commit(tell("inner"))
                    raise KeyError
            assert told == []
        with pytest.raises(KeyError):
            async with transaction(SYSTEM) as tx:
                tx.on_commit(tell("rolled back"))
                raise KeyError
        assert told == ["committed"]

    async def test_another_reader_cannot_slip_into_a_running_transaction(self) -> None:
        async with transaction(INES):
            with pytest.raises(RuntimeError):
                async with transaction(ADA):
                    pass

    async def test_queries_outside_a_transaction_are_refused(self) -> None:
        with pytest.raises(RuntimeError):
            current()


@contextlib.contextmanager
def without_broken_pipes() -> Iterator[None]:
    """Ignore an `OSError` in asyncpg's background tasks, which write to connections that the server has closed."""
    loop = asyncio.get_running_loop()
    reports = loop.get_exception_handler()

    def report(of: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError):
            reports(of, context) if reports else of.default_exception_handler(context)

    loop.set_exception_handler(report)
    try:
        yield
    finally:
        loop.set_exception_handler(reports)


class TestAway:
    async def test_after_the_server_ended_every_connection_the_next_transaction_works(self, dsn: str) -> None:
        """After the server has closed every pooled connection, the next transaction still succeeds.

        The first closed connection that the transaction gets makes the pool replace all connections.
        """

        async def wait() -> int:
            async with transaction(SYSTEM) as tx:
                await tx.fetchval("select pg_sleep(0.05)")
                return int(await tx.fetchval("select pg_backend_pid()"))

        waiting = (asyncio.create_task(wait(), context=contextvars.Context()) for _ in range(4))
        pooled = set(await asyncio.gather(*waiting))
        assert len(pooled) == 4
        async with transaction(SYSTEM) as tx:
            await tx.execute("insert into role (name) values ('before')")
        owner = await asyncpg.connect(dsn)
        # Other connections, such as the one that empties the database for the next test, must survive.
        assert await owner.fetchval("select bool_and(pg_terminate_backend(pid)) from unnest($1::int[]) as pid", pooled)
        await owner.close()
        with without_broken_pipes():
            async with transaction(SYSTEM) as tx:
                assert await tx.fetchval("select true from role where name = 'before'")
            await asyncio.sleep(0.05)

    async def test_a_transaction_whose_error_was_caught_on_the_way_is_not_taken_for_committed(self, dsn: str) -> None:
        """A transaction in which the error of a statement was caught raises an error instead of committing.

        The server answers the COMMIT of such a transaction with a rollback and reports no error.
        """
        done: list[int] = []

        async def hook() -> None:
            done.append(1)

        with pytest.raises(RuntimeError, match="failed before its end"):
            async with transaction(SYSTEM) as tx:
                tx.on_commit(hook)
                await tx.execute("insert into role (name) values ('half')")
                with contextlib.suppress(asyncpg.PostgresError):
                    await tx.execute("select 1 / 0")
        assert done == []

    async def test_a_connection_that_is_lost_in_the_middle_is_reported_as_away_and_leaves_nothing(
        self, dsn: str
    ) -> None:
        owner = await asyncpg.connect(dsn)
        with pytest.raises(Unavailable):
            async with transaction(SYSTEM) as tx:
                await tx.execute("insert into role (name) values ('half')")
                await owner.execute("select pg_terminate_backend($1)", await tx.fetchval("select pg_backend_pid()"))
                await tx.execute("insert into role (name) values ('whole')")
        assert await owner.fetchval("select count(*) from role where name in ('half', 'whole')") == 0
        await owner.close()
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select 1") == 1

    @pytest.mark.usefixtures("dsn")
    async def test_a_pool_that_is_used_up_refuses_after_a_while_and_recovers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """R84: while all connections are in use, a transaction fails with 503 after a wait; later ones work."""
        monkeypatch.setattr(database, "ACQUIRE_SECONDS", 0.2)
        go_on = asyncio.Event()

        async def hold() -> None:
            async with transaction(SYSTEM):
                await go_on.wait()

        holders = [asyncio.create_task(hold()) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable):
            async with transaction(SYSTEM):
                pass
        go_on.set()
        await asyncio.gather(*holders)
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select 1") == 1


@pytest.mark.usefixtures("dsn")
class TestRows:
    async def test_columns_are_written_by_name_whatever_their_order(self) -> None:
        rows = [{"key": "a", "at": NOW}, {"at": NOW, "key": "b"}]
        async with transaction(None):
            await insert_all(Attempt, rows)
            assert await Attempt.select(Attempt.key, Attempt.at).order_by(Attempt.key) == rows

    async def test_rows_of_different_columns_and_unknown_columns_are_refused(self) -> None:
        for rows in ([{"key": "a", "at": NOW}, {"key": "b"}], [{"key": "a", "at) values ('a', now()) --": NOW}]):
            with pytest.raises(ValueError, match="attempt|column"):
                async with transaction(None):
                    await insert_all(Attempt, rows)
        async with transaction(None):
            assert not await Attempt.exists()
