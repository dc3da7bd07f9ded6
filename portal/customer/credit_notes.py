"""Serve credit notes and their files to contacts with the right to see invoices. The list of invoices links to them."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.billing import CreditNote, contents_of_credit, hand_out, part_of
from portal.desk import Case
from portal.people.readers import ContactReader
from portal.web.limits import exporting
from portal.web.pages import download, page, turned
from portal.web.visit import Web


@get("/credit-notes/{number:str}")
async def show(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[str]:
    """Show a credit note.

    The query parameter `lines` is the paging cursor of the lines, and `detail` is the paging cursor of the credited
    time.
    """
    note = await CreditNote.find(number, reader)
    contents, after = await contents_of_credit(note), turned(request, "lines", "detail")
    detail = part_of(contents.time, after.get("detail"))
    return page(
        request, "customer/invoices/credit_note.html", note=note, contents=contents,
        lines=part_of(contents.lines, after.get("lines")), detail=detail,
        cases=await Case.seen_among([row.case_number for row in detail.rows if row.case_number], reader),
    )  # fmt: skip


@get("/credit-notes/{number:str}/credit-note.pdf")
async def show_pdf(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[Any]:
    """Serve the PDF of a credit note as it was stored when it was issued, and record the download in the audit log."""
    async with exporting(request):
        content = await hand_out("pdf", await CreditNote.find(number, reader))
    return download(content, f"{number}.pdf", media_type="application/pdf")


@get("/credit-notes/{number:str}/detail.csv")
async def show_csv(request: Web, reader: NamedDependency[ContactReader], number: FromPath[str]) -> Response[Any]:
    """Serve the stored CSV file with the credited time, and record the download in the audit log."""
    async with exporting(request):
        content = await hand_out("csv", await CreditNote.find(number, reader))
    return download(content, f"{number}.csv", media_type="text/csv")


handlers: list[Any] = [show, show_pdf, show_csv]
