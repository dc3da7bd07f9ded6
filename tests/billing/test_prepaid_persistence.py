"""Test vouchers, subscriptions and held time in the database: billing, freeing and refusing them.

Time is held if its service has the overflow `hold` and prepaid minutes cover it only in part. No run bills held time until a
manager releases it, which charges the rest.
"""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import payments
from portal.contracts.contracts import Contract
from portal.contracts.services import Service
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import current, transaction
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import Work
from tests.billing.work import NOVEMBER, OCTOBER, Logged, a_service, log
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_CONTRACT, HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")

VOUCHER = {"settlement": "voucher", "overflow": "bill"}
PLAN = {
    "settlement": "subscription", "overflow": "bill", "fee": Decimal(500), "included_minutes": 600, "due": "advance",
    "effective_start": date(2026, 10, 1),
}  # fmt: skip


async def a_voucher(*services: int, hours: str = "10h", at: Any = NOW, **facts: str) -> int:
    """Sell a voucher to Acme as the pages do, and return its id."""
    typed = {"price": "900", "sold_on": "2026-09-01"} | facts
    async with billing.changing_terms(ACME):
        fields = VoucherFacts(services=[str(service) for service in services], hours=hours, **typed)
        voucher_id: int = (await Voucher.sell(await Customer.find(ACME, SYSTEM), fields, at)).id
    return voucher_id


async def approved(*minutes: int, **options: Any) -> list[Logged]:
    """Log entries, approve them as Max, and return them."""
    entries = [await log(each, **options) for each in minutes]
    assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused
    return entries


async def pieces(entry: Logged) -> list[tuple[Any, ...]]:
    """Return kind, minutes and pool (voucher or period) of each stored allocation of an entry."""
    rows = await current().fetch(
        "select kind, minutes, coalesce(period_start::text, voucher_id::text) as pool from allocation where entry_id = $1 order by position",
        entry.id,
    )
    return [tuple(row) for row in rows]


async def billed(until: date = NOVEMBER) -> billing.Run:
    """Run billing for Acme and return the run, which must have found something to bill."""
    run = await billing.run(until, [ACME], by=MAX, at=NOW)
    assert run is not None
    return run


async def lines(draft_id: int) -> list[tuple[Any, ...]]:
    rows = await current().fetch(
        "select kind, label, net from invoice_line where invoice_id = $1 order by position", draft_id
    )
    return [tuple(row) for row in rows]


async def test_a_fee_and_a_voucher_are_billed_without_any_work() -> None:
    """S3.22, S3.23, D29: a run bills the fee of each period and the sale of a voucher even if no time was logged.

    Worked out by hand: a fee is due on the first day of its month, so by 1 November the fees of October and November
    are due, 500.00 each. The voucher costs 900.00. The net is 1900.00, and 19 % of 1900.00 are 361.00.
    """
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await a_voucher(plan)
        run = await billed()
        assert await lines(run.draft_ids[0]) == [
            ("fee", "Care, 1 Oct to 31 Oct 2026", 500),
            ("fee", "Care, 1 Nov to 30 Nov 2026", 500),
            ("voucher", "Voucher 10 h", 900),
        ]
        draft = await billing.Invoice.find_draft(run.draft_ids[0], MAX)
        assert (draft.net, draft.tax, draft.gross) == (Decimal(1900), Decimal(361), Decimal(2261))
        assert (draft.supply_from, draft.supply_to) == (date(2026, 10, 1), date(2026, 11, 30))
        assert [line.words for line in (await billing.contents_of(draft)).lines][2] == "Voucher 10 h"
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        assert await billing.violations() == {}


async def test_deleting_a_draft_frees_its_fees_and_vouchers() -> None:
    """D39, D40: if a draft is deleted, the next run bills the same fee and voucher again, and nothing twice."""
    async with transaction(MAX) as tx:
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await a_voucher(plan)
        await approved(30, service=plan)
        first = (await billed()).draft_ids[0]
        before = await lines(first)
        await billing.delete_draft(first, by=MAX, at=NOW)
        assert await tx.fetchval("select count(*) from billed_fee") == 0
        assert await tx.fetchval("select count(*) from billed_voucher") == 0
        assert await lines((await billed()).draft_ids[0]) == before
        assert await billing.violations() == {}


async def test_an_issued_invoice_keeps_its_fees_and_vouchers() -> None:
    """D37: the database refuses to free a fee or a voucher that an issued invoice has billed."""
    async with transaction(MAX) as tx:
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await a_voucher(plan)
        invoice = await billing.issue((await billed()).draft_ids[0], by=MAX, at=NOW)
        detail = await billing.detail_of(invoice_id=invoice.id)
        assert [row.external_comment for row in detail][2] == "Voucher 10 h"
        for table in ("billed_fee", "billed_voucher"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                async with transaction(MAX):
                    await tx.execute(f"delete from {table}")
        assert await billing.violations() == {}


async def test_included_minutes_are_drawn_first_then_the_voucher_that_expires_first() -> None:
    """D20, D22, S2.3, S2.41: included minutes are drawn first, then vouchers by their end; the rest is charged.

    Worked out by hand: of 700 minutes, the period includes 600. The voucher that ends first pays for 30, the other for 60.
    The last 10 minutes are charged: 10 / 60 of 120.00 is 20.00.
    """
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        later = await a_voucher(plan, hours="1h", valid_until="2026-12-31")
        sooner = await a_voucher(plan, hours="30m", valid_until="2026-11-30", sold_elsewhere="yes")
        (entry,) = await approved(700, service=plan)
        assert await pieces(entry) == [
            ("included", 600, "2026-10-01"),
            ("voucher", 30, str(sooner)),
            ("voucher", 60, str(later)),
            ("charged", 10, None),
        ]
        run = await billed()
        assert (await lines(run.draft_ids[0]))[-1] != []
        assert ("time", "Care", Decimal(20)) in await lines(run.draft_ids[0])
        assert await billing.violations() == {}


async def test_a_pool_that_changes_is_stored_even_if_the_minutes_stay() -> None:
    """D21, D23: if a voucher is sold that ends earlier than the one in use, unbilled minutes draw from the new one."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        old = await a_voucher(care)
        (entry,) = await approved(60, service=care)
        assert await pieces(entry) == [("voucher", 60, str(old))]
        sooner = await a_voucher(care, valid_until="2026-12-31")
        assert await pieces(entry) == [("voucher", 60, str(sooner))]
        assert await billing.violations() == {}


async def test_covered_time_makes_a_statement_and_no_taxed_line() -> None:
    """D29, D30: a run puts time that a voucher covers on a statement, not an invoice: nothing is charged for it."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        await a_voucher(care, sold_elsewhere="yes")
        await approved(60, service=care)
        run = await billed()
        assert (len(run.draft_ids), len(run.statement_ids)) == (0, 1)
        (row,) = await billing.detail_of(statement_id=run.statement_ids[0])
        assert (row.covered_by, row.minutes, row.amount) == ("prepaid hours", 60, 0)
        assert await billing.violations() == {}


async def test_a_voucher_that_was_sold_elsewhere_is_never_billed() -> None:
    """S3.22: a voucher that was sold elsewhere pays for time but is never billed; the database refuses to bill it."""
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        voucher = await a_voucher(care, sold_elsewhere="yes")
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        await approved(60)
        run = await billed()
        assert [line[0] for line in await lines(run.draft_ids[0])] == ["time"]
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(MAX):
                await tx.execute(
                    "insert into billed_voucher (voucher_id, customer_id, run_id) values ($1, $2, $3)",
                    voucher,
                    ACME,
                    run.id,
                )


async def test_a_voucher_may_be_usable_only_once_its_invoice_is_issued() -> None:
    """D25: a voucher can be sold so that it is usable only once its invoice is issued: until then, time is charged.

    As soon as the invoice is issued, open time draws from the voucher.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        voucher = await a_voucher(care, usable_once="issued")
        (entry,) = await approved(60, service=care, on=date(2026, 11, 3))
        assert await pieces(entry) == [("charged", 60, None)]
        run = await billed()
        assert await pieces(entry) == [("charged", 60, None)]
        await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        assert await pieces(entry) == [("voucher", 60, str(voucher))]
        assert await billing.violations() == {}


async def test_a_voucher_may_be_usable_only_once_its_invoice_is_paid() -> None:
    """D25: a voucher can be sold so that it is usable only once its invoice is paid completely.

    If the payment is withdrawn, open time is charged again.
    """
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        voucher = await a_voucher(care, usable_once="paid")
        (entry,) = await approved(60, service=care, on=date(2026, 11, 3))
        invoice = await billing.issue((await billed()).draft_ids[0], by=MAX, at=NOW)
        for amount, kind in (("1000", "charged"), ("71", "voucher")):
            facts = payments.PaymentFacts(amount=amount, paid_on="2026-11-20")
            await payments.record(invoice, facts, by=MAX, at=NOW)
            assert [piece[0] for piece in await pieces(entry)] == [kind]
        assert await pieces(entry) == [("voucher", 60, str(voucher))]
        payment = await tx.fetchval("select max(id) from payment")
        await payments.take_back(invoice, payment, by=MAX, at=NOW)
        assert await pieces(entry) == [("charged", 60, None)]
        assert await billing.violations() == {}


async def test_the_ledger_has_a_draw_when_time_is_settled_and_a_reversal_when_it_is_freed() -> None:
    """D23: a run adds a draw to the voucher's ledger, and deleting the draft adds a reversal of the same minutes."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        voucher = await a_voucher(care)
        (entry,) = await approved(90, service=care)
        [balance] = await billing.balances(ACME)
        assert (balance.drawn, balance.reserved, balance.left) == (0, 90, 510)
        draft = (await billed()).draft_ids[0]
        [balance] = await billing.balances(ACME)
        assert (balance.drawn, balance.reserved, balance.left) == (90, 0, 510)
        await billing.delete_draft(draft, by=MAX, at=NOW)
        moves, _ = await billing.moves_of(voucher)
        assert [(move["minutes"], move["left_then"], move["entry_id"]) for move in moves] == [
            (-90, 600, entry.id),
            (90, 510, entry.id),
        ]
        [balance] = await billing.balances(ACME)
        assert (balance.drawn, balance.reserved, balance.left) == (0, 90, 510)
        assert await billing.violations() == {}


async def test_an_expired_voucher_keeps_its_remainder_and_pays_for_nothing_later() -> None:
    """D23: a voucher pays for work up to its last day only; the remainder of an expired voucher stays visible."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        await a_voucher(care, hours="1h", valid_until="2026-10-06")
        last, after = [
            *await approved(20, service=care),
            *await approved(20, service=care, on=OCTOBER + timedelta(days=1)),
        ]
        assert [piece[0] for piece in await pieces(last)] == ["voucher"]
        assert [piece[0] for piece in await pieces(after)] == ["charged"]
        [balance] = await billing.balances(ACME)
        assert (balance.state(date(2026, 11, 20)), balance.left) == ("expired", 40)


async def test_taking_an_entry_off_a_draft_leaves_what_the_others_drew() -> None:
    """D23, D40: if an entry is taken off a draft, the fee and the other entries stay on the draft as they were."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"included_minutes": 60})
        first, second = await approved(60, 30, service=plan)
        draft_id = (await billed()).draft_ids[0]
        assert ("time", "Care", Decimal(60)) in await lines(draft_id)
        draft = await billing.take_off(draft_id, first.id, by=MAX, at=NOW)
        assert draft is not None
        assert draft.net == Decimal(1060)
        assert [kind for kind, _, _ in await lines(draft_id)] == ["fee", "fee", "time"]
        assert await pieces(second) == [("charged", 30, None)]
        assert await pieces(first) == [("included", 60, "2026-10-01")]
        assert await billing.take_off(draft_id, second.id, by=MAX, at=NOW) is not None
        assert [kind for kind, _, _ in await lines(draft_id)] == ["fee", "fee"]
        assert await billing.violations() == {}


async def test_held_time_is_charged_once_a_manager_releases_it() -> None:
    """C8, D24: time that the voucher covers only in part is held whole, and a run skips it until it is released."""
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER | {"overflow": "hold"})
        voucher = await a_voucher(care, hours="1h", sold_elsewhere="yes")
        (entry,) = await approved(90, service=care)
        assert await pieces(entry) == [("held", 90, None)]
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        for _ in range(2):  # A repeated release changes nothing.
            assert (await billing.release([entry.choice], by=MAX, at=NOW)).done == (entry.id,)
        assert await tx.fetchval("select count(*) from entry_version where verb = 'released'") == 1
        assert await pieces(entry) == [("voucher", 60, str(voucher)), ("charged", 30, None)]
        assert (await billing.hold_again([entry.choice], by=MAX, at=NOW)).done == (entry.id,)
        assert await pieces(entry) == [("held", 90, None)]
        await billing.release([entry.choice], by=MAX, at=NOW)
        await billed()
        outcome = await billing.hold_again([entry.choice], by=MAX, at=NOW)
        assert (outcome.done, outcome.status) == ((), 409)
        assert await billing.violations() == {}


async def test_released_time_that_moves_to_another_customer_is_held_there_again() -> None:
    """C8, D31: the release of an entry is deleted if the entry moves to another customer.

    It is kept if the entry moves to another service of the same customer.
    """
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER | {"overflow": "hold"})
        more = await a_service(ACME, ACME_CONTRACT, "More care", **VOUCHER | {"overflow": "hold"})
        theirs = await a_service(GLOBEX, GLOBEX_CONTRACT, "Care", **VOUCHER | {"overflow": "hold"})
        entry = await log(30, service=care)
        await billing.release([entry.choice], by=MAX, at=NOW)
        for version, service, kind in ((1, more, "charged"), (2, theirs, "held"), (3, care, "held")):
            work = Work(minutes=30, work_date=OCTOBER, service_id=service)
            await billing.change_entry(entry.id, work, version=version, by=MAX, at=NOW)
            assert not (await billing.approve([billing.Choice(entry.id, version + 1)], by=MAX, at=NOW)).refused
            assert await pieces(entry) == [(kind, 30, None)]
        assert await tx.fetchval("select count(*) from release") == 0
        assert await billing.violations() == {}


async def test_a_person_who_may_not_decide_on_time_may_not_release_it() -> None:
    """C8, D33: agents cannot release held time; managers can release neither their own time nor an outdated version."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER | {"overflow": "hold"})
        entry, own = await log(90, service=care), await log(90, service=care, who=MAX)
        with pytest.raises(Forbidden):
            await billing.release([entry.choice], by=INES, at=NOW)
        outcome = await billing.release([billing.Choice(entry.id, 7), own.choice], by=MAX, at=NOW)
        assert outcome.done == ()
        assert sorted(one.status for one in outcome.refused) == [403, 409]
        assert await current().fetchval("select count(*) from release") == 0


async def test_time_beyond_the_prepaid_hours_is_refused_where_the_service_says_so() -> None:
    """C8, D24: with the overflow `block`, only entries that prepaid minutes cover wholly are approved.

    A withdrawal frees its minutes for another entry.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER | {"overflow": "block"})
        await a_voucher(care, hours="1h", sold_elsewhere="yes")
        first, second = await log(40, service=care), await log(40, service=care)
        outcome = await billing.approve([first.choice, second.choice], by=MAX, at=NOW)
        assert outcome.done == (first.id,)
        assert outcome.refused[0].sentence.startswith("The prepaid hours of “Care” do not cover it wholly")
        await billing.withdraw(first.id, by=MAX, at=NOW)
        assert (await billing.approve([second.choice], by=MAX, at=NOW)).done == (second.id,)
        assert await billing.violations() == {}


async def test_the_time_detail_names_each_voucher_that_pays_for_one_entry() -> None:
    """D20, S0.19: an entry that two vouchers pay for has two rows, which name the vouchers.

    The row of an entry that one voucher pays for does not name the voucher.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        for label in ("Spring", "Summer"):
            await a_voucher(care, hours="1h", label=label, sold_elsewhere="yes")
        await approved(90, 30, service=care)
        rows = await billing.detail_of(statement_id=(await billed()).statement_ids[0])
        assert [row.covered_by for row in rows] == ["prepaid hours, Spring", "prepaid hours, Summer", "prepaid hours"]
        assert await billing.violations() == {}


async def test_two_approvals_at_once_do_not_draw_the_last_half_hour_twice() -> None:
    """D20, D23: approvals of the same customer wait for each other, so that a voucher is never overdrawn."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        await a_voucher(care, hours="30m", sold_elsewhere="yes")
        entries = [await log(30, service=care), await log(30, service=care)]

    async def approve(entry: Logged, by: Any) -> None:
        async with transaction(by):
            await billing.approve([entry.choice], by=by, at=NOW)
            await asyncio.sleep(0.05)

    await asyncio.gather(approve(entries[0], MAX), approve(entries[1], NOOR))
    async with transaction(MAX):
        kinds = [kind for entry in entries for kind, _, _ in await pieces(entry)]
        assert sorted(kinds) == ["charged", "voucher"]
        assert await billing.violations() == {}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update allocation set minutes = 700 where voucher_id is not null", "too few minutes"),
        ("update voucher set minutes = 10", "terms"),
        ("update voucher set price = 1", "terms"),
        ("insert into voucher_service values (1, $1, 1, 9)", "takes no voucher"),
        ("delete from voucher_move", "permission denied"),
        ("update service set taxable = false, exemption_reason = 'x' where name = 'Care'", "shares"),
        ("update service set settlement = 'time_spent', overflow = null where name = 'Care'", "settlement"),
        ("update contract set currency = 'USD' where id = 1", "priced"),
    ],
)
async def test_the_database_is_the_last_guard(statement: str, words: str) -> None:
    """D23, D28, D45: the database itself refuses to overdraw a voucher, and to change its terms while it is in use.

    The terms are those of the voucher, of its services and of its contract.
    """
    async with transaction(SYSTEM) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        other = await a_service(ACME, ACME_CONTRACT, "Other", **VOUCHER)
        voucher = await a_voucher(care, other, valid_until="2026-12-31")
        await approved(60, service=care)
        arguments = [voucher] if "$1" in statement else []
        with pytest.raises(asyncpg.PostgresError, match=words):
            async with transaction(SYSTEM):
                await tx.execute(statement, *arguments)


async def test_a_voucher_without_a_service_is_refused() -> None:
    """D28: the database refuses to commit a voucher without a service, because it could be read as valid for all services."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="no service"):
        async with transaction(MAX) as tx:
            await tx.execute(
                "insert into voucher (customer_id, label, minutes, price, currency, sold_on, valid_from, usable_once, sold_elsewhere, created_at)"
                " values (1, 'x', 60, 1, 'EUR', '2026-01-01', '2026-01-01', 'sold', false, now())"
            )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"services": []}, "services"),
        ({"services": ["999"]}, "services"),
        ({"services": [str(HELPDESK)]}, "services"),
        ({"hours": "0"}, "hours"),
        ({"hours": "much"}, "hours"),
        ({"price": "-1"}, "price"),
        ({"price": "1.234"}, "price"),
        ({"sold_on": "soon"}, "sold_on"),
        ({"valid_from": "2026-08-31"}, "valid_from"),
        ({"valid_until": "2026-08-31"}, "valid_until"),
        ({"usable_once": "never"}, "usable_once"),
        ({"hours": "59m"}, "hours"),
        ({"sold_elsewhere": "yes", "usable_once": "issued"}, "usable_once"),
    ],
)
async def test_a_bad_voucher_is_refused_at_its_field(changes: dict[str, Any], field: str) -> None:
    """S3.22: each wrong field of a voucher gets its own error message, and nothing is stored."""
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        fields: dict[str, Any] = {
            "services": [str(care)],
            "hours": "10h",
            "price": "900",
            "sold_on": "2026-09-01",
        } | changes
        with pytest.raises(Invalid) as refusal:
            await Voucher.sell(await Customer.find(ACME, SYSTEM), VoucherFacts(**fields), NOW)
        assert list(refusal.value.fields) == [field]
        assert await tx.fetchval("select count(*) from voucher") == 0


async def test_a_voucher_of_another_customer_is_refused() -> None:
    """D31: a voucher for a service of another customer, or for services both with and without VAT, is refused."""
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        exempt = await a_service(ACME, ACME_CONTRACT, "School", taxable=False, exemption_reason="Education", **VOUCHER)
        foreign = await a_service(GLOBEX, GLOBEX_CONTRACT, "Care", **VOUCHER)
        for services in ([foreign], [care, foreign], [care, exempt]):
            with pytest.raises(Invalid) as refusal:
                await a_voucher(*services)
            assert list(refusal.value.fields) == ["services"]
        assert await tx.fetchval("select count(*) from voucher") == 0


async def test_a_voucher_that_paid_for_settled_time_stays() -> None:
    """D23: a voucher that has paid for billed time cannot be deleted.

    Before that, it can be deleted, and the unbilled time that it would have paid for is charged.
    """
    async with transaction(MAX) as tx:
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        mistake = await a_voucher(care)
        (entry,) = await approved(60, service=care)
        await billing.remove_voucher(ACME, await Voucher.find(mistake, MAX))
        assert await pieces(entry) == [("charged", 60, None)]
        used = await a_voucher(care)
        await billed()
        with pytest.raises(Conflict):
            await billing.remove_voucher(ACME, await Voucher.find(used, MAX))
        assert await tx.fetchval("select count(*) from voucher") == 1
        assert await billing.violations() == {}


async def test_terms_that_billed_time_depends_on_do_not_change() -> None:
    """D45, S4.10: a service's settlement and a contract's billing periods cannot be changed once a run has billed by them."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        service, contract = await Service.find(plan, SYSTEM), await Contract.find(ACME_CONTRACT, SYSTEM)
        facts, agreed = service.facts, contract.facts
        facts.settlement = "time_spent"
        await service.change(facts)
        facts.settlement = "subscription"
        await service.change(facts)
        await billed()
        facts.settlement = "voucher"
        with pytest.raises(Invalid) as refusal:
            await (await Service.find(plan, SYSTEM)).change(facts)
        assert list(refusal.value.fields) == ["settlement"]
        agreed.cycle = "yearly"
        with pytest.raises(Invalid) as refusal:
            await contract.change(agreed, NOW)
        assert set(refusal.value.fields) == {"cycle", "anchor"}


async def test_included_hours_are_not_lowered_below_what_was_billed() -> None:
    """D26: included hours cannot be lowered below the minutes that a run has billed as included in a period."""
    async with transaction(NOOR):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await approved(90, service=plan)
        await billed()
        service = await Service.find(plan, SYSTEM)
        facts = service.facts
        facts.included = "1h 29m"
        with pytest.raises(Invalid, match="in the period from 1 Oct 2026"):
            async with transaction(NOOR), billing.changing_terms(ACME):
                await service.change(facts)
        assert await billing.violations() == {}
        facts.included = "1h 30m"
        async with transaction(NOOR), billing.changing_terms(ACME):
            await service.change(facts)
        assert await billing.violations() == {}
        assert (await Service.find(plan, SYSTEM)).included_minutes == 90


async def test_a_changed_service_allocates_open_time_anew() -> None:
    """D21: when a service gets included hours, these at once cover open time that was approved before."""
    async with transaction(NOOR):
        plan = await a_service(ACME, ACME_CONTRACT, "Care")
        (entry,) = await approved(60, service=plan)
        async with billing.changing_terms(ACME):
            service = await Service.find(plan, SYSTEM)
            facts = service.facts
            facts.settlement, facts.fee, facts.included = "subscription", "100", "30m"
            await service.change(facts)
        assert await pieces(entry) == [("included", 30, "2026-10-01"), ("charged", 30, None)]
        assert await billing.violations() == {}


async def test_a_fee_of_nothing_counts_as_billed_without_a_document() -> None:
    """D47: a run that finds only fees of 0.00 records them as billed without a document; a second run finds nothing."""
    async with transaction(MAX) as tx:
        await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"fee": Decimal(0)})
        run = await billed()
        assert (run.draft_ids, run.statement_ids) == ((), ())
        assert (
            await tx.fetchval("select count(*) from billed_fee where invoice_id is null and statement_id is null") == 2
        )
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        assert await billing.violations() == {}
