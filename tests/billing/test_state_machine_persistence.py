"""Test that all invariants hold after every step of managers and agents, in any order of steps (R94)."""

from collections.abc import Coroutine
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from portal import billing
from portal.billing import Choice
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import current, transaction
from portal.errors import Refusal
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping.moving.merging import merge
from portal.timekeeping.states import submit
from portal.timekeeping.work import Work
from tests.billing.work import a_case, a_service, log
from tests.examples import ALL
from tests.machines import DatabaseMachine, run_machine
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_HELPDESK, HELPDESK, INES, MAX, NOOR, NOW

DAYS = st.sampled_from(
    [
        date(2025, 12, 31),
        date(2026, 2, 28),
        date(2026, 6, 30),
        date(2026, 10, 6),
        date(2026, 10, 31),
        date(2026, 11, 19),
    ]
)
PLACES = st.integers(0, 19)
"""A strategy for a number that chooses one of the existing entries: the entry at that place, modulo their count."""
MANAGERS = st.sampled_from([MAX, NOOR])


class Desk(DatabaseMachine):
    """A state machine whose rules each run in a transaction that is either committed or refused as a whole."""

    EMPTYING = (
        "truncate invoice, statement, billing_run, voucher, time_entry, time_sum, approval, outbox, cases cascade;"
        " update number_series set next_number = first_number; update rate set hourly_rate = 120"
    )
    services: ClassVar[list[int]]

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Move the clock `at` on by a second, run the coroutine, and return its result."""
        self.at += timedelta(seconds=1)
        return self.run(work)

    def tried(self, by: Any, verb: Any) -> Any:
        """Move the clock `at` on by a second and attempt `verb()` as `by`; return its result, or None if it is refused.

        What a refused attempt has stored is rolled back.
        """
        self.at += timedelta(seconds=1)
        result = self.attempt(by, verb)
        return None if isinstance(result, Refusal) else result

    @rule(
        who=st.sampled_from([INES, INES, MAX, NOOR]),
        service=st.integers(0, 7),
        minutes=st.integers(1, 700),
        on=DAYS,
        billing_=st.sampled_from(["billable", "billable", "billable", "no_charge", "not_billable"]),
        state=st.sampled_from(["draft", "submitted"]),
        hourly_rate=st.sampled_from([None, None, Decimal("0"), Decimal("33.3333"), Decimal("99.95")]),
    )
    def log_time(self, **values: Any) -> None:
        """Log an entry under one of the services."""
        self.log(**values)

    def log(self, who: Any, service: int, minutes: int, on: date, billing_: str, state: str, hourly_rate: Any) -> None:
        """Log a time entry. `service` is a position in `services`."""
        service_id = self.services[service]

        async def verb() -> None:
            case = None if service_id == GLOBEX_HELPDESK else await _one(_UNMERGED, minutes)
            await log(
                minutes, who=who, service=service_id, customer=GLOBEX if service_id == GLOBEX_HELPDESK else ACME, on=on, billing=billing_,
                case_id=case and case["id"],
                counted=None if minutes % 3 else max(0, minutes - 7), state=state, hourly_rate=hourly_rate, at=self.at,
            )  # fmt: skip

        self.tried(who, verb)

    @initialize(
        services=st.lists(st.integers(0, 7), min_size=4, max_size=8), days=st.lists(DAYS, min_size=8, max_size=8)
    )
    def a_day_of_work(self, services: list[int], days: list[date]) -> None:
        """Create some cases of Acme and log some entries on them at the start, so that there are entries to decide on."""

        async def verb() -> None:
            for _ in range(5):
                await a_case()

        self.tried(SYSTEM, verb)
        for service, on in zip(services, days, strict=False):
            self.log(INES, service, 50 + 7 * service, on, "billable", "submitted", None)

    @rule(places=st.lists(st.integers(0, 4), min_size=2, max_size=3, unique=True))
    def merge(self, places: list[int]) -> None:
        """Merge two or three cases into the first of them, with all their time, billed or not (D53)."""

        async def verb() -> None:
            numbers = [(await _one("select number from cases order by id", place))["number"] for place in places]
            await merge(numbers, numbers[0], by=MAX, at=self.at)

        self.tried(MAX, verb)

    @rule(entry=PLACES)
    def submit(self, entry: int) -> None:
        """Submit an entry as Max, who may submit everybody's time."""

        async def verb() -> None:
            await submit(MAX, [choice.entry_id for choice in await _seen([entry])], at=self.at)

        self.tried(MAX, verb)

    @rule(chosen=st.lists(PLACES, max_size=3), everything=st.booleans(), by=MANAGERS)
    def approve(self, chosen: list[int], everything: bool, by: Any) -> None:
        """Approve some entries, as a manager; those that must not be approved are refused."""

        async def verb() -> None:
            await billing.approve(await _seen(chosen, everything), by=by, at=self.at)

        self.tried(by, verb)

    @rule(chosen=st.lists(PLACES, max_size=3), by=MANAGERS)
    def reject(self, chosen: list[int], by: Any) -> None:
        """Reject some entries, as a manager."""

        async def verb() -> None:
            await billing.reject(await _seen(chosen), reason="Which site?", by=by, at=self.at)

        self.tried(by, verb)

    @rule(entry=PLACES, by=MANAGERS)
    def withdraw(self, entry: int, by: Any) -> None:
        """Withdraw the approval of an entry, as a manager."""

        async def verb() -> None:
            for choice in await _seen([entry]):
                await billing.withdraw(choice.entry_id, by=by, at=self.at)

        self.tried(by, verb)

    @rule(entry=PLACES, by=MANAGERS, minutes=st.integers(1, 300), service=st.integers(0, 7))
    def change(self, entry: int, by: Any, minutes: int, service: int) -> None:
        """Change an entry in any state, as a manager."""

        async def verb() -> None:
            work = Work(minutes=minutes, work_date=date(2026, 10, 5), service_id=self.services[service])
            for choice in await _seen([entry]):
                await billing.change_entry(choice.entry_id, work, version=choice.version, by=by, at=self.at)

        self.tried(by, verb)

    @rule(entry=PLACES, by=MANAGERS)
    def delete_entry(self, entry: int, by: Any) -> None:
        """Delete an entry in any state, as a manager."""

        async def verb() -> None:
            for choice in await _seen([entry]):
                await billing.delete_entry(choice.entry_id, version=choice.version, by=by, at=self.at)

        self.tried(by, verb)

    @rule(chosen=st.lists(PLACES, max_size=3), by=MANAGERS, again=st.booleans())
    def release(self, chosen: list[int], by: Any, again: bool) -> None:
        """Release entries as a manager, so that they are not held; with `again`, withdraw the releases."""

        async def verb() -> None:
            decide = billing.hold_again if again else billing.release
            await decide(await _seen(chosen), by=by, at=self.at)

        self.tried(by, verb)

    @rule(
        service=st.sampled_from([6, 7]),
        minutes=st.sampled_from([75, 300]),
        until=DAYS,
        usable=st.sampled_from(["sold", "issued", "paid"]),
    )
    def sell_voucher(self, service: int, minutes: int, until: date, usable: str) -> None:
        """Sell Acme a voucher for one of the services that take one."""

        async def verb() -> None:
            facts = VoucherFacts(
                services=[str(self.services[service])], hours=f"{minutes}m", price="99.99", sold_on="2025-12-31",
                valid_until=until.isoformat(), usable_once=usable,
            )  # fmt: skip
            async with billing.changing_terms(ACME):
                await Voucher.sell(await Customer.find(ACME, SYSTEM), facts, self.at)

        self.tried(MAX, verb)

    @rule(
        until=st.sampled_from([date(2026, 7, 1), date(2026, 11, 1), date(2026, 11, 21)]),
        customers=st.sampled_from([{ACME, GLOBEX}, {ACME}, {GLOBEX}]),
        by=MANAGERS,
    )
    def bill(self, until: date, customers: set[int], by: Any) -> None:
        """Start a billing run; check that it makes what its preview shows, and that a repeated run makes nothing."""

        async def verb() -> None:
            expected = [d for d in (await billing.preview_run(until)).documents if d.customer_id in customers]
            made = await billing.run(until, customers, by=by, at=self.at)
            assert (len(made.draft_ids) + len(made.statement_ids) if made else 0) == len(expected)
            for draft_id in made.draft_ids if made else ():
                draft = await billing.Invoice.find_draft(draft_id, by)
                assert draft.net in [d.net for d in expected]
            assert await billing.run(until, customers, by=by, at=self.at) is None

        self.tried(by, verb)

    @rule(place=st.integers(0, 9), by=MANAGERS)
    def take_off(self, place: int, by: Any) -> None:
        """Take an entry off its draft as a manager, if there is a draft."""

        async def verb() -> None:
            row = await _one(
                "select d.invoice_id, d.entry_id from settled_entry d join invoice i on i.id = d.invoice_id where i.state = 'draft'",
                place,
            )
            if row:
                await billing.take_off(row["invoice_id"], row["entry_id"], by=by, at=self.at)

        self.tried(by, verb)

    @rule(place=st.integers(0, 9), by=MANAGERS)
    def delete_draft(self, place: int, by: Any) -> None:
        """Delete a draft as a manager, if there is one."""

        async def verb() -> None:
            row = await _one("select id from invoice where state = 'draft'", place)
            if row:
                await billing.delete_draft(row["id"], by=by, at=self.at)

        self.tried(by, verb)

    @rule(place=st.integers(0, 9), by=MANAGERS, late=st.booleans())
    def issue(self, place: int, by: Any, late: bool) -> None:
        """Issue a draft as a manager, if there is one. With `late`, the clock of the request is an hour slow."""

        async def verb() -> None:
            row = await _one("select id from invoice where state = 'draft'", place)
            if row:
                await billing.issue(row["id"], by=by, at=self.at - timedelta(hours=late))

        self.tried(by, verb)

    @rule(place=st.integers(0, 9))
    def issue_again(self, place: int) -> None:
        """Check that an issued invoice, if there is one, can be neither issued again nor deleted."""

        async def verb() -> None:
            row = await _one("select id, net, number from invoice where state = 'issued'", place)
            if row is None:
                return
            for attempt in (billing.issue, billing.delete_draft):
                with pytest.raises(Refusal):
                    await attempt(row["id"], by=MAX, at=self.at)

        self.tried(MAX, verb)

    @rule(rate=st.sampled_from([Decimal("120"), Decimal("77.7777"), Decimal("0.01")]))
    def change_rates(self, rate: Decimal) -> None:
        """Set all rates to `rate`, at any point between the other steps (C12)."""
        self.tried(SYSTEM, lambda: current().execute("update rate set hourly_rate = $1", rate))

    @invariant()
    def all_holds(self) -> None:
        """Check that every query of the invariants returns no row."""

        async def check() -> dict[str, int]:
            async with transaction(MAX):
                return await billing.violations()

        assert self.do(check()) == {}


_UNMERGED = "select id from cases where merged_into_id is null order by id"


async def _seen(places: list[int], everything: bool = False) -> list[Choice]:
    rows = await current().fetch("select id, version from time_entry order by id")
    choices = [Choice(row["id"], row["version"]) for row in rows]
    return choices if everything or not choices else [choices[place % len(choices)] for place in places]


async def _one(sql: str, place: int) -> Any:
    rows = await current().fetch(sql)
    return rows[place % len(rows)] if rows else None


@pytest.mark.slow
def test_all_invariants_hold_whatever_is_done(workbench: str) -> None:
    """All invariants hold after every step (R94). `./dev test --all` runs many more examples."""

    async def prepare() -> None:
        async with transaction(SYSTEM):
            Desk.services = [
                HELPDESK,
                GLOBEX_HELPDESK,
                await a_service(ACME, ACME_CONTRACT, "One by one", rollup="none"),
                await a_service(
                    ACME, ACME_CONTRACT, "By agent", rollup="resource", taxable=False, exemption_reason="Education"
                ),
                await a_service(ACME, ACME_CONTRACT, "By role", rollup="role", effective_start=date(2026, 3, 1)),
                HELPDESK,
                await a_service(ACME, ACME_CONTRACT, "By voucher", settlement="voucher", overflow="hold"),
                await a_service(
                    ACME,
                    ACME_CONTRACT,
                    "By subscription",
                    settlement="subscription",
                    overflow="bill",
                    fee=Decimal("99.99"),
                    included_minutes=200,
                    due="advance",
                    effective_start=date(2026, 9, 1),
                ),
            ]

    run_machine(Desk, workbench, prepare, examples=25 if ALL else 6, steps=50 if ALL else 30)
