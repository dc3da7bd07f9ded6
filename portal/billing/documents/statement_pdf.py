"""Print a statement: the time of one contract for which nothing is charged, and what paid for this time.

A statement has no number and no amount. Its PDF is therefore not stored, but made for each download, from the copied
time detail and the present data of the company and the customer.
"""

import asyncio
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from portal.billing.documents import detail
from portal.billing.documents.detail import DetailRow, minutes_by_cover
from portal.billing.documents.issuing import parties_of
from portal.billing.documents.printing import PRINTED, TIME_HEADS, of_contract, of_paper, of_work
from portal.billing.documents.statements import Statement
from portal.contracts import logo
from portal.contracts.company import Company
from portal.database import current
from portal.errors import Conflict
from portal.people.readers import Reader
from portal.periods import today
from portal.render import documents as paper
from portal.render import formats


async def printed_statement(statement: Statement, reader: Reader) -> dict[str, Any]:
    """Return the texts and the logo for the PDF of a statement. Record in the audit log that `reader` gets it (R89).

    The caller must have checked that `reader` may see the statement. Raise `Conflict` if the company is not set up.
    """
    if await Company.find() is None:
        raise Conflict("There is no PDF yet, because our name and address are not set up. The CSV has the same time.")
    rows = await detail.copied(statement_id=statement.id)
    parties, _, zone = await parties_of(statement.contract_id, reader)
    picture = await logo.find()
    await current().execute("select record_export('statement', $1, 'pdf')", statement.contract_id)

    def texts() -> dict[str, Any]:
        with formats.reading(None, None, None):
            return _texts(statement, rows, parties, zone)

    return await asyncio.to_thread(texts) | {"logo": None if picture is None else list(picture)}


async def statement_pdf(printed: dict[str, Any]) -> bytes:
    """Return a statement as a PDF; `printed` is the result of `printed_statement`.

    Call this function outside of a transaction. Raise `Unavailable` if typesetting takes too long or too much memory.
    """
    return await paper.pdf("statement.typ", printed)


def _texts(statement: Statement, rows: Sequence[DetailRow], parties: dict[str, Any], zone: str) -> dict[str, Any]:
    """Return the texts that the typst template prints. `zone` is the company's time zone."""
    made_on = today(zone, statement.made_at)
    period = dict.fromkeys(map(formats.day_long, (statement.supply_from, statement.supply_to)))
    is_correction = statement.corrects_id is not None
    sums = [(words[:1].upper() + words[1:], minutes) for words, minutes in minutes_by_cover(rows).items()]
    total = sum(minutes for _, minutes in sums)
    parties = parties | {"contract": parties["contract"] | {"name": statement.contract_name}}
    return of_paper(parties, made_on) | {
        "title": f"{'Correction of a statement' if is_correction else 'Statement'} up to {formats.day_long(statement.until)}",
        "number": f"{'Correction' if is_correction else 'Statement'}, {statement.contract_name}",
        "to": "For",
        "facts": [
            fact
            for fact in (
                ("Date", formats.day_long(made_on)),
                ("Work", " to ".join(period)),
                *of_contract(parties),
            )
            if fact[1]
        ],
        "words": [
            "These hours are given back."
            if is_correction
            else "This work cost you nothing extra. There is nothing to pay.",
            *(statement.reason or "").splitlines(),
            *(
                []
                if len(rows) <= PRINTED
                else [f"The {formats.number(len(rows))} entries are listed in its CSV file in the portal."]
            ),
        ],
        "sums": [(words, formats.spoken(minutes)) for words, minutes in sums]
        + ([("In all", formats.spoken(total))] if len(sums) > 1 else []),
        "carried_over": "Carried over",
        "time": _time(rows, total) if len(rows) <= PRINTED else None,
    }


def _time(rows: Sequence[DetailRow], total: int) -> dict[str, Any]:
    """Return the texts of the table of time, whose minutes sum to `total`. Each row has the sum of the minutes so far."""
    return {
        "heads": TIME_HEADS,
        "rows": [
            of_work(row) | {"figures": [formats.clock(row.minutes)], "sum": formats.clock(so_far)}
            for row, so_far in zip(rows, accumulate(row.minutes or 0 for row in rows), strict=True)
        ],
        "total": {"name": "Sum", "figures": [formats.clock(total)]},
    }
