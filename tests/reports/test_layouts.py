"""Test the files of timesheets in their two layouts, as the child process writes them."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest

from portal import billing
from portal.database import transaction
from portal.errors import Forbidden, TooMany, Unavailable
from portal.people.readers import SYSTEM, AgentReader
from portal.reports import making
from portal.reports.child import Order
from portal.reports.files import order_of
from portal.reports.layouts import lay_out
from portal.reports.questions import Kind, Layout, Question
from portal.settings import Settings
from tests.billing.work import a_case, log
from tests.world import INES, MAX, NOOR, NOW

TODAY = NOW.date()
ALL = Question(since=date(2026, 1, 1), until=TODAY, kind=Kind.ALL)


async def made(
    settings: Settings, layout: Layout, question: Question = ALL, reader: AgentReader = MAX
) -> list[dict[str, str]]:
    """Let a child process write the CSV file of `question` in this layout for `reader`, and return its rows."""
    file = await making.make(order_of(settings, reader, question, layout, "csv"))
    with file:
        return list(csv.DictReader(io.StringIO(file.read().decode("utf-8-sig"), newline="")))


async def test_payroll_has_the_actual_time_by_agent_and_day(settings: Settings) -> None:
    """S2.36, D8: the payroll file has the actual minutes of each agent and day, in total and by entry state."""
    async with transaction(SYSTEM):
        await log(50, on=TODAY, counted=60)
        await log(25, on=TODAY, counted=0, billing="no_charge")
        await log(30, on=TODAY, state="rejected")
        await log(40, on=TODAY - timedelta(days=1), service=None, billing="not_billable")
        await log(15, on=TODAY, who=NOOR, state="draft")
        done = await log(20, on=TODAY)
    async with transaction(MAX):
        assert not (await billing.approve([done.choice], by=MAX, at=NOW)).refused
    rows = await made(settings, Layout.PAYROLL)
    assert [(row["Agent"], row["Day"], row["Worked"], row["Minutes worked"]) for row in rows] == [
        ("Ines Okafor", "2026-11-19", "0:40", "40"),
        ("Ines Okafor", "2026-11-20", "2:05", "125"),
        ("Noor Haddad", "2026-11-20", "0:15", "15"),
    ]
    assert [rows[1][f"Minutes {state}"] for state in ("approved", "undecided", "rejected")] == ["20", "75", "30"]
    assert (rows[1]["Entries"], rows[1]["Department"]) == ("4", "Support")


async def test_invoicing_has_counted_time_rate_and_amount(settings: Settings) -> None:
    """S2.37, D55, C12: approved entries have a price, others none yet; actual minutes and general time are omitted."""
    async with transaction(SYSTEM):
        case = await a_case()
        priced = await log(50, on=TODAY, counted=60, case_id=case["id"], comment="=cmd")
        await log(25, on=TODAY, counted=30, comment="Not approved yet")
        await log(10, on=TODAY, billing="not_billable", comment="Ours")
        await log(40, on=TODAY, service=None, billing="not_billable")
    async with transaction(MAX):
        assert not (await billing.approve([priced.choice], by=MAX, at=NOW)).refused
    rows = await made(settings, Layout.INVOICING)
    assert [
        (row["Comment"], row["State"], row["Covered by"], row["Minutes"], row["Hourly rate"], row["Amount"]) for row in rows
    ] == [
        ("'=cmd", "Approved", "charged", "60", "120.0000", "120.00"),
        ("Not approved yet", "Submitted", "", "30", "", ""),
        ("Ours", "Submitted", "not billable", "0", "", ""),
    ]  # fmt: skip
    first = rows[0]
    assert (first["Customer"], first["Contract"], first["Service"], first["Currency"], first["Agent"], first["Role"]) == (
        "Acme", "Support 2026", "Helpdesk", "EUR", "Ines Okafor", "Senior consultant",
    )  # fmt: skip
    assert (first["Case"], first["Subject"], first["Document"]) == (f"#{case['number']}", "VPN drops", "")
    assert "50" not in first.values()


async def test_the_amounts_of_a_month_are_those_that_a_run_bills(settings: Settings) -> None:
    """D55: the amounts of a month sum to the net amount of its draft invoice, and the file names that draft."""
    async with transaction(SYSTEM):
        entries = [await log(minutes, counted=minutes) for minutes in (7, 35, 50)]
    async with transaction(MAX) as tx:
        assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused
        run = await billing.run(date(2026, 11, 1), [1], by=MAX, at=NOW)
        assert run
        net = await tx.fetchval("select net from invoice where id = $1", run.draft_ids[0])
    rows = await made(settings, Layout.INVOICING)
    assert sum(Decimal(row["Amount"]) for row in rows) == net
    assert {row["Document"] for row in rows} == {"draft"}


async def test_only_managers_get_a_file(settings: Settings) -> None:
    """S2.28: for Ines, who is not a manager, `lay_out` raises `Forbidden`, and the child process makes no file."""
    with pytest.raises(Forbidden):
        lay_out(INES, ALL, Layout.PAYROLL)
    with pytest.raises(Unavailable):
        await made(settings, Layout.PAYROLL, reader=INES)


async def test_progress_is_reported_and_too_many_files_at_once_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each thousand entries, the child process tells its parent how many entries it has read.

    If the maximum number of files is being made, another one is refused.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into time_entry (agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes, external_comment,"
            " description, state, created_at, window_from) select 1, 1, $1::date - n, 10, 'not_billable', 0, '', 'x', 'draft', $2, $2"
            " from generate_series(1, 250) n, generate_series(1, 10)", TODAY, NOW,
        )  # fmt: skip
    told: list[int] = []

    async def tell(entries: int) -> None:
        told.append(entries)

    order: Order = order_of(settings, MAX, ALL, Layout.PAYROLL, "csv")
    (await making.make(order, progress=tell)).close()
    assert told == [1000, 2000]
    monkeypatch.setattr(making._Running, "count", making.MOST_AT_ONCE)
    with pytest.raises(TooMany):
        await making.make(order)


async def test_a_child_that_takes_too_long_is_killed(settings: Settings, dsn: str) -> None:
    with pytest.raises(Unavailable, match="too long"):
        await making.make(order_of(settings, MAX, ALL, Layout.PAYROLL, "csv"), within=0.05)
