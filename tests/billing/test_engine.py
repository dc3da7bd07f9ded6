"""Test how the engine is built: its registries, its imports, and each way to find a price."""

import ast
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from portal.billing import engine
from portal.billing.engine import (
    BillingState,
    ContractTerms,
    Entry,
    EntryBilling,
    RateSource,
    RateTable,
    RateTerms,
    Rollup,
    ServiceTerms,
    Settlement,
    VatCategory,
    VatRate,
    allocate,
    approve,
    bill,
    price_for,
)
from portal.billing.engine.rates import SCOPES
from portal.billing.engine.rollups import ROLLUPS
from portal.billing.engine.settlements import SETTLEMENTS
from portal.periods import Cycle

ENGINE = Path(engine.__file__).parent
BILLING = ENGINE.parent
MONEY = [BILLING.parent / f"{name}.py" for name in ("money", "durations", "periods")]

PURE = {
    "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "enum", "functools", "itertools", "operator", "typing",
    "zoneinfo",
    "portal.durations", "portal.money", "portal.periods", "portal.schedules", "portal.words",
}  # fmt: skip

DAY = date(2026, 1, 5)
SERVICE = ServiceTerms(
    1, "Desk", Settlement.TIME_SPENT, Rollup.SERVICE, VatRate(VatCategory.STANDARD, Decimal(20)), DAY
)
CONTRACT = ContractTerms(7, "Support", DAY, None, Cycle.MONTHLY, date(2026, 1, 1), (SERVICE,))


def entry(id: int = 1, **more: object) -> Entry:
    facts: dict[str, object] = {
        "service": 1, "agent": 2, "agent_name": "Ines", "role": 3, "role_name": "Senior", "date": DAY,
        "created": datetime(2026, 1, 5, 9, tzinfo=UTC), "billing": EntryBilling.BILLABLE, "billable_minutes": 50,
    }  # fmt: skip
    return Entry(id, **(facts | more))  # type: ignore[arg-type]


def test_every_settlement_and_every_rollup_has_its_module() -> None:
    """Each settlement (how time is paid for) and each rollup (how time is grouped into lines) has its own module."""
    assert set(SETTLEMENTS) == set(Settlement)
    assert set(ROLLUPS) == set(Rollup)
    for folder, members in (("settlements", Settlement), ("rollups", Rollup)):
        assert {member.value for member in members} <= {path.stem for path in (ENGINE / folder).glob("*.py")}
        registry: dict[object, object] = dict(SETTLEMENTS if folder == "settlements" else ROLLUPS)
        for member, module in registry.items():
            assert str(module.__name__).endswith(f".{folder}.{member}")  # type: ignore[attr-defined]


def test_every_scope_of_rates_has_a_source_in_the_order_in_which_they_win() -> None:
    """Each scope of a rate has its member of `RateSource`, and scopes and members are in the order of precedence (D18)."""
    assert list(SCOPES.values()) == [source for source in RateSource if source not in ("entry", "schedule", "overage")]


def trees(paths: list[Path]) -> list[tuple[Path, ast.AST]]:
    return [(path, node) for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]


def test_no_float_is_near_money_or_minutes() -> None:
    """The engine has no float literal, no conversion to float and no true division (D1, D41)."""
    found = [
        f"{path.name}:{getattr(node, 'lineno', 0)}"
        for path, node in trees([*BILLING.rglob("*.py"), *MONEY])
        if (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    divided = [
        f"{path.name}:{getattr(node, 'lineno', 0)}"
        for path, node in trees([*ENGINE.rglob("*.py"), *MONEY])
        if isinstance(node, ast.Div)
    ]
    assert found == []
    assert divided == []


def test_the_engine_knows_no_database_no_clock_and_no_settings() -> None:
    """The engine imports only pure modules, and never reads the clock."""
    imported = {
        name
        for _, node in trees(list(ENGINE.rglob("*.py")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name is not None and not name.startswith("portal.billing.engine")
    }
    assert imported <= PURE
    asked = [node for _, node in trees(list(ENGINE.rglob("*.py"))) if isinstance(node, ast.Attribute)]
    assert not [node.attr for node in asked if node.attr in ("now", "today", "utcnow")]


SCOPED = {
    RateSource.SERVICE_AGENT: RateTerms(Decimal(10), DAY, service=1, agent=2, id=60),
    RateSource.SERVICE_ROLE: RateTerms(Decimal(20), DAY, service=1, role=3, id=50),
    RateSource.SERVICE: RateTerms(Decimal(30), DAY, service=1, id=40),
    RateSource.CUSTOMER_ROLE: RateTerms(Decimal(40), DAY, customer=True, role=3, id=30),
    RateSource.CUSTOMER: RateTerms(Decimal(50), DAY, customer=True, id=20),
    RateSource.ROLE: RateTerms(Decimal(60), DAY, role=3, id=10),
}


@pytest.mark.parametrize("winner", SCOPED)
def test_the_most_specific_rate_wins_and_is_named(winner: RateSource) -> None:
    """If several rates apply to an entry, the price names the rate with the most specific scope (D17, D18)."""
    left = list(SCOPED)[list(SCOPED).index(winner) :]
    price = price_for(entry(), SERVICE, RateTable(SCOPED[source] for source in reversed(left)))
    assert price is not None
    assert (price.source, price.rate) == (winner, SCOPED[winner].id)


def test_within_a_scope_the_latest_rate_in_force_wins() -> None:
    rates = [RateTerms(Decimal(number), date(2026, 1, number), role=3, id=number) for number in (6, 4, 5, 1)]
    price = price_for(entry(), SERVICE, RateTable(rates))
    assert price is not None
    assert price.rate == 5


@pytest.mark.parametrize(
    "other",
    [
        RateTerms(Decimal(1), DAY, service=2, agent=2),
        RateTerms(Decimal(1), DAY, service=1, agent=3),
        RateTerms(Decimal(1), DAY, role=4),
        RateTerms(Decimal(1), date(2026, 1, 6), role=3),
        RateTerms(Decimal(1), DAY),
        RateTerms(Decimal(1), DAY, agent=2),
    ],
)
def test_a_rate_of_another_scope_or_a_later_day_prices_nothing(other: RateTerms) -> None:
    assert price_for(entry(), SERVICE, RateTable([other])) is None


def test_time_without_a_role_is_refused_where_lines_are_by_role() -> None:
    """If lines are grouped by role, an entry without a role is refused, even if it has its own hourly rate (D19).

    If the rate is missing too, the refusal names the missing rate. An entry at no charge needs no role.
    """
    by_role = replace(SERVICE, rollup=Rollup.ROLE)
    state = BillingState(
        contracts=(replace(CONTRACT, services=(by_role,)),),
        entries=(
            entry(1, role=None, hourly_rate=Decimal(100)),
            entry(2, role=None),
            entry(3, role=None, billing=EntryBilling.NO_CHARGE),
            entry(4, hourly_rate=Decimal(100)),
        ),
    )
    after, refused = approve(state, (1, 2, 3, 4), RateTable(()))
    assert refused == ((1, "no_role"), (2, "no_rate"))
    assert set(after.approved) == {3, 4}


def test_an_entry_without_a_role_has_no_rate_by_role() -> None:
    """A rate for a role does not price an entry without a role (D19)."""
    assert price_for(entry(role=None), SERVICE, RateTable([RateTerms(Decimal(1), DAY, role=3)])) is None


def test_amounts_have_the_decimals_of_the_currency() -> None:
    state = BillingState((CONTRACT,), entries=(entry(), entry(2, hourly_rate=Decimal("10.1"))), digits=0)
    state, _ = approve(state, [1, 2], RateTable([RateTerms(Decimal(121), DAY, role=3)]))
    document = bill(state, date(2026, 2, 1)).documents[0]
    assert [str(piece.amount) for piece in document.allocations] == ["101", "8"]
    assert (str(document.net), str(document.tax), str(document.gross)) == ("109", "22", "131")


def test_agents_of_one_name_are_two_lines_and_a_line_has_what_storage_needs() -> None:
    service = ServiceTerms(1, "Desk", Settlement.TIME_SPENT, Rollup.RESOURCE, SERVICE.vat, DAY)
    contract = ContractTerms(7, "Support", DAY, None, Cycle.MONTHLY, DAY, (service,))
    state = BillingState((contract,), entries=(entry(1), entry(2, agent=9), entry(3)))
    state, _ = approve(state, [1, 2, 3], RateTable([SCOPED[RateSource.ROLE]]))
    lines = bill(state, date(2026, 2, 1)).documents[0].lines
    assert [(line.label, line.entries, line.vat) for line in lines] == [
        ("Ines", (1, 3), SERVICE.vat),
        ("Ines", (2,), SERVICE.vat),
    ]
    assert [[(piece.entry, piece.place, piece.price and piece.price.rate) for piece in line.allocations] for line in lines] == [
        [(1, 0, 10), (3, 0, 10)],
        [(2, 0, 10)],
    ]  # fmt: skip


def test_settled_entries_may_be_left_out_of_a_state_that_has_their_drawn_minutes() -> None:
    """A state may omit settled entries if `drawn` has the minutes that they drew.

    This matters because only open entries are loaded from the database.
    """
    plan = ServiceTerms(1, "Plan", Settlement.SUBSCRIPTION, Rollup.NONE, SERVICE.vat, DAY, included_minutes=100)
    contract = ContractTerms(7, "Support", date(2026, 1, 1), None, Cycle.MONTHLY, date(2026, 1, 1), (plan,))
    rates = RateTable([SCOPED[RateSource.ROLE]])
    # Of the 31 days of the period, 27 are active, so 87 minutes are included.
    state, _ = approve(BillingState((contract,), entries=(entry(1), entry(2))), [1, 2], rates)
    assert [piece.minutes for piece in allocate(state)[2]] == [37, 13]
    drawn = {(1, date(2026, 1, 1)): 50}
    loaded, _ = approve(BillingState((contract,), entries=(entry(2),), drawn=drawn), [2], rates)
    assert allocate(loaded)[2] == allocate(state)[2]
    assert bill(loaded, date(2026, 2, 1)).state.drawn == {(1, date(2026, 1, 1)): 87}


def test_an_entry_that_was_approved_without_its_price_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="without a price"):
        allocate(BillingState((CONTRACT,), entries=(entry(),), approved={1: None}))
