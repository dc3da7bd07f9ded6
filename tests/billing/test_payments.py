"""Test payments: recording, withdrawing and refusing them, and the sums owed that lists and pages show."""

import asyncio
import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import PaymentFacts
from portal.billing.payments import codes
from portal.database import transaction
from portal.errors import Forbidden, Invalid, NotFound
from portal.people.readers import AgentReader
from portal.web.gate import Gate
from tests.billing.test_issuing_persistence import issued, pdf_of, text_of
from tests.browser import Browser
from tests.world import ACME, ADA, ALAN, GIL, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

INVOICE = "/agent/invoices/2026-0147"
GROSS = Decimal("214.20")
"""What an invoice of 90 minutes at 120.00 with 19 % VAT costs."""


async def pay(
    invoice: billing.Invoice, amount: str, *, by: AgentReader = MAX, key: uuid.UUID | None = None, **fields: Any
) -> None:
    """Record a payment of the invoice on 18 November with this amount."""
    facts = PaymentFacts(**{"amount": amount, "paid_on": "2026-11-18", "reference": "Statement 7"} | fields)
    await billing.record_payment(invoice, facts, by=by, at=NOW, form_key=key)


async def open_of(invoice: billing.Invoice) -> Decimal:
    """Return what is still owed on the invoice."""
    owed: Decimal = (await billing.balance_of(invoice))["open"]
    return owed


async def test_payments_add_up_to_what_is_owed() -> None:
    """The sum owed follows from partial, complete and excess payments and repayments; it is computed, not stored."""
    async with transaction(MAX):
        invoice = await issued(90)
        assert await open_of(invoice) == GROSS
        await pay(invoice, "100")
        assert await open_of(invoice) == Decimal("114.20")
        await pay(invoice, "114,20")
        assert await open_of(invoice) == 0
        await pay(invoice, "50.00")
        assert await open_of(invoice) == -50
        assert [(row["currency"], row["open"], row["invoices"]) for row in await billing.outstanding(ACME, MAX)] == [
            ("EUR", -50, 0)
        ]
        await pay(invoice, "50.00", direction="paid_back")
        assert await open_of(invoice) == 0
        assert await billing.outstanding(ACME, MAX) == []
        assert await billing.violations() == {}


async def test_a_payment_that_is_taken_back_leaves_its_trace() -> None:
    """A withdrawn payment no longer counts, but stays listed with who withdrew it and when; a repeat changes nothing."""
    async with transaction(MAX):
        invoice = await issued(90)
        await pay(invoice, "214.20")
        [row] = await billing.payments_of(invoice, MAX)
        await billing.take_payment_back(invoice, row["id"], by=MAX, at=NOW)
        await billing.take_payment_back(invoice, row["id"], by=NOOR, at=NOW + timedelta(days=1))
        [row] = await billing.payments_of(invoice, MAX)
        assert (row["taken_back_by"], row["taken_back_at"], row["recorded_by"]) == ("Max Herrmann", NOW, "Max Herrmann")
        assert await open_of(invoice) == GROSS
        with pytest.raises(NotFound):
            await billing.take_payment_back(invoice, row["id"] + 1, by=MAX, at=NOW)


async def test_the_same_form_again_changes_nothing() -> None:
    """A form that is sent twice records one payment."""
    async with transaction(MAX):
        invoice, key = await issued(90), uuid.uuid4()
        await pay(invoice, "100", key=key)
        await pay(invoice, "100", key=key)
        assert len(await billing.payments_of(invoice, MAX)) == 1


async def test_the_same_payment_again_is_asked_about() -> None:
    """A payment with the same day, amount and reference as a recorded one is recorded only after a confirmation."""
    async with transaction(MAX):
        invoice = await issued(90)
        await pay(invoice, "100")
        with pytest.raises(Invalid) as refusal:
            await pay(invoice, "100.00")
        assert list(refusal.value.fields) == ["again"]
        await pay(invoice, "100", reference="Statement 8")
        await pay(invoice, "100", again="yes")
        assert len(await billing.payments_of(invoice, MAX)) == 3


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("amount", {"amount": "0"}), ("amount", {"amount": "-1"}), ("amount", {"amount": "1.234"}), ("amount", {"amount": "much"}),
        ("amount", {"amount": "9" * 20}), ("amount", {"amount": "1", "direction": "paid_back"}), ("paid_on", {"paid_on": "2026-11-21"}),
        ("paid_on", {"paid_on": "soon"}), ("reference", {"reference": "x" * 201}), ("direction", {"direction": "lost"}),
    ],
)  # fmt: skip
async def test_bad_input_gets_a_sentence(field: str, fields: dict[str, str]) -> None:
    """A wrong field is refused with an error message at that field, and no payment is recorded."""
    async with transaction(MAX):
        invoice = await issued(90)
        with pytest.raises(Invalid) as refusal:
            await pay(invoice, **({"amount": "100"} | fields))
        assert list(refusal.value.fields) == [field]
        assert await billing.payments_of(invoice, MAX) == []


async def test_the_day_is_the_companys() -> None:
    """At 0:30 in Berlin, the company's time zone, a payment of the new day is accepted, although UTC has the day before (D13)."""
    async with transaction(MAX):
        invoice = await issued(90)
        facts = PaymentFacts(amount="1", paid_on="2026-12-01")
        await billing.record_payment(invoice, facts, by=MAX, at=NOW.replace(day=30, hour=23, minute=30))
        assert (await billing.payments_of(invoice, MAX))[0]["paid_on"] == date(2026, 12, 1)


async def test_only_managers_record_payments() -> None:
    """An agent who is not a manager cannot record a payment."""
    async with transaction(MAX):
        invoice = await issued(90)
    async with transaction(INES):
        with pytest.raises(Forbidden):
            await pay(invoice, "1", by=INES)


async def test_the_database_refuses_what_would_make_sums_wrong() -> None:
    """The database refuses to change or delete a payment.

    It also refuses a payment in another currency or with too many decimals, and a repayment of more than was paid.
    """
    async with transaction(MAX) as tx:
        invoice = await issued(90)
        await pay(invoice, "100")
        for sql in (
            "update payment set taken_back_at = null, amount = 1", "delete from payment",
            "insert into payment (customer_id, invoice_id, currency, amount, paid_on, reference, recorded_at, recorded_by_id)"
            " select customer_id, invoice_id, currency, -101, paid_on, '', recorded_at, recorded_by_id from payment",
            "insert into payment (customer_id, invoice_id, currency, amount, paid_on, reference, recorded_at, recorded_by_id)"
            " select customer_id, invoice_id, 'USD', 1, paid_on, '', recorded_at, recorded_by_id from payment",
            "insert into payment (customer_id, invoice_id, currency, amount, paid_on, reference, recorded_at, recorded_by_id)"
            " select customer_id, invoice_id, currency, 0.001, paid_on, '', recorded_at, recorded_by_id from payment",
        ):  # fmt: skip
            with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
                async with transaction(MAX):
                    await tx.execute(sql)
        assert await open_of(invoice) == Decimal("114.20")


async def test_of_two_people_at_once_nobody_pays_back_what_is_gone() -> None:
    """If two managers record the repayment of the same money at once, the second is refused."""
    async with transaction(MAX):
        invoice = await issued(90)
        await pay(invoice, "100")

    async def pay_back(by: AgentReader) -> str:
        try:
            async with transaction(by):
                await pay(invoice, "100", by=by, direction="paid_back", reference=by.name)
        except Invalid:
            return "refused"
        return "done"

    assert sorted(await asyncio.gather(pay_back(MAX), pay_back(NOOR))) == ["done", "refused"]
    async with transaction(MAX):
        assert await open_of(invoice) == GROSS


async def test_contacts_see_what_is_paid_and_nothing_else() -> None:
    """Ada, who may see invoices, reads day and amount of payments that are not withdrawn; others read none.

    R26, R27.
    """
    async with transaction(MAX):
        invoice = await issued(90)
        await pay(invoice, "100")
        await pay(invoice, "7", reference="MARK")
        await billing.take_payment_back(invoice, (await billing.payments_of(invoice, MAX))[-1]["id"], by=MAX, at=NOW)
    async with transaction(ADA):
        [row] = await billing.payments_of(invoice, ADA)
        assert dict(row).keys() == {"id", "amount", "currency", "paid_on"}
        assert (await billing.unpaid_of(ACME, ADA)).count == 1
        assert (await billing.outstanding(ACME, ADA))[0]["open"] == Decimal("114.20")
    for reader in (ALAN, GIL):
        async with transaction(reader):
            assert (await billing.unpaid_of(ACME, reader)).count == 0
            assert await billing.outstanding(ACME, reader) == []
    async with transaction(GIL):
        assert await billing.payments_of(invoice, GIL) == []


async def test_a_payment_code_pays_in_euros_only() -> None:
    """`payment_code` makes a QR code (EPC) for a sum in EUR, however long the payee's name is.

    It makes none for a sum in CHF, for 0.00 or without an IBAN.
    """
    parties = {"seller": {"legal_name": "Ä" * 90}, "bank": {"iban": "DE02120300000000202051", "bic": "BYLADEM1001"}}
    code = codes.payment_code(parties, "2026-0147", GROSS, "EUR")
    assert code is not None
    assert code.version <= 13
    assert codes.payment_code(parties, "2026-0147", GROSS, "CHF") is None
    assert codes.payment_code(parties, "2026-0147", Decimal(0), "EUR") is None
    assert codes.payment_code(parties | {"bank": {"iban": "", "bic": None}}, "2026-0147", GROSS, "EUR") is None
    assert (
        codes.payment_code(parties | {"seller": {"legal_name": "\U0001f393" * 90}}, "X" * 22, GROSS, "EUR") is not None
    )


async def test_the_pdf_has_the_code() -> None:
    """The PDF of an invoice in euros tells its reader to scan the payment code with a banking app."""
    async with transaction(MAX):
        invoice = await issued(90)
        pdf = await pdf_of(invoice)
        assert "Scan this code with your banking app" in text_of(pdf)


async def test_pages_say_what_is_owed(app: Gate) -> None:
    """Invoice, lists and home page show agents and customers whether an invoice is due, partly paid, overdue or paid."""
    async with transaction(MAX):
        invoice = await issued(90)
    async with await Browser.of(app, MAX, at=NOW) as max_, await Browser.of(app, ADA, at=NOW) as ada:
        home = (await ada.get("/")).text
        assert home
        assert "One invoice waits for you" in home
        assert "/invoices/2026-0147" in home
        page = (await max_.get(INVOICE)).text
        assert "Record a payment" in page
        fields = {"amount": "100", "paid_on": "2026-11-19", "reference": "MARK"}
        answer = await max_.send_form(f"{INVOICE}/payments", fields)
        assert answer.headers["location"] == f"{INVOICE}#payments"
        for browser, path in (
            (max_, INVOICE),
            (max_, "/agent/invoices"),
            (ada, "/invoices"),
            (ada, "/invoices/2026-0147"),
        ):
            assert "Partly paid" in (await browser.get(path)).text, path
        assert "MARK" not in (await ada.get("/invoices/2026-0147")).text
        again = await max_.send_form(f"{INVOICE}/payments", fields)
        assert again.status_code == 422
        assert "recorded already" in again.text
    later = NOW + timedelta(days=17)
    app.clock = lambda: later
    async with await Browser.of(app, MAX, at=later) as max_, await Browser.of(app, ADA, at=later) as ada:
        for browser, path in ((max_, INVOICE), (ada, "/invoices"), (ada, "/")):
            assert "overdue" in (await browser.get(path)).text.lower(), path
            assert "3\xa0days" in (await browser.get(path)).text, path
        await max_.send_form(f"{INVOICE}/payments", {"amount": "114.20", "paid_on": "2026-11-20"})
        assert "Nothing waits for you" in (await ada.get("/")).text
        assert "Pay to" not in (await ada.get("/invoices/2026-0147")).text
    async with transaction(MAX):
        assert await open_of(invoice) == 0
