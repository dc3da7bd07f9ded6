"""Test the warnings: hours run out, vouchers expire, contracts end; managers and contacts each get a warning once."""

import asyncio
import contextvars
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal import billing, notices
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import transaction
from portal.notices import warnings
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, Reader
from portal.web.gate import Gate
from tests.billing.test_payments import pay
from tests.billing.test_prepaid_persistence import PLAN, VOUCHER, a_voucher, approved
from tests.billing.work import a_service
from tests.browser import Browser, text_of
from tests.mail.test_invoices import issued
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")
TODAY = date(2026, 11, 20)
BOTH_SIDES = {"Ada", "Max", "Noor"}
"""The people who are warned: Ada, who may see Acme's hours, and all managers, because none is designated."""
NAMES = {reader.credential_id: reader.name.split()[0] for reader in (INES, MAX, NOOR, ADA, ALAN, GIL)}


async def pass_on(at: datetime = NOW) -> None:
    async with transaction(SYSTEM):
        while await notices.pass_on(at):
            pass


async def words(reader: Reader) -> list[str]:
    """Return the texts of the reader's notices of warnings and payments, oldest first."""
    async with transaction(reader, readonly=True):
        found = (await notices.inbox(reader)).notices
    kinds = ("hours.low", "hours.expiring", "contract.ending", "invoice.paid")
    return [told.words.replace("\N{NO-BREAK SPACE}", " ") for told in reversed(found) if told.kind.name in kinds]


async def told(kind: str = "hours.low") -> list[tuple[str, int]]:
    """Return who was warned of this kind, and how many minutes were left."""
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select credential_id, amount from notice where kind = $1 order by id", kind)
    return [(NAMES[row["credential_id"]], row["amount"]) for row in rows]


async def plan(**columns: Any) -> int:
    """Insert a subscription with ten included hours a month, and return its id."""
    async with transaction(MAX):
        return await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | columns)


async def work(minutes: int, service: int, on: date = TODAY) -> Any:
    """Create approved time as Max, make the notices that follow from it, and return the time entry."""
    async with transaction(MAX):
        [entry] = await approved(minutes, service=service, on=on)
    await pass_on()
    return entry


async def test_both_sides_are_warned_once_at_80_percent_and_once_at_the_end() -> None:
    """S2.3: managers and contacts are warned once when 80 % of the hours are used, and once when none is left."""
    care = await plan()
    await work(475, care)
    assert await told() == []
    await work(5, care)
    assert {name for name, _ in await told()} == BOTH_SIDES
    assert await words(ADA) == ["80 % of the included hours of Care are used in the period from 1 Nov 2026: 2 h left"]
    await work(60, care)
    assert len(await told()) == 3
    await work(60, care)
    assert (await words(ADA))[1:] == ["The included hours of Care are used up in the period from 1 Nov 2026"]
    assert await words(MAX) == await words(ADA)
    await work(60, care)
    assert len(await told()) == 6


async def test_usage_that_falls_and_rises_again_is_not_told_again() -> None:
    """If a withdrawn approval lowers the usage below 80 %, and new time raises it again, nobody is warned again."""
    care = await plan()
    entry = await work(600, care)
    assert [minutes for _, minutes in await told()] == [0] * 3, "80 % and the end at once are one warning"
    async with transaction(MAX):
        await billing.withdraw(entry.id, by=MAX, at=NOW)
    await pass_on()
    await work(500, care)
    await work(100, care)
    assert len(await told()) == 3


async def test_each_period_causes_warnings_of_its_own() -> None:
    """Each period has warnings of its own: October's time, approved in November, does not stop November's warning."""
    care = await plan()
    await work(600, care, date(2026, 10, 20))
    assert await words(ADA) == ["The included hours of Care are used up in the period from 1 Oct 2026"]
    await work(600, care)
    assert len(await words(ADA)) == 2


async def test_each_voucher_causes_warnings_of_its_own_that_link_to_its_page(app: Gate) -> None:
    """S2.3: people are warned when 80 % of a voucher are used and when it is used up.

    Each warning links to the voucher's page, in the customer's area for Ada and in the agents' area for Max.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        voucher = await a_voucher(care, hours="2h")
    await work(100, care, date(2026, 10, 20))
    await work(20, care)
    assert await words(ADA) == [
        "80 % of the voucher “Voucher 2 h” is used: 20 min left", "The voucher “Voucher 2 h” is used up"
    ]  # fmt: skip
    for reader, room, page in (
        (ADA, "", f"/hours/vouchers/{voucher}"), (MAX, "/agent", f"/agent/customers/{ACME}/vouchers/{voucher}"),
    ):  # fmt: skip
        async with await Browser.of(app, reader, at=NOW) as browser:
            listed = (await browser.get(f"{room}/notices")).text
            assert "is used up" in text_of(listed)
            link = listed.partition(f'href="{room}/notices/')[2].partition('"')[0]
            answer = await browser.get(f"{room}/notices/{link}")
            assert answer.headers["location"] == page
            assert (await browser.get(page)).status_code == 200


async def test_a_voucher_that_open_time_uses_up_when_it_is_sold_causes_a_warning_at_once() -> None:
    """S2.3: if a voucher is used up as soon as it is sold, by time approved earlier, people are warned at once."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
    await work(120, care, date(2026, 10, 20))
    assert await words(ADA) == []
    async with transaction(MAX), billing.changing_terms(ACME):
        sale = VoucherFacts(services=[str(care)], hours="2h", price="180", sold_on="2026-10-01")
        await Voucher.sell(await Customer.find(ACME, MAX), sale, NOW)
    await pass_on()
    assert await words(ADA) == ["The voucher “Voucher 2 h” is used up"]


async def test_the_managers_of_the_service_are_warned_and_no_others() -> None:
    """C10: if a manager is designated for the service, no other manager is warned; other agents never are."""
    care = await plan()
    async with transaction(MAX) as tx:
        await tx.execute(
            "insert into service_designation (customer_id, service_id, agent_id) values ($1, $2, $3)",
            ACME,
            care,
            MAX.id,
        )
    await work(600, care)
    assert {name for name, _ in await told()} == {"Ada", "Max"}


async def test_a_contact_who_loses_the_right_no_longer_sees_the_warning() -> None:
    """R12, R26: the right to see hours is checked again whenever the warning is shown."""
    await work(600, await plan())
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_all_cases = false, sees_invoices = false where id = $1", ADA.id)
    other = type(ADA)(
        **{name: getattr(ADA, name) for name in ADA.__slots__} | {"sees_all_cases": False, "sees_invoices": False}
    )
    assert await words(other) == []
    demoted = type(MAX)(**{name: getattr(MAX, name) for name in MAX.__slots__} | {"grade": "agent"})
    assert await words(demoted) == []


async def test_two_workers_at_once_and_one_that_is_killed_warn_once() -> None:
    """A worker that ends before its commit leaves no warning behind; of several workers at once, only one warns."""
    care = await plan()
    async with transaction(MAX):
        await approved(600, service=care, on=TODAY)
    with pytest.raises(RuntimeError):
        async with transaction(SYSTEM):
            await notices.pass_on(NOW)
            raise RuntimeError("killed")
    assert await told() == []

    async def again() -> None:
        async with transaction(SYSTEM):
            await notices.passing.make(await warnings.of_hours([ACME], NOW), NOW)

    await asyncio.gather(*(asyncio.create_task(again(), context=contextvars.Context()) for _ in range(3)))
    await pass_on()
    assert len(await told()) == 3


async def test_approved_general_time_has_no_customer_and_stops_no_other_notice() -> None:
    """Approved general time has no customer; it does not stop the warning that another entry's approval causes."""
    care = await plan()
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into outbox (kind, subject_id, at, contact_may_know) values ('time.approved', 1, $1, false)", NOW
        )
    await work(600, care)
    assert len(await told()) == 3


async def test_hours_that_cannot_be_read_stop_no_other_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """If reading the hours fails, no warning about hours is made, but the notice of the issued invoice still is."""
    care = await plan()
    monkeypatch.setattr(warnings, "standings", None)
    await issued()
    await work(600, care)
    assert await told() == []
    assert await told("invoice.issued") != []


async def test_an_expiring_voucher_causes_one_warning_in_the_morning_until_its_last_day_changes() -> None:
    """S2.3: one warning is made 30 days before a voucher with hours left expires; a later last day causes another."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        voucher = await a_voucher(
            care, hours="4h", sold_on="2026-01-01", valid_from="2026-01-01", valid_until="2026-12-19"
        )
        await a_voucher(care, hours="1h", sold_on="2026-01-01", valid_from="2026-01-01", valid_until="2026-12-18")
        await approved(60, service=care, on=TODAY)

    async def morning(day: datetime) -> None:
        async with transaction(SYSTEM):
            await notices.remind(day)

    await morning(datetime(2026, 11, 19, 9, tzinfo=UTC))
    await morning(datetime(2026, 11, 20, 6, 59, tzinfo=UTC))
    assert await told("hours.expiring") == []
    for hours in (0, 1, 24):
        await morning(NOW + timedelta(hours=hours))
    assert {name for name, _ in await told("hours.expiring")} == BOTH_SIDES
    assert await words(ADA) == ["The voucher “Voucher 4 h” can be used until 19 Dec 2026: 4 h left"]
    async with transaction(MAX) as tx:
        await tx.execute("update voucher set end_on = '2026-12-21' where id = $1", voucher)
    await morning(NOW + timedelta(days=2))
    assert len(await told("hours.expiring")) == 6
    async with transaction(MAX) as tx:
        await tx.execute("delete from voucher where id = $1", voucher)
    assert await words(ADA) == []


async def test_the_end_of_a_contract_is_announced_once_and_not_from_the_first_day_of_a_short_one() -> None:
    """A contract's end is announced once, 30 days before, but not before three quarters of the contract have passed."""
    async with transaction(MAX) as tx:
        await tx.execute(
            "update contract set start_on = '2026-11-10', end_on = '2026-11-30' where id = $1", ACME_CONTRACT
        )
    for day in (20, 24):
        async with transaction(SYSTEM):
            await notices.remind(datetime(2026, 11, day, 9, tzinfo=UTC))
        assert await words(ADA) == []
    for hour in (9, 10):
        async with transaction(SYSTEM):
            await notices.remind(datetime(2026, 11, 25, hour, tzinfo=UTC))
    (sentence,) = await words(ADA)
    assert sentence.endswith("ends on 29 Nov 2026")
    assert {name for name, _ in await told("contract.ending")} == BOTH_SIDES


async def test_people_are_warned_of_a_renewal_before_the_last_day_of_notice() -> None:
    """People are warned of the renewal of a contract before the last day on which notice can be given.

    The contract is renewed on 1 January 2027, with 60 days' notice. The last day to give notice is 1 November 2026, so
    the warning comes on 3 October.
    """
    async with transaction(MAX) as tx:
        await tx.execute(
            "update contract set start_on = '2026-01-01', end_on = '2027-01-01', notice_days = 60, renewal_months = 12 where id = $1",
            ACME_CONTRACT,
        )
    for day, count in ((2, 0), (3, 1), (4, 1)):
        async with transaction(SYSTEM):
            await notices.remind(datetime(2026, 10, day, 9, tzinfo=UTC))
        assert len(await words(ADA)) == count
    assert await words(ADA) == [
        "The contract “Support 2026” is renewed after 31 Dec 2026 unless notice is given until 1 Nov 2026"
    ]


async def test_contacts_with_the_right_to_invoices_are_notified_of_a_payment_until_it_is_withdrawn() -> None:
    """Ada is notified of a payment and of a repayment. If the repayment is taken back, its notice disappears."""
    invoice = await issued()
    async with transaction(MAX):
        await pay(invoice, "100")
        await pay(invoice, "20", direction="paid_back", reference="Too much")
    await pass_on()
    assert {name for name, _ in await told("invoice.paid")} == {"Ada"}
    assert await words(ADA) == [
        f"We have received €100.00 for invoice {invoice.number}",
        f"We have paid €20.00 back to you for invoice {invoice.number}",
    ]
    async with transaction(MAX) as tx:
        payments = await tx.fetch("select id from payment order by id desc")
        await billing.take_payment_back(invoice, payments[0]["id"], by=MAX, at=NOW)
    await pass_on()
    assert await words(ADA) == [f"We have received €100.00 for invoice {invoice.number}"]
