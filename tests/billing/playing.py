"""Play an input document of `portal simulate` through `portal.billing`, and compare each step with the engine.

The contracts, vouchers, rates and entries of the document are inserted as rows; its steps are approvals, withdrawals,
releases, billing runs and extended contracts. After each step, the stored allocations, documents, fees and vouchers
must be those that the engine computes from the document alone.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from portal import billing
from portal.billing import Choice, engine
from portal.billing.engine import AllocationKind, BillingState, DocumentKind, Key, LineKind
from portal.billing.simulate.document import Input, read
from portal.billing.simulate.entries import Logged
from portal.billing.simulate.steps import Step, Verb
from portal.database import current
from portal.durations import Rounding
from portal.errors import Refusal
from portal.money import cash_amount
from portal.people.readers import AgentReader
from portal.schedules.windows import schedule_of
from portal.timekeeping import rules
from tests.billing.chance import HOLIDAYS, WINDOWS
from tests.world import NOOR, NOW

SIGNS = {
    "had not begun": "before_service_start",
    "had ended": "after_contract_end",
    "There is no rate": "no_rate",
    "do not cover it wholly": "beyond_prepaid",
}
"""Words of the error messages that people read at refusals, mapped to the engine's reasons for the same refusals."""


async def insert(table: str, **columns: Any) -> int:
    """Insert a row into the table and return its id."""
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    id: int = await current().fetchval(
        f"insert into {table} ({', '.join(columns)}) values ({places}) returning id", *columns.values()
    )
    return id


@dataclass
class Player:
    """An input document of `portal simulate` whose values have been inserted into the database.

    `input` is the document after parsing, and `customer` the id of the inserted customer. Each dictionary maps the ids
    that the document uses, such as those of its entries, to the ids of the inserted rows. `play` takes the steps of the
    document with the functions of `portal.billing`.
    """

    input: Input
    customer: int
    contracts: dict[Key, int]
    services: dict[Key, int]
    vouchers: dict[Key, int]
    entries: dict[Key, int]

    @classmethod
    async def seated(cls, document: Mapping[str, Any]) -> "Player":
        """Insert the rows for an input document of `portal simulate`, and return the `Player` that can take its steps.

        The current transaction must be one of an agent.
        """
        given = read(document)
        customer = await insert(
            "customer",
            name="Played",
            legal_name="Played Ltd",
            street="",
            postcode="",
            city="",
            country="DE",
            created_at=NOW,
        )
        contracts: dict[Key, int] = {}
        services: dict[Key, int] = {}
        tasks: dict[tuple[Key, str], int] = {}
        task_of = {entry["id"]: entry.get("task") for entry in document.get("entries") or ()}
        for contract, written in zip(given.state.contracts, document["contracts"], strict=True):
            contracts[contract.id] = await insert(
                "contract", customer_id=customer, name=contract.name, start_on=contract.start, end_on=contract.end,
                currency=document["currency"], payment_days=14, cycle=contract.cycle.value, anchor=contract.anchor,
                vat_rate=Decimal(document["vat"]["rate"]), created_at=NOW, cash_rounding=given.cash_rounding,
            )  # fmt: skip
            for service, also in zip(contract.services, written["services"], strict=True):
                taxable = also.get("taxable") is not False
                services[service.id] = await insert(
                    "service", customer_id=customer, contract_id=contracts[contract.id], name=service.name,
                    settlement=service.settlement.value, rollup=service.rollup.value, taxable=taxable,
                    exemption_reason=None if taxable else "Education", effective_start=service.effective_start,
                    created_at=NOW, **_terms(service), **_rounding(service),
                    **({"windows": WINDOWS[also["schedule"]], "holidays": HOLIDAYS} if also.get("schedule") else {}),
                )  # fmt: skip
                for task in also.get("tasks") or ():
                    tasks[service.id, task["name"]] = await insert(
                        "task", customer_id=customer, service_id=services[service.id], name=task["name"], billable=True,
                        fixed_fee=task.get("fixed_fee") and Decimal(task["fixed_fee"]),
                    )  # fmt: skip
            for service in contract.services:
                await _prices(service, customer, services[service.id])
                if service.shares is not None:
                    await current().execute(
                        "update service set included_from_id = $2 where id = $1",
                        services[service.id],
                        services[service.shares],
                    )
        agents, roles = await _people(document)
        for rate in document.get("rates") or ():
            scope = {
                name: rate[name] for name in ("service", "agent", "role", "customer") if rate.get(name) is not None
            }
            await insert(
                "rate", currency=document["currency"], hourly_rate=Decimal(rate["hourly_rate"]),
                effective_from=dt.date.fromisoformat(rate["from"]), created_at=NOW,
                role_id=roles[scope["role"]] if "role" in scope else None, agent_id=agents[scope["agent"]] if "agent" in scope else None,
                service_id=services[scope["service"]] if "service" in scope else None,
                customer_id=customer if "service" in scope or "customer" in scope else None,
            )  # fmt: skip
        # Rows are inserted in the order of the document's ids, so that the ids of the rows are in the same order.
        vouchers: dict[Key, int] = {}
        for voucher in sorted(given.state.vouchers, key=lambda one: one.id):
            vouchers[voucher.id] = await insert(
                "voucher", customer_id=customer, label=voucher.label, minutes=voucher.minutes, price=voucher.price,
                currency=document["currency"], sold_on=voucher.sold, valid_from=voucher.valid_from, end_on=voucher.valid_until,
                usable_once="sold", sold_elsewhere=False, created_at=NOW,
            )  # fmt: skip
            await current().execute(
                "insert into voucher_service select $1, $2, id, place - 1 from unnest($3::bigint[]) with ordinality as s (id, place)",
                customer, vouchers[voucher.id], [services[service] for service in voucher.services],
            )  # fmt: skip
        entries: dict[Key, int] = {}
        cases = await _cases(customer, document)
        logged = {one.entry.id: one for one in given.logged}
        rounded_by_day = {
            service.id for contract in given.state.contracts for service in contract.services if service.day_rounding
        }
        for entry in sorted(given.state.entries, key=lambda one: one.id):
            by_day = entry.service in rounded_by_day and entry.is_documented and not entry.is_override
            entries[entry.id] = await insert(
                "time_entry", customer_id=customer, service_id=services[entry.service], agent_id=agents[str(entry.agent)],
                entered_by_id=agents[str(entry.agent)], role_id=roles[str(entry.role)], work_date=entry.date,
                rounded_by_day=by_day, case_id=cases.get(entry.case), billing=entry.billing.value, hourly_rate=entry.hourly_rate,
                **_counted(entry, logged[entry.id], given),
                external_comment=entry.external_comment, description="", state="submitted", created_at=entry.created,
                window_from=NOW, submitted_at=NOW, task_id=tasks.get((entry.service, task_of[entry.id])),
            )  # fmt: skip
        return cls(given, customer, contracts, services, vouchers, entries)

    async def _counted(self, state: BillingState) -> None:
        """Check that each approved entry counts as many billable minutes as the engine computes."""
        pieces = {**engine.allocate(state), **state.settled}
        rows = await current().fetch(
            "select id, billable_minutes from time_entry where customer_id = $1 and state = 'approved' and billing <> 'not_billable'",
            self.customer,
        )
        names = {id: name for name, id in self.entries.items()}
        for row in rows:
            assert row["billable_minutes"] == sum(piece.minutes for piece in pieces[names[row["id"]]])

    async def play(self) -> None:
        """Take every step of the input document; after each, compare the stored rows with the result of the engine."""
        state = self.input.state
        for number, step in enumerate(self.input.steps):
            state = await self._step(state, step, NOW + timedelta(seconds=number))
            assert await self._allocations() == self._expected(state), f"allocations after step {number}, {step}"
            await self._counted(state)
        assert (broken := await billing.violations()) == {}, broken

    async def _step(self, state: BillingState, step: Step, at: dt.datetime) -> BillingState:
        match step.verb:
            case Verb.APPROVE:
                state, refused = engine.approve(state, step.entries, self.input.rates)
                choices = [one for one in await self._choices(step.entries) if one[1] != "approved"]
                outcome = await billing.approve([choice for choice, _ in choices], by=NOOR, at=at) if choices else None
                reasons = {one.entry_id: one.sentence for one in outcome.refused} if outcome else {}
                assert {id: _sign(sentence) for id, sentence in reasons.items()} == {
                    self.entries[id]: reason.value for id, reason in refused
                }
            case Verb.WITHDRAW:
                before, (state, refused) = state, engine.withdraw(state, step.entries)
                for id in step.entries:
                    await self._withdraw(id, before, {one for one, _ in refused}, NOOR, at)
            case Verb.RELEASE:
                state = engine.release(state, step.entries)
                if choices := await self._choices(step.entries):
                    outcome = await billing.release([choice for choice, _ in choices], by=NOOR, at=at)
                    assert all(self._name(one.entry_id) in state.settled for one in outcome.refused)
            case Verb.BILL:
                state = await self._bill(state, step.until)
            case Verb.EXTEND:
                state = engine.extend_contract(state, step.contract, step.end)
                async with billing.changing_terms(self.customer):
                    await current().execute(
                        "update contract set end_on = $2 where id = $1", self.contracts[step.contract], step.end
                    )
        return state

    async def _withdraw(
        self, id: Key, before: BillingState, refused: set[Key], by: AgentReader, at: dt.datetime
    ) -> None:
        if id not in before.approved:
            return
        try:
            await billing.withdraw(self.entries[id], by=by, at=at)
        except Refusal:
            assert id in refused
        else:
            assert id not in refused

    async def _bill(self, state: BillingState, until: dt.date) -> BillingState:
        at = max(NOW, dt.datetime.combine(until, dt.time(12), dt.UTC))
        preview = await billing.preview_run(until)
        expected = engine.bill(state, until)
        run = await billing.run(until, {self.customer}, by=NOOR, at=at)
        mine = [document for document in preview.documents if document.customer_id == self.customer]
        assert sorted(document.net for document in mine) == sorted(document.net for document in expected.documents)
        made = await self._documents(run.id) if run else []
        pieces = self._expected(expected.state)
        assert made == [self._document(document, pieces) for document in expected.documents]
        if run:
            rows = await current().fetch(
                "select s.entry_id, s.reason from skipped_entry s join time_entry e on e.id = s.entry_id where s.run_id = $1"
                " and s.customer_id = $2 order by e.work_date, e.created_at, e.id", run.id, self.customer,
            )  # fmt: skip
            assert [tuple(row) for row in rows] == [
                (self.entries[one.entry], one.reason.value) for one in expected.skipped
            ]
        assert await self._rolled() == {
            (self.services[id], start): list(rolled) for (id, start), rolled in expected.state.rolled.items()
        }
        fees = await current().fetch(
            "select service_id, period_start, active_from, active_until from billed_fee where customer_id = $1",
            self.customer,
        )
        assert {tuple(row) for row in fees} == {
            (self.services[id], start, part.start, part.end)
            for (id, start), parts in expected.state.billed_fees.items()
            for part in parts
        }
        sold = await current().fetch("select voucher_id from billed_voucher where customer_id = $1", self.customer)
        assert {row["voucher_id"] for row in sold} == {self.vouchers[id] for id in expected.state.billed_vouchers}
        return expected.state

    async def _rolled(self) -> dict[Any, list[engine.RolledMinutes]]:
        """Return the minutes that rolled over into each period, by the service and the first day of the period.

        If a run has recorded that nothing rolled over into a period, the list of the period is empty.
        """
        found: dict[Any, list[engine.RolledMinutes]] = defaultdict(list)
        for row in await current().fetch(
            "select * from rolled_minutes where customer_id = $1 order by origin", self.customer
        ):
            kept = found[row["service_id"], row["period_start"]]
            kept += [engine.RolledMinutes(row["origin"], row["minutes"], row["periods"])] if row["minutes"] else []
        return dict(found)

    async def _documents(self, run_id: int) -> list[dict[str, Any]]:
        """Return the draft invoices and statements that a billing run created, in the order of their contracts."""
        found = []
        for row in await current().fetch(
            "select contract_id, id, net, tax, gross, payable, null::uuid as statement from invoice where run_id = $1 and customer_id = $2"
            " union all select contract_id, null, null, null, null, null, id from statement where run_id = $1 and customer_id = $2 order by 1",
            run_id, self.customer,
        ):  # fmt: skip
            detail = await current().fetch(
                "select d.entry_id from settled_entry d join time_entry e on e.id = d.entry_id where d.invoice_id = $1 or d.statement_id = $2"
                " order by e.work_date, e.created_at, e.id", row["id"], row["statement"],
            )  # fmt: skip
            document: dict[str, Any] = {"contract": row["contract_id"], "detail": [one["entry_id"] for one in detail]}
            if row["id"] is not None:
                document |= {
                    "lines": await _lines(row["id"]),
                    "vat": [tuple(one) for one in await current().fetch(
                        "select category, rate, base, tax from invoice_vat where invoice_id = $1 order by category, rate", row["id"]
                    )],
                    "sums": (row["net"], row["tax"], row["gross"], row["payable"]),
                }  # fmt: skip
            found.append(document)
        return found

    def _document(self, document: engine.Document, pieces: Mapping[int, Any]) -> dict[str, Any]:
        """Return an invoice or statement that the engine made, as a dictionary like those that `_documents` returns."""
        found: dict[str, Any] = {
            "contract": self.contracts[document.contract],
            "detail": [self.entries[id] for id in document.detail],
        }
        if document.kind is DocumentKind.STATEMENT:
            return found
        return found | {
            "lines": [
                (
                    line.kind.value, self.services[line.service], line.label, line.minutes, line.unit_price, line.net,
                    # The database names the entries of a line by their allocations; an entry of 0 minutes has none.
                    [self.entries[id] for id in line.entries if pieces[self.entries[id]]],
                    None if line.voucher is None else self.vouchers[line.voucher], line.period_start,
                )
                for line in document.lines
            ],
            "vat": [(group.vat.category.value, group.vat.rate, group.base, group.tax) for group in document.vat],
            "sums": (document.net, document.tax, document.gross, self._payable(document.gross)),
        }  # fmt: skip

    def _payable(self, gross: Decimal) -> Decimal:
        coin = self.input.cash_rounding
        return gross if coin is None else cash_amount(gross, coin, self.input.state.digits)

    async def _allocations(self) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for row in await current().fetch(
            "select entry_id, kind, minutes, amount, hourly_rate, rate_source, period_start, pool_service_id, voucher_id, rolled_from"
            " from allocation"
            " where customer_id = $1 order by entry_id, position", self.customer,
        ):  # fmt: skip
            found[row["entry_id"]].append(tuple(row)[1:])
        return dict(found)

    def _expected(self, state: BillingState) -> Any:
        """Return the allocations that the engine computes, by the id of the entry, in the form of `_allocations`."""

        def piece(one: engine.Allocation) -> tuple[Any, ...]:
            price = (one.price.hourly_rate, one.price.source.value) if one.price else (None, None)
            period = one.pool[1] if one.pool and one.kind is AllocationKind.INCLUDED else None
            subscription = self.services[one.pool[0]] if one.pool and period else None
            voucher = self.vouchers[one.pool[0]] if one.pool and one.kind is AllocationKind.VOUCHER else None
            return one.kind.value, one.minutes, one.amount, *price, period, subscription, voucher, one.origin

        pieces = {**state.settled, **engine.allocate(state)}
        found = {self.entries[id]: [piece(one) for one in many] for id, many in pieces.items() if many}
        return defaultdict(list, found)

    async def _choices(self, ids: Iterable[Key]) -> list[tuple[Choice, str]]:
        rows = await current().fetch(
            "select id, version, state from time_entry where id = any($1)", [self.entries[id] for id in ids]
        )
        return [(Choice(row["id"], row["version"]), row["state"]) for row in rows]

    def _name(self, entry_id: int) -> Key:
        return next(name for name, id in self.entries.items() if id == entry_id)


def _counted(entry: engine.Entry, logged: Logged, given: Input) -> dict[str, Any]:
    """Return the columns of an entry with its worked and billable minutes, as `TimeEntry.log` stores them.

    Check that `rules.counted` gives the billable minutes that `read` has computed, unless the entry is not billable.
    """
    offer = given.services[str(entry.service)]
    schedule = schedule_of(WINDOWS[str(offer.schedule.id)], HOLIDAYS, "Europe/Berlin") if offer.schedule else None
    found = rules.counted(
        logged.actual_minutes, entry.billing, offer.rounding, entry.billable_minutes if entry.is_override else None, "Agreed",
        schedule=schedule, began=logged.started,
    )  # fmt: skip
    if entry.billing is not engine.EntryBilling.NOT_BILLABLE:
        assert found.minutes == entry.billable_minutes
    began = logged.started
    span = {"started_at": began, "ended_at": began + timedelta(hours=3), "time_zone": "Europe/Berlin"} if began else {}
    return {
        "actual_minutes": logged.actual_minutes, "billable_minutes": found.minutes, "override_reason": found.override_reason,
        "stretches": found.stretches, **span,
    }  # fmt: skip


def _sign(sentence: str) -> str:
    return next((reason for words, reason in SIGNS.items() if words in sentence), sentence)


def _rounding(service: engine.ServiceTerms) -> dict[str, Any]:
    """Return the rounding columns of a service, with no rounding unless the service rounds by day.

    If the service rounds each entry, its entries are inserted with minutes that are rounded already.
    """
    rule = service.day_rounding or Rounding()
    return {
        "rounding_minimum": rule.minimum,
        "rounding_increment": rule.increment,
        "rounding_mode": rule.mode.value,
        "rounding_per": "day" if service.day_rounding else "entry",
    }


def _terms(service: engine.ServiceTerms) -> dict[str, Any]:
    """Return the columns of a service that depend on its settlement, which is how its time is paid for."""
    if service.settlement is engine.Settlement.TIME_SPENT:
        return {}
    found: dict[str, Any] = {"overflow": service.overflow.value, "overage_rate": service.overage_rate}
    if service.settlement is engine.Settlement.SUBSCRIPTION:
        found |= {"fee": service.fee, "included_minutes": service.included_minutes, "due": service.due.value}
        if rolls := service.rollover:
            found |= {"rollover_periods": rolls.periods, "rollover_cap": rolls.cap, "rollover_from": rolls.since}
    return found


async def _cases(customer: int, document: Mapping[str, Any]) -> dict[Key | None, int]:
    """Insert the cases that the entries of a document name, and return the ids of the cases by name."""
    names = sorted({entry["case"] for entry in document.get("entries") or () if entry.get("case") is not None})
    if not names:
        return {}
    contact = await insert(
        "contact", customer_id=customer, name="Played", sees_all_cases=True, sees_invoices=True, manages_contacts=False,
        locale="en_GB", time_zone="Europe/Berlin", created_at=NOW,
    )  # fmt: skip
    return {
        name: await insert(
            "cases", customer_id=customer, contact_id=contact, subject=name, case_type_id=1, priority=3, status="open",
            opened_at=NOW, updated_at=NOW,
        )
        for name in names
    }  # fmt: skip


async def _prices(service: engine.ServiceTerms, customer: int, service_id: int) -> None:
    """Insert the price changes of a service."""
    for change in service.changes:
        has_fee = service.settlement is engine.Settlement.SUBSCRIPTION
        await insert(
            "price_change", customer_id=customer, service_id=service_id, effective_from=change.starts,
            fee=change.fee if has_fee else None, included_minutes=change.included_minutes if has_fee else None,
            overage_rate=change.overage_rate, created_at=NOW,
        )  # fmt: skip


async def _people(document: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Insert the agents and roles of the input document; return the agents' ids by name and the roles' ids by name.

    The roles of the test data (`tests.world`) are renamed first, so that the input document can use their names.
    """
    await current().execute("update role set name = name || ' of the cast'")
    named = [*document.get("entries", ()), *document.get("rates", ())]
    roles = {
        name: await insert("role", name=name)
        for name in sorted({one["role"] for one in named if one.get("role") is not None})
    }
    agents = {
        name: await insert(
            "agent",
            name=name,
            grade="agent",
            department_id=1,
            locale="en_GB",
            time_zone="Europe/Berlin",
            created_at=NOW,
        )
        for name in sorted({one["agent"] for one in named if one.get("agent") is not None})
    }
    return agents, roles


async def _lines(invoice_id: int) -> list[tuple[Any, ...]]:
    """Return the lines of an invoice as `portal simulate` writes them, with ids of rows instead of names."""
    found = []
    for row in await current().fetch(
        "select l.*, array(select distinct a.entry_id from line_allocation b join allocation a on a.id = b.allocation_id"
        " where b.line_id = l.id) as entries from invoice_line l where l.invoice_id = $1 order by l.position", invoice_id,
    ):  # fmt: skip
        label = row["label"]
        if row["kind"] == LineKind.FEE:
            label = f"{row['service_name']} {row['active_from']}/{row['active_to'] + timedelta(days=1)}"
        ordered = await current().fetch(
            "select id from time_entry where id = any($1) order by work_date, created_at, id", row["entries"]
        )
        found.append(
            (
                row["kind"], row["service_id"], label, row["minutes"], row["unit_price"], row["net"], [one["id"] for one in ordered],
                row["voucher_id"], row["period_start"],
            )
        )  # fmt: skip
    return found
