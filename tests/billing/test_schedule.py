"""Test billing runs on a schedule: on which days they begin, for which customers, what they create, and in whose name."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal import billing
from portal.billing import BillingSchedule, ScheduleFacts
from portal.database import transaction
from portal.database.batches import Failed
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.faulty import LOCKED, refusing
from tests.world import ACME, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOOR, NOW

PATH = "/agent/setup/billing"
DECEMBER = datetime(2026, 11, 30, 23, 5, tzinfo=UTC)
"""Five minutes after the first of December has begun in Berlin."""


@pytest.mark.parametrize(
    ("cycle", "on", "day", "last", "next_day"),
    [
        ("monthly", 1, date(2026, 11, 20), date(2026, 11, 1), date(2026, 12, 1)),
        ("monthly", 28, date(2026, 3, 1), date(2026, 2, 28), date(2026, 3, 28)),
        ("monthly", 15, date(2026, 12, 15), date(2026, 12, 15), date(2027, 1, 15)),
        ("weekly", 1, date(2026, 11, 20), date(2026, 11, 16), date(2026, 11, 23)),
        ("weekly", 5, date(2026, 11, 20), date(2026, 11, 20), date(2026, 11, 27)),
        ("weekly", 6, date(2026, 11, 20), date(2026, 11, 14), date(2026, 11, 21)),
        ("off", 1, date(2026, 11, 20), None, None),
    ],
)
def test_the_days_of_a_schedule(cycle: str, on: int, day: date, last: date | None, next_day: date | None) -> None:
    """S2.43: `day_by` returns the schedule's latest day up to a date, and `day_after` its first day after that date.

    Both return None if the schedule is off.

    A schedule has one day in each month or week. 20 November 2026 is a Friday.
    """
    schedule = BillingSchedule(cycle=cycle, month_day=on, week_day=min(on, 7), set_by_id=NOOR.id, last_day=day)
    assert (schedule.day_by(day), schedule.day_after(day)) == (last, next_day)


async def set_up(**facts: Any) -> None:
    """Set the schedule as Noor, an admin, on 20 November, and approve time of October of Acme and of Globex."""
    async with transaction(NOOR):
        await BillingSchedule.change(ScheduleFacts(**facts), by=NOOR, at=NOW)
    async with transaction(MAX):
        entries = [await log(60), await log(30, service=GLOBEX_HELPDESK)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)


async def counted() -> tuple[int, int, int]:
    """Return how many runs, drafts and issued invoices there are."""
    async with transaction(SYSTEM) as tx:
        assert await billing.violations() == {}
        row = await tx.fetchrow(
            "select (select count(*) from billing_run), (select count(*) from invoice where state = 'draft'),"
            " (select count(*) from invoice where state = 'issued')"
        )
        return tuple(row)


@pytest.mark.usefixtures("dsn")
async def test_a_run_begins_once_on_its_day_and_issues_what_it_makes() -> None:
    """S2.43: on the first of December in Berlin, one run bills all customers but the excluded one, and issues invoices.

    If the worker is late, the run begins late, but bills only up to the scheduled date. No run begins on the day on
    which the schedule is set.
    """
    await set_up(cycle="monthly", outcome="issue")
    async with transaction(NOOR):
        await billing.leave_out(GLOBEX)
    assert await billing.begin_scheduled(NOW) is None
    assert await billing.begin_scheduled(DECEMBER - timedelta(minutes=10)) is None
    late = DECEMBER + timedelta(days=3)
    run_id = await billing.begin_scheduled(late)
    assert run_id is not None
    assert await billing.begin_scheduled(late) is None
    await billing.resume_run(run_id, late)
    assert await counted() == (1, 0, 1)
    async with transaction(NOOR) as tx:
        row = await tx.fetchrow("select until, run_by_id, scheduled, issues from billing_run")
        assert tuple(row) == (date(2026, 12, 1), NOOR.id, True, True)
        assert await tx.fetchval("select count(*) from outbox where kind = 'invoice.issued'") == 1
        assert [row["reason"] for row in (await billing.find_run(run_id, NOOR, {})).skipped.rows] == [
            "customer_unticked"
        ]


@pytest.mark.parametrize(("sqlstate", "sentence"), [("P0001", Failed.default), (LOCKED, "Somebody else is changing")])
async def test_an_invoice_that_cannot_be_issued_stays_a_draft_and_says_why(
    dsn: str, sqlstate: str, sentence: str
) -> None:
    """S2.43: a scheduled run keeps the drafts that cannot be issued; its page names the customers and the reason.

    The same happens if issuing fails only temporarily, for example because of a lock.
    """
    await set_up(cycle="weekly", week_day="1", outcome="issue")
    monday = datetime(2026, 11, 23, 4, tzinfo=UTC)
    run_id = await billing.begin_scheduled(monday)
    assert run_id is not None
    async with refusing(dsn, "document", "true", code=sqlstate):
        await billing.resume_run(run_id, monday)
    assert await counted() == (1, 2, 0)
    async with transaction(MAX):
        refused = (await billing.find_run(run_id, MAX, {}, limit=1)).refused
        rest = (await billing.find_run(run_id, MAX, {"refused": refused.next_after or ""}, limit=1)).refused
    assert [row["customer_id"] for row in [*refused.rows, *rest.rows]] == [ACME, GLOBEX]
    assert rest.next_after is None
    assert refused.rows[0]["sentence"].startswith(sentence)


@pytest.mark.usefixtures("dsn")
async def test_no_run_begins_in_the_name_of_somebody_who_may_not_bill() -> None:
    """S2.43: if the agent who set the schedule may not bill any more, no run begins, and `stands_still` says so."""
    await set_up(cycle="weekly")
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set grade = 'agent' where id = $1", NOOR.id)
    assert await billing.begin_scheduled(NOW + timedelta(days=9)) is None
    async with transaction(SYSTEM):
        assert await billing.stands_still(await BillingSchedule.find())
    assert await counted() == (0, 0, 0)


@pytest.mark.usefixtures("clock")
async def test_an_admin_sets_the_schedule_and_leaves_customers_out(app: Gate) -> None:
    """S2.43: Noor sets when runs begin and which customers are left out; bad values are refused and change nothing."""
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        assert "Runs begin by hand only" in (await browser.get(PATH)).text
        wrong = await browser.send_form(PATH, {"cycle": "monthly", "month_day": "31"})
        assert (wrong.status_code, "from 1 to 28" in wrong.text) == (422, True)
        saved = await browser.send_form(PATH, {"cycle": "monthly", "month_day": "3", "outcome": "issue"})
        assert saved.status_code == 303
        assert "The next run begins on 3 Dec 2026" in (await browser.get(PATH)).text.replace("\xa0", " ")
        for typed, status in (("Glob", 303), ("Nobody", 422), ("", 422)):
            answer = await browser.send_form(f"{PATH}/customers", {"customer_typed": typed})
            assert answer.status_code == status, typed
        assert "Bill Globex on schedule again" in (await browser.get(PATH)).text
        async with transaction(NOOR) as tx:
            await tx.execute(
                "insert into customer (name, legal_name, street, postcode, city, country, created_at)"
                " select 'Left ' || n, 'Left', '', '', '', 'DE', $1 from generate_series(1, 50) n", NOW,
            )  # fmt: skip
            await tx.execute("insert into unscheduled_customer select id from customer where name like 'Left %'")
        assert "Left 9<" not in (await browser.get(PATH)).text
        assert "Left 9<" in (await browser.get(f"{PATH}?after=50")).text
        async with transaction(NOOR) as tx:
            await tx.execute("delete from unscheduled_customer where customer_id <> $1", GLOBEX)
        for _ in range(2):
            answer = await browser.post(f"{PATH}/customers/{GLOBEX}/removal", data={"csrf": await browser.csrf()})
            assert answer.status_code == 303
        assert "None: runs on schedule bill all customers." in (await browser.get(PATH)).text
        assert 'href="/agent/setup/billing"' in (await browser.get("/agent/billing")).text
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert (await browser.get(PATH)).status_code == 403
