"""Test billing runs, drafts and statements in the database."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.database import current, transaction
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import SYSTEM
from tests.billing.work import NOVEMBER, OCTOBER, Logged, a_case, a_service, log, states
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def _approved(*minutes: int, **options: Any) -> list[Logged]:
    entries = [await log(each, **options) for each in minutes]
    outcome = await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
    assert not outcome.refused
    return entries


async def _lines(invoice_id: int) -> list[tuple[Any, ...]]:
    rows = await current().fetch(
        "select label, minutes, unit_price, net, vat_category, vat_rate from invoice_line where invoice_id = $1 order by position",
        invoice_id,
    )
    return [tuple(row) for row in rows]


async def test_a_run_makes_a_draft_per_contract_and_settles_its_time() -> None:
    """A billing run makes a draft for each contract and marks the contract's time as settled by the draft."""
    async with transaction(MAX) as tx:
        entries = await _approved(90, 45)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        (draft_id,) = run.draft_ids
        draft = await billing.Invoice.find_draft(draft_id, MAX)
        assert (draft.net, draft.tax, draft.gross, draft.currency) == (
            Decimal(270),
            Decimal("51.30"),
            Decimal("321.30"),
            "EUR",
        )
        assert (draft.supply_from, draft.supply_to, draft.until, draft.number) == (OCTOBER, OCTOBER, NOVEMBER, None)
        assert await _lines(draft_id) == [("Helpdesk", 135, Decimal(120), Decimal(270), "S", Decimal(19))]
        settled = await tx.fetch("select entry_id from settled_entry where invoice_id = $1 order by 1", draft_id)
        assert [row["entry_id"] for row in settled] == [entry.id for entry in entries]
        assert await billing.violations() == {}


async def test_a_repeated_run_finds_nothing_and_writes_nothing() -> None:
    """A billing run that is repeated finds nothing to bill and stores nothing (D47)."""
    async with transaction(MAX) as tx:
        await _approved(90)
        await log(30)
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        assert await tx.fetchval("select count(*) from billing_run") == 1


async def test_a_second_run_takes_what_was_approved_since() -> None:
    """A second billing run up to the same date bills time approved since the first, even of an earlier day (D32)."""
    async with transaction(MAX):
        await _approved(90)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        await _approved(60, on=date(2026, 9, 3))
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        draft = await billing.Invoice.find_draft(run.draft_ids[0], MAX)
        assert (draft.net, draft.supply_from) == (Decimal(120), date(2026, 9, 3))


async def test_the_day_of_the_date_itself_is_not_billed() -> None:
    """A billing run does not bill time of its own end date, because periods are half-open (D13)."""
    async with transaction(MAX):
        (last,) = await _approved(60, on=date(2026, 10, 31))
        (first,) = await _approved(60, on=NOVEMBER)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        rows = await current().fetch("select entry_id from settled_entry")
        assert [row["entry_id"] for row in rows] == [last.id]
        assert first.id != last.id


async def test_what_is_skipped_is_kept_with_its_reason() -> None:
    """A run records each skipped entry with the reason: the entry is not approved, or its customer is not ticked.

    D32, D47, S0.27, S0.31.
    """
    async with transaction(MAX) as tx:
        await _approved(60)
        open_entry, draft_entry, rejected = await log(30), await log(15, state="draft"), await log(20)
        await billing.reject([rejected.choice], reason="Which site?", by=MAX, at=NOW)
        (theirs,) = await _approved(60, service=GLOBEX_HELPDESK)
        await log(30, billing="not_billable")
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        rows = await tx.fetch(
            "select entry_id, customer_id, reason from skipped_entry where run_id = $1 order by 1", run.id
        )
        assert [tuple(row) for row in rows] == [
            (open_entry.id, ACME, "not_approved"),
            (draft_entry.id, ACME, "not_approved"),
            (rejected.id, ACME, "not_approved"),
            (theirs.id, GLOBEX, "customer_unticked"),
        ]


async def test_a_preview_is_what_the_run_then_does_and_writes_nothing() -> None:
    """A preview shows exactly what the billing run makes afterwards, and stores nothing (R94)."""
    async with transaction(MAX) as tx:
        await _approved(90, 45)
        await _approved(60, service=GLOBEX_HELPDESK)
        await _approved(15, billing="no_charge")
        await log(30)
        preview = await billing.preview_run(NOVEMBER)
        acme, globex = preview.documents
        assert (acme.customer_name, acme.kind, acme.net, acme.charged_minutes, acme.covered_minutes) == (
            "Acme",
            "invoice",
            Decimal(270),
            135,
            15,
        )
        assert (acme.open_count, acme.held_count, acme.time, acme.fees) == (1, 0, Decimal(270), Decimal(0))
        assert (globex.customer_name, globex.net) == ("Globex", Decimal(120))
        (omitted,) = preview.omitted
        assert (omitted.customer_name, omitted.reason, omitted.count) == ("Acme", "not_approved", 1)
        assert (omitted.minutes, omitted.agents) == (30, ("Ines Okafor",))
        assert [(total.currency, total.net) for total in preview.sums] == [("EUR", Decimal(390))]
        assert await tx.fetchval("select count(*) from billing_run") == 0
        run = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert run is not None
        nets = await tx.fetch("select net from invoice order by id")
        assert [row["net"] for row in nets] == [acme.net, globex.net]


async def test_a_date_inside_a_period_is_warned_about() -> None:
    """A preview warns if its date is inside a billing period."""
    async with transaction(MAX):
        await _approved(60)
        assert not (await billing.preview_run(NOVEMBER)).cuts_a_period
        assert (await billing.preview_run(date(2026, 11, 12))).cuts_a_period


async def test_the_default_and_the_latest_date_are_those_of_the_companys_time_zone() -> None:
    """The default date of a run is the first day of this month, and the latest date is tomorrow.

    Both follow the company's time zone (D13).
    """
    async with transaction(MAX):
        before_midnight_utc = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
        assert (await billing.until_days(before_midnight_utc)).offered == date(2026, 12, 1)
        assert (await billing.until_days(NOW)).parse("") == NOVEMBER
        assert (await billing.until_days(NOW)).parse("2026-11-21") == date(2026, 11, 21)
        for text in ("2026-11-22", "tomorrow", "2026-13-01"):
            with pytest.raises(Invalid) as refusal:
                (await billing.until_days(NOW)).parse(text)
            assert set(refusal.value.fields) == {"until"}
        with pytest.raises(Invalid):
            await billing.run(date(2026, 11, 22), [ACME], by=MAX, at=NOW)


async def test_the_four_rollups() -> None:
    """Each rollup makes its own lines; under the rollup by service, time at different rates is on one line.

    S4.15-S4.18, C11, D7. With the rollup `none`, a line has the external comment; with the other rollups it does not
    (S0.17, S0.18).
    """
    async with transaction(MAX):
        for rollup in ("none", "resource", "role", "service"):
            service = await a_service(ACME, ACME_CONTRACT, f"By {rollup}", rollup=rollup)
            await _approved(60, service=service, comment="First")
            (entry,) = [await log(30, who=NOOR, service=service, comment="Second")]
            assert (await billing.approve([entry.choice], by=MAX, at=NOW)).done
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        lines = await _lines(run.draft_ids[0])
        assert [(label, minutes, price, net) for label, minutes, price, net, _, _ in lines] == [
            ("First", 60, Decimal(120), Decimal(120)),
            ("Second", 30, Decimal(95), Decimal("47.50")),
            ("Ines Okafor", 60, Decimal(120), Decimal(120)),
            ("Noor Haddad", 30, Decimal(95), Decimal("47.50")),
            ("Consultant", 30, Decimal(95), Decimal("47.50")),
            ("Senior consultant", 60, Decimal(120), Decimal(120)),
            ("By service", 90, None, Decimal("167.50")),
        ]
        contents = await billing.contents_of(await billing.Invoice.find_draft(run.draft_ids[0], MAX))
        assert [len(line.entries) for line in contents.lines] == [1, 1, 1, 1, 1, 1, 2]
        assert contents.lines[-1].rates == [("Senior consultant", Decimal(120)), ("Consultant", Decimal(95))]
        assert await billing.violations() == {}


async def test_two_agents_of_one_name_are_two_lines() -> None:
    """Under the rollup by resource, two agents of the same name get one line each (S4.16)."""
    async with transaction(MAX) as tx:
        await tx.execute("update agent set name = 'Ines Okafor' where id = $1", NOOR.id)
        service = await a_service(ACME, ACME_CONTRACT, "By resource", rollup="resource")
        entries = [await log(60, service=service), await log(30, who=NOOR, service=service)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        assert [line[1] for line in await _lines(run.draft_ids[0])] == [60, 30]


async def test_a_service_without_tax_is_exempt_with_its_reason() -> None:
    """Time of a service that is not taxable has no VAT, and the draft says why; other time has 19 % (D42, D41)."""
    async with transaction(MAX) as tx:
        service = await a_service(
            ACME, ACME_CONTRACT, "Training", taxable=False, exemption_reason="Education, section 4 no. 21 UStG"
        )
        await _approved(60, service=service)
        await _approved(60)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        groups = await tx.fetch("select category, rate, base, tax from invoice_vat order by category")
        assert [tuple(row) for row in groups] == [("E", 0, 120, 0), ("S", 19, 120, Decimal("22.80"))]
        contents = await billing.contents_of(await billing.Invoice.find_draft(run.draft_ids[0], MAX))
        assert contents.exemptions == ["Education, section 4 no. 21 UStG"]
        assert await billing.violations() == {}


async def test_only_no_charge_time_becomes_a_statement() -> None:
    """If only no-charge time was approved, the billing run makes a statement (D30, D9).

    The statement lists the entries, each with the amount 0. It has no number and no total, and is final at once.
    """
    async with transaction(MAX) as tx:
        case = await a_case()
        await _approved(30, billing="no_charge", comment="Our mistake", case_id=case["id"])
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        assert run.draft_ids == ()
        (statement_id,) = run.statement_ids
        (row,) = await billing.detail_of(statement_id=statement_id)
        assert (row.work_date, row.case_number, row.service_name, row.performed_by) == (
            OCTOBER,
            case["number"],
            "Helpdesk",
            "Senior consultant",
        )
        assert (row.external_comment, row.covered_by, row.minutes, row.hourly_rate, row.amount) == (
            "Our mistake",
            "no charge",
            30,
            None,
            0,
        )
        statement = await billing.Statement.find(statement_id, SYSTEM)
        content = (await billing.hand_out("csv", statement)).decode("utf-8-sig")
        assert "Our mistake,no charge,30,,EUR,0.00" in content
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        assert await billing.violations() == {}
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(MAX):
                await tx.execute("delete from detail_row")


async def test_an_entry_is_taken_off_and_the_draft_is_right_again() -> None:
    """If an entry is taken off a draft, the draft is computed again at the prices that were approved.

    The entry stays approved, and its approval can then be withdrawn. Taking it off again is a conflict.
    """
    async with transaction(MAX) as tx:
        keep, off = await _approved(90, 20)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        # Settled entries keep their approved price, whatever happens to the rates (C12).
        await tx.execute("update rate set hourly_rate = 500")
        draft = await billing.take_off(run.draft_ids[0], off.id, by=MAX, at=NOW)
        assert draft is not None
        assert (draft.net, draft.tax, draft.gross) == (Decimal(180), Decimal("34.20"), Decimal("214.20"))
        assert await states(keep, off) == ["approved", "approved"]
        await billing.withdraw(off.id, by=MAX, at=NOW)
        with pytest.raises(Conflict):
            await billing.take_off(draft.id, off.id, by=MAX, at=NOW)
        assert await billing.violations() == {}


async def test_when_nothing_is_left_to_charge_the_draft_goes_and_all_is_free() -> None:
    """If the last charged entry is taken off a draft, the draft is deleted.

    Once that entry's approval is withdrawn, the next run makes a statement of the no-charge time that is left.
    """
    async with transaction(MAX) as tx:
        (charged,) = await _approved(90)
        await _approved(30, billing="no_charge")
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        assert await billing.take_off(run.draft_ids[0], charged.id, by=MAX, at=NOW) is None
        assert await tx.fetchval("select count(*) from invoice") == 0
        assert await tx.fetchval("select count(*) from settled_entry") == 0
        await billing.withdraw(charged.id, by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        assert len(run.statement_ids) == 1
        assert await billing.violations() == {}


async def test_a_deleted_draft_frees_its_time_for_the_next_run() -> None:
    """If a draft is deleted, the next billing run bills the time of the draft (D40)."""
    async with transaction(MAX) as tx:
        await _approved(90, 45)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        await billing.delete_draft(run.draft_ids[0], by=MAX, at=NOW)
        assert await tx.fetchval("select count(*) from settled_entry") == 0
        with pytest.raises(Conflict):
            await billing.delete_draft(run.draft_ids[0], by=MAX, at=NOW)
        again = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert again is not None
        assert (await billing.Invoice.find_draft(again.draft_ids[0], MAX)).net == Decimal(270)
        assert await billing.violations() == {}


async def test_an_agent_bills_nothing() -> None:
    """Ines, who is not a manager, can neither run billing nor delete, issue or find a draft (S2.28)."""
    async with transaction(MAX):
        await _approved(60)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    assert run is not None
    async with transaction(INES):
        with pytest.raises(Forbidden):
            await billing.run(NOVEMBER, [ACME], by=INES, at=NOW)
        with pytest.raises(Forbidden):
            await billing.delete_draft(run.draft_ids[0], by=INES, at=NOW)
        with pytest.raises(Forbidden):
            await billing.issue(run.draft_ids[0], by=INES, at=NOW)
        with pytest.raises(NotFound):
            await billing.Invoice.find_draft(run.draft_ids[0], INES)


async def test_two_runs_at_once_bill_nothing_twice() -> None:
    """If Max and Noor run billing at the same time on two connections, only one run bills, and no entry twice (R94, D47)."""
    async with transaction(MAX):
        await _approved(60, 30, 15)
        await _approved(60, service=GLOBEX_HELPDESK)

    async def bill(by: Any, customers: list[int]) -> billing.Run | None:
        async with transaction(by):
            run = await billing.run(NOVEMBER, customers, by=by, at=NOW)
            await asyncio.sleep(0.05)
            return run

    runs = await asyncio.gather(bill(MAX, [ACME, GLOBEX]), bill(NOOR, [GLOBEX, ACME]))
    assert sum(run is not None for run in runs) == 1
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from invoice") == 2
        assert await billing.violations() == {}


async def test_an_approval_waits_for_the_run_of_its_customer() -> None:
    """Noor's approval waits for Max's billing run, which has locked the customer; the run does not bill her entry."""
    async with transaction(MAX):
        await _approved(60)
    async with transaction(SYSTEM):
        late = await log(30)

    billed = asyncio.Event()

    async def decide() -> None:
        await billed.wait()
        async with transaction(NOOR):
            assert (await billing.approve([late.choice], by=NOOR, at=NOW)).done

    deciding = asyncio.create_task(decide())
    async with transaction(MAX) as tx:
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        billed.set()
        waits = False
        while not waits and not deciding.done():
            waits = await tx.fetchval(
                "select exists (select from pg_locks l where pg_backend_pid() = any(pg_blocking_pids(l.pid)))"
            )
            await asyncio.sleep(0)
    await deciding
    assert waits, "The approval waited for no lock of the run."
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from settled_entry") == 1
        assert await billing.violations() == {}


async def test_each_amount_is_rounded_by_itself_and_the_line_is_their_sum() -> None:
    """Three entries of 20 min at 100.00 (33.33 each) cost 99.99; their line has the quantity 99.99 / 100.00 = 0.9999.

    D6, D7.
    """
    async with transaction(MAX):
        await _approved(20, 20, 20, hourly_rate=Decimal(100))
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        contents = await billing.contents_of(await billing.Invoice.find_draft(run.draft_ids[0], MAX))
        (line,) = contents.lines
        assert (line.net, line.unit_price, line.quantity) == (Decimal("99.99"), Decimal(100), Decimal("0.9999"))


async def test_skipped_time_of_another_day_is_not_named() -> None:
    """A billing run does not record open entries of days after its end date as skipped."""
    async with transaction(MAX) as tx:
        await _approved(60)
        await log(30, on=NOVEMBER + timedelta(days=3))
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        assert await tx.fetchval("select count(*) from skipped_entry") == 0


async def test_approval_and_draft_have_rows_in_the_outbox() -> None:
    """The outbox has a row for the approval and one for the draft; contacts may see neither."""
    async with transaction(MAX) as tx:
        await _approved(60)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        rows = await tx.fetch("select kind, customer_id, contact_may_know from outbox order by id")
        assert [tuple(row) for row in rows] == [("time.approved", ACME, False), ("invoice.drafted", ACME, False)]
