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
    balance_of,
    contents_of,
    credits_of,
    list_credit_notes,
    list_issued,
    list_statements,
    outstanding,
    part_of,
    payment_code,
    payments_of,
    record_seen,
    refuse_without_right,
    seen,
)
from portal.customer.questions import questions_about
from portal.database import transaction
from portal.people.customers import Customer
from portal.people.readers import ContactReader
from portal.web.files import invoice_file
from portal.web.notices import about_to_read
from portal.web.pages import page, turned
from portal.web.visit import Web, wants_fragment


@get("/invoices")
async def show_list(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the customer's issued invoices, credit notes and statements, newest first, and how invoices are mailed.

    With `?show=unpaid`, show only the invoices on which something is still owed. When a document is issued, a page that
    is open in a browser fetches the list again through htmx, and the response is only the list. Raise `NotFound` for a
    contact without the right to see invoices.
    """
    refuse_without_right(reader)
    unpaid = request.query_params.get("show") == "unpaid"
    after = turned(request, *(("after",) if unpaid else ("after", "statements", "credits")))
    template = "customer/invoices/_list.html" if wants_fragment(request) else "customer/invoices/list.html"
    return page(
        request, template, after=after, unpaid=unpaid, customer=await Customer.find(reader.customer_id, reader),
        issued=await list_issued(reader, after=after.get("after"), unpaid=unpaid),
        outstanding=await outstanding(reader.customer_id, reader),
        credits=await list_credit_notes(reader, after=after.get("credits")), statements=await list_statements(reader, after=after.get("statements")),
    )  # fmt: skip


@get("/invoices/{number:str}")
async def show(
    request: Web, reader: NamedDependency[ContactReader], number: FromPath[str], at: NamedDependency[datetime]
) -> Response[str]:
    """Show an invoice, its payments and what is still to be paid.

    The query parameter `lines` is the paging cursor of the invoice lines, and `detail` is the paging cursor of the time
    that is not charged. After the response is sent, record that this contact has opened the invoice, and mark the
    notice about the invoice as read.
    """
    invoice = await Invoice.find(number, reader)
    await about_to_read(request, ("invoice", invoice.id))
    contents, after, balance = await contents_of(invoice), turned(request, "lines", "detail"), await balance_of(invoice)
    response = page(
        request, "customer/invoices/show.html", invoice=invoice, contents=contents, seen=await seen(invoice), balance=balance,
        credits=await credits_of(invoice), payments=await payments_of(invoice, reader),
        code=payment_code(invoice.copied, number, balance["open"], invoice.currency),
        lines=part_of(contents.lines, after.get("lines")), detail=part_of(contents.covered, after.get("detail")), explained=EXPLAINED,
        **await questions_about(
            [row.entry_id for row in contents.detail if row.entry_id is not None], reader, {row.case_number for row in contents.detail}
        ),
    )  # fmt: skip
    response.background = BackgroundTask(_record, invoice, reader, at)
    return response


async def _record(invoice: Invoice, reader: ContactReader, at: datetime) -> None:
    async with transaction(reader):
        await record_seen(invoice, reader, at)
        await notices.read(reader, at, about=("invoice", invoice.id))


@get("/invoices/{number:str}/invoice.pdf")
async def show_pdf(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[Any]:
    """Serve the PDF of an invoice as it was stored when it was issued, and record the download in the audit log."""
    return await invoice_file(request, reader, number, kind="pdf")


@get("/invoices/{number:str}/detail.csv")
async def show_csv(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[Any]:
    """Serve the stored CSV file with the time entries of an invoice, and record the download in the audit log."""
    return await invoice_file(request, reader, number, kind="csv")


handlers: list[Any] = [show_list, show, show_pdf, show_csv]
