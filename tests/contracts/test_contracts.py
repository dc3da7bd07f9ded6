"""Test that contracts, services, case types, rates and the company are stored, and that bad input changes nothing."""

import asyncio
from datetime import date
from decimal import Decimal

import asyncpg
import pytest

from portal.contracts.case_types import BEGINNING, CaseType, CaseTypeFacts
from portal.contracts.company import Company, NumberSeries
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.rates import Rate, RateFacts, RoleFacts, create_role
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.services.defaults import DefaultService
from portal.database import current, transaction
from portal.durations import Rounding, RoundingMode
from portal.errors import Conflict, Invalid, NotFound
from portal.people.customers import Customer
from portal.periods import Cycle, period_of
from tests.people.test_people import INITECH, but, refused
from tests.world import (
    ACME,
    ACME_CONTRACT,
    ALAN,
    CONSULTANT,
    GIL,
    GLOBEX,
    GLOBEX_HELPDESK,
    HELPDESK,
    INES,
    INTERNAL,
    NOOR,
    NOW,
    SENIOR,
)

pytestmark = pytest.mark.usefixtures("dsn")

YEARLY = ContractFacts(name="Yearly", start_on="2026-02-15", currency="EUR", vat_rate="19")
ON_SITE = ServiceFacts(name="On site")
ROLE_RATE = RateFacts(hourly_rate="130", currency="EUR", effective_from="2027-01-01", role_id=str(SENIOR))


# --- Company and invoice numbers


async def test_the_company_is_changed_and_keeps_its_case_types() -> None:
    async with transaction(NOOR):
        facts = await (await Company.needed()).facts()
        assert facts.first_number == "2026-0147"
        changed = await Company.set_up(
            but(facts, city="Bremen", iban="DE02 1203 0000 0000 2020 51", first_number="R-1")
        )
        assert (changed.city, changed.iban) == ("Bremen", "DE02120300000000202051")
        assert (await changed.facts()).first_number == "R-1"
        assert len(await CaseType.offered()) == 3


async def test_a_company_with_mistakes_is_refused_field_by_field() -> None:
    async with transaction(NOOR):
        good = await (await Company.needed()).facts()
        wrong = but(
            good,
            vat_id="811907980",
            iban="DE00",
            bic="X",
            country="",
            currency="XXX",
            time_zone="",
            email="",
            first_number="a b",
        )
        await refused(
            Company.set_up(wrong), "vat_id", "iban", "bic", "country", "currency", "time_zone", "email", "first_number"
        )
        assert await (await Company.needed()).facts() == good


async def test_numbers_are_dense_and_one_that_was_rolled_back_is_taken_again() -> None:
    """Invoice numbers have no gaps: if a transaction that took a number rolls back, the number is taken again (D36)."""
    with pytest.raises(RuntimeError):
        async with transaction(NOOR):
            assert (await NumberSeries.take()).printed == "2026-0147"
            raise RuntimeError
    taken = []

    async def take() -> None:
        async with transaction(NOOR):
            taken.append((await NumberSeries.take()).printed)

    await asyncio.gather(*(take() for _ in range(4)))
    assert sorted(taken) == ["2026-0147", "2026-0148", "2026-0149", "2026-0150"]


async def test_the_first_number_stays_once_one_was_taken() -> None:
    async with transaction(NOOR):
        company = await Company.needed()
        await Company.set_up(but(await company.facts(), first_number="2027-0001"))
        assert (await NumberSeries.take()).printed == "2027-0001"
        await refused(Company.set_up(but(await company.facts(), first_number="2027-0500")), "first_number")
        await Company.set_up(but(await company.facts(), city="Bremen"))
        assert (await NumberSeries.take()).printed == "2027-0002"


# --- Case types


async def test_case_types_are_added_renamed_and_ended() -> None:
    async with transaction(NOOR):
        visit = await CaseType.create(CaseTypeFacts(name="Visit", billable="no"))
        assert [kind.name for kind in await CaseType.offered()][-1] == "Visit"
        await refused(CaseType.create(CaseTypeFacts(name="visit")), "name")
        await refused(visit.change(CaseTypeFacts(name="", billable="maybe")), "name", "billable")
        await visit.end(NOW)
        await visit.end(NOW)
        assert "Visit" not in [kind.name for kind in await CaseType.offered()]
        await visit.resume()
        assert "Visit" in [kind.name for kind in await CaseType.offered()]
    assert ("Our mistake", False) in BEGINNING


async def test_contacts_always_have_a_case_type_that_they_can_choose() -> None:
    """S3.11: the last case type that contacts can choose can neither be ended nor be limited to agents."""
    async with transaction(NOOR):
        first, *others = await CaseType.offered()
        for one in others:
            await one.change(but(one.facts, for_contacts="no"))
        assert [one.name for one in await CaseType.offered_to_contacts()] == [first.name]
        assert len(await CaseType.offered()) == len(others) + 1
        await refused(first.change(but(first.facts, for_contacts="no")), "for_contacts")
        with pytest.raises(Conflict, match="only type"):
            await first.end(NOW)
        await others[0].end(NOW)
        await refused(first.change(but(first.facts, for_contacts="perhaps")), "for_contacts")


# --- Contracts


async def test_a_contract_begins_its_periods_on_the_first_unless_told_otherwise() -> None:
    async with transaction(NOOR):
        acme = await Customer.find(ACME, NOOR)
        contract = await Contract.create(acme, but(YEARLY, vat_rate="7,7 %"), NOW)
        assert (contract.anchor, contract.vat_rate, contract.end_on) == (date(2026, 2, 1), Decimal("7.7"), None)
        assert contract.facts == but(YEARLY, vat_rate="7.7", anchor="2026-02-01")
        await contract.change(but(contract.facts, anchor="2026-02-15", valid_until="2027-02-14", currency="CHF"), NOW)
        changed = await Contract.find(contract.id, NOOR)
        assert changed.facts.currency == "CHF"
        assert (changed.end_on, changed.facts.valid_until) == (date(2027, 2, 15), "2027-02-14")


@pytest.mark.parametrize(
    ("cycle", "typed", "anchor", "first"),
    [
        ("weekly", "", "2026-02-15", "2026-02-15/2026-02-22"), ("weekly", "2026-02-16", "2026-02-16", "2026-02-09/2026-02-16"),
        ("half_yearly", "", "2026-02-01", "2026-02-01/2026-08-01"), ("monthly", "2026-01-31", "2026-01-31", "2026-01-31/2026-02-28"),
        ("yearly", "2024-02-29", "2024-02-29", "2025-02-28/2026-02-28"),
    ],
)  # fmt: skip
async def test_a_contract_is_billed_by_any_cycle_from_any_day(cycle: str, typed: str, anchor: str, first: str) -> None:
    """D13, S4.3: periods last from a week to a year and can begin on any day of the month.

    If no first day is typed, weekly periods begin with the contract, and longer ones on the first of a month.
    """
    async with transaction(NOOR):
        contract = await Contract.create(await Customer.find(ACME, NOOR), but(YEARLY, cycle=cycle, anchor=typed), NOW)
        assert (contract.facts.cycle, contract.facts.anchor) == (cycle, anchor)
        assert str(period_of(contract.anchor, Cycle(contract.cycle), contract.start_on)) == first


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", " "), ("start_on", "soon"), ("valid_until", "2026-02-14"), ("valid_until", "2025-01-01"), ("currency", "DEM"),
        ("payment_days", "-1"), ("payment_days", "1000"), ("cycle", "daily"), ("anchor", "soon"),
        ("vat_rate", "101"), ("vat_rate", "-1"), ("vat_rate", ""),
        ("vat_rate", "1.23456"), ("vat_rate", "nan"),
    ],
)  # fmt: skip
async def test_a_contract_with_a_mistake_is_refused(field: str, typed: str) -> None:
    async with transaction(NOOR):
        acme = await Customer.find(ACME, NOOR)
        await refused(Contract.create(acme, but(YEARLY, **{field: typed}), NOW), field)
        assert len(await Contract.of(ACME)) == 1


async def test_a_contracts_currency_stays_once_it_has_a_service() -> None:
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        await refused(contract.change(but(contract.facts, currency="CHF"), NOW), "currency")
        await contract.change(but(contract.facts, name="Support 2027"), NOW)
        assert (await Contract.find(ACME_CONTRACT, NOOR)).name == "Support 2027"


async def test_an_ended_customer_gets_no_contract() -> None:
    async with transaction(NOOR):
        acme = await Customer.find(ACME, NOOR)
        await acme.end(NOW)
        with pytest.raises(Conflict):
            await Contract.create(acme, YEARLY, NOW)


async def test_contracts_and_services_are_their_customers_only() -> None:
    """A contact cannot find contracts and services of another customer (R23, R24, R28).

    An agent who looks for them under another customer cannot find them either.
    """
    async with transaction(GIL):
        assert (await Service.find(GLOBEX_HELPDESK, GIL)).name == "Globex helpdesk"
        for looked_up in (Contract.find(ACME_CONTRACT, GIL), Service.find(HELPDESK, GIL)):
            with pytest.raises(NotFound):
                await looked_up
        assert await current().fetchval("select count(*) from service") == 1
    async with transaction(NOOR):
        with pytest.raises(NotFound):
            await Contract.find(ACME_CONTRACT, NOOR, customer=GLOBEX)
        with pytest.raises(NotFound):
            await Service.find(HELPDESK, NOOR, customer=GLOBEX)


# --- Services


async def test_the_first_service_of_a_customer_becomes_its_default() -> None:
    async with transaction(NOOR):
        initech = await Customer.create(INITECH, NOW)
        contract = await Contract.create(initech, YEARLY, NOW)
        first = await Service.create(contract, ON_SITE, NOW)
        await Service.create(contract, but(ON_SITE, name="Remote"), NOW)
        assert first.effective_start == date(2026, 2, 15)
        assert first.taxable
        assert first.rounding == Rounding(0, 15, RoundingMode.UP)
        assert await DefaultService.of(initech.id) == {None: first.id}
        await refused(Service.create(contract, but(ON_SITE, name="remote"), NOW), "name")


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""), ("settlement", "barter"), ("rollup", "week"), ("taxable", "perhaps"), ("effective_start", "x"),
        ("rounding_minimum", "-1"), ("rounding_increment", "0"), ("rounding_increment", "1441"), ("rounding_mode", "sideways"),
    ],
)  # fmt: skip
async def test_a_service_with_a_mistake_is_refused(field: str, typed: str) -> None:
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        await refused(Service.create(contract, but(ON_SITE, **{field: typed, "exemption_reason": "x"}), NOW), field)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("overflow", "ignore"), ("overage_rate", "-1"), ("overage_rate", "1.23456"), ("fee", ""), ("fee", "1.234"), ("fee", "much"),
        ("included", "ten"), ("included", "100001h"), ("due", "never"),
    ],
)  # fmt: skip
async def test_a_subscription_with_a_mistake_is_refused(field: str, typed: str) -> None:
    """S3.23, D24: each wrong field of a subscription gets its own error message."""
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        facts = but(ON_SITE, **{"settlement": "subscription", "fee": "500", "included": "10h"} | {field: typed})
        await refused(Service.create(contract, facts, NOW), field)


async def test_a_service_keeps_only_the_terms_of_its_settlement() -> None:
    """S3.21, S3.22, S3.23, S3.25: fields that the settlement does not need are not stored, whatever the form sends."""
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        typed = {"overflow": "hold", "overage_rate": "110.5", "fee": "500,00", "included": "10h", "due": "arrears"}
        found = {}
        for settlement in ("time_spent", "voucher", "subscription"):
            made = await Service.create(contract, but(ON_SITE, name=settlement, settlement=settlement, **typed), NOW)
            found[settlement] = (made.overflow, made.overage_rate, made.fee, made.included_minutes, made.due)
        assert found == {
            "time_spent": (None, None, None, None, None),
            "voucher": ("hold", Decimal("110.5"), None, None, None),
            "subscription": ("hold", Decimal("110.5"), Decimal(500), 600, "arrears"),
        }
        assert (made.facts.fee, made.facts.included, made.facts.overage_rate) == (
            "500",
            "10\N{NO-BREAK SPACE}h",
            "110.5",
        )


async def test_a_service_without_tax_needs_a_reason() -> None:
    """A service that is not taxable needs a reason (S4.12, D42).

    The reason is deleted when the service becomes taxable.
    """
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        await refused(Service.create(contract, but(ON_SITE, taxable="no"), NOW), "exemption_reason")
        service = await Service.create(
            contract, but(ON_SITE, taxable="no", exemption_reason="Training, § 4 no. 21"), NOW
        )
        await service.change(but(service.facts, taxable="yes"))
        assert (await Service.find(service.id, NOOR)).exemption_reason is None


async def test_services_of_an_ended_contract_are_no_longer_offered() -> None:
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        assert [words for _, words in await Service.offered(ACME, date(2026, 11, 20))] == ["Helpdesk, Support 2026"]
        await contract.change(but(contract.facts, valid_until="2026-11-19"), NOW)
        assert [words for _, words in await Service.offered(ACME, date(2026, 11, 19))] == ["Helpdesk, Support 2026"]
        assert await Service.offered(ACME, date(2026, 11, 20)) == []


async def test_a_case_type_may_have_a_default_service_of_its_own() -> None:
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        own = await Service.create(contract, ON_SITE, NOW)
        await DefaultService.choose(ACME, own.id, case_type=INTERNAL)
        await DefaultService.choose(ACME, own.id, case_type=INTERNAL)
        assert await DefaultService.of(ACME) == {None: HELPDESK, INTERNAL: own.id}
        await DefaultService.choose(ACME, None, case_type=INTERNAL)
        await DefaultService.choose(ACME, None)
        assert await DefaultService.of(ACME) == {}
    async with transaction(ALAN):
        assert await DefaultService.of(GLOBEX) == {}


async def test_a_service_of_another_customer_is_no_default() -> None:
    """A service of another customer is refused as the default service (R29)."""
    async with transaction(NOOR):
        with pytest.raises(NotFound):
            await DefaultService.choose(ACME, GLOBEX_HELPDESK)
        assert await DefaultService.of(ACME) == {None: HELPDESK}


# --- Rates


@pytest.mark.parametrize(
    "scope",
    [
        {"service_id": str(HELPDESK), "agent_id": str(INES.id)}, {"service_id": str(HELPDESK), "role_id": str(SENIOR)},
        {"service_id": str(HELPDESK)}, {"customer_id": str(ACME), "role_id": str(SENIOR)}, {"customer_id": str(ACME)},
        {"role_id": str(SENIOR)},
    ],
)  # fmt: skip
async def test_a_rate_of_each_scope_is_kept_once_for_a_day(scope: dict[str, str]) -> None:
    """A rate of each of the six scopes is stored; a second one of the same scope and first day is refused (D18).

    Once the first rate is withdrawn, the second is accepted. Withdrawing a rate twice is harmless.
    """
    async with transaction(NOOR):
        facts = (
            but(ROLE_RATE, role_id="", hourly_rate="98,5", **scope)
            if "role_id" not in scope
            else but(ROLE_RATE, **scope)
        )
        rate = await Rate.create(facts, NOW)
        await refused(Rate.create(facts, NOW), "effective_from")
        assert [row["id"] for row in await Rate.listed()].count(rate.id) == 1
        await rate.withdraw()
        await rate.withdraw()
        await Rate.create(facts, NOW)


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({}, "role_id"),
        ({"agent_id": str(INES.id)}, "service_id"),
        ({"agent_id": str(INES.id), "service_id": str(HELPDESK), "role_id": str(SENIOR)}, "agent_id"),
        ({"service_id": str(HELPDESK), "customer_id": str(GLOBEX)}, "service_id"),
        ({"service_id": str(HELPDESK), "currency": "CHF"}, "currency"),
        ({"role_id": str(SENIOR), "hourly_rate": "-5"}, "hourly_rate"),
        ({"role_id": str(SENIOR), "hourly_rate": "1.23456"}, "hourly_rate"),
        ({"role_id": str(SENIOR), "effective_from": ""}, "effective_from"),
    ],
)
async def test_a_rate_without_a_scope_of_these_is_refused(scope: dict[str, str], field: str) -> None:
    async with transaction(NOOR):
        await refused(Rate.create(but(ROLE_RATE, **{"role_id": ""} | scope), NOW), field)


@pytest.mark.parametrize("unknown", ["role_id", "customer_id", "service_id"])
async def test_a_rate_for_what_is_not_there_is_not_found(unknown: str) -> None:
    async with transaction(NOOR):
        with pytest.raises(NotFound):
            await Rate.create(but(ROLE_RATE, **{"role_id": "", unknown: "999"}), NOW)


async def test_the_list_says_until_when_a_rate_holds() -> None:
    async with transaction(NOOR):
        await Rate.create(ROLE_RATE, NOW)
        rows = [row for row in await Rate.listed() if row["role"] == "Senior consultant"]
        assert [(row["hourly_rate"], row["last_day"]) for row in rows] == [
            (Decimal("130"), None),
            (Decimal("120"), date(2026, 12, 31)),
        ]


async def test_a_role_is_made_together_with_its_rate() -> None:
    async with transaction(NOOR):
        role = await create_role(RoleFacts(name="Architect", hourly_rate="150", effective_from="2026-01-01"), NOW)
        (rate,) = [row for row in await Rate.listed() if row["role"] == role.name]
        assert (rate["hourly_rate"], rate["currency"]) == (Decimal("150"), "EUR")
    with pytest.raises(Invalid) as refusal:
        async with transaction(NOOR):
            await create_role(RoleFacts(name="Trainer", hourly_rate="x"), NOW)
    assert set(refusal.value.fields) == {"hourly_rate", "effective_from"}
    async with transaction(NOOR):
        assert await current().fetchval("select count(*) from role") == 3
        assert CONSULTANT in [role["id"] for role in await current().fetch("select id from role")]


@pytest.mark.parametrize(
    ("table", "column", "spelling"),
    [
        ("customer", "vat_id", "DE 123456788"), ("customer", "vat_id", "de123456788"), ("company", "vat_id", "123456788"),
        ("company", "iban", "DE02 1203 0000 0000 2020 51"), ("company", "iban", "de02120300000000202051"),
        ("company", "bic", "bylademx"), ("company", "bic", "BYLADEM1 001"),
    ],
)  # fmt: skip
async def test_the_database_holds_one_spelling_of_a_bank_and_tax_number(
    dsn: str, table: str, column: str, spelling: str
) -> None:
    """R51: the database refuses VAT ids, IBANs and BICs that have lower-case letters or separators."""
    owner = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.CheckViolationError, match=f"{table}_{column}_canonical"):
            await owner.execute(f"update {table} set {column} = $1", spelling)
    finally:
        await owner.close()
