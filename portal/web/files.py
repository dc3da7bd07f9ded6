"""Serve static files, the company's logo, the stored files of invoices and statements, and cases as ZIP files.

Browsers cache style sheets, scripts, fonts and the logo for a year, because each URL contains the hash of the content.
"""

import mimetypes
import uuid
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from portal.billing import Invoice, Statement, hand_out, printed_statement, statement_pdf
from portal.contracts import logo
from portal.database import transaction
from portal.desk import Details
from portal.desk.lists.log import csv_of, record_download
from portal.errors import NotFound
from portal.exports import write_csv
from portal.people.readers import AgentReader, Reader
from portal.render import assets, folder
from portal.render.formats import reading
from portal.reports.cases import time_of, write_zip
from portal.web.compression import accepted
from portal.web.headers import SANDBOX
from portal.web.limits import exporting
from portal.web.pages import download
from portal.web.visit import Web, visit_of

mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("text/javascript", ".js")


@get("/logo.png")
async def show_logo(request: Web) -> Response[bytes]:
    """Serve the company's logo to everybody, because the sign-in page shows it. Raise `NotFound` if there is none."""
    async with transaction(visit_of(request).reader, readonly=True):
        png, digest = await logo.find(), await logo.digest()
    if png is None:
        raise NotFound
    is_named = request.query_params.get("v") == digest
    cached = "public, max-age=31536000, immutable" if is_named else "no-cache"
    headers = {"cache-control": cached, "content-security-policy": SANDBOX, "x-content-type-options": "nosniff"}
    return Response(png, media_type="image/png", headers=headers)


@get("/static/{path:path}", sync_to_thread=False)
def static_file(request: Web, path: FromPath[Path]) -> Response[bytes]:
    """Serve a file of `static/`, in the compressed copy made by the build if the browser accepts it.

    The browser may keep the file for a year only if the hash in the URL is the hash of the content. The two can differ
    during an upgrade, when a process of the previous release is asked for a file of the new release. Raise `NotFound`
    if there is no such file.
    """
    name = str(path).lstrip("/")
    try:
        asset = assets.asset(folder("static"), name)
    except FileNotFoundError:
        raise NotFound from None
    is_named = request.query_params.get("v") == asset.digest
    headers = {"cache-control": "public, max-age=31536000, immutable" if is_named else "no-cache"}
    content = asset.content
    if asset.encoded:
        headers["vary"] = "Accept-Encoding"
        if coding := accepted(request.headers.get("accept-encoding", ""), asset.encoded):
            headers["content-encoding"], content = coding, asset.encoded[coding]
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=media_type, headers=headers)


async def invoice_file(request: Web, reader: Reader, number: str, *, kind: str) -> Response[Any]:
    """Return a stored file of an issued invoice as a download, and record the download in the audit log.

    `kind` is `pdf`, or `csv` for the invoice's time entries. Raise `NotFound` for an invoice that the reader may not
    see.
    """
    async with exporting(request):
        content = await hand_out(kind, await Invoice.find(number, reader))
    return download(content, f"{number}.{kind}", media_type="application/pdf" if kind == "pdf" else "text/csv")


async def statement_csv(request: Web, reader: Reader, statement_id: uuid.UUID) -> Response[Any]:
    """Return the stored CSV file with the time entries of a statement, and record the download in the audit log.

    Raise `NotFound` for a statement that the reader may not see.
    """
    async with exporting(request):
        statement = await Statement.find(statement_id, reader)
        content = await hand_out("csv", statement)
    return download(content, f"statement-{statement.until}.csv", media_type="text/csv")


async def statement_in_print(request: Web, reader: Reader, statement_id: uuid.UUID) -> Response[Any]:
    """Return a statement as a PDF, which is made for this download, and record the download in the audit log.

    Raise `NotFound` for a statement that the reader may not see, `Unavailable` if the PDF cannot be made in time.
    """
    async with exporting(request):
        statement = await Statement.find(statement_id, reader)
        printed = await printed_statement(statement, reader)
    return download(await statement_pdf(printed), f"statement-{statement.until}.pdf", media_type="application/pdf")


async def case_zip(request: Web, number: str) -> Response[Any]:
    """Return the case as a ZIP file, and record the download in the audit log.

    Agents get notes, all time and the log as well; contacts get what the page of the case shows them. Raise `TooMany`
    after too many downloads.
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    async with exporting(request):
        details = await Details.find(number, reader)
        with reading(reader, None, visit.at):
            time = await time_of(details, reader)
            tables = [("time.csv", write_csv(time))] if time else []
            if isinstance(reader, AgentReader):
                tables.append(("log.csv", await csv_of(details.case, reader)))
        await record_download(details.case, "zip")
    content = write_zip(details, reader, visit.storage, tables)
    return download(content, f"case-{details.case.number}.zip", media_type="application/zip")
