"""Test the page of hours over HTTP: the statement of each service, vouchers with their ledger, and who sees them."""

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.contracts.vouchers import Voucher, VoucherChange
from portal.database import current, transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN, a_voucher, approved, billed
from tests.billing.work import a_case, a_service, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
async def care(dsn: str) -> dict[str, int]:
    """Create a subscription with 10 included hours and a voucher of 2 hours; return their ids as `plan` and `voucher`.

    Of the 12 hours, 11 are used by an approved entry. Another entry of 30 min waits for approval.
    """
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        voucher = await a_voucher(plan, hours="2h", label="Autumn hours", valid_until="2026-12-31")
        await approved(660, service=plan, on=date(2026, 11, 3), description="MARK-INTERNAL")
        await log(30, service=plan, on=date(2026, 11, 4), comment="MARK-PENDING")
        return {"plan": plan, "voucher": voucher}


async def text_of(app: Gate, reader: Any, path: str, *, at: Any = NOW) -> str:
    async with await Browser.of(app, reader, at=at) as browser:
        response = await browser.get(path)
        assert response.status_code == 200, path
        return " ".join(response.text.replace("\xa0", " ").split())


async def test_a_contact_sees_what_is_used_pending_and_left(app: Gate, care: dict[str, int]) -> None:
    """S2.3, S3.22, S3.23: the page of hours shows included, used, pending and left time, and what happens to time beyond it."""
    text = await text_of(app, ADA, "/hours")
    for words in (
        "Care", "1 Nov 2026 to 30 Nov 2026", "<dt>Included</dt><dd>10 h", "<dt>Used of it</dt><dd>10 h", "<dt>Used of vouchers</dt><dd>1 h",
        "<dt>Pending</dt><dd>30 min", "<dt>Left</dt><dd>1 h", "Autumn hours", "1 h left", "Valid from 1 Sep 2026 until 31 Dec 2026",
        "(11 h 30 min in 20 days, ÷ 20 × 30 days)", "billed at its rate",
    ):  # fmt: skip
        assert words in text, words
    assert "MARK" not in text


async def test_a_number_of_a_case_stands_apart_from_the_work(app: Gate, care: dict[str, int]) -> None:
    """S2.3: the page of approved time has a space between the number of a case and the comment on the work."""
    async with transaction(MAX):
        await approved(15, service=care["plan"], comment="Cable laid", case_id=(await a_case())["id"])
    text = await text_of(app, ADA, f"/hours/services/{care['plan']}?on=2026-10-31")
    assert re.search("#[0-9]+</a> Cable laid", text)


async def test_earlier_periods_can_be_read(app: Gate, care: dict[str, int]) -> None:
    """S2.3, D26: the page of a past period shows what was included, used and left of a service.

    Gil, of another customer, and Alan, who may not see hours, get 404 for the page.
    """
    assert f"/hours/services/{care['plan']}?on=2026-10-31" in await text_of(app, ADA, "/hours")
    async with transaction(MAX):
        await approved(90, service=care["plan"])
    text = await text_of(app, ADA, f"/hours/services/{care['plan']}?on=2026-10-31")
    for words in (
        "1 Oct 2026 to 31 Oct 2026, which is over", "<dt>Included</dt><dd>10 h", "<dt>Used of it</dt><dd>1 h 30 min",
        "<dt>Unused</dt><dd>8 h 30 min", f"/hours/services/{care['plan']}?on=2026-11-01",
    ):  # fmt: skip
        assert words in text, words
    assert "Period before" not in text, "the service began in October"
    for on in ("", "?on=2027-03-01", "?on=soon"):
        assert "1 Nov 2026 to 30 Nov 2026" in await text_of(app, ADA, f"/hours/services/{care['plan']}{on}")
    for reader in (GIL, ALAN):
        async with await Browser.of(app, reader) as browser:
            assert (await browser.get(f"/hours/services/{care['plan']}")).status_code == 404


async def test_after_the_end_of_a_contract_the_period_before_is_its_last(app: Gate, care: dict[str, int]) -> None:
    """S2.3: the link to earlier periods of a service skips the months between the end of its contract and today."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contract set end_on = '2026-10-16' where id = $1", ACME_CONTRACT)
    page = f"/hours/services/{care['plan']}?on="
    assert f"{page}2026-10-15" in await text_of(app, ADA, f"{page}2027-03-01")


async def test_hours_are_on_the_home_page_and_in_the_panel_of_a_case(app: Gate, care: dict[str, int]) -> None:
    """Ada's home page and the agents' panel of a case show how many of a service's prepaid hours are left.

    The agents' page of the case loads these hours by a second request.
    """
    assert "1 h left of 12 h" in await text_of(app, ADA, "/")
    async with transaction(SYSTEM) as tx:
        number = await tx.fetchval(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at, service_id)"
            " values ($1, $2, 'VPN', 1, 3, 'open', $3, $3, $4) returning number",
            ACME, ADA.id, NOW, care["plan"],
        )  # fmt: skip
    assert f"/agent/cases/{number}/standing" in await text_of(app, INES, f"/agent/cases/{number}")
    text = await text_of(app, INES, f"/agent/cases/{number}/standing")
    assert "1 h left of 12 h" in text
    assert "30 min pending" in text


async def test_the_meter_under_the_duration_shows_what_is_left(app: Gate, care: dict[str, int]) -> None:
    """When a duration is typed, the form for time shows what is left of the service's prepaid time, if there is any."""
    path = f"/agent/time/preview?on=service-{care['plan']}&duration=45m&work_date=2026-11-20"
    text = await text_of(app, INES, path)
    assert "counts 45 min" in text
    assert "1 h left of 12 h, 30 min pending." in text
    assert "left of" not in await text_of(
        app, INES, f"/agent/time/preview?on=service-{HELPDESK}&duration=45m&work_date=2026-11-20"
    )


async def test_only_contacts_who_see_all_cases_or_invoices_see_hours(app: Gate, care: dict[str, int]) -> None:
    """R26: Alan, who sees only his own cases, gets 404 for hours and sees no link to them; Gil gets 404 for Acme's voucher."""
    async with await Browser.of(app, ALAN, at=NOW) as browser:
        assert (await browser.get("/hours")).status_code == 404
        assert (await browser.get(f"/hours/vouchers/{care['voucher']}")).status_code == 404
        assert "/hours" not in (await browser.get("/")).text
    async with await Browser.of(app, GIL, at=NOW) as browser:
        assert (await browser.get(f"/hours/vouchers/{care['voucher']}")).status_code == 404
        assert "Care" not in (await browser.get("/hours")).text


async def test_the_present_and_the_next_fee_are_shown_with_the_right_to_invoices(
    app: Gate, care: dict[str, int]
) -> None:
    """S2.3, R26: Ada reads November's fee and the higher fee of December; Alan, who may not see invoices, reads no fee."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into price_change (customer_id, service_id, effective_from, fee, included_minutes, created_at)"
            " values ($1, $2, '2026-11-15', 620, 600, $3)", ACME, care["plan"], NOW,
        )  # fmt: skip
        await tx.execute("update contact set sees_all_cases = true where id = $1", ALAN.id)
    for path in ("/hours", f"/hours/services/{care['plan']}"):
        text = await text_of(app, ADA, path)
        assert '<dt>Fee</dt><dd>€500.00 <span class="quiet">for this period' in text
        assert '<dt>Next fee</dt><dd>€620.00 <span class="quiet">billed from 1 Dec 2026 on, without VAT' in text
        alans = await text_of(app, replace(ALAN, sees_all_cases=True), path)
        # Only text outside of tags counts: a random token in an attribute can contain these letters.
        assert "fee" not in re.sub("<[^>]*>", "", alans).lower()


@pytest.mark.parametrize(
    ("due", "ends", "now", "next", "billed_from"),
    [
        ("advance", None, "500.00", "500.00", date(2026, 12, 1)),
        ("arrears", None, "500.00", "500.00", date(2026, 12, 1)),
        ("advance", date(2026, 11, 16), "250.00", None, None),
        ("arrears", date(2026, 11, 22), "350.00", "350.00", date(2026, 11, 22)),
        ("advance", date(2026, 12, 11), "500.00", "161.29", date(2026, 12, 1)),
    ],
)
async def test_the_next_fee_is_that_of_the_days_that_are_left(
    dsn: str, due: str, ends: date | None, now: str, next: str | None, billed_from: date | None
) -> None:
    """D26: on 20 November, the next fee depends on whether fees are due in advance or arrears, and on the contract's end."""
    async with transaction(MAX) as tx:
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"due": due})
        await tx.execute("update contract set end_on = $1 where id = $2", ends, ACME_CONTRACT)
    async with transaction(SYSTEM):
        found = await billing.standing_of(SYSTEM, plan, date(2026, 11, 20))
    assert found is not None
    assert found.fees is not None
    shown = (found.fees.now, found.fees.next, found.fees.billed_from)
    assert shown == (Decimal(now), next and Decimal(next), billed_from)


async def test_money_is_shown_only_with_the_right_to_invoices(app: Gate, care: dict[str, int]) -> None:
    """R26: a contact who may not see invoices reads hours, but neither the overage rate nor a voucher's price."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update service set overage_rate = 150 where id = $1", care["plan"])
        await tx.execute("update contact set sees_all_cases = true where id = $1", ALAN.id)
    assert "at €150.00 an hour" in await text_of(app, ADA, "/hours")
    assert "€900.00" in await text_of(app, ADA, f"/hours/vouchers/{care['voucher']}")
    for path in ("/hours", f"/hours/vouchers/{care['voucher']}", "/"):
        assert "€" not in await text_of(app, replace(ALAN, sees_all_cases=True), path), path


async def test_the_ledger_shows_grant_draw_reversal_and_expiry(app: Gate, care: dict[str, int]) -> None:
    """D23, S3.22: the ledger of a voucher shows what was granted, drawn and given back, and what was left on expiry."""
    async with transaction(MAX):
        run = await billed(date(2026, 11, 21))
        await billing.delete_draft(run.draft_ids[0], by=MAX, at=NOW)
        await billed(date(2026, 11, 21))
    path = f"/hours/vouchers/{care['voucher']}"
    text = await text_of(app, ADA, path)
    for words in ("Granted", "Drawn for time of 3 Nov 2026", "Given back for time of 3 Nov 2026", "1 h left"):
        assert words in text, words
    async with transaction(MAX):
        voucher = await Voucher.find(care["voucher"], SYSTEM)
        async with billing.changing_terms(ACME):
            await voucher.change(VoucherChange(label="Autumn hours", valid_until="2026-11-19"))
    assert "Expired with 1 h unused" in await text_of(app, ADA, path)
    assert "Expired with 1 h unused" in await text_of(app, ADA, "/hours")


async def test_a_long_ledger_is_read_in_pages(app: Gate, care: dict[str, int], dsn: str) -> None:
    """The ledger of a voucher shows 50 movements at once; the link "Earlier" leads to the rest, with the grant at the end."""
    owner = await asyncpg.connect(dsn)
    await owner.execute(
        "insert into voucher_move (customer_id, voucher_id, entry_id, minutes, at)"
        " select $1, $2, 1, case n % 2 when 1 then 5 else -5 end, $3 from generate_series(1, 60) n",
        ACME, care["voucher"], NOW,
    )  # fmt: skip
    await owner.close()
    path = f"/hours/vouchers/{care['voucher']}"
    first = await text_of(app, ADA, path)
    assert (first.count("Drawn"), first.count("Given back")) == (25, 25)
    [following] = [part.split('"')[0] for part in first.split(f"{path}?before=")[1:]]
    second = await text_of(app, ADA, f"{path}?before={following.partition('#')[0]}")
    assert (second.count("Drawn"), second.count("Given back")) == (5, 5)
    assert '<td class="whole" role="cell">Granted' in second


async def test_agents_see_hours_and_managers_money_too(app: Gate, care: dict[str, int]) -> None:
    """S4.20 to S4.25: the page of a service shows its figures: hours to agents, and amounts too to managers."""
    path = f"/agent/services/{care['plan']}"
    async with transaction(MAX):
        await approved(90, service=care["plan"], on=date(2026, 11, 5))
    text = await text_of(app, INES, path)
    assert "<dt>Unbilled</dt><dd>12 h 30 min" in text
    assert "€" not in text
    whole = await text_of(app, MAX, f"/agent/customers/{ACME}")
    assert "12 h 30 min approved, 12 h 30 min of it not billed; €60.00 charged, €60.00 of it not billed." in whole
    text = await text_of(app, MAX, path)
    assert "<dt>Total</dt><dd>12 h 30 min, €60.00" in text
    assert "<dt>Unbilled</dt><dd>12 h 30 min, €60.00" in text
    async with transaction(MAX):
        await billed(date(2026, 11, 21))
    text = await text_of(app, MAX, path, at=NOW + timedelta(minutes=1))
    assert "<dt>Billed last</dt><dd>12 h 30 min, €60.00" in text
    assert "<dt>Unbilled</dt><dd>0 min, €0.00" in text


async def test_a_customer_without_a_service_reads_what_the_page_will_show(app: Gate) -> None:
    """The page of hours says "No hours yet" to Ada if the contract of her customer has ended."""
    async with transaction(SYSTEM):
        await current().execute(
            "update contract set end_on = '2026-11-01', start_on = '2026-01-01' where customer_id = $1", ACME
        )
    assert "No hours yet" in await text_of(app, ADA, "/hours")
