"""Test cash rounding: the sum to pay is rounded to the contract's smallest coin, and net, VAT and gross are not."""

from datetime import date
from decimal import Decimal

import asyncpg
import pytest

from portal import billing
from portal.billing import Chosen, balance_of
from portal.contracts.contracts import Contract
from portal.database import current, transaction
from portal.errors import Invalid
from portal.money import cash_amount
from portal.people.readers import SYSTEM
from tests.billing.test_credits_persistence import credited
from tests.billing.test_prepaid_persistence import approved
from tests.world import ACME, ACME_CONTRACT, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

COIN = "0.05"


async def rounded(coin: str = COIN) -> None:
    contract = await Contract.find(ACME_CONTRACT, SYSTEM)
    facts = contract.facts
    facts.cash_rounding = coin
    await contract.change(facts, NOW)


async def draft_of(*minutes: int) -> int:
    """Approve entries with these minutes at 99.99 EUR an hour, run billing, and return the id of the draft."""
    for each in minutes:
        await approved(each, hourly_rate=Decimal("99.99"))
    run = await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW)
    assert run
    return run.draft_ids[0]


async def test_only_the_sum_to_pay_is_rounded() -> None:
    """37 minutes at 99.99 an hour are 61.66 net, 11.72 VAT and 73.38 gross, and 73.40 is to be paid."""
    async with transaction(MAX):
        await rounded()
        invoice = await billing.issue(await draft_of(37), by=MAX, at=NOW)
        assert (invoice.net, invoice.tax, invoice.gross, invoice.payable) == tuple(
            map(Decimal, ("61.66", "11.72", "73.38", "73.40"))
        )
        owed = await balance_of(invoice)
        assert (owed["open"], owed["payable"]) == (Decimal("73.40"), Decimal("73.40"))
        assert await billing.violations() == {}


async def test_a_draft_follows_its_contract_and_an_issued_invoice_does_not() -> None:
    """Changing the smallest coin of a contract changes the sum to pay of its draft, but not of its issued invoice."""
    async with transaction(MAX):
        id = await draft_of(37)
        assert (await billing.Invoice.find_draft(id, MAX)).payable == Decimal("73.38")
        await rounded()
        assert (await billing.Invoice.find_draft(id, MAX)).payable == Decimal("73.40")
        await rounded("0.5")
        invoice = await billing.issue(id, by=MAX, at=NOW)
        await rounded("")
        assert (await billing.Invoice.find(invoice.number, MAX)).payable == Decimal("73.50")


async def test_credit_notes_together_lower_the_sum_to_pay_by_all_of_it() -> None:
    """After each of three credit notes, the sum still to pay is a multiple of 0.05 EUR, and 0 after the last."""
    async with transaction(MAX):
        await rounded()
        invoice = await billing.issue(await draft_of(37, 41, 23), by=MAX, at=NOW)
        left = invoice.gross
        for position in (1, 2, 3):
            minutes = {1: 37, 2: 41, 3: 23}[position]
            note = await credited(invoice, Chosen(minutes={position: minutes}), freed=False)
            left -= note.gross
            assert (await balance_of(invoice))["open"] == cash_amount(left, Decimal(COIN), 2)
        assert (await balance_of(invoice))["open"] == 0
        assert await billing.violations() == {}


async def test_the_credit_that_is_looked_at_is_the_one_that_is_issued() -> None:
    """The preview of a credit note has the same sum to pay as the credit note that is then issued."""
    async with transaction(MAX):
        await rounded()
        invoice = await billing.issue(await draft_of(37, 41), by=MAX, at=NOW)
        chosen = Chosen(minutes={1: 20})
        looked_at = billing.credit(await billing.creditable(invoice), chosen)
        assert (await credited(invoice, chosen)).payable == looked_at.payable


async def test_a_coin_that_the_currency_does_not_have_is_refused() -> None:
    """A coin of 0.05 JPY and one of 0.03 EUR do not exist: each is refused at its field, and nothing changes."""
    async with transaction(SYSTEM):
        for currency, coin in (("JPY", COIN), ("EUR", "0.03")):
            contract = await Contract.find(ACME_CONTRACT, SYSTEM)
            facts = contract.facts
            facts.currency, facts.cash_rounding = currency, coin
            with pytest.raises(Invalid) as refusal:
                await contract.change(facts, NOW)
            assert "cash_rounding" in refusal.value.fields
        assert (await Contract.find(ACME_CONTRACT, SYSTEM)).cash_rounding is None


async def test_the_database_rounds_whatever_is_written(dsn: str) -> None:
    """If SQL writes a wrong sum to pay, the database corrects it on a draft, and refuses it on an issued invoice."""
    async with transaction(MAX):
        await rounded()
        id = await draft_of(37)
        await current().execute("update invoice set payable = 1 where id = $1", id)
        assert await current().fetchval("select payable from invoice") == Decimal("73.40")
        await billing.issue(id, by=MAX, at=NOW)
    owner = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute("update invoice set payable = 1")
    finally:
        await owner.close()
