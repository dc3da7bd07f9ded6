"""Test that evenings, weekends and holidays count by the factors of a service, from the form to the invoice."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date, time
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import Choice
from portal.contracts.services import Service, ServiceFacts
from portal.database import current, transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.preview import Where, understood
from portal.timekeeping.work import Work
from portal.words import EntryBilling
from tests.world import ACME, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

FRIDAY = date(2026, 11, 13)
WINDOWS = "Mon-Fri 18:00-22:00 x1.5\nHolidays x2"


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
async def evenings(dsn: str) -> None:
    async with transaction(SYSTEM):
        await change(windows=WINDOWS, holidays="2026-11-12")


async def change(**fields: str) -> None:
    service = await Service.find(HELPDESK, SYSTEM)
    facts = service.facts
    for name, value in fields.items():
        setattr(facts, name, value)
    await service.change(facts)


async def logged(began: time | None, ended: time | None, *, on: date = FRIDAY, **fields: Any) -> TimeEntry:
    minutes = fields.pop("minutes", None)
    work = Work(
        minutes=minutes, began=began, ended=ended, work_date=on, service_id=HELPDESK, external_comment="VPN", **fields
    )
    return await TimeEntry.log(INES, work, at=NOW)


async def test_an_evening_counts_by_its_factor_and_then_by_the_rounding() -> None:
    """D27: factors apply before rounding. From 17:30 to 19:10, 30 minutes count once and 70 count 1.5 times: 135.

    Rounding up to 15 minutes leaves these 135 minutes unchanged.
    """
    async with transaction(INES):
        entry = await logged(time(17, 30), time(19, 10))
        assert (entry.actual_minutes, entry.billable_minutes, entry.stretches) == (100, 135, "30x1 70x1.5")


async def test_the_highest_factor_wins_and_factors_are_never_multiplied() -> None:
    """D27: in the evening of a holiday, only the highest factor applies: an hour counts twice, and not three times."""
    async with transaction(INES):
        entry = await logged(time(19), time(20), on=date(2026, 11, 12))
        assert (entry.billable_minutes, entry.stretches) == (120, "60x2")


async def test_time_without_a_time_of_day_counts_plainly_and_says_so() -> None:
    """D27: an entry with a duration but no clock times counts without factors, and the preview of the form says so."""
    async with transaction(INES):
        entry = await logged(None, None, minutes=60)
        assert (entry.billable_minutes, entry.stretches) == (60, "")
        seen = await understood(
            INES,
            ACME,
            duration="1h",
            work_date=str(FRIDAY),
            service_id=HELPDESK,
            billing="billable",
            external_comment="",
        )
        assert "Counts plainly: no time of day." in seen.rounding


async def test_the_preview_shows_the_factors_while_the_form_is_filled_in() -> None:
    """D27: the preview of the form shows the worked minutes, their factors and the counted minutes."""
    async with transaction(INES):
        seen = await understood(
            INES, ACME, duration="18:00-19:00", work_date=str(FRIDAY), service_id=HELPDESK, billing="billable",
            external_comment="", where=Where(INES.id, NOW),
        )  # fmt: skip
    assert "counts 1\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}30\N{NO-BREAK SPACE}min" in seen.text
    assert "1\N{NO-BREAK SPACE}h × 1.5." in seen.rounding


async def test_what_is_not_billable_or_overridden_has_no_factor() -> None:
    """D8, D27: time that is not billable counts 0 minutes; an override with a reason replaces factors and rounding."""
    async with transaction(INES):
        free = await logged(time(18), time(19), billing=EntryBilling.NOT_BILLABLE)
        agreed = await logged(time(18), time(19), counts=60, override_reason="Agreed")
        assert [(one.billable_minutes, one.stretches) for one in (free, agreed)] == [(0, None), (60, None)]


async def test_a_later_change_of_the_windows_changes_no_logged_time() -> None:
    """D17, D27: changed windows apply to an entry only when the entry is changed afterwards."""
    async with transaction(INES):
        entry = await logged(time(18), time(19))
        await change(windows="Mon-Fri 18:00-22:00 x2", holidays="")
        assert (await TimeEntry.find(entry.id, INES)).billable_minutes == 90
        work = Work(
            minutes=None,
            began=time(18),
            ended=time(19),
            work_date=FRIDAY,
            service_id=HELPDESK,
            external_comment="VPN, too",
        )
        assert (await entry.change(INES, work, version=1, at=NOW)).billable_minutes == 120


async def test_the_customer_reads_counted_minutes_and_the_factor_and_no_worked_minutes() -> None:
    """D27, D57: the CSV of the invoice has the 90 counted minutes and the factor, but not the 60 worked minutes."""
    async with transaction(INES):
        entry = await logged(time(18), time(19))
        plain = await logged(None, None, minutes=45)
        await current().execute("update time_entry set state = 'submitted', submitted_at = $1", NOW)
    async with transaction(MAX):
        await billing.approve([Choice(one.id, 1) for one in (entry, plain)], by=MAX, at=NOW)
        run = await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
        assert run
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        content = (await billing.hand_out("csv", invoice)).decode("utf-8-sig")
        assert await billing.violations() == {}
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [(row["Minutes"], row["Factor"], row["Amount"]) for row in rows[:2]] == [
        ("90", "× 1.5", "180.00"), ("45", "counts plainly: no time of day", "90.00"),
    ]  # fmt: skip
    assert "60" not in content.replace("180.00", "")


async def test_windows_that_cannot_be_read_are_refused_at_their_field() -> None:
    """D27: an unreadable line of windows and a holiday that is no date are refused at their fields; nothing changes."""
    async with transaction(SYSTEM):
        with pytest.raises(Invalid) as refusal:
            await change(windows="evenings double", holidays="Christmas")
        assert refusal.value.fields.keys() == {"windows", "holidays"}
        assert (await Service.find(HELPDESK, SYSTEM)).windows == WINDOWS


async def test_the_database_keeps_windows_and_stretches_in_their_form(owner: asyncpg.Connection) -> None:
    """D27: the database refuses malformed windows of a service and malformed stretches (an entry's minutes by factor).

    It also refuses stretches of an entry without clock times, and stretches that do not sum to the worked minutes.
    """
    async with transaction(INES):
        await logged(time(18), time(19))
    for change in (
        "update service set windows = 'evenings double'",
        "update service set windows = windows || e'\\n'",
        "update service set windows = null",
        "update time_entry set stretches = '30x1.5'",
        "update time_entry set stretches = 'double'",
        "update time_entry set started_at = null, ended_at = null, time_zone = null",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(change)


async def test_a_service_on_the_form_keeps_what_it_had() -> None:
    """D27: the form of a service shows its stored windows and holidays."""
    async with transaction(SYSTEM):
        facts = (await Service.find(HELPDESK, SYSTEM)).facts
        assert (facts.windows, facts.holidays) == (WINDOWS, "2026-11-12")
        assert isinstance(facts, ServiceFacts)
