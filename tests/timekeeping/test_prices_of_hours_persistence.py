"""Test that evenings, weekends and holidays have the prices of a service's windows, from the form to the invoice."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date, time
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import Choice, Chosen, prices_of
from portal.contracts.services import Service
from portal.database import current, transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from tests.billing.test_credits_persistence import credited
from tests.billing.test_prepaid_persistence import VOUCHER
from tests.billing.work import a_service
from tests.world import ACME, ACME_CONTRACT, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

FRIDAY = date(2026, 11, 13)
WINDOWS = "Mon-Fri 18:00-22:00 at 150\nHolidays at 200"


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def change(**fields: Any) -> None:
    service = await Service.find(HELPDESK, SYSTEM)
    facts = service.facts
    for name, value in fields.items():
        setattr(facts, name, value)
    await service.change(facts)


async def logged(began: time, ended: time, *, on: date = FRIDAY, service: int = HELPDESK) -> TimeEntry:
    """Log time of Ines with clock times, and submit it."""
    work = Work(minutes=None, began=began, ended=ended, work_date=on, service_id=service, external_comment="VPN")
    entry = await TimeEntry.log(INES, work, at=NOW)
    await current().execute("update time_entry set state = 'submitted', submitted_at = $2 where id = $1", entry.id, NOW)
    return entry


async def pieces(entry: TimeEntry) -> list[tuple[Any, ...]]:
    rows = await current().fetch(
        "select kind, minutes, hourly_rate, rate_source, amount from allocation where entry_id = $1 order by part, position",
        entry.id,
    )
    return [tuple(row) for row in rows]


async def test_the_hours_of_an_evening_have_their_price_and_both_sides_read_it() -> None:
    """D27, D17, C12: the 100 minutes from 17:30 to 19:10 count as 105: rounding adds 5 to the last stretch.

    | minutes        | price  | amount |
    |----------------|--------|--------|
    | 17:30 to 18:00 | 120.00 | 60.00  |
    | 18:00 to 19:15 | 150.00 | 187.50 |

    The half hour at 120.00 is then credited; the next run bills it at 120.00 again, and not at the price of 150.00.
    """
    async with transaction(SYSTEM):
        await change(windows=WINDOWS)
    async with transaction(INES):
        entry = await logged(time(17, 30), time(19, 10))
        assert (entry.billable_minutes, entry.stretches) == (105, "30x1 70@150")
    async with transaction(MAX):
        assert not (await billing.approve([Choice(entry.id, 1)], by=MAX, at=NOW)).refused
        charged = await pieces(entry)
        assert [(row[1], row[2], row[4]) for row in charged] == [
            (30, Decimal(120), Decimal("60.00")),
            (75, Decimal(150), Decimal("187.50")),
        ]
        assert [it.why for it in await prices_of(entry.id, MAX)][1].startswith("the price of these hours under")
        run = await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
        assert run
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        assert invoice.net == Decimal("247.50")
        content = (await billing.hand_out("csv", invoice)).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(content, newline="")))
        assert [(row["Minutes"], row["Hourly rate"], row["Factor"], row["Amount"]) for row in rows] == [
            ("30", "120.00", "", "60.00"), ("75", "150.00", "price of these hours", "187.50"),
        ]  # fmt: skip
        assert (await credited(invoice, Chosen(minutes={1: 30}), freed=True)).net == Decimal("60.00")
        assert (await pieces(entry))[-1] == ("charged", 30, Decimal(120), charged[0][3], Decimal("60.00"))
        again = await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
        assert again
        assert (await billing.Invoice.find_draft(again.draft_ids[0], MAX)).net == Decimal("60.00")
        assert await billing.violations() == {}


async def test_held_time_of_several_prices_is_one_piece_with_its_whole_amount() -> None:
    """S3.22, C8, D27: 30 minutes at 120.00 an hour (60.00) and 60 at 150.00 (150.00) are held as one amount, 210.00.

    The service has no prepaid hours left, so the time is held until a manager decides on it. Once the time is released,
    each of the two parts is charged at its own price.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER | {"overflow": "hold", "windows": WINDOWS})
        entry = await logged(time(17, 30), time(19), service=care)
        assert not (await billing.approve([Choice(entry.id, 1)], by=MAX, at=NOW)).refused
        assert await pieces(entry) == [("held", 90, None, None, Decimal("210.00"))]
        assert await billing.violations() == {}
        version = await current().fetchval("select version from time_entry where id = $1", entry.id)
        assert not (await billing.release([Choice(entry.id, version)], by=MAX, at=NOW)).refused
        assert [(row[0], row[1], row[2]) for row in await pieces(entry)] == [
            ("charged", 30, Decimal(120)),
            ("charged", 60, Decimal(150)),
        ]
        assert await billing.violations() == {}


async def test_the_holidays_of_the_companys_calendar_count(owner: asyncpg.Connection) -> None:
    """D27: an hour costs 200 on 3 October, a public holiday in Germany, and on the company's own days off.

    On a public holiday on which the company has set itself as open, an hour has the usual price.
    """
    await owner.execute(
        "insert into business_calendar (id, time_zone, country) values (1, 'Europe/Berlin', 'DE')"
        " on conflict (id) do update set country = 'DE'"
    )
    await owner.execute("insert into business_day (day, name, is_open) values ('2026-11-06', 'Stocktaking', false)")
    async with transaction(SYSTEM):
        await change(windows=WINDOWS, calendar_holidays=True)
    async with transaction(INES):
        days = date(2026, 10, 3), date(2026, 11, 6), date(2026, 11, 5)
        assert [(await logged(time(9), time(10), on=day)).stretches for day in days] == ["60@200", "60@200", "60x1"]
    await owner.execute("insert into business_day (day, name, is_open) values ('2026-10-03', 'Open', true)")
    async with transaction(SYSTEM):
        await change(calendar_holidays=True)
    async with transaction(INES):
        assert (await logged(time(9), time(10), on=date(2026, 10, 3))).stretches == "60x1"


async def test_factors_and_prices_do_not_mix(owner: asyncpg.Connection) -> None:
    """D27: the windows of a service have either factors or prices; the form and the database refuse a mixture."""
    async with transaction(SYSTEM):
        with pytest.raises(Invalid) as refusal:
            await change(windows="Sat x2\nSun at 150")
        assert refusal.value.fields == {"windows": "Write either factors or prices: a service cannot have both."}
    for text in ("Sat x2\nSun at 150", "Sat at 1.23456", "Sat at"):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute("update service set windows = $1", text)
