"""Edit drafts: a note to the customer, lines that are added by hand, and time that is added later."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from portal.billing.allocating.book import Row
from portal.billing.documents.drafts import locked, refill, remake_of, settle, tell, why_not
from portal.billing.documents.invoices import Invoice, InvoiceLine
from portal.billing.engine import LineKind
from portal.contracts.price_list.products import Product
from portal.database import current
from portal.errors import Conflict, Invalid
from portal.fields import Checked, in_range, line, one_of
from portal.money import parse_money
from portal.people.offered import Offered
from portal.people.readers import AgentReader
from portal.timekeeping.flags import IS_FLAGGED
from portal.visible import visible

LONGEST_NOTE = 1000
LARGEST_LINE = Decimal("99999999999.999")
"""The maximum amount of a line that is added by hand; the column `unit_price` has 11 digits before the decimal point.
"""
CHARGE, DISCOUNT = "charge", "discount"
SHOWN = 50
"""The maximum number of approved entries that a draft's page offers to add to the draft."""


class NoteFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field of a draft, as typed: the note to the customer that the invoice prints."""

    note: str = ""


class ExtraLineFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a line that is added to a draft, as typed.

    `what` is `CHARGE` or `DISCOUNT`. `service` and `product` are ids. `amount` is without VAT. The line has the VAT of
    `product`, a product of the price list, or of `service` if there is no product. `service` may be None where no
    service needs to be chosen (`asks_for_service`).
    """

    what: str = CHARGE
    service: int | None = None
    product: int | None = None
    label: str = ""
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Addable:
    """Approved time that can be added to a draft.

    `rows` are the first entries, at most `SHOWN`. `total` is the number of all such entries.
    """

    rows: list[Row]
    total: int


async def services_of(draft: Invoice) -> list[Offered]:
    """Return the services of the draft's contract, sorted by name, as options of a form field."""
    rows = await current().fetch(
        "select id, name from service where contract_id = $1 order by folded(name), id", draft.contract_id
    )
    return [Offered(row["id"], row["name"]) for row in rows]


def asks_for_service(services: Sequence[Offered], product_id: int | None) -> bool:
    """Return whether the user must choose a service for a line, because the VAT of the line may depend on the service.

    A service has to be chosen if there are several services and no product. A line for a product has the VAT of the
    product, and belongs to the service of the draft's first line.
    """
    return product_id is None and len(services) > 1


async def _service_of(draft: Invoice, facts: ExtraLineFacts, services: Sequence[Offered]) -> int | None:
    """Return the id of the service of a line: the chosen service, or else the service of the draft's first line.

    If the draft has no line, return the first of `services`. Return None if the chosen service is not in `services`, or
    if a service must be chosen and none was.
    """
    if facts.service is not None or asks_for_service(services, facts.product):
        return facts.service if facts.service in {service.id for service in services} else None
    first = await InvoiceLine.objects().where(InvoiceLine.invoice_id == draft.id).order_by(InvoiceLine.position).first()
    return first.service_id if first else services[0].id


def note_of(draft: Invoice) -> NoteFacts:
    """Return the note of a draft as a form field, to fill in the form that edits it."""
    return NoteFacts(note=draft.note or "")


async def hold(draft_id: int, by: AgentReader) -> Invoice:
    """Lock the customer of a draft and the draft until the transaction ends, and return the draft.

    Raise `Forbidden` if `by` is not a manager, `Conflict` if the draft was issued or deleted.
    """
    return await locked(in_range(draft_id), by)


async def change_note(draft: Invoice, facts: NoteFacts, *, by: AgentReader, at: datetime) -> None:
    """Replace the note of a locked draft, and refresh the pages that agents have open.

    Raise `Invalid` if the note is too long.
    """
    note = unicodedata.normalize("NFC", visible(facts.note)).strip()
    if len(note) > LONGEST_NOTE:
        raise Invalid({"note": f"Use at most {LONGEST_NOTE} characters."})
    await Invoice.update(note=note or None).where(Invoice.id == draft.id)
    await tell(draft, by, at)


async def add_line(
    draft: Invoice, facts: ExtraLineFacts, *, by: AgentReader, at: datetime, seen: str | None = None
) -> None:
    """Add a charge or a discount to a locked draft, compute the draft's sums again, and refresh agents' open pages.

    `seen` is the net sum of the draft that the page showed, or None if there was no page. If the net sum has changed,
    the line may have been added already, so it is not added again.

    Raise `Invalid` if `seen` is not the present net sum, or if a field is bad; each bad field gets an error message.
    Raise `Invalid` also if the line would make the draft too large for one document, leave nothing to charge, or give a
    discount of more than what is charged at the same VAT rate.
    """
    if seen is not None and seen != str(draft.net):
        raise Invalid({"": "The draft has changed. Look at it, and add the line if it is still missing."})
    checked = Checked()
    what = checked("what", one_of((CHARGE, DISCOUNT)), facts.what)
    label = checked("label", line, facts.label)
    amount = checked("amount", lambda text: parse_money(text, draft.digits, largest=LARGEST_LINE), facts.amount)
    service = await _service_of(draft, facts, await services_of(draft))
    if service is None:
        checked.refuse("service", "Choose one from the list.")
    if facts.product is not None and facts.product not in {product.id for product in await Product.offered()}:
        checked.refuse("", "This product is no longer offered. Choose another, or write the line yourself.")
    if amount == 0:
        checked.refuse("amount", "Write an amount that is not 0.")
    checked.done()
    net = -amount if what == DISCOUNT else amount
    extra = {
        "position": 0, "kind": LineKind.EXTRA.value, "service_id": service, "label": label, "unit_price": net, "net": net,
        "period_start": None, "active_from": None, "active_to": None, "voucher_id": None, "product_id": facts.product,
    }  # fmt: skip
    remade = await remake_of(draft, [extra])
    problem = why_not(remade[1]) if remade else "Nothing would be left to charge."
    if remade is None or problem:
        raise Invalid({"amount": problem})
    await refill(draft, *remade)
    await tell(draft, by, at)


async def remove_line(draft_id: int, position: int, *, by: AgentReader, at: datetime, seen: str | None = None) -> None:
    """Remove a line that was added by hand, compute the draft's sums again, and refresh agents' open pages.

    `seen` is the net sum that the page showed, or None. Raise `Conflict` if the net sum has changed, because another
    line may then be at `position`. Raise `Conflict` also if the draft was issued or deleted, if it has no such line, or
    if it cannot exist without the line. Raise `Forbidden` if `by` is not a manager.
    """
    draft = await hold(draft_id, by)
    if seen is not None and seen != str(draft.net):
        raise Conflict("The draft has changed. Look at it again.")
    added = (InvoiceLine.invoice_id == draft.id) & (InvoiceLine.kind == LineKind.EXTRA.value)
    if not await InvoiceLine.exists().where(added & (InvoiceLine.position == in_range(position, bits=31))):
        raise Conflict("This line is no longer on the draft.")
    remade = await remake_of(draft, without=position)
    problem = why_not(remade[1]) if remade else "Without this line nothing is left to charge: delete the draft instead."
    if remade is None or problem:
        raise Conflict(problem)
    await refill(draft, *remade)
    await tell(draft, by, at)


_ADDABLE = f"""
from time_entry e join service s on s.id = e.service_id
where e.customer_id = $1 and s.contract_id = $2 and e.state = 'approved' and e.billing <> 'not_billable' and e.work_date < $3
  and not exists (select from closed_entry d where d.entry_id = e.id) and not {IS_FLAGGED}
  and not exists (select from allocation a where a.entry_id = e.id and a.kind = 'held')
"""  # noqa: S608
_SHOWN = f"""
select e.id, e.work_date, e.external_comment, coalesce(o.minutes, e.billable_minutes) as minutes, s.name as service_name,
  (select c.number from cases c where c.id = e.case_id) as case_number, (select g.name from agent g where g.id = e.agent_id) as agent_name
{_ADDABLE.replace("where", "left join reopened_entry o on o.entry_id = e.id where", 1)} order by e.work_date, e.id limit {SHOWN}
"""  # noqa: S608


async def addable(draft: Invoice) -> Addable:
    """Return the approved time that can be added to a draft: time of its contract on days before `draft.until`.

    Such time was removed from the draft, for example, or was approved after the billing run. Flagged and held time is
    left out.
    """
    of = (draft.customer_id, draft.contract_id, draft.until)
    rows = await current().fetch(_SHOWN, *of)
    total = len(rows) if len(rows) < SHOWN else await current().fetchval(f"select count(*) {_ADDABLE}", *of)
    return Addable(rows, total)


async def put_on(draft_id: int, entry_id: int, *, by: AgentReader, at: datetime) -> None:
    """Add an approved entry to a draft, compute the sums of the draft again, and refresh agents' open pages.

    The entry is charged according to its present allocations. Raise `Conflict` if the draft was issued or deleted, if
    the entry can no longer be added, or if the draft would then be refused (`why_not`). Raise `Forbidden` if `by` is
    not a manager.
    """
    draft = await hold(draft_id, by)
    found = await current().fetchval(
        f"select e.id {_ADDABLE} and e.id = $4", draft.customer_id, draft.contract_id, draft.until, in_range(entry_id)
    )
    if found is None:
        raise Conflict("This time can no longer be put on the draft.")
    await settle([(draft.customer_id, [entry_id], draft.id)])
    remade = await remake_of(draft)
    if remade is None or why_not(remade[1]):
        raise Conflict("With this time, the draft is more than one document can hold.")
    await refill(draft, *remade)
    await tell(draft, by, at)
