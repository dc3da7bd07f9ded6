"""Test the demo data: five months of work, created by the functions of the product, with work left at every stage.

Either all of the demo data is created or none.
"""

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from portal import billing, demo
from portal.database import transaction
from portal.demo.calendar import Calendar
from portal.demo.stories import ordinary_stories, unique_stories
from portal.desk.workflow import Status
from portal.errors import Invalid
from portal.people.access import credentials
from portal.people.readers import SYSTEM
from portal.storage import Storage, open_storage
from portal.timekeeping.clock.forgotten import forgotten_by
from tests.world import INES

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
"""A Sunday; the last working day was Friday, two days before."""
PASSWORD = "a demo password"
pytestmark = pytest.mark.infra

DIFFICULT = [
    datetime(2026, 10, 31, 23, 30, tzinfo=UTC),  # A Saturday; in Hamburg it is already Sunday, the first of the month.
    datetime(2027, 1, 1, 12, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 7, 0, tzinfo=UTC),
    datetime(2027, 3, 29, 6, 0, tzinfo=UTC),  # The Monday after the change to daylight saving time.
    datetime(2027, 8, 3, 16, 0, tzinfo=UTC),
]

TABLES = ("customer", "contact", "agent", "cases", "message", "attachment", "case_event", "time_entry", "approval",
          "rejection", "invoice", "statement", "billing_run", "outbox")  # fmt: skip


def quiet(_: str) -> None:
    """Ignore a progress message."""


async def _count(table: str, condition: str = "true") -> int:
    async with transaction(SYSTEM) as tx:
        return int(await tx.fetchval(f"select count(*) from {table} where {condition}"))


async def _counts() -> dict[str, int]:
    return {table: await _count(table) for table in TABLES}


def _storage(files: Path) -> Storage:
    return open_storage(f"file://{files}")


@pytest.mark.slow
@pytest.mark.usefixtures("empty_dsn")
async def test_the_demo_has_five_months_of_work_and_something_waits_at_every_stage(files: Path, subtests: Any) -> None:
    """The demo data covers five months, and at every stage of the work something is left to do.

    The invariants hold, the people of the demo can sign in, and filling the database a second time changes nothing.
    """
    heard: list[str] = []
    assert await demo.fill(NOW, PASSWORD, _storage(files), heard.append) is True

    with subtests.test("it says what it makes"):
        assert heard[0] == "12 customers, 8 agents"
        assert heard[1:] == [
            f"{month} 2026" for month in ("June", "July", "August", "September", "October", "November")
        ]
    with subtests.test("agents have working hours, costs and absences, and an absent manager has a deputy"):
        assert await _count("cost_rate") == 16
        assert await _count("working_hours") == 14
        assert await _count("absence", "deputy_id is not null") == 1
        assert await _count("absence", "date '2026-11-22' between first_day and last_day") == 1
    with subtests.test("it has as much as was promised"):
        assert await _count("customer") == 12
        assert await _count("cases") == 400
        assert await _count("time_entry") == 1500
        async with transaction(SYSTEM) as tx:
            days = await tx.fetchrow("select min(work_date), max(work_date) from time_entry")
        assert tuple(days) == (date(2026, 6, 22), date(2026, 11, 21))
    with subtests.test("cases stand everywhere"):
        for status in Status:
            assert await _count("cases", f"status = '{status.value}'") >= 5, status
        assert await _count("cases", "agent_id is null and status = 'new'") >= 5
        for priority in range(1, 5):
            assert await _count("cases", f"priority = {priority}") >= 10
        assert await _count("message", "kind = 'note'") >= 50
        assert await _count("attachment") == len(os.listdir(files)) >= 10
        assert await _count("upload") == 0
    with subtests.test("time stands everywhere"):
        assert await _count("time_entry", "state = 'draft'") >= 8
        assert 20 <= await _count("time_entry", "state = 'submitted'") <= 60
        assert await _count("time_entry", "state = 'rejected'") == await _count("rejection") - 8 == 4
        assert await _count("flag", "lifted_at is null and answer is not null") == 1
        assert await _count("flag", "lifted_at is null and answer is null") == 1
        assert await _count("time_entry", "billing = 'no_charge'") >= 20
        assert await _count("time_entry", "case_id is null and customer_id is null") >= 100
        assert await _count("time_entry", "case_id is null and service_id is not null") >= 100
    with subtests.test("a timer runs, another is paused, and visits are done and planned"):
        assert await _count("timer_segment", "ended_at is null") == await _count("timer", "case_id is null") == 1
        assert await _count("appointment", "done_at is not null") == await _count("appointment", "done_at is null") == 1
    with subtests.test("the case log knows of time that was forgotten"):
        async with transaction(SYSTEM) as tx:
            ines = await tx.fetchval("select id from agent where name = 'Ines Okafor'")
            assert len(await forgotten_by(replace(INES, id=ines), NOW)) >= 1
    with subtests.test("all kinds of billing are there"):
        assert await _count("(select distinct rollup from service) as s") == 4
        assert await _count("(select distinct settlement from service) as s") == 3
        assert await _count("allocation", "kind = 'included'") >= 5
        assert await _count("billed_voucher", "invoice_id is not null") == 1
        assert (
            await _count("(select distinct rounding_minimum, rounding_increment, rounding_mode from service) as s") >= 6
        )
        assert await _count("service", "not taxable") >= 4
        assert await _count("(select distinct rate_source from approval where rate_source is not null) as s") == 6
        assert await _count("(select distinct currency from invoice) as s") == 2
    with subtests.test("a customer has asked about an entry, and a case is snoozed"):
        assert await _count("entry_question", "ended_at is null") == await _count("entry_question") == 1
        assert await _count("cases", "snoozed_until is not null") == 1
    with subtests.test("all months but the last are billed, in their first days"):
        issued = "state = 'issued' and extract(day from issue_date) between 2 and 5"
        assert await _count("invoice", issued) == await _count("invoice", "state = 'issued'") >= 40
        assert await _count("(select distinct until from invoice where state = 'issued') as i") == 4
    with subtests.test("the last month waits to be billed"):
        assert await _count("invoice", "state = 'draft'") == 1
        assert await _count("statement", "until = '2026-11-01'") == 1
        async with transaction(SYSTEM):
            preview = await billing.preview_run(date(2026, 11, 1))
        assert preview.invoice_count >= 8
        assert sum(omitted.count for omitted in preview.omitted) >= 8
    with subtests.test("the invariants hold"):
        async with transaction(SYSTEM):
            assert await billing.violations() == {}
    with subtests.test("the cast signs in and nobody else does"):
        for email in demo.ACCOUNTS:
            assert await credentials.verify(email, PASSWORD, address="192.0.2.1", at=NOW)
        with pytest.raises(Invalid):
            await credentials.verify("rune@birkholm.example", PASSWORD, address="192.0.2.1", at=NOW)
    with subtests.test("a second time nothing happens"):
        before = await _counts()
        assert await demo.fill(NOW, PASSWORD, _storage(files), heard.append) is False
        assert await _counts() == before
        assert len(heard) == 7


@pytest.mark.slow
@pytest.mark.usefixtures("empty_dsn")
async def test_a_demo_that_is_interrupted_leaves_nothing_behind(files: Path) -> None:
    def stop(what: str) -> None:
        if what == "July 2026":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await demo.fill(NOW, PASSWORD, _storage(files), stop)
    assert set((await _counts()).values()) == {0}
    assert await _count("company") == 0


@pytest.mark.long
@pytest.mark.usefixtures("empty_dsn")
@pytest.mark.parametrize("now", DIFFICULT, ids=str)
async def test_the_demo_can_begin_on_any_day(now: datetime, files: Path) -> None:
    assert await demo.fill(now, PASSWORD, _storage(files), quiet)
    assert await _count("time_entry") == 1500
    assert await _count("cases") == 400
    yesterday = Calendar(now).yesterday
    assert await _count("time_entry", f"work_date = '{yesterday}'") > 0
    assert await _count("time_entry", f"work_date > '{yesterday}'") == 0
    assert await _count("time_entry", "state = 'draft'") > 0
    assert await _count("time_entry", "state = 'submitted'") > 0
    assert await _count("time_entry", "state = 'rejected'") > 0
    assert await _count("invoice", "state = 'draft'") == 1
    async with transaction(SYSTEM):
        assert await billing.violations() == {}


def test_every_story_can_be_told() -> None:
    """Every placeholder in the demo's stories has a value, and each story begins with a contact's message.

    A story is the course of a demo case. The stories that are used for several cases also have an agent's reply and
    logged time.
    """
    for story in (*ordinary_stories(), *unique_stories()):
        told = story.filled(Random(1))  # noqa: S311 (chance for a story)
        assert "{" not in told.subject + "".join(turn.text for turn in told.turns)
        assert len(told.subject) < 80
        assert told.turns[0].who == "contact"
    for story in ordinary_stories():
        assert any(turn.who == "agent" for turn in story.turns)
        assert any(turn.who == "work" for turn in story.turns)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("minutes", "reached"),
    [
        (60, "2026-11-20T17:00+01:00"),
        (120, "2026-11-23T08:30+01:00"),
        (690, "2026-11-24T08:30+01:00"),
    ],
)
def test_working_minutes_leave_out_nights_and_weekends(minutes: int, reached: str) -> None:
    """Counting working minutes from Friday, 16:00, skips nights and weekends."""
    assert Calendar(NOW).later(_at("2026-11-20T16:00+01:00"), minutes) == _at(reached)


def test_months_are_billed_up_to_the_one_before_the_last() -> None:
    assert Calendar(NOW).billed_until == [date(2026, month, 1) for month in (7, 8, 9, 10)]
    assert Calendar(_at("2026-11-01T08:00+01:00")).billed_until == [date(2026, month, 1) for month in (7, 8, 9, 10)]


@pytest.mark.usefixtures("dsn")
async def test_another_password_at_the_next_start_lets_the_cast_in(files: Path) -> None:
    """If the demo restarts with another PORTAL_DEMO_PASSWORD, its people sign in with the new password."""
    for password in (PASSWORD, PASSWORD, "another demo password"):
        assert await demo.fill(NOW, password, _storage(files), quiet) is False
        for email in demo.ACCOUNTS:
            assert await credentials.verify(email, password, address="192.0.2.1", at=NOW)
