"""Serve the form that credits an issued invoice, and the pages and files of credit notes."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.billing import (
    Chosen,
    Credit,
    CreditNote,
    Invoice,
    contents_of_credit,
    credit,
    creditable,
    hand_out,
    issue_credit,
    part_of,
)
from portal.database import transaction
from portal.durations import parse_duration
from portal.errors import Conflict, Invalid
from portal.money import parse_money
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.limits import exporting
from portal.web.pages import download, on_refusal, see_other, turned
from portal.web.visit import Web, visit_of

EVERYTHING, CHOSEN, UNUSED = "everything", "chosen", "unused"
FREE, WRITTEN_OFF = "free", "written_off"


class CreditForm(Struct, kw_only=True):
    """Form that credits an invoice.

    `line` are the ticked lines. `part` are the lines of which a part can be credited, and `amounts` what is typed for each
    of them; `voucher` are the lines for vouchers, and `voucher_minutes` what is typed for each. `row` are the rows of time
    that the page shows, and `minutes` what is typed for each of them. `sum` is the sum that the page showed before: a
    credit note is issued only for a sum that somebody has seen.
    """

    scope: str = EVERYTHING
    line: list[int]
    part: list[int]
    amounts: list[str]
    voucher: list[int]
    voucher_minutes: list[str]
    row: list[int]
    minutes: list[str]
    then: str = FREE
    reason: str = ""
    sum: str = ""
    form_key: str = ""

    def chosen(self, digits: int) -> Chosen:
        """Return what is to be credited, with amounts of so many decimals. Raise `Invalid` for what cannot be read."""
        if self.scope == EVERYTHING:
            return Chosen(everything=True)
        if self.scope == UNUSED:
            return Chosen(unused=True)
        amounts, problems = dict[int, Decimal](), dict[str, str]()
        for line, text in zip(self.part, self.amounts, strict=False):
            if text.strip():
                try:
                    amounts[line] = parse_money(text, digits)
                except ValueError as error:
                    problems[f"amount-{line}"] = str(error)
        minutes = chosen_minutes(self.row, self.minutes, problems)
        vouchers = chosen_minutes(self.voucher, self.voucher_minutes, problems, field="voucher")
        if problems:
            raise Invalid(problems)
        return Chosen(lines=frozenset(self.line), minutes=minutes, amounts=amounts, vouchers=vouchers)


def chosen_minutes(
    places: list[int], typed: list[str], problems: dict[str, str], *, field: str = "minutes"
) -> dict[int, int]:
    """Return the minutes that were typed for rows of a time detail, or for lines, by their positions.

    What cannot be read is added to `problems`, at the field with its position.
    """
    minutes = dict[int, int]()
    for position, text in zip(places, typed, strict=False):
        if text.strip():
            try:
                minutes[position] = parse_duration(text)
            except ValueError as error:
                problems[f"{field}-{position}"] = str(error)
    return minutes


@get("/invoices/{number:str}/credit", guards=[manager_only])
async def show_form(request: Web, number: FromPath[str]) -> Response[str]:
    """Show what is left to credit of an invoice, with the form that credits it.

    `?entry=` shows the time of one entry only, and `?detail=` is the cursor of the time.
    """
    return await _form(request, number=number)


async def _form(
    request: Web,
    *,
    number: str,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
    looked_at: Credit | None = None,
) -> Response[str]:
    reader: Any = visit_of(request).reader
    invoice = await Invoice.find(number, reader)
    left = await creditable(invoice)
    entry = number_in(request.query_params.get("entry", ""))
    time = [each for each in left.time if entry is None or each.row.entry_id == entry]
    amounts = {each.row.position: each for each in time}
    shown = part_of([each.row for each in time], turned(request, "detail").get("detail"))
    fields = form.fields if form else {}
    return await form_page(
        request, "agent/invoices/credit.html", invoice=invoice, left=left, amounts=amounts, detail=shown, entry=entry, errors=errors,
        typed=typed, ticked=fields.get("line", []), minutes=dict(zip(fields.get("row", []), fields.get("minutes", []), strict=False)),
        parts=dict(zip(fields.get("part", []), fields.get("amounts", []), strict=False)),
        voucher_minutes=dict(zip(fields.get("voucher", []), fields.get("voucher_minutes", []), strict=False)),
        looked_at=looked_at,
    )  # fmt: skip


@post("/invoices/{number:str}/credit", guards=[manager_only])
@on_refusal(_form, Conflict)
async def credit_invoice(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Show what the choice credits; once that sum has been seen, issue the credit note."""
    fields = form.into(CreditForm)
    async with transaction(reader):
        invoice = await Invoice.find(number, reader)
        chosen = fields.chosen(invoice.digits)
        if fields.sum:
            sent = await CreditNote.sent(form.key, invoice)
            what = None if sent else credit(await creditable(invoice), chosen)
            if what is None or str(what.gross) == fields.sum:
                note = sent or await issue_credit(
                    invoice,
                    chosen,
                    reason=fields.reason,
                    freed=fields.then == FREE,
                    by=reader,
                    at=at,
                    form_key=form.key,
                    seen=what.gross if what else None,
                )
                return see_other(f"/agent/credit-notes/{note.number}")
    async with transaction(reader, readonly=True):
        what = credit(await creditable(await Invoice.find(number, reader)), chosen)
        return await _form(request, number=number, form=form, typed=form.typed, looked_at=what)


@get("/credit-notes/{number:str}", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Show a credit note as its customer sees it. `?lines=` and `?detail=` are the cursors of its lines and its time."""
    note = await CreditNote.find(number, reader)
    contents, after = await contents_of_credit(note), turned(request, "lines", "detail")
    return await agent_page(
        request, reader, "agent/invoices/credit_note.html", note=note, contents=contents,
        lines=part_of(contents.lines, after.get("lines")), detail=part_of(contents.detail, after.get("detail")),
    )  # fmt: skip


@get("/credit-notes/{number:str}/credit-note.pdf", guards=[manager_only])
async def show_pdf(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[Any]:
    """Serve the stored PDF of a credit note, and record the download in the audit log."""
    async with exporting(request):
        content = await hand_out("pdf", await CreditNote.find(number, reader))
    return download(content, f"{number}.pdf", media_type="application/pdf")


@get("/credit-notes/{number:str}/detail.csv", guards=[manager_only])
async def show_csv(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[Any]:
    """Serve the stored CSV file with the credited time of a credit note, and record the download in the audit log."""
    async with exporting(request):
        content = await hand_out("csv", await CreditNote.find(number, reader))
    return download(content, f"{number}.csv", media_type="text/csv")


handlers: list[Any] = [show_form, credit_invoice, show, show_pdf, show_csv]
