"""Test notice and renewal of contracts, and that a contract can demand an order number on its invoices."""

import asyncio
import contextvars
import io
from datetime import UTC, date, datetime

import asyncpg
import pytest
from pypdf import PdfReader

from portal import billing, notices
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.renewals import ContractRenewal, later
from portal.database import transaction
from portal.errors import Invalid
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, log, seen_sum
from tests.browser import Browser
from tests.people.test_people import but, refused
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

YEAR = ContractFacts(
    name="Care", start_on="2026-01-01", valid_until="2026-12-31", currency="EUR", vat_rate="19", notice_days="30",
    renewal_months="12",
)  # fmt: skip
BEFORE = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
"""An instant on the day before the last day for notice: 1 December, 30 days before the contract's end."""
AFTER = datetime(2026, 12, 2, 12, 0, tzinfo=UTC)


async def a_contract(facts: ContractFacts = YEAR) -> int:
    async with transaction(NOOR):
        return (await Contract.create(await Customer.find(ACME, NOOR), facts, NOW)).id


async def renewals(contract: int) -> tuple[date | None, list[tuple[date, date]]]:
    """Return a contract's last day and, for each renewal, latest first, the last day before and after the renewal."""
    async with transaction(NOOR):
        found = await ContractRenewal.of(contract)
        last = (await Contract.find(contract, NOOR)).valid_until
        return last, [(renewal.old_last_day, renewal.last_day) for renewal in found]


def at_once(at: datetime) -> asyncio.Task[object]:
    """Start a task that renews the due contracts in a context of its own, as a worker does, and return the task."""
    return asyncio.create_task(billing.renew_contracts(at), context=contextvars.Context())


async def test_managers_are_notified_of_a_renewal_once() -> None:
    """S3.4: managers get one notice that a contract was renewed, and until when; agents get none."""
    await a_contract()
    await billing.renew_contracts(AFTER)
    await billing.renew_contracts(AFTER)
    async with transaction(SYSTEM):
        await notices.pass_on(AFTER)
    async with transaction(MAX, readonly=True):
        told = [one.words.replace("\N{NO-BREAK SPACE}", " ") for one in (await notices.inbox(MAX)).notices]
    assert told == ["The contract “Care” is renewed until 31 Dec 2027"]
    async with transaction(INES, readonly=True):
        assert (await notices.inbox(INES)).notices == []


async def test_a_contract_is_renewed_on_the_day_after_the_last_one_for_notice() -> None:
    """With 30 days' notice before 31 December, the last day for notice is 1 December; the contract is renewed on the 2nd."""
    contract = await a_contract()
    async with transaction(NOOR):
        assert (await Contract.find(contract, NOOR)).last_notice == date(2026, 12, 1)
    await billing.renew_contracts(BEFORE)
    assert await renewals(contract) == (date(2026, 12, 31), [])
    await billing.renew_contracts(AFTER)
    await billing.renew_contracts(AFTER)
    assert await renewals(contract) == (date(2027, 12, 31), [(date(2026, 12, 31), date(2027, 12, 31))])


async def test_two_workers_renew_a_contract_once() -> None:
    contract = await a_contract()
    await asyncio.gather(at_once(AFTER), at_once(AFTER))
    assert len((await renewals(contract))[1]) == 1


async def test_a_worker_that_was_away_catches_up_and_leaves_a_trace_of_each_renewal() -> None:
    contract = await a_contract(but(YEAR, renewal_months="6", notice_days=""))
    await billing.renew_contracts(datetime(2027, 7, 15, tzinfo=UTC))
    assert await renewals(contract) == (
        date(2027, 12, 31),
        [(date(2027, 6, 30), date(2027, 12, 31)), (date(2026, 12, 31), date(2027, 6, 30))],
    )


async def test_renewals_one_by_one_end_on_the_same_days_as_renewals_that_are_caught_up_at_once() -> None:
    """A contract until 30 January that is renewed by a month lasts until 27 February, and then until 30 March.

    If somebody sets another last day, further renewals are counted from that day.
    """
    monthly = but(YEAR, valid_until="2027-01-30", notice_days="", renewal_months="1")
    contract = await a_contract(monthly)
    for month, day in ((1, 31), (2, 28), (3, 31)):
        await billing.renew_contracts(datetime(2027, month, day, 12, tzinfo=UTC))
    late = await a_contract(but(monthly, name="Second"))
    await billing.renew_contracts(datetime(2027, 3, 31, 12, tzinfo=UTC))
    last, done = await renewals(contract)
    assert (last, [until for _, until in done]) == (
        date(2027, 4, 29),
        [date(2027, 4, 29), date(2027, 3, 30), date(2027, 2, 27)],
    )
    assert await renewals(late) == (last, done)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contract set end_on = '2027-05-15' where id = $1", contract)
    await billing.renew_contracts(datetime(2027, 5, 15, 12, tzinfo=UTC))
    assert (await renewals(contract))[0] == date(2027, 6, 14)


async def test_a_contract_without_renewal_and_one_of_an_ended_customer_end() -> None:
    ending, ended = await a_contract(but(YEAR, renewal_months="")), await a_contract(but(YEAR, name="Second"))
    async with transaction(SYSTEM):
        await (await Customer.find(ACME, SYSTEM)).end(NOW)
    await billing.renew_contracts(AFTER)
    assert await renewals(ending) == await renewals(ended) == (date(2026, 12, 31), [])


async def test_a_renewal_lands_on_the_last_day_of_a_month_that_is_too_short() -> None:
    assert later(date(2027, 1, 31), 1) == date(2027, 2, 28)
    assert later(date(2027, 1, 31), 13) == date(2028, 2, 29)
    assert later(date(2026, 12, 1), 1) == date(2027, 1, 1)


async def test_a_renewed_contract_needs_a_last_day() -> None:
    async with transaction(NOOR):
        customer = await Customer.find(ACME, NOOR)
        await refused(Contract.create(customer, but(YEAR, valid_until=""), NOW), "valid_until")
        wrong = but(YEAR, notice_days="-1", renewal_months="0")
        await refused(Contract.create(customer, wrong, NOW), "notice_days", "renewal_months")


async def test_a_contract_that_has_ended_is_not_renewed_for_the_past() -> None:
    """Automatic renewal is refused for a contract whose last day is before today.

    A form can neither add renewal to a contract whose last day is past, nor set a past last day on a contract with
    renewal. A stored contract that has both can still be renamed.
    """
    last = but(YEAR, valid_until="2026-10-31")
    contract_id = await a_contract(but(last, renewal_months=""))
    async with transaction(NOOR):
        contract = await Contract.find(contract_id, NOOR)
        await refused(contract.change(last, NOW), "valid_until")
        await refused(Contract.create(await Customer.find(ACME, NOOR), last, NOW), "valid_until")
        await contract.change(YEAR, NOW)
        renewed = await Contract.find(contract_id, NOOR)
        await refused(renewed.change(last, NOW), "valid_until")
        await renewed.change(but(YEAR, name="Other"), datetime(2027, 1, 2, tzinfo=UTC))


async def test_the_page_of_a_contract_says_notice_renewal_and_what_was_renewed(app: Gate) -> None:
    contract = await a_contract()
    await billing.renew_contracts(AFTER)
    async with await Browser.of(app, INES, at=NOW) as browser:
        html = (await browser.get(f"/agent/contracts/{contract}")).text.replace("\xa0", " ")
    for words in ("Until 1 Dec 2027, 30 days before it ends", "By 12 months", "It was to end on 31 Dec 2026"):
        assert words in html, words


# --- The order number


async def a_draft(service: int = 1, customer: int = ACME) -> int:
    """Approve and bill an hour of October under the service, and return the id of the draft."""
    async with transaction(MAX):
        entry = await log(service=service)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        made = await billing.run(NOVEMBER, [customer], by=MAX, at=NOW)
        assert made is not None
        return made.draft_ids[0]


async def test_an_invoice_has_the_order_number_that_its_contract_demands(app: Gate, dsn: str) -> None:
    """D46: without the order number that the contract demands, issuing is refused and takes no invoice number.

    With the order number, the page and the PDF of the invoice show it, and the database refuses to remove it from the
    invoice.
    """
    draft = await a_draft()
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        await contract.change(but(contract.facts, requires_order=True, order_reference=""), NOW)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"/agent/drafts/{draft}")).text
        assert "“Support 2026” demands the customer’s order number on its invoices." in page
        answer = await browser.send_form(f"/agent/drafts/{draft}/issue", await seen_sum(draft))
        assert (answer.status_code, "demands the customer’s order number" in answer.text) == (422, True)
        async with transaction(NOOR):
            await contract.change(but(contract.facts, requires_order=True, order_reference="PO-4711"), NOW)
        answer = await browser.send_form(f"/agent/drafts/{draft}/issue", await seen_sum(draft))
        assert answer.headers["location"] == "/agent/invoices/2026-0147", "a refusal takes no number"
        assert "PO-4711" in (await browser.get("/agent/invoices/2026-0147")).text
        pdf = (await browser.get("/agent/invoices/2026-0147/invoice.pdf")).content
        assert "PO-4711" in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    connection = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.CheckViolationError, match="invoice_order"):
        await connection.execute(
            "alter table invoice disable trigger all; update invoice set parties = jsonb_set(parties, '{contract,order_reference}', '\"\"')"
        )
    await connection.close()


async def test_an_invoice_without_vat_to_another_country_of_the_eu_needs_the_vat_id(app: Gate) -> None:
    """D42: without the customer's VAT id, an invoice without VAT to another EU country cannot be issued.

    The page of the draft links to the field for the VAT id. A refusal takes no invoice number: once the customer is in
    the USA, the invoice gets the first one.
    """
    draft = await a_draft(GLOBEX_HELPDESK, GLOBEX)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update customer set vat_id = null where id = $1", GLOBEX)
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        page = (await browser.get(f"/agent/drafts/{draft}")).text
        assert "so the invoice needs their VAT id." in page
        assert f'href="/agent/customers/{GLOBEX}/edit#vat_id"' in page
        answer = await browser.send_form(f"/agent/drafts/{draft}/issue", await seen_sum(draft))
        assert (answer.status_code, "Globex Ltd is charged without VAT" in answer.text) == (422, True)
    async with transaction(MAX):
        with pytest.raises(Invalid):
            await billing.issue(draft, by=MAX, at=NOW)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update customer set country = 'US' where id = $1", GLOBEX)
    async with transaction(MAX):
        assert (await billing.issue(draft, by=MAX, at=NOW)).number == "2026-0147"
