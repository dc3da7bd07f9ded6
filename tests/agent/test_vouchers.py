"""Test the pages of vouchers and of held time.

Held time waits for a manager's decision: its service has the overflow `hold`, and prepaid minutes do not cover all of
the time. No billing run bills held time until a manager releases it. Then the minutes that are not covered are charged.
"""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from portal import billing
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import current, transaction
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import a_service, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, GLOBEX, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

HERE = f"/agent/customers/{ACME}/vouchers"
FIELDS = {"hours": "10h", "price": "900", "sold_on": "2026-11-01", "usable_once": "sold", "sold_elsewhere": "no"}


@pytest.fixture
async def care(dsn: str) -> int:
    """Create a service of Acme with the settlement `voucher` and the overflow `hold`; return the service's id."""
    async with transaction(SYSTEM):
        return await a_service(ACME, ACME_CONTRACT, "Care", settlement="voucher", overflow="hold")


@pytest.fixture
async def manager(app: Gate, care: int) -> AsyncIterator[Browser]:
    async with await Browser.of(app, MAX, at=NOW) as browser:
        yield browser


async def opened(care: int, hours: str = "1h") -> int:
    """Create a voucher that was sold elsewhere, for the service with the id `care`, and return the voucher's id."""
    async with transaction(NOOR), billing.changing_terms(ACME):
        facts = VoucherFacts(services=[str(care)], hours=hours, price="90", sold_on="2026-01-01", sold_elsewhere="yes")
        return (await Voucher.sell(await Customer.find(ACME, SYSTEM), facts, NOW)).id


async def held(care: int, *minutes: int) -> list[Any]:
    """Log and approve an entry for each number of minutes, under the service with the id `care`; return the entries."""
    async with transaction(MAX):
        entries = [await log(each, service=care, on=date(2026, 11, 3)) for each in minutes]
        assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused
    return entries


async def kinds() -> list[str]:
    async with transaction(SYSTEM) as tx:
        return [row["kind"] for row in await tx.fetch("select kind from allocation order by entry_id, position")]


async def test_a_manager_sells_a_voucher_and_reads_its_ledger(manager: Browser, care: int) -> None:
    """S3.22, D23: Max sells a voucher by the form; its page shows the time that was sold, approved and left."""
    page = await manager.get(f"{HERE}/new")
    assert f'value="{care}" checked' in " ".join(page.text.split())
    answer = await manager.send_form(f"{HERE}/new", FIELDS | {"services": str(care)})
    assert answer.status_code == 303
    await held(care, 90)
    page = await manager.get(answer.headers["location"])
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "8 h 30 min left" in text
    assert "Approved, not billed yet" in text
    assert "Voucher 10 h" in (await manager.get(HERE)).text.replace("\N{NO-BREAK SPACE}", " ")


async def test_a_bad_voucher_keeps_what_was_typed(manager: Browser, care: int) -> None:
    """S3.22: a wrong field of a voucher gets an error message, typed values are kept, and nothing is stored."""
    answer = await manager.send_form(
        f"{HERE}/new", FIELDS | {"services": str(care), "price": "nine", "label": "Winter"}
    )
    assert answer.status_code == 422
    assert 'value="nine"' in answer.text
    assert 'value="Winter"' in answer.text
    assert f'value="{care}" checked' in " ".join(answer.text.split())
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from voucher") == 0


async def test_a_voucher_of_another_customer_is_not_found(manager: Browser, care: int) -> None:
    """D52: under the URL of another customer, a voucher's page and forms get 404."""
    voucher = await opened(care)
    assert (await manager.get(f"/agent/customers/{GLOBEX}/vouchers/{voucher}")).status_code == 404
    fields = {"label": "x", "valid_until": "", "usable_once": "sold"}
    for path, sent in ((f"{voucher}", fields), (f"{voucher}/removal", {})):
        assert (await manager.send_form(f"/agent/customers/{GLOBEX}/vouchers/{path}", sent)).status_code == 404


async def test_an_expired_voucher_shows_what_was_left(manager: Browser, care: int) -> None:
    """D23: the remainder of an expired voucher stays visible in the list and in the ledger."""
    voucher = await opened(care)
    fields = {"label": "Old hours", "valid_until": "2026-10-31", "usable_once": "sold"}
    assert (await manager.send_form(f"{HERE}/{voucher}", fields)).status_code == 303
    assert "Expired" in (await manager.get(HERE)).text
    page = (await manager.get(f"{HERE}/{voucher}")).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "1 h expired" in page


async def test_an_unused_voucher_is_deleted_and_a_used_one_stays(manager: Browser, care: int) -> None:
    """D23: deleting a voucher that paid for billed time is refused with an error message; an unused one is deleted."""
    mistake = await opened(care)
    assert (await manager.send_form(f"{HERE}/{mistake}/removal", {})).headers["location"] == HERE
    voucher = await opened(care)
    await held(care, 30)
    async with transaction(MAX):
        await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
    answer = await manager.send_form(f"{HERE}/{voucher}/removal", {})
    assert answer.status_code == 409
    assert "so it stays" in answer.text
    assert (await manager.send_form(f"{HERE}/{mistake}/removal", {})).status_code == 404


async def test_held_time_shows_what_it_would_cost_and_is_released(manager: Browser, care: int) -> None:
    """C8: a voucher covers 60 of 90 held minutes, so releasing them charges 60.00 (30 minutes at 120.00 an hour).

    Undo holds the entry again.
    """
    await opened(care)
    (entry,) = await held(care, 90)
    page = (await manager.get("/agent/held")).text
    assert "€60.00" in page
    choice = f"{entry.id}:1"
    answer = await manager.send_form("/agent/held/releases", {"entry": choice})
    assert answer.status_code == 303
    assert await kinds() == ["voucher", "charged"]
    page = (await manager.get(answer.headers["location"])).text
    assert "1 entry released" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert f'name="entries" value="{choice}"' in page
    await manager.send_form("/agent/held/holds", {"entries": choice})
    assert await kinds() == ["held"]


async def test_held_time_is_sent_back_with_a_reason(manager: Browser, care: int) -> None:
    """C8: Max rejects held time with a reason, so that its author can correct it; without a reason he gets 422."""
    (entry,) = await held(care, 90)
    answer = await manager.send_form("/agent/held/rejections", {"entry": f"{entry.id}:1", "reason": " "})
    assert answer.status_code == 422
    assert await kinds() == ["held"]
    answer = await manager.send_form("/agent/held/rejections", {"entry": f"{entry.id}:1", "reason": "Too long."})
    assert answer.status_code == 303
    assert await kinds() == []
    async with transaction(INES):
        assert await current().fetchval("select state from time_entry where id = $1", entry.id) == "rejected"
    answer = await manager.send_form("/agent/held/rejections", {"entry": f"{entry.id}:1", "reason": "Too long."})
    assert answer.status_code == 409


async def test_one_changed_entry_does_not_stop_the_others(manager: Browser, care: int) -> None:
    """D35: of two ticked held entries, one is released, and the one that was changed in the meantime is reported."""
    first, second = await held(care, 90, 80)
    answer = await manager.send_form("/agent/held/releases", {"entry": [f"{first.id}:1", f"{second.id}:7"]})
    assert answer.status_code == 200
    assert "It was changed in the meantime" in answer.text
    assert await kinds() == ["charged", "held"]


async def test_a_decision_without_a_ticked_entry_is_refused(manager: Browser) -> None:
    """C8: a decision on held time without a valid ticked entry is refused with 422."""
    for fields in ({}, {"entry": "x"}, {"entry": f"{10**30}:1"}):
        for noun in ("releases", "holds", "rejections"):
            assert (await manager.send_form(f"/agent/held/{noun}", fields | {"reason": "x"})).status_code == 422
