"""Read and export the time detail of a document: what its customer may see of the time (S0.19, D55, D57).

The time detail begins with one row for each allocation (a piece of an entry's minutes, and what pays for the piece).
One row for each invoice line that is not for time follows, so that the amounts sum to the net of the invoice. An entry
without an allocation, because it has 0 billable minutes, has a row too. A row has the role of the agent, not the
agent's name. Worked minutes, internal descriptions and time that is not billable are not even read.
"""

import asyncio
import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from piccolo.columns import UUID, BigInt, Char, Date, Integer, Numeric, Text
from piccolo.table import Table

from portal.billing.allocating.book import Row
from portal.billing.sentences import COVERED_BY, cover_of
from portal.database import current
from portal.database.rows import insert_all
from portal.exports import Column, Kind, Sheet
from portal.schedules import factors_alone

OF_HOURS = "price of these hours"
"""The text beside time whose price depends on the hour at which the work was done (D27)."""
WITHOUT_ROLE = "Agent"
"""The text in the column "performed by" if the agent had no role when the entry was approved."""


class CopiedRow(Table, tablename="detail_row"):
    """A `DetailRow` as it was copied when its document became final. `line_position` is `DetailRow.line`.

    The table has no primary key. Piccolo needs a primary key, so `customer_id` is declared as such. In fact a row is
    identified by its document (one of the three ids) and its position.
    """

    customer_id = BigInt(primary_key=True, default=None)
    invoice_id = BigInt(null=True, default=None)
    statement_id = UUID(null=True, default=None)
    credit_note_id = BigInt(null=True, default=None)
    position = Integer(default=None)
    entry_id = BigInt(null=True, default=None)
    line_position = Integer(null=True, default=None)
    work_date = Date(null=True, default=None)
    case_number = BigInt(null=True, default=None)
    service_name = Text(default=None)
    performed_by = Text(default=None)
    external_comment = Text(default=None)
    covered_by = Text(default=None)
    factors = Text(default="")
    minutes = Integer(null=True, default=None)
    hourly_rate = Numeric(digits=(12, 4), null=True, default=None)
    currency = Char(length=3, default=None)
    amount = Numeric(digits=(15, 3), default=None)


class DetailRow(NamedTuple):
    """One row of the time detail: an allocation of a time entry, a fee, a voucher or another line that is not for time.

    - `line`: the position of the invoice line that contains the row, or None if the row is on no line because the time
      costs nothing.
    - `performed_by`: the role of the agent.
    - `covered_by`: what pays, in words (`COVERED_BY`).
    - `factors`: how the minutes of the whole entry were counted, such as `× 1.5`, or `OF_HOURS` (D27).
    - `entry_id`, `work_date`, `minutes`: None on a row that is not for time.
    - `hourly_rate`: None unless the row is charged by the hour.
    """

    position: int
    entry_id: int | None
    line: int | None
    work_date: date | None
    case_number: int | None
    service_name: str
    performed_by: str
    external_comment: str
    covered_by: str
    minutes: int | None
    hourly_rate: Decimal | None
    currency: str
    amount: Decimal
    factors: str = ""

    @property
    def is_charged(self) -> bool:
        """Return whether the row is charged, even at a rate of 0."""
        return self.covered_by == COVERED_BY["charged"] or self.has_fixed_fee

    @property
    def has_fixed_fee(self) -> bool:
        """Return whether the row costs the fixed fee of its task, so that it has no hourly rate."""
        return self.covered_by == COVERED_BY["fixed_fee"]


# An entry with 0 billable minutes may have no allocation, and still gets a row with the amount 0.
_TIME = """
select e.id, l.position as line, e.work_date, c.number, s.name as service_name, p.role_name, e.external_comment, e.stretches,
       coalesce(a.kind, 'no_charge') as kind, coalesce(a.minutes, 0) as minutes, case when a.kind = 'charged' then a.hourly_rate end as hourly_rate,
       coalesce(a.currency, t.currency) as currency, coalesce(a.amount, 0) as amount, a.rate_source, a.rolled_from,
       case when u.id <> s.id then u.name end as shared_from, case when count(v.id) over (partition by e.id) > 1 then v.label end as voucher
from settled_entry d
join time_entry e on e.id = d.entry_id
join service s on s.id = e.service_id
join contract t on t.id = s.contract_id
join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join cases c on c.id = coalesce(e.settled_on_id, e.case_id)
left join allocation a on a.entry_id = e.id and a.part = d.part
left join line_allocation b on b.allocation_id = a.id
left join invoice_line l on l.id = b.line_id
left join voucher v on v.id = a.voucher_id
left join service u on u.id = a.pool_service_id
where d.invoice_id = $1 or d.statement_id = $2
order by e.work_date, e.created_at, e.id, a.position
"""

_OTHER = """
select position as line, service_name, label, currency, net from invoice_line where invoice_id = $1 and kind <> 'time' order by position
"""


async def live(*, invoice_id: int | None = None, statement_id: uuid.UUID | None = None) -> list[DetailRow]:
    """Return the time detail of a draft or of a document that is about to become final, read from the time entries.

    Pass exactly one of `invoice_id` and `statement_id`. Only agents may read the tables that this function queries.
    """
    time = await current().fetch(_TIME, invoice_id, statement_id)
    other = await current().fetch(_OTHER, invoice_id)
    return await asyncio.to_thread(_live, time, other)


def _live(time: list[Row], other: list[Row]) -> list[DetailRow]:
    """Return the rows for the allocations of time entries, then the rows for other lines, numbered from 1."""
    rows = [
        DetailRow(
            position=0, entry_id=row["id"], line=row["line"], work_date=row["work_date"], case_number=row["number"],
            service_name=row["service_name"], performed_by=row["role_name"] or WITHOUT_ROLE, external_comment=row["external_comment"],
            covered_by=_cover_of(row), minutes=row["minutes"], hourly_rate=row["hourly_rate"], currency=row["currency"],
            amount=row["amount"], factors=OF_HOURS if row["rate_source"] == "schedule" else factors_alone(row["stretches"]),
        )
        for row in time
    ] + [
        DetailRow(
            position=0, entry_id=None, line=row["line"], work_date=None, case_number=None, service_name=row["service_name"],
            performed_by="", external_comment=row["label"], covered_by=COVERED_BY["charged"], minutes=None, hourly_rate=None,
            currency=row["currency"], amount=row["net"],
        )
        for row in other
    ]  # fmt: skip
    return [row._replace(position=position) for position, row in enumerate(rows, 1)]


def _cover_of(row: Row) -> str:
    """Return the words for what pays for an allocation.

    If another service includes the minutes, the words name this service. If minutes rolled over from an earlier period,
    the words name the first day of this period. If the entry draws from several vouchers, the words name the voucher
    that pays for this allocation.
    """
    words = cover_of(row["kind"], row["hourly_rate"])
    if row["shared_from"]:
        words += f" of {row['shared_from']}"
    if row["rolled_from"]:
        words += f" rolled over from {row['rolled_from']:%-d %b %Y}"
    return f"{words}, {row['voucher']}" if row["voucher"] else words


async def copied(
    *,
    invoice_id: int | None = None,
    statement_id: uuid.UUID | None = None,
    credit_note_id: int | None = None,
    position: int | None = None,
) -> list[DetailRow]:
    """Return the time detail of an issued invoice, statement or credit note, as copied when the document became final.

    Pass exactly one of the document's ids. With `position`, return only the row at this position, if there is one.
    Row-level security returns no rows of other customers to a contact.
    """
    names = [CopiedRow.line_position.as_alias("line") if name == "line" else name for name in DetailRow._fields]
    of = {"invoice_id": invoice_id, "statement_id": statement_id, "credit_note_id": credit_note_id}
    [document] = [getattr(CopiedRow, name) == id for name, id in of.items() if id is not None]
    if position is not None:
        document &= CopiedRow.position == position
    rows = await CopiedRow.select(*names).where(document).order_by(CopiedRow.position)
    return await asyncio.to_thread(lambda: [DetailRow(**row) for row in rows])


async def copy(
    rows: Iterable[DetailRow],
    customer_id: int,
    *,
    invoice_id: int | None = None,
    statement_id: uuid.UUID | None = None,
    credit_note_id: int | None = None,
) -> None:
    """Store the rows as the time detail of the document that becomes final in this transaction.

    Pass exactly one of the document's ids.
    """
    of = {
        "customer_id": customer_id,
        "invoice_id": invoice_id,
        "statement_id": statement_id,
        "credit_note_id": credit_note_id,
    }
    await insert_all(CopiedRow, [of | _columns(row) for row in rows])


def _columns(row: DetailRow) -> dict[str, Any]:
    """Return the values of a row by the names of the columns of `CopiedRow`."""
    columns = row._asdict()
    return columns | {"line_position": columns.pop("line")}


def minutes_by_cover(rows: Iterable[DetailRow]) -> dict[str, int]:
    """Return the sum of minutes for each value of `covered_by`, in the order of the rows."""
    found: dict[str, int] = {}
    for row in rows:
        if row.minutes:
            found[row.covered_by] = found.get(row.covered_by, 0) + row.minutes
    return found


def sheet(title: str, rows: Iterable[DetailRow], digits: int) -> Sheet:
    """Return the rows of a time detail as a sheet for export, with a row of totals.

    The minutes are billable minutes, never worked minutes. `digits` is the number of decimals of the currency.
    """
    columns = [
        Column("Date", Kind.DATE),
        Column("Case"),
        Column("Service"),
        Column("Performed by"),
        Column("Comment"),
        Column("Covered by"),
        Column("Minutes", Kind.MINUTES),
        Column("Hourly rate", Kind.MONEY),
        Column("Currency"),
        Column("Amount", Kind.MONEY),
        Column("Factor"),
    ]
    rows = list(rows)
    cells: list[list[Any]] = [
        [
            row.work_date, str(row.case_number or ""), row.service_name, row.performed_by, row.external_comment, row.covered_by,
            row.minutes, _price(row.hourly_rate, digits), row.currency, row.amount.quantize(Decimal(1).scaleb(-digits)),
            row.factors,
        ]
        for row in rows
    ]  # fmt: skip
    totals = [
        "Total",
        None,
        None,
        None,
        None,
        None,
        sum(row.minutes or 0 for row in rows),
        None,
        None,
        sum((c[-2] for c in cells), Decimal(0)),
        None,
    ]
    return Sheet(title, columns, cells, totals)


def _price(rate: Decimal | None, digits: int) -> Decimal | None:
    """Return an hourly rate with the decimals of the currency, or unchanged if the rate has more decimals."""
    if rate is None:
        return None
    short = rate.quantize(Decimal(1).scaleb(-digits))
    return short if short == rate else rate
