"""Test bad input in forms about billing over HTTP: each error is reported at its field, and nothing is stored."""

from datetime import date
from typing import Any

import pytest

from portal import billing
from portal.contracts.contracts import Contract
from portal.contracts.rates import Rate, RateFacts
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import transaction
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_CONTRACT, MAX, NOOR, NOW, SENIOR

pytestmark = pytest.mark.usefixtures("clock")

TABLES = (
    "rate",
    "voucher",
    "voucher_service",
    "contract",
    "approval",
    "allocation",
    "time_entry",
    "billing_run",
    "payment",
)


async def everything() -> dict[str, str]:
    """Return the rows of the tables in `TABLES`, which the forms of these tests could change: JSON text by table."""
    async with transaction(SYSTEM) as tx:
        return {
            table: str(await tx.fetchval(f"select json_agg(to_jsonb(t) order by to_jsonb(t)::text) from {table} t"))
            for table in TABLES
        }


@pytest.fixture
async def prepared(dsn: str) -> dict[str, Any]:
    """Create a voucher of Acme, an issued invoice with a payment, and a rate of the role Senior from December on.

    Return the ids of the voucher (`voucher`) and of a service of Globex that is paid by vouchers (`theirs`).
    """
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        prepaid = await Service.create(contract, ServiceFacts(name="Prepaid", settlement="voucher"), NOW)
        theirs = await Service.create(
            await Contract.find(GLOBEX_CONTRACT, NOOR), ServiceFacts(name="Theirs", settlement="voucher"), NOW
        )
        sale = VoucherFacts(services=[str(prepaid.id)], hours="10h", price="900", sold_on="2026-11-02")
        voucher = await Voucher.sell(await Customer.find(ACME, NOOR), sale, NOW)
        facts = RateFacts(hourly_rate="130", currency="EUR", effective_from="2026-12-01", role_id=str(SENIOR))
        await Rate.create(facts, NOW)
    async with transaction(MAX):
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        made = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert made is not None
        invoice = await billing.issue(made.draft_ids[0], by=MAX, at=NOW)
        facts_paid = billing.PaymentFacts(amount="50", paid_on="2026-11-20", reference="Transfer 7")
        await billing.record_payment(invoice, facts_paid, by=MAX, at=NOW)
        return {"voucher": voucher.id, "theirs": theirs.id}


RATE = {"hourly_rate": "140", "currency": "EUR", "effective_from": "2026-12-01", "role_id": str(SENIOR)}
PAID = {"amount": "50", "paid_on": "2026-11-20", "reference": "Transfer 7", "direction": "received"}
SOLD = {"hours": "10h", "price": "900", "sold_on": "2026-11-20", "usable_once": "sold", "sold_elsewhere": "no"}


@pytest.mark.parametrize(
    ("path", "fields", "field", "sentence"),
    [
        ("/agent/setup/rates", RATE, "effective_from", "Such a rate begins on this day already."),
        (f"/agent/customers/{GLOBEX}/vouchers/new", SOLD | {"services": "{prepaid}"}, "services", "Choose services of this customer"),
        (f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}", {
            "name": "Support 2026", "start_on": "2026-01-01", "currency": "CHF", "vat_rate": "19", "payment_days": "14",
            "cycle": "monthly", "anchor": "2026-01-01",
        }, "currency", "Its services are priced in EUR. Make a new contract for CHF."),
        ("/agent/billing/runs", {"until": "2026-12-01", "customer": "1"}, "until", "Billing goes up to tomorrow at most."),
        ("/agent/invoices/2026-0147/payments", PAID, "again", "is recorded already. Is this another one?"),
    ],
    ids=["two rates of one scope and date", "a service of another customer", "another currency", "a run up to next month", "the same payment twice"],
)  # fmt: skip
async def test_bad_input_has_one_sentence_at_its_field_and_changes_nothing(
    app: Gate, prepared: dict[str, Any], path: str, fields: dict[str, str], field: str, sentence: str
) -> None:
    """D18, D45, D47: input that is invalid or conflicts with stored data gets 422 with one error, and changes nothing.

    The list of errors at the top of the page links to the field.
    """
    before = await everything()
    sent = {name: value.format(prepaid=prepared["theirs"] - 1) for name, value in fields.items()}
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        answer = await browser.send_form(path, sent)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert answer.text.count(f'href="#{field}"') == 1, "the list of errors links to the field"
    assert await everything() == before


async def test_a_voucher_of_another_customer_is_not_found(app: Gate, prepared: dict[str, Any]) -> None:
    """R29, D31: under Globex's URL, a voucher of Acme gets 404 and is not changed."""
    before, here = await everything(), f"/agent/customers/{GLOBEX}/vouchers/{prepared['voucher']}"
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        assert (await browser.get(here)).status_code == 404
        assert (await browser.send_form(here, {"label": "Mine", "usable_once": "sold"})).status_code == 404
    assert await everything() == before


async def test_time_without_a_rate_is_refused_with_a_sentence_that_names_agent_service_and_day(app: Gate) -> None:
    """D19: without a fitting rate, an approval is refused with an error that names agent, service and day.

    No table changes.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from rate")
        entry = await log(60, on=date(2026, 10, 6))
    before = await everything()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form("/agent/approvals", {"entry": f"{entry.id}:1"})
    assert (
        "There is no rate for Ines Okafor under “Helpdesk” on 6 Oct 2026. Add one, then approve."
        in answer.text.replace("\xa0", " ")
    )
    assert await everything() == before
