"""Compute which part of an invoice's fees pays for days after the end of the contract, so that it can be credited."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from portal.billing.allocating.book import Row, load_terms
from portal.billing.documents.invoices import Invoice
from portal.billing.engine import ContractTerms, ServiceTerms, price_of_days, price_until
from portal.database import current
from portal.money import EXACT, divide_half_up
from portal.periods import Period, period_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class UnusedDays:
    """The part of a fee that pays for days after the end of the contract.

    `amount` is the net amount that can be credited, and `since` is the first of these days.
    """

    amount: Decimal
    since: date


_PAID = """
select l.position, greatest(k.end_on, b.active_from) as since
from billed_fee b join invoice i on i.id = b.invoice_id join contract k on k.id = i.contract_id
join invoice_line l on (l.invoice_id, l.service_id, l.period_start, l.active_from) = (b.invoice_id, b.service_id, b.period_start, b.active_from)
where b.invoice_id = $1 and b.active_until >= k.end_on
"""

_PARTS = """
select b.service_id, b.active_from, b.active_until, coalesce(l.net, 0) - coalesce((
  select sum(c.net) from credit_line c
  where c.invoice_id = l.invoice_id and c.line_position = l.position and c.unused_from is not null), 0) as charged
from billed_fee b
left join invoice_line l on (l.invoice_id, l.service_id, l.period_start, l.active_from) = (b.invoice_id, b.service_id, b.period_start, b.active_from)
where (b.service_id, b.period_start) in (select o.service_id, o.period_start from billed_fee o where o.invoice_id = $1)
"""


async def unused_fees(invoice: Invoice, lines: Sequence[Row], left: Mapping[int, Decimal]) -> dict[int, UnusedDays]:
    """Return what to credit for days after the end of the contract, by the position of the fee's invoice line.

    After the credit, the invoice charges for each period what it would have charged if the end of the contract had been
    known at the billing. `lines` are lines of the invoice. `left` maps the position of a line to the amount that can
    still be credited. Amounts that were credited before are not credited again.
    """
    late = {row["position"]: row["since"] for row in await current().fetch(_PAID, invoice.id)}
    fees = [line for line in lines if line["position"] in late and left.get(line["position"])]
    if not fees:
        return {}
    terms = await load_terms(invoice.customer_id)
    [contract] = [contract for contract, _ in terms if contract.id == invoice.contract_id]
    parts: dict[int, dict[Period, Decimal]] = defaultdict(dict)
    for row in await current().fetch(_PARTS, invoice.id):
        parts[row["service_id"]][Period(row["active_from"], row["active_until"])] = row["charged"]
    return dict(unused_days(contract, fees, late, left, parts, invoice.digits))


def unused_days(
    contract: ContractTerms,
    lines: Sequence[Row],
    late: Mapping[int, date],
    left: Mapping[int, Decimal],
    parts: Mapping[int, Mapping[Period, Decimal]],
    digits: int,
) -> Iterator[tuple[int, UnusedDays]]:
    """Yield, for each line that charges for days after the contract's end, its position and what to credit.

    `late` maps the position of a line to its first day after the end of the contract. `left` maps the position of a
    line to the amount that can still be credited. `parts` maps the id of a service to the stretches of days for which
    any invoice billed its fee in the same periods, and each stretch to the amount that was charged for it.
    """
    services = {service.id: service for service in contract.services}
    for line in lines:
        position, service = line["position"], services[line["service_id"]]
        active = Period(line["active_from"], line["active_to"] + DAY)
        used = Period(active.start, late[position])
        if price_of_days(contract, service, active, digits) == line["net"]:
            charged = price_of_days(contract, service, used, digits)
        else:  # The fee was changed after it was billed, so the share is computed from the billed amount.
            charged = divide_half_up(EXACT.multiply(line["net"], used.days), active.days, digits)
        charged = _exactly(contract, service, active, parts.get(line["service_id"], {}), charged, digits)
        if (unused := left[position] - charged) > 0:
            yield position, UnusedDays(unused, late[position])


def _exactly(
    contract: ContractTerms,
    service: ServiceTerms,
    active: Period,
    parts: Mapping[Period, Decimal],
    charged: Decimal,
    digits: int,
) -> Decimal:
    """Return the amount that a line should charge for its days before the end of the contract.

    `charged` is this amount computed from the line alone. If several lines share the fee of a period, it may be a few
    cents off, because each line is rounded on its own. The exact amount makes all lines of the period sum to the share
    of the period's fee for the days before the end. `parts` maps the billed days of the service to the amount charged.
    Return the exact amount. Return `charged` instead if no exact amount is known, or if the two amounts differ by more
    than rounding explains: the fee was then changed after it was billed.
    """
    period = period_of(contract.anchor, contract.cycle, active.start)
    others = {part: paid for part, paid in parts.items() if part.start != active.start and part.within(period)}
    exact = price_until(contract, service, active, contract.end, others, digits) if contract.end else None
    if exact is None or abs(exact - charged) > EXACT.scaleb(Decimal(max(len(others), 1)), -digits):
        return charged
    return max(exact, Decimal(0))


_LATE = """
select distinct i.contract_id, i.number, i.issued_at
from billed_fee b join invoice i on i.id = b.invoice_id join contract k on k.id = i.contract_id
join invoice_line l on (l.invoice_id, l.service_id, l.period_start, l.active_from) = (b.invoice_id, b.service_id, b.period_start, b.active_from)
where i.customer_id = $1 and i.state = 'issued' and b.active_until > k.end_on and l.net > 0
  and not exists (select 1 from credit_line c where c.invoice_id = i.id and c.line_position = l.position and c.unused_from is null)
order by i.issued_at
"""


async def invoices_past_end(customer_id: int) -> dict[int, list[str]]:
    """Return the numbers of the invoices that charge fees for days after the end of their contract, by contract id.

    A fee does not count if any part of it was credited for another reason than the end of the contract.
    """
    found: dict[int, list[str]] = {}
    for row in await current().fetch(_LATE, customer_id):
        found.setdefault(row["contract_id"], []).append(row["number"])
    return found
