"""Insert time entries, cases and services with one call each, as rows like those that the portal stores."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from portal.billing import Choice
from portal.database import current, transaction
from portal.people.readers import SYSTEM, AgentReader
from tests.world import ACME, GLOBEX, GLOBEX_HELPDESK, HELPDESK, INES, NOW

CUSTOMER_OF = {HELPDESK: ACME, GLOBEX_HELPDESK: GLOBEX}
OCTOBER = date(2026, 10, 6)
NOVEMBER = date(2026, 11, 1)
"""The first day of the month after the work; on `NOW`, this is the default date of the billing-run form."""


@dataclass(frozen=True)
class Logged:
    """A time entry that a test has just inserted."""

    id: int
    version: int = 1

    @property
    def choice(self) -> Choice:
        """Return the id and version of the entry, as its tick box sends them."""
        return Choice(self.id, self.version)


async def log(
    minutes: int = 60,
    *,
    on: date = OCTOBER,
    who: AgentReader = INES,
    service: int | None = HELPDESK,
    customer: int | None = None,
    state: str = "submitted",
    billing: str = "billable",
    counted: int | None = None,
    comment: str = "Switch replaced",
    description: str = "internal words",
    case_id: int | None = None,
    hourly_rate: Any = None,
    at: datetime | None = None,
) -> Logged:
    """Insert a time entry of `who` on the day `on`, with `minutes` worked, and return it. No rule is checked.

    If `counted` is None, the billable minutes are the worked minutes, or 0 if the entry is not billable. Without
    `customer`, the entry belongs to the customer of the service. `at` is the instant of creation and submission, by
    default two days before `NOW`.
    """
    customer = customer or (None if service is None else CUSTOMER_OF.get(service, ACME))
    counted = 0 if billing == "not_billable" else minutes if counted is None else counted
    at = at or NOW - timedelta(days=2)
    row = await current().fetchrow(
        "insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,"
        " hourly_rate, external_comment, description, state, created_at, window_from, submitted_at)"
        " values ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14) returning id",
        customer, case_id, service, who.id, on, minutes, billing, counted, hourly_rate, comment, description, state, at,
        at if state in ("submitted", "approved") else None,
    )  # fmt: skip
    return Logged(row["id"])


async def a_case(customer: int = ACME, contact: int = 1, subject: str = "VPN drops") -> Any:
    """Insert a case, and return a record with its `id` and `number`."""
    return await current().fetchrow(
        "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
        " values ($1, $2, $3, 1, 3, 'open', $4, $4) returning id, number",
        customer, contact, subject, NOW,
    )  # fmt: skip


async def a_service(customer: int, contract: int, name: str, **columns: Any) -> int:
    """Insert a service and return its id.

    Unless `columns` says otherwise, the service is paid by time spent, rolled up by service and taxable.
    """
    values = {
        "settlement": "time_spent", "rollup": "service", "taxable": True, "exemption_reason": None, "effective_start": date(2026, 1, 1),
        "rounding_minimum": 0, "rounding_increment": 15, "rounding_mode": "up", "created_at": NOW,
    } | columns  # fmt: skip
    names = ", ".join(values)
    places = ", ".join(f"${place}" for place in range(4, 4 + len(values)))
    service_id: int = await current().fetchval(
        f"insert into service (customer_id, contract_id, name, {names}) values ($1, $2, $3, {places}) returning id",
        customer, contract, name, *values.values(),
    )  # fmt: skip
    return service_id


async def tick(draft_id: int) -> str:
    """Return the value that the tick box of a draft sends: the draft's id, its contract and the sum to pay."""
    async with transaction(SYSTEM) as tx:
        row = await tx.fetchrow("select contract_id, payable from invoice where id = $1", draft_id)
    return f"{draft_id}.{row['contract_id']}.{row['payable']}"


async def seen_sum(draft_id: int) -> dict[str, str]:
    """Return the field of the form that issues a draft: the sum to pay that its page shows."""
    return {"sum": (await tick(draft_id)).split(".", 2)[2]}


async def states(*entries: Logged) -> list[str]:
    """Return the states of the entries, in the order of the arguments."""
    rows = await current().fetch("select id, state from time_entry where id = any($1)", [entry.id for entry in entries])
    by_id = {row["id"]: row["state"] for row in rows}
    return [by_id[entry.id] for entry in entries]
