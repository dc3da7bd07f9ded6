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
    line_words,
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
SCOPES_OF_ALL = (EVERYTHING, UNUSED)
IGNORED = "Lines or minutes are chosen below. Say that they are what is credited, or empty them."
FREE, WRITTEN_OFF = "free", "written_off"


class CreditForm(Struct, kw_only=True):
    """Form that credits an invoice.

    `scope` is `everything`, `chosen` (what is ticked or typed) or `unused` (fees for days after the end of the
    contract). `line` has the positions of the ticked lines. `part` has the positions of the lines that can be credited
    in part, and `amounts` the amount typed for each. In the same way, `voucher` has the positions of lines for sold
    vouchers, and `voucher_minutes` the duration typed for each. `row` has the positions of the displayed rows of time,
    and `minutes` the duration typed for each. If `then` is `free`, the credited time can be billed again; `written_off`
    writes it off. `sum` is the sum to credit that the page showed. Without `sum`, the form is a dry run: nothing is
    credited, and the response shows the sum that would be credited.
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
        """Return what is to be credited, with amounts of at most `digits` decimals.

        Raise `Invalid` if an amount or a duration cannot be read, or if lines or time are chosen although the scope
        ignores them.
        """
        if self.scope in SCOPES_OF_ALL and (self.line or any((*self.amounts, *self.voucher_minutes, *self.minutes))):
            raise Invalid({"scope": IGNORED})
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
    """Return the minutes that were typed for rows of time or for invoice lines, by the position of the row or line.

    `typed` has the text for each position in `places`; empty texts are left out. If a text is not a duration, add an
    error message to `problems`. The key of the message is `field` and the position, such as `minutes-3`.
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
    """Show what is left to credit of an invoice, with the form that credits the invoice.

    The query parameter `entry` limits the list of time to one time entry, and `detail` is the list's paging cursor.
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
        looked_at=looked_at, line_words=line_words,
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
    """Show the sum that the form would credit or, if the page has shown this sum already, issue the credit note.

    After issuing, redirect to the credit note. The form is idempotent: if the form is sent again, redirect to the
    existing credit note.
    """
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
    """Show a credit note as its customer sees it.

    The query parameter `lines` is the paging cursor of the credited lines, and `detail` is the paging cursor of the
    credited time.
    """
    note = await CreditNote.find(number, reader)
    contents, after = await contents_of_credit(note), turned(request, "lines", "detail")
    return await agent_page(
        request, reader, "agent/invoices/credit_note.html", note=note, contents=contents,
        lines=part_of(contents.lines, after.get("lines")), detail=part_of(contents.time, after.get("detail")),
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
