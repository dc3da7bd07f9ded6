"""Hypothesis strategies for property tests of the billing engine: contracts, vouchers, rates and entries of one customer.

The strategies choose from few values, so that entries often compete for the same vouchers and included hours.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from portal.billing.engine import (
    BillingState,
    ContractTerms,
    Due,
    Entry,
    EntryBilling,
    Overflow,
    PriceChange,
    RateTable,
    RateTerms,
    Rollover,
    Rollup,
    ServiceTerms,
    Settlement,
    Stretch,
    VatCategory,
    VatRate,
    Voucher,
)
from portal.durations import Rounding, RoundingMode
from portal.periods import Cycle
from tests.examples import ALL

quick = settings(max_examples=500 if ALL else 25, suppress_health_check=[HealthCheck.too_slow], print_blob=True)

FIRST = date(2026, 1, 1)
STANDARD, EXEMPT = VatRate(VatCategory.STANDARD, Decimal("19")), VatRate(VatCategory.EXEMPT, Decimal(0))

days = st.integers(0, 120).map(lambda number: FIRST + timedelta(days=number))
hourly_rates = st.sampled_from(["0", "0.0001", "33.3333", "60", "119.95"]).map(Decimal)
prices = st.sampled_from(["0", "0.01", "99.99", "310"]).map(Decimal)
minutes = st.integers(0, 130)
zones = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=5))])
instants = st.builds(
    lambda hour, zone: datetime(2026, 1, 5, 10 + hour, tzinfo=UTC).astimezone(zone), st.integers(0, 3), zones
)


def services(name: str) -> st.SearchStrategy[ServiceTerms]:
    return st.builds(
        ServiceTerms,
        id=st.just(name),
        name=st.just(name),
        settlement=st.sampled_from(Settlement),
        rollup=st.sampled_from(Rollup),
        vat=st.sampled_from([STANDARD, STANDARD, EXEMPT]),
        effective_start=days.map(lambda day: FIRST + (day - FIRST) / 4),
        overflow=st.sampled_from([Overflow.BILL, Overflow.HOLD]),
        overage_rate=st.none() | hourly_rates,
        fee=prices,
        included_minutes=st.integers(0, 200),
        due=st.sampled_from(Due),
    )


def contracts(name: str) -> st.SearchStrategy[ContractTerms]:
    return st.builds(
        ContractTerms,
        id=st.just(name),
        name=st.just(name),
        start=days.map(lambda day: FIRST + (day - FIRST) / 8),
        end=st.none() | days.map(lambda day: day + timedelta(days=30)),
        cycle=st.sampled_from(Cycle),
        anchor=days,
        services=st.tuples(*(services(f"{name}{number}") for number in (1, 2))),
    )


@st.composite
def vouchers(draw: st.DrawFn, id: str, usable: list[ServiceTerms]) -> Voucher:
    first = draw(st.sampled_from(usable))
    same = [service.id for service in usable if service.vat == first.vat and service is not first]
    sold, wait, valid = draw(days), draw(st.integers(0, 10)), draw(st.integers(1, 60))
    return Voucher(
        id=id,
        label=id,
        services=(first.id, *same[: draw(st.integers(0, 2))]),
        minutes=draw(st.integers(0, 200)),
        price=draw(prices),
        sold=sold,
        valid_from=sold + timedelta(days=wait),
        valid_until=sold + timedelta(days=wait + valid),
    )


@st.composite
def entries(draw: st.DrawFn, id: str, names: list[str]) -> Entry:
    agent, role = draw(st.sampled_from(["Ines", "Max"])), draw(st.sampled_from(["senior", "trainee"]))
    return Entry(
        id=id,
        service=draw(st.sampled_from(names)),
        agent=agent,
        agent_name=agent,
        role=role,
        role_name=role,
        date=draw(days),
        created=draw(instants),
        billing=draw(st.sampled_from([EntryBilling.BILLABLE, EntryBilling.BILLABLE, *EntryBilling])),
        billable_minutes=draw(minutes),
        hourly_rate=draw(st.none() | hourly_rates),
        external_comment=id,
    )


@st.composite
def states(draw: st.DrawFn) -> BillingState:
    """Draw the state of a customer for whom nothing has been approved or billed yet."""
    found = (draw(contracts("A")), draw(contracts("B")))
    all_services = [service for contract in found for service in contract.services]
    usable = [service for service in all_services if service.settlement is not Settlement.TIME_SPENT]
    numbers = range(draw(st.integers(0, 3)) if usable else 0)
    names = [service.id for service in all_services]
    return BillingState(
        contracts=found,
        vouchers=tuple(draw(vouchers(f"V{number}", usable)) for number in numbers),
        entries=tuple(draw(entries(f"e{number}", names)) for number in range(draw(st.integers(1, 8)))),
    )


prices_later = st.lists(
    st.builds(PriceChange, days, prices, st.integers(0, 200), st.none() | hourly_rates),
    max_size=3,
    unique_by=lambda change: change.starts,
).map(lambda changes: tuple(sorted(changes, key=lambda change: change.starts)))
rollovers = st.none() | st.builds(Rollover, st.integers(1, 3), st.none() | st.integers(0, 200))
day_roundings = st.none() | st.builds(Rounding, st.integers(0, 30), st.integers(1, 30), st.sampled_from(RoundingMode))


@st.composite
def extended_states(draw: st.DrawFn) -> BillingState:
    """Draw a state as `states` does, and add features that only extended documents of `portal simulate` have.

    No service has the overflow `block`, because what such a service refuses depends on the order of approvals.
    """
    state = draw(states())
    contracts = []
    for contract in state.contracts:
        first, second = contract.services
        first = replace(first, changes=draw(prices_later), rollover=draw(rollovers), day_rounding=draw(day_roundings))
        can_share = first.settlement is Settlement.SUBSCRIPTION and second.settlement is not Settlement.TIME_SPENT
        shares = first.id if can_share and draw(st.booleans()) else None
        second = replace(second, day_rounding=draw(day_roundings), shares=shares)
        contracts.append(replace(contract, services=(first, second)))
    return replace(
        state,
        contracts=tuple(contracts),
        vouchers=tuple(
            replace(one, valid_until=draw(st.sampled_from([one.valid_until, None]))) for one in state.vouchers
        ),
        entries=tuple(
            replace(
                entry,
                date=draw(st.sampled_from([entry.date, FIRST + timedelta(days=40)])),
                case=draw(st.sampled_from(["C1", None])),
                fixed_fee=draw(st.sampled_from([None, None, None, Decimal("50.00")])),
                stretches=draw(stretches(entry.billable_minutes)),
            )
            for entry in state.entries
        ),
    )


@st.composite
def stretches(draw: st.DrawFn, minutes: int) -> tuple[Stretch, ...]:
    """Draw the stretches of an entry, the parts of its time to which different prices may apply: none or two.

    Two stretches sum to `minutes`, and the second may have an hourly rate.
    """
    if minutes < 2 or draw(st.booleans()):
        return ()
    first = draw(st.integers(1, minutes - 1))
    return Stretch(first), Stretch(minutes - first, hourly_rate=draw(st.none() | hourly_rates))


rates = st.lists(
    st.builds(
        RateTerms,
        hourly_rate=hourly_rates,
        starts=days,
        role=st.sampled_from(["senior", "trainee"]),
        customer=st.booleans(),
        service=st.none(),
    ),
    max_size=4,
    unique_by=lambda rate: (rate.role, rate.customer, rate.starts),
).map(lambda found: RateTable(found or [RateTerms(Decimal("75.5"), FIRST, role="senior")]))
