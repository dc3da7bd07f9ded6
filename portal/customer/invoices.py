"""Serve invoices and their files to contacts who have the right to see the invoices of their customer."""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import notices
from portal.billing import (
    EXPLAINED,
    Invoice,
    contents_of,
    hand_out,
    list_issued,
    list_statements,
    part_of,
    record_seen,
    refuse_without_right,
    seen,
)
from portal.database import transaction
from portal.people.readers import ContactReader
from portal.web.limits import exporting
from portal.web.pages import download, page, turned
from portal.web.visit import Web, wants_fragment


@get("/invoices")
async def show_list(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the customer's issued invoices and its statements, newest first.

    Raise `NotFound` for a contact without the right to see invoices.

    The open list refreshes itself when a document is issued; htmx then gets the list alone.
    """
    refuse_without_right(reader)
    after = turned(request, "after", "statements")
    template = "customer/invoices/_list.html" if wants_fragment(request) else "customer/invoices/list.html"
    return page(
        request, template, after=after, issued=await list_issued(reader, after=after.get("after")),
        statements=await list_statements(reader, after=after.get("statements")),
    )  # fmt: skip


@get("/invoices/{number:str}")
async def show(
    request: Web, reader: NamedDependency[ContactReader], number: FromPath[str], at: NamedDependency[datetime]
) -> Response[str]:
    """Show an invoice. After the response is sent, record that this contact has opened it, and read its notice.

    `?lines=` and `?detail=` are the cursors of its lines and of the time that is not charged.
    """
    invoice = await Invoice.find(number, reader)
    contents, after = await contents_of(invoice), turned(request, "lines", "detail")
    response = page(
        request, "customer/invoices/show.html", invoice=invoice, contents=contents, seen=await seen(invoice),
        lines=part_of(contents.lines, after.get("lines")), detail=part_of(contents.covered, after.get("detail")), explained=EXPLAINED,
    )  # fmt: skip
    response.background = BackgroundTask(_record, invoice, reader, at)
    return response


async def _record(invoice: Invoice, reader: ContactReader, at: datetime) -> None:
    async with transaction(reader):
        await record_seen(invoice, reader, at)
        await notices.read(reader, at, about=("invoice", invoice.id))


@get("/invoices/{number:str}/invoice.pdf")
async def show_pdf(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[Any]:
    """Serve the PDF of an issued invoice as it was stored when the invoice was issued, and record that in the audit log."""
    async with exporting(request):
        content = await hand_out("pdf", await Invoice.find(number, reader))
    return download(content, f"{number}.pdf", media_type="application/pdf")


@get("/invoices/{number:str}/detail.csv")
async def show_csv(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[Any]:
    """Serve the CSV file with the time entries of an issued invoice, as it was stored when the invoice was issued.

    The audit log records that the contact received it.
    """
    async with exporting(request):
        content = await hand_out("csv", await Invoice.find(number, reader))
    return download(content, f"{number}.csv", media_type="text/csv")


handlers: list[Any] = [show_list, show, show_pdf, show_csv]
