"""Test that the lists of cases read about as many rows as they show, in a database with 30,000 cases."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from benchmarks import views
from portal.database import Transaction, transaction
from portal.database.counting import count_all
from portal.desk import Case, Question, Sort, agents_list, countings, customers_list, overview
from portal.desk.lists.views import VIEWS
from portal.desk.lists.walking import walk_of
from portal.people.readers import AgentReader, ContactReader
from portal.words import CaseView
from tests.conftest import in_use, new_database

AGENT = AgentReader(1, 1, "Agent 1", "agent1@desk.example", "agent", "en_GB", "UTC")
CONTACT = ContactReader(
    id=2, credential_id=22, customer_id=2, customer_name="Customer 2", name="Contact 2", email="contact2@customer.example",
    locale="en_GB", time_zone="UTC", sees_all_cases=True, sees_invoices=True, manages_contacts=False,
)  # fmt: skip
COUNTED = dict.fromkeys(CaseView, 1_001)
"""The count of each view, passed to the list: each view here has more than 1,000 cases, and counting stops at 1,001."""
SMALL = (CaseView.SOON, CaseView.OVERDUE, CaseView.SNOOZED, CaseView.WAITING)
"""The views that have few cases here. To sort one by status or agent, PostgreSQL reads and sorts the whole view."""
MOST = 2_000
"""A page must read fewer cases than this. PostgreSQL may read a whole view that has fewer cases."""


@pytest.fixture(scope="module")
async def filled(server: str, template: str) -> AsyncIterator[tuple[str, datetime]]:
    """Fill a database with the cases of the benchmark, 3,000 for each of 10 customers, for all tests here.

    Yield its URL and the instant at which the cases were stored.
    """
    async with new_database(server, template) as dsn:
        owner = await asyncpg.connect(dsn)
        try:
            # VACUUM marks a page as visible to all only once the commits on it are on disk, so the commits must wait for that.
            await owner.execute("set synchronous_commit = on")
            await views.insert(owner, 30_000, 10)
            await owner.execute("vacuum analyze")
            at = await owner.fetchval("select now()")
        finally:
            await owner.close()
        yield dsn, at


@pytest.fixture
async def at(filled: tuple[str, datetime]) -> AsyncIterator[datetime]:
    """Connect to the filled database, and yield the instant at which its cases were stored. The tests only read."""
    dsn, at = filled
    async with in_use(dsn):
        yield at


@contextmanager
def explained(tx: Transaction) -> Iterator[list[tuple[str, float]]]:
    """Yield a list that gets, for each scan of the table `cases` in the block, the scan's kind and number of rows read.

    Each query of the block runs twice: once for its plan and once for its result.
    """
    scans: list[tuple[str, float]] = []
    fetch, fetchrow = tx.fetch, tx.fetchrow

    def note(node: dict[str, Any]) -> None:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        if node.get("Relation Name") == "cases":
            scans.append((node["Node Type"], (node["Actual Rows"] + removed) * node["Actual Loops"]))
        for below in node.get("Plans", ()):
            note(below)

    def explaining(run: Any) -> Any:
        async def ran(sql: str, *values: Any) -> Any:
            (plan,) = json.loads(await tx.connection.fetchval(f"explain (analyze, format json) {sql}", *values))
            note(plan["Plan"])
            return await run(sql, *values)

        return ran

    tx.fetch, tx.fetchrow = explaining(fetch), explaining(fetchrow)
    try:
        yield scans
    finally:
        tx.fetch, tx.fetchrow = fetch, fetchrow


async def test_each_view_in_each_order_reads_hardly_more_cases_than_it_shows(at: datetime) -> None:
    """A page of a list reads fewer than 2,000 of 30,000 cases, in each view in each of its orders, in both directions.

    A page may read up to 8,000 if it is sorted by customer, or if it shows a small view sorted by status or agent. One
    pair is left out: the view of cases that are due soon, with the latest deadline first.
    """
    async with transaction(AGENT, readonly=True) as tx:
        for view, rule in VIEWS.items():
            for sort in Sort:
                is_whole = sort is Sort.CUSTOMER or (view in SMALL and sort in (Sort.STATUS, Sort.AGENT))
                for turned in (False, True):
                    if (sort is Sort.TURN and rule.sort is not sort) or (view, sort, turned) == (
                        CaseView.SOON,
                        Sort.DUE,
                        True,
                    ):
                        continue
                    with explained(tx) as scans:
                        listed = await agents_list(AGENT, Question(view, sort=sort, turned=turned, at=at), COUNTED)
                    assert len(listed.rows) == 25
                    assert sum(rows for _, rows in scans) < (8_000 if is_whole else MOST), (view, sort, turned, scans)
                    assert "Seq Scan" not in dict(scans), (view, sort, turned)


async def test_the_counts_of_the_views_stop_and_the_large_ones_come_from_indexes_alone(at: datetime) -> None:
    """Counting a view stops at 1,001 cases and reads fewer than 2,000. Counting a large view reads only an index."""
    async with transaction(AGENT, readonly=True) as tx:
        for view, counting in countings(AGENT, at).items():
            with explained(tx) as scans:
                (count,) = (await count_all({view: counting})).values()
            assert 1_000 < count <= 1_001, view
            ((kind, read),) = scans
            assert read < MOST, (view, scans)
            is_large = view in (CaseView.UNASSIGNED, CaseView.DEPARTMENT, CaseView.WAITING, CaseView.ALL)
            assert kind == "Index Only Scan" if is_large else kind != "Seq Scan", (view, scans)


async def test_the_cases_beside_one_are_found_by_reading_few(at: datetime) -> None:
    """To find the previous and the next case in a list of 30,000, fewer than 2,000 cases are read, in each of seven orders."""
    async with transaction(AGENT, readonly=True) as tx:
        case = await Case.find("20002", AGENT)
        for sort in (Sort.UPDATED, Sort.NUMBER, Sort.SUBJECT, Sort.CUSTOMER, Sort.STATUS, Sort.PRIORITY, Sort.AGENT):
            with explained(tx) as scans:
                walk = await walk_of(case, AGENT, [("view", "all"), ("sort", sort.value)], at)
            assert None not in (walk.next, walk.previous)
            assert sum(rows for _, rows in scans) < MOST, (sort, scans)


async def test_the_pages_of_a_contact_read_hardly_more_cases_than_they_show(at: datetime) -> None:
    """Each count on a contact's list or home page stops at 1,001 of the customer's 3,000 cases and reads an index only.

    Besides its counts, each page reads fewer than 400 cases.
    """
    async with transaction(CONTACT, readonly=True) as tx:
        for counts, page in (
            (1, customers_list(CONTACT, everything=False)),
            (1, customers_list(CONTACT, everything=True)),
            (3, overview(CONTACT, at)),
        ):
            with explained(tx) as scans:
                await page
            assert [kind for kind, rows in scans if rows > 400] == ["Index Only Scan"] * counts, scans
            assert sum(rows for _, rows in scans) < counts * 1_001 + 400, scans
