"""Test services that draw the included hours of a subscription of their contract: what is stored, and what is refused."""

from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.contracts.contracts import Contract
from portal.contracts.services import Service, ServiceFacts
from portal.database import current, transaction
from portal.people.readers import SYSTEM
from tests.billing.test_prepaid_persistence import PLAN, VOUCHER, a_voucher, approved, billed, pieces
from tests.billing.work import a_service
from tests.people.test_people import but, refused
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_CONTRACT, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def sharing(**columns: Any) -> tuple[int, int]:
    """Insert a subscription with 10 included hours and a voucher service that draws them too, and return their ids."""
    desk = await a_service(ACME, ACME_CONTRACT, "Desk", **PLAN)
    remote = VOUCHER | {"included_from_id": desk} | columns
    return desk, await a_service(ACME, ACME_CONTRACT, "Remote", **remote)


async def test_two_services_draw_the_included_hours_of_one_subscription() -> None:
    """D22, D28: two services draw shared hours in the order of the work; the voucher service then draws its voucher.

    Worked out by hand, with 600 included minutes in October and a voucher of 60 minutes for *Remote*:

    | entry          | minutes | included | voucher | charged |
    |----------------|---------|----------|---------|---------|
    | Desk           | 400     | 400      |         |         |
    | Remote         | 300     | 200      | 60      | 40      |
    | Desk           | 30      |          |         | 30      |
    """
    async with transaction(MAX):
        desk, remote = await sharing()
        voucher = await a_voucher(remote, hours="1h", sold_elsewhere="yes")
        [first] = await approved(400, service=desk)
        [second] = await approved(300, service=remote)
        [third] = await approved(30, service=desk)
        october = ("included", 400, "2026-10-01")
        expected = [
            [october],
            [("included", 200, "2026-10-01"), ("voucher", 60, str(voucher)), ("charged", 40, None)],
            [("charged", 30, None)],
        ]
        assert [await pieces(entry) for entry in (first, second, third)] == expected
        await billed()
        assert [await pieces(entry) for entry in (first, second, third)] == expected
        assert await billing.violations() == {}


async def test_the_statement_of_each_service_counts_the_shared_hours() -> None:
    """S2.3, S2.20, D28: the running statements of both services show how many of the shared hours are used and left."""
    today = NOW.date()
    async with transaction(MAX):
        desk, remote = await sharing()
        await approved(400, service=desk, on=today)
        await approved(120, service=remote, on=today)
        for service in (desk, remote):
            now = await billing.standing_of(SYSTEM, service, today)
            assert now is not None
            assert (now.granted, now.included, now.left) == (600, 520, 80)


async def test_a_service_that_no_longer_shares_draws_nothing_more() -> None:
    """D21, D28: after a service stops sharing, its unbilled time is charged; time on a document keeps what it drew."""
    async with transaction(NOOR):
        _, remote = await sharing()
    async with transaction(MAX):
        [settled] = await approved(60, service=remote)
        await billed()
        [still_open] = await approved(60, service=remote)
        assert (await pieces(still_open))[0][0] == "included"
    async with transaction(NOOR), billing.changing_terms(ACME):
        service = await Service.find(remote, NOOR, hold=True)
        await service.change(but(service.facts, included_from=""))
    async with transaction(MAX):
        assert [(await pieces(entry))[0][0] for entry in (settled, still_open)] == ["included", "charged"]
        assert await billing.violations() == {}


@pytest.mark.parametrize("typed", ["999999", "x", "itself", "remote", "exempt", "globex"])
async def test_only_a_subscription_of_the_contract_with_the_same_tax_is_shared(typed: str) -> None:
    """D28, R29: the subscription Desk may share only the hours of another subscription with the same VAT and contract.

    Refused at the field are an unknown id, a text, Desk itself, the voucher service Remote, which shares Desk's hours
    already, a service without VAT, and a service of another customer.
    """
    async with transaction(NOOR):
        desk, remote = await sharing()
        free = {"taxable": False, "exemption_reason": "Training"}
        ids = {
            "itself": desk,
            "remote": remote,
            "exempt": await a_service(ACME, ACME_CONTRACT, "Courses", **PLAN | free),
            "globex": await a_service(GLOBEX, GLOBEX_CONTRACT, "Theirs", **PLAN),
        }
        service = await Service.find(desk, NOOR)
        await refused(service.change(but(service.facts, included_from=str(ids.get(typed, typed)))), "included_from")
        assert (await Service.find(desk, NOOR)).included_from_id is None


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"settlement": "voucher"}, "settlement"),
        ({"taxable": "no", "exemption_reason": "Training"}, "taxable"),
    ],
)
async def test_a_subscription_whose_hours_are_shared_keeps_settlement_and_tax(
    facts: dict[str, str], field: str
) -> None:
    """D28: while another service shares its hours, a subscription cannot change its settlement or its VAT."""
    async with transaction(NOOR):
        desk, _ = await sharing()
        service = await Service.find(desk, NOOR)
        await refused(service.change(but(service.facts, **facts)), field)
        assert (await Service.find(desk, NOOR)).facts == service.facts


async def test_a_new_service_shares_and_one_by_time_spent_does_not() -> None:
    """D28, S3.25: a new voucher service can share hours of its contract's subscription; one by time spent cannot."""
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        desk, _ = await sharing()
        facts = ServiceFacts(name="On site", settlement="voucher", included_from=str(desk))
        made = await Service.create(contract, facts, NOW)
        assert (made.included_from_id, made.facts.included_from) == (desk, str(desk))
        plain = await Service.create(contract, but(facts, name="Plain", settlement="time_spent"), NOW)
        assert plain.included_from_id is None
        assert [one.name for one in await Service.with_included_hours(contract)] == ["Desk"]
        assert await Service.with_included_hours(contract, desk) == []


@pytest.mark.parametrize(
    "statement",
    [
        "update service set included_from_id = id where id = $1",
        "update service set taxable = false, exemption_reason = 'x' where id = $1",
        "update service set settlement = 'voucher', fee = null, included_minutes = null, due = null where id = $1",
        "update service set included_from_id = (select id from service where name = 'Remote') where id = $1",
    ],
)
async def test_the_database_refuses_hours_that_cannot_be_shared(statement: str) -> None:
    """D28: the database lets a service draw only the hours of another subscription of the same contract and tax."""
    async with transaction(SYSTEM):
        desk, _ = await sharing()
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(SYSTEM):
                await current().execute(statement, desk)
