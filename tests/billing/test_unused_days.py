"""Test credits for the days after a contract's end whose fee was billed in advance."""

from datetime import date, datetime
from decimal import Decimal

import asyncpg
import pytest

from portal import billing
from portal.billing import Chosen, creditable, invoices_past_end
from portal.contracts.contracts import Contract
from portal.contracts.services import Service
from portal.database import current, transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from tests.billing.test_credits_persistence import credited
from tests.billing.test_prepaid_persistence import PLAN
from tests.billing.work import a_service
from tests.world import ACME, ACME_CONTRACT, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

UNUSED = Chosen(unused=True)


async def ended(last_day: str) -> None:
    async with billing.changing_terms(ACME):
        contract = await Contract.find(ACME_CONTRACT, SYSTEM)
        facts = contract.facts
        facts.valid_until = last_day
        await contract.change(facts, NOW)


async def billed_in_advance(until: date = date(2026, 11, 2)) -> list[billing.Invoice]:
    """Issue and return two invoices: one with the fee of October, and one of a run up to `until`."""
    invoices = []
    await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
    for day in (date(2026, 10, 2), until):
        run = await billing.run(day, [ACME], by=MAX, at=NOW)
        assert run
        invoices.append(await billing.issue(run.draft_ids[0], by=MAX, at=NOW))
    return invoices


async def test_the_fee_charges_what_it_would_have_charged_if_the_end_had_been_known() -> None:
    """If the contract ends on 12 November, 18 of 30 days are unused: 300.00 of 500.00 are credited, with their VAT."""
    async with transaction(MAX):
        october, november = await billed_in_advance()
        await ended("2026-11-12")
        assert await invoices_past_end(ACME) == {ACME_CONTRACT: [november.number]}
        assert not (await creditable(october)).unused
        note = await credited(november, UNUSED)
        assert (note.net, note.tax) == (Decimal("300.00"), Decimal("57.00"))
        assert await invoices_past_end(ACME) == {}
        assert await billing.violations() == {}


async def test_a_repeated_credit_finds_nothing_and_no_fee_is_due_again() -> None:
    """D40: a fee credited for unused days is not billed again, even if the form asks for that."""
    async with transaction(MAX):
        _, november = await billed_in_advance()
        await ended("2026-11-12")
        await credited(november, UNUSED, freed=True)
        with pytest.raises(Invalid):
            await credited(november, UNUSED)
        assert await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW) is None
        assert await current().fetchval("select count(*) from credit_note") == 1


async def test_an_earlier_end_credits_only_what_is_still_missing() -> None:
    """After a credit of 300.00 for an end on 12 November, an end on 6 November credits 100.00 more."""
    async with transaction(MAX):
        _, november = await billed_in_advance()
        await ended("2026-11-12")
        await credited(november, UNUSED)
        await ended("2026-11-06")
        assert (await credited(november, UNUSED)).net == Decimal("100.00")


async def test_an_end_before_the_period_credits_its_whole_fee() -> None:
    """If the contract ends on 30 October, November's fee is credited as a whole, and October's fee for one day of 31."""
    async with transaction(MAX):
        october, november = await billed_in_advance()
        await ended("2026-10-30")
        assert (await credited(november, UNUSED)).net == Decimal("500.00")
        assert (await credited(october, UNUSED)).net == Decimal("16.13")


async def fees_of(until: date, *, at: datetime = NOW) -> list[tuple[str, Decimal]]:
    """Bill up to a day, issue the draft, and return label and net of each of its lines; if nothing is due, return []."""
    run = await billing.run(until, [ACME], by=MAX, at=at)
    if run is None:
        return []
    invoice = await billing.issue(run.draft_ids[0], by=MAX, at=at)
    return [(line.label, line.net) for line in (await billing.contents_of(invoice)).lines]


async def test_an_extended_contract_pays_for_the_days_that_were_credited_or_never_billed() -> None:
    """S3.23, D26: 12 days of November are billed, then 8 more; 5 of these 8 are credited; the last run bills the rest.

    | event                  | days paid | in all | document |
    |------------------------|-----------|--------|----------|
    | ends on 12 November    | 1 to 12   | 200.00 | 200.00   |
    | extended to 20 Nov     | 1 to 20   | 333.33 | 133.33   |
    | ends on 15 November    | 1 to 15   | 250.00 | -83.33   |
    | extended without end   | 1 to 30   | 500.00 | 250.00   |
    """
    async with transaction(MAX):
        await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"effective_start": date(2026, 11, 1)})
        await ended("2026-11-12")
        assert await fees_of(date(2026, 11, 2)) == [("Care, 1 Nov to 12 Nov 2026", Decimal("200.00"))]
        await ended("2026-11-20")
        assert await fees_of(date(2026, 11, 2)) == [("Care, 13 Nov to 20 Nov 2026", Decimal("133.33"))]
        await ended("2026-11-15")
        [number] = (await invoices_past_end(ACME))[ACME_CONTRACT]
        note = await credited(await billing.Invoice.find(number, MAX), UNUSED)
        assert note.net == Decimal("83.33")
        assert await invoices_past_end(ACME) == {}
        await ended("")
        assert await fees_of(date(2026, 11, 2)) == [("Care, 16 Nov to 30 Nov 2026", Decimal("250.00"))]
        assert await fees_of(date(2026, 11, 2)) == []
        assert await billing.violations() == {}


async def test_the_database_refuses_to_bill_a_day_of_a_fee_twice() -> None:
    """D39: the database refuses to bill a day of a fee twice, even if two runs work at the same time."""
    async with transaction(MAX):
        service = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        run = await billing.run(date(2026, 10, 2), [ACME], by=MAX, at=NOW)
        assert run
        with pytest.raises(asyncpg.ExclusionViolationError):
            async with transaction(MAX):
                await current().execute(
                    "insert into billed_fee (service_id, period_start, active_from, active_until, customer_id, run_id)"
                    " values ($1, '2026-10-01', '2026-10-31', '2026-11-01', $2, $3)", service, ACME, run.id,
                )  # fmt: skip


async def test_a_contract_without_an_earlier_end_has_no_unused_days() -> None:
    """An end on the last day of a billed period credits nothing."""
    async with transaction(MAX):
        _, november = await billed_in_advance()
        assert not (await creditable(november)).unused
        await ended("2026-11-30")
        assert not (await creditable(november)).unused
        with pytest.raises(Invalid):
            await credited(november, UNUSED)


@pytest.mark.parametrize(
    ("fee", "first", "ends", "billed", "credits"),
    [
        ("99.99", ("2026-09-16", ""), "2026-09-15", ["50.00", "49.99"], ["49.99"]),
        ("100.00", ("2026-09-11", "2026-09-20"), "2026-09-10", ["33.33", "33.34"], ["33.33", "0.01"]),
        ("100.00", ("2026-09-11", "2026-09-20"), "2026-09-15", ["33.33", "33.34"], ["16.67"]),
    ],
)
async def test_an_end_beside_days_that_were_billed_later_costs_what_the_days_before_it_cost(
    fee: str, first: tuple[str, str], ends: str, billed: list[str], credits: list[str]
) -> None:
    """D26, D38: the later days of September are billed first, then the earlier ones; then the contract ends.

    Invoices less credits are the fee of the days up to the end.

    | fee    | billed first   | then          | ends on | credited    | paid in all               |
    |--------|----------------|---------------|---------|-------------|---------------------------|
    | 99.99  | 16 to 30 50.00 | 1 to 15 49.99 | 15 Sep  | 49.99       | 50.00 for 15 of 30 days   |
    | 100.00 | 11 to 20 33.33 | 1 to 10 33.34 | 10 Sep  | 33.33, 0.01 | 33.33 for 10 of 30 days   |
    | 100.00 | 11 to 20 33.33 | 1 to 10 33.34 | 15 Sep  | 16.67       | 50.00 for 15 of 30 days   |
    """
    async with transaction(MAX):
        await ended(first[1])
        terms = PLAN | {"fee": Decimal(fee), "effective_start": date.fromisoformat(first[0])}
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **terms)
        parts = [(await fees_of(date(2026, 9, 30)))[0][1]]
        await Service.update(effective_start=date(2026, 9, 1)).where(Service.id == plan)
        parts += [(await fees_of(date(2026, 9, 30)))[0][1]]
        assert parts == [Decimal(amount) for amount in billed]
        await ended(ends)
        notes = [
            (await credited(invoice, UNUSED)).net
            for number in ("2026-0147", "2026-0148")
            if (await creditable(invoice := await billing.Invoice.find(number, MAX))).unused
        ]
        assert notes == [Decimal(amount) for amount in credits]
        assert await fees_of(date(2026, 9, 30)) == []
        assert await billing.violations() == {}
        await ended("")
        rest = sum(net for _, net in await fees_of(date(2026, 9, 30)))
        assert sum(parts) - sum(notes) + rest == Decimal(fee)
        assert await billing.violations() == {}
