"""Serve the pages of draft and issued invoices, and the list of all documents. Only managers may open them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.billing import (
    Contents,
    DraftChoice,
    Invoice,
    addable,
    balance_of,
    contents_of,
    credits_of,
    delete_draft,
    draft_context,
    draft_names,
    issue,
    list_credit_notes,
    list_drafts,
    list_issued,
    list_statements,
    missing,
    missing_on,
    outstanding,
    part_of,
    payments_of,
    questions_of,
    take_off,
    unprinted,
)
from portal.database import transaction
from portal.database.batches import all_or_report
from portal.errors import Conflict, Invalid, Refusal
from portal.mail import refusals
from portal.notices import invoice_mails
from portal.numbers import number_in
from portal.people.customers import CUSTOMERS, Customer
from portal.people.readers import AgentReader
from portal.periods import today
from portal.render.formats import plural
from portal.web.files import invoice_file
from portal.web.finding import asked
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.notices import reads_notices
from portal.web.pages import on_refusal, page, see_other, turned
from portal.web.visit import Web, page_of, visit_of, wants_fragment


@get("/invoices", guards=[manager_only])
async def show_list(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show draft invoices, issued invoices, statements and credit notes, as four lists, each divided into pages.

    `?customer=` limits the lists to one customer. With `?show=unpaid`, only the unpaid issued invoices of this customer
    are listed. The paging cursors are the query parameters `drafts`, `after` (for issued invoices), `statements` and
    `credits`. A refresh by htmx gets only the lists.
    """
    return await _list(request, reader)


async def _list(
    request: Web,
    reader: AgentReader,
    *,
    not_issued: Sequence[tuple[int, str, Refusal]] = (),
    sentence: str = "",
    issued: int = 0,
) -> Response[str]:
    customer = await asked(request, "customer", CUSTOMERS)
    unpaid = bool(customer.id) and request.query_params.get("show") == "unpaid"
    after = turned(request, *(("after",) if unpaid else ("after", "drafts", "statements", "credits")))
    found: dict[str, Any] = {
        "drafts": await list_drafts(reader, customer_id=customer.id, after=after.get("drafts")),
        "issued": await list_issued(reader, customer_id=customer.id, after=after.get("after"), unpaid=unpaid),
        "statements": await list_statements(reader, customer_id=customer.id, after=after.get("statements")),
        "credits": await list_credit_notes(reader, customer_id=customer.id, after=after.get("credits")),
        "customer_id": customer.id,
        "unpaid": unpaid,
        "outstanding": await outstanding(customer.id, reader) if customer.id else [],
        "after": after,
    }
    if wants_fragment(request):
        return page(request, "agent/invoices/_list.html", **found)
    done = issued or number_in(request.query_params.get("issued", ""))
    return await agent_page(
        request, reader, "agent/invoices/list.html", customer=customer, not_issued=not_issued, sentence=sentence,
        toast={"words": f"{plural(done, 'invoice')} issued."} if done else None, **found,
    )  # fmt: skip


class Ticked(Struct, kw_only=True):
    """Form of the list of draft invoices: the ticked drafts, each as the text that `DraftChoice.parse` reads."""

    draft: list[str]


@post("/drafts/issue", guards=[manager_only], opt={FORM_PAGE: "/agent/invoices"})
async def issue_drafts(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Issue the ticked drafts, oldest first, each in its own transaction, so that a refusal blocks no other draft.

    A draft is refused if its sum has changed since the list was shown. If all ticked drafts were issued, redirect to
    the list. If some were refused, show the list with the reasons. If no draft was ticked, show the list with an error
    message.
    """

    async def issue_one(draft_id: int) -> None:
        await issue(draft_id, by=reader, at=at, seen=seen[draft_id])

    chosen = [DraftChoice.parse(text) for text in form.into(Ticked).draft]
    seen = {choice.draft_id: choice.seen for choice in chosen}
    async with transaction(reader, readonly=True):
        names = await draft_names(chosen, reader)
    report = await all_or_report(sorted(seen), issue_one, reader=reader)
    issued = len(report.done)
    not_issued = [(id, names.get(id, ""), why) for id, why in report.refused.items()]
    if issued and not not_issued:
        return see_other(f"/agent/invoices?issued={issued}")
    sentence = "" if not_issued else "Tick the drafts that you want to issue."
    async with transaction(reader, readonly=True):
        response = await _list(request, reader, not_issued=not_issued, sentence=sentence, issued=issued)
    response.status_code = 200 if issued else Conflict.status if not_issued else Invalid.status
    return response


@get("/drafts/{draft_id:int}", guards=[manager_only])
async def show_draft(request: Web, reader: NamedDependency[AgentReader], draft_id: FromPath[int]) -> Response[Any]:
    """Show a draft invoice as it would be issued, or redirect to the issued invoice if the draft was issued meanwhile.

    The lines and the time detail are shown in pages: the query parameter `lines` is the paging cursor of the lines, and
    `detail` is the paging cursor of the rows of the time detail.
    """
    if number := await Invoice.number_of(draft_id, reader):
        return see_other(f"/agent/invoices/{number}")
    return await _draft(request, draft_id=draft_id)


async def _draft(
    request: Web, *, draft_id: int, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    invoice = await Invoice.find_draft(draft_id, reader)
    contents, lacking, about = await contents_of(invoice), await missing(), await draft_context(invoice)
    return await agent_page(
        request, reader, "agent/invoices/draft.html", errors=errors or {}, typed=typed or {}, invoice=invoice, **_parts(request, contents),
        unprinted="" if lacking else await unprinted(invoice, contents, reader), about=about,
        missing=lacking or missing_on(about), questions=await questions_of(invoice) if about["has_questions"] else [],
        customer=await Customer.find(invoice.customer_id, reader), addable=await addable(invoice),
        sends_mail=visit.settings.smtp_url is not None,
    )  # fmt: skip


def _parts(request: Web, contents: Contents) -> dict[str, Any]:
    """Return the template variables `contents`, `lines` and `detail`.

    `lines` and `detail` are the pages of lines and of time that the URL's cursors select.
    """
    after = turned(request, "lines", "detail")
    return {
        "contents": contents,
        "lines": part_of(contents.lines, after.get("lines")),
        "detail": part_of(contents.detail, after.get("detail")),
    }


class IssueForm(Struct, kw_only=True):
    """Form that issues a draft.

    `sum` is the sum to pay that the page showed; a draft with another sum is not issued.
    """

    sum: str = ""


@post("/drafts/{draft_id:int}/issue", guards=[manager_only])
@on_refusal(_draft)
async def issue_draft(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    draft_id: FromPath[int],
) -> Response[Any]:
    """Issue a draft invoice, and redirect to the page of the issued invoice.

    Issuing gives the invoice a number and makes it immutable. Raise `Conflict` if the sum to pay has changed since the
    page was shown.
    """
    fields = form.into(IssueForm)
    async with transaction(reader):
        invoice = await issue(draft_id, by=reader, at=at, seen=fields.sum)
    return see_other(f"/agent/invoices/{invoice.number}")


@post("/drafts/{draft_id:int}/entries/{entry_id:int}/removal", guards=[manager_only])
async def take_entry_off(
    request: Web,
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    draft_id: FromPath[int],
    entry_id: FromPath[int],
) -> Response[Any]:
    """Remove one time entry from a draft invoice, so that the next billing run bills the entry.

    Redirect to the draft, and show the same page of its time detail as before. If nothing to charge is left on the
    draft, delete the draft and redirect to the list of documents instead.
    """
    async with transaction(reader):
        left = await take_off(draft_id, entry_id, by=reader, at=at)
    if left is None:
        return see_other("/agent/invoices")
    here, _, query = page_of(request).partition("?")
    address = f"/agent/drafts/{draft_id}"
    return see_other(f"{address}?{query}#detail" if query and here == address else address)


@post("/drafts/{draft_id:int}/deletion", guards=[manager_only])
async def delete(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], draft_id: FromPath[int]
) -> Response[Any]:
    """Delete a draft, so that the next billing run bills its time again, and redirect to the list of documents."""
    async with transaction(reader):
        await delete_draft(draft_id, by=reader, at=at)
    return see_other("/agent/invoices")


@get("/invoices/{number:str}", guards=[manager_only])
@reads_notices
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show an issued invoice as its customer sees it, with its payments and mails, and the contacts who have opened it.

    The query parameter `lines` is the paging cursor of the invoice lines, and `detail` is the paging cursor of the rows
    of the time detail. A refresh by htmx gets only the part of the page below the invoice: payments, credits, questions
    and mails.
    """
    return await invoice_page(request, number=number)


async def invoice_page(request: Web, *, number: str, **again: Any) -> Response[str]:
    """Return the page of an issued invoice, or only the part below the invoice if htmx refreshes it.

    `again` has the error messages and the typed fields of a refused form on this page.
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    invoice = await Invoice.find(number, reader)
    happened: dict[str, Any] = {
        "invoice": invoice,
        "balance": await balance_of(invoice),
        "payments": await payments_of(invoice, reader),
        "credits": await credits_of(invoice),
        "questions": await questions_of(invoice),
        "customer": await Customer.find(invoice.customer_id, reader),
        "history": await invoice_mails.history(invoice),
        "receivers": await invoice_mails.receivers(invoice.customer_id),
        "sends_mail": visit.settings.smtp_url is not None,
    }
    if wants_fragment(request):
        return page(request, "agent/invoices/_history.html", **happened)
    return await form_page(
        request, "agent/invoices/show.html", today=today(visit.company.time_zone, visit.at), **happened,
        **_parts(request, await contents_of(invoice)), **again,
    )  # fmt: skip


class SendForm(Struct, kw_only=True):
    """Form that mails an issued invoice to one receiver.

    The receiver is the contact with the id `contact`. If `contact` is None, the receiver is the customer's mail address
    for invoices. `form_key` identifies the form, so that a form that is sent twice mails the invoice once.
    """

    contact: int | None = None
    form_key: str = ""


@post("/invoices/{number:str}/mails", guards=[manager_only])
async def send(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Mail an issued invoice to one receiver again, even if a mail server refused the receiver's mail address before.

    Redirect to the history of the invoice. Raise `Conflict` if the portal has no mail server to send with.
    """
    contact = form.into(SendForm).contact
    if visit_of(request).settings.smtp_url is None:
        raise Conflict("There is no mail server, so the portal sends no mails.")
    async with transaction(reader):
        invoice = await Invoice.find(number, reader)
        receiver = await invoice_mails.ask(invoice, contact, form_key=form.key, by=reader, at=at)
        await refusals.forget(receiver.email)
    return see_other(f"/agent/invoices/{number}#history")


@get("/invoices/{number:str}/invoice.pdf", guards=[manager_only])
async def show_pdf(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[Any]:
    """Serve the stored PDF of an issued invoice, and record the download in the audit log."""
    return await invoice_file(request, reader, number, kind="pdf")


@get("/invoices/{number:str}/detail.csv", guards=[manager_only])
async def show_csv(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[Any]:
    """Serve the stored CSV file with the time of an issued invoice, and record the download in the audit log."""
    return await invoice_file(request, reader, number, kind="csv")


handlers: list[Any] = [
    show_list, issue_drafts, show_draft, issue_draft, take_entry_off, delete, show, send, show_pdf, show_csv,
]  # fmt: skip
