"""Serve the forms that edit a draft invoice: the note to the customer, lines added by hand, and time added later."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.billing import (
    ExtraLineFacts,
    Invoice,
    NoteFacts,
    add_line,
    asks_for_service,
    change_note,
    draft_context,
    hold_draft,
    note_of,
    put_on,
    remove_line,
    services_of,
)
from portal.contracts.price_list.products import Product
from portal.database import transaction
from portal.money import round_half_up
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

MOST_UNITS = 1_000_000
"""For this many units of a product or more, the form is not filled in, because a line might not hold the amount."""


@get("/drafts/{draft_id:int}/note", guards=[manager_only])
async def show_note(request: Web, draft_id: FromPath[int]) -> Response[str]:
    """Show the form for the note of a draft. The customer reads the note on the invoice."""
    return await _note(request, draft_id=draft_id)


async def _note(request: Web, *, draft_id: int, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    draft = await Invoice.find_draft(draft_id, reader)
    about = await draft_context(draft)
    return await form_page(request, "agent/invoices/note.html", facts=note_of(draft), draft=draft, about=about, **again)


@post("/drafts/{draft_id:int}/note", guards=[manager_only])
@on_refusal(_note)
async def save_note(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    draft_id: FromPath[int],
) -> Response[Any]:
    """Save the note of a draft, and redirect to the draft."""
    async with transaction(reader):
        draft = await hold_draft(draft_id, reader)
        await change_note(draft, edited(form, NoteFacts, note_of(draft)), by=reader, at=at)
    return see_other(f"/agent/drafts/{draft_id}")


@get("/drafts/{draft_id:int}/lines", guards=[manager_only])
async def show_line(request: Web, draft_id: FromPath[int]) -> Response[str]:
    """Show the form that adds a charge or a discount to a draft.

    If `?product=` is the id of a product from the price list, the form is filled in with the text and the amount for
    `?count=` units of the product.
    """
    return await _line(request, draft_id=draft_id)


async def _line(request: Web, *, draft_id: int, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    draft = await Invoice.find_draft(draft_id, reader)
    products = await Product.priced(draft.currency)
    typed = _from_price_list(request, products, draft.digits) if typed is None else typed
    chosen = number_in(str((typed or {}).get("product", "")))
    services = await services_of(draft)
    return await form_page(
        request, "agent/invoices/line.html", draft=draft, about=await draft_context(draft),
        services=services if asks_for_service(services, chosen) else [], products=products, typed=typed,
        product=next((one for one, _ in products if one.id == chosen), None), **again,
    )  # fmt: skip


def _from_price_list(request: Web, products: list[tuple[Product, Decimal]], digits: int) -> dict[str, Any] | None:
    """Return the text and the amount of a line for the product and the number of units in the URL.

    `products` are the products with a price in the draft's currency, which has `digits` decimals. Return None if the
    URL names none of these products, or if the number of units is `MOST_UNITS` or more.
    """
    chosen = number_in(request.query_params.get("product", ""))
    count = number_in(request.query_params.get("count", "")) or 1
    for product, price in products:
        if product.id == chosen and count < MOST_UNITS:
            label = product.name if count == 1 else f"{count} × {product.name}"
            amount = f"{round_half_up(price * count, digits):f}"
            return {"label": label, "amount": amount, "product": product.id}
    return None


class LineForm(ExtraLineFacts, kw_only=True):
    """Form that adds a line to a draft.

    `net` is the net sum of the draft that the page showed; if the net sum has changed since, the form is refused.
    """

    net: str = ""


@post("/drafts/{draft_id:int}/lines", guards=[manager_only])
@on_refusal(_line)
async def save_line(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    draft_id: FromPath[int],
) -> Response[Any]:
    """Add a charge or a discount to a draft, and redirect to the draft."""
    facts = form.into(LineForm)
    async with transaction(reader):
        await add_line(await hold_draft(draft_id, reader), facts, by=reader, at=at, seen=facts.net)
    return see_other(f"/agent/drafts/{draft_id}")


class RemovalForm(Struct, kw_only=True):
    """Form that removes a line from a draft.

    `net` is the net sum of the draft that the page showed; if the net sum has changed since, the form is refused.
    """

    net: str = ""


@post("/drafts/{draft_id:int}/lines/{position:int}/removal", guards=[manager_only])
async def take_line_off(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    draft_id: FromPath[int],
    position: FromPath[int],
) -> Response[Any]:
    """Remove a line that was added by hand from a draft, and redirect to the draft."""
    async with transaction(reader):
        await remove_line(draft_id, position, by=reader, at=at, seen=form.into(RemovalForm).net)
    return see_other(f"/agent/drafts/{draft_id}")


@post("/drafts/{draft_id:int}/entries/{entry_id:int}/return", guards=[manager_only])
async def put_entry_on(
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    draft_id: FromPath[int],
    entry_id: FromPath[int],
) -> Response[Any]:
    """Add an approved time entry to a draft, and redirect to the draft.

    The entry may be one that was removed from this draft, or one that was approved after the billing run.
    """
    async with transaction(reader):
        await put_on(draft_id, entry_id, by=reader, at=at)
    return see_other(f"/agent/drafts/{draft_id}#detail")


handlers: list[Any] = [show_note, save_note, show_line, save_line, take_line_off, put_entry_on]
