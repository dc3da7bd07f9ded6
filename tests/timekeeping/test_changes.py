"""Test that managers' changes to time entries are recorded, and that entries on documents cannot be changed."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import Choice
from portal.database import current, transaction
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.rules import why_not_billable_on
from portal.timekeeping.work import Work, parse_counted
from tests.billing.work import NOVEMBER, OCTOBER, a_service, log
from tests.world import ACME, ACME_CONTRACT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
LATER = NOW + timedelta(hours=1)


async def test_what_a_manager_changed_is_kept_with_old_new_and_who() -> None:
    async with transaction(MAX):
        entry = await log(60, comment="Switch replaced")
        other = await a_service(ACME, ACME_CONTRACT, "Network care")
        work = Work(
            minutes=90,
            work_date=OCTOBER + timedelta(days=1),
            service_id=other,
            external_comment="Two switches",
            description="internal words",
        )
        await billing.change_entry(entry.id, work, version=1, by=MAX, at=LATER)
        line = await billing.find_entry(INES, entry.id)
        (change,) = line.changes
        assert (change.by, change.at) == ("Max Herrmann", LATER)
        assert change.parts == [
            ("Worked", "1\xa0h", "1\xa0h\xa030\xa0min"),
            ("Work date", "6\xa0Oct 2026", "7\xa0Oct 2026"),
            ("Service", "“Helpdesk”", "“Network care”"),
            ("Counts", "1\xa0h", "1\xa0h\xa030\xa0min"),
            ("External comment", "“Switch replaced”", "“Two switches”"),
        ]
        assert line.approved_by_id is None
        await billing.approve([Choice(entry.id, 2)], by=MAX, at=LATER)
        assert (await billing.find_entry(INES, entry.id)).approved_by_id == change.by_id


async def test_what_the_author_changes_needs_no_record() -> None:
    async with transaction(INES):
        entry = await TimeEntry.log(INES, Work(minutes=30, work_date=OCTOBER, service_id=1), at=NOW)
        await entry.change(INES, Work(minutes=45, work_date=OCTOBER, service_id=1), version=1, at=NOW)
        assert (await billing.find_entry(INES, entry.id)).changes == ()


async def test_the_record_cannot_be_altered() -> None:
    async with transaction(SYSTEM) as tx:
        granted = await tx.fetch(
            "select privilege_type from information_schema.role_table_grants where table_name = 'entry_version' and grantee like 'portal_%'"
        )
    assert sorted(row["privilege_type"] for row in granted) == ["INSERT", "SELECT"]


async def test_settled_time_says_what_can_be_done_about_it() -> None:
    """C2: time on a draft or an issued invoice cannot be changed, and the portal says what can be done instead.

    Max, a manager, is told to take the time off the draft, and Ines is told that a manager can. Noor is told to credit
    the time on the issued invoice.
    """
    async with transaction(MAX):
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        line = await billing.find_entry(MAX, entry.id)
        assert line.state_word == "On a draft"
        assert line.why_fixed(MAX, NOW) == "This time is on a draft. Take it off the draft; then it can be changed."
        assert line.why_fixed(INES, NOW) == (
            "This time is on a draft. A manager can take it off the draft; then it can be changed."
        )
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        line = await billing.find_entry(MAX, entry.id)
        assert (line.state_word, line.draft_id) == ("Billed", None)
        assert (
            line.why_fixed(NOOR, NOW)
            == f"This time is on the invoice {invoice.number}, which stays as it is. Credit it; then it can be changed."
        )


async def test_time_on_a_statement_says_so() -> None:
    async with transaction(MAX):
        entry = await log(billing="no_charge")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        line = await billing.find_entry(MAX, entry.id)
        fixed = "This time is on a statement, which stays as it is."
        assert line.why_fixed(MAX, NOW) == f"{fixed} Correct it; then it can be changed."
        assert line.why_fixed(INES, NOW) == f"{fixed} A manager can correct it; then it can be changed."


@pytest.mark.parametrize(
    ("text", "minutes"), [("24h", 1440), ("24h 1m", 1441), ("30:00", 1800), ("48h", 2880), ("0", 0), ("0m", 0)]
)
async def test_an_override_may_be_48_hours(text: str, minutes: int) -> None:
    """D8: `parse_counted` reads an override of the billable minutes of up to 48 hours, twice the longest entry."""
    assert parse_counted(text) == minutes


@pytest.mark.parametrize("text", ["48h 1m", "48:01", "2881m", "999h"])
async def test_an_override_of_over_48_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="An entry counts at most 48"):
        parse_counted(text)


async def test_an_entry_that_counts_for_more_than_a_day_can_be_stored() -> None:
    async with transaction(MAX):
        entry = await log()
        work = Work.typed(
            duration="24h",
            work_date=OCTOBER.isoformat(),
            service_id=1,
            billing="billable",
            counts="48h",
            override_reason="Night on the roof",
        )
        await billing.change_entry(entry.id, work, version=1, by=MAX, at=NOW)
        assert (await billing.find_entry(MAX, entry.id)).counts == 2880


@pytest.mark.parametrize("days", [-1, 0, 30, 59, 60, 61])
async def test_the_warning_and_the_approval_agree_on_every_day(days: int) -> None:
    """The form warns of days before the service begins and after its contract ends.

    These are exactly the days whose time cannot be approved.
    """
    begins, ends = date(2026, 8, 1), date(2026, 9, 30)
    day = begins + timedelta(days=days)
    async with transaction(MAX):
        await current().execute("update contract set start_on = '2026-01-01', end_on = $1 where id = 1", ends)
        await current().execute("update service set effective_start = $1 where id = 1", begins)
        entry = await log(on=day, hourly_rate=Decimal(100))
        outcome = await billing.approve([entry.choice], by=MAX, at=NOW)
    assert bool(outcome.refused) == bool(why_not_billable_on(day, "Helpdesk", begins, "Support", ends))
