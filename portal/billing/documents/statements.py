"""Statements: what a billing run makes for a contract with time but nothing to charge.

A statement has a time detail, but no number and no amount (D30). A further statement can correct a wrong statement.
"""

import uuid
from typing import Self

from piccolo.columns import UUID, BigInt, BigSerial, Date, Text, Timestamptz
from piccolo.columns.combination import WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.billing.documents.invoices import PAGE, DocumentPage, listed
from portal.errors import NotFound
from portal.people.readers import ContactReader, Reader, System


class Statement(Table, tablename="statement"):
    """The time of one contract for which a billing run charged nothing. A statement is final as soon as it is made.

    A correction is a statement with `corrects_id` (the id of the corrected statement), `reason` and `made_by_id`. On
    other statements, these columns are None. The time detail of a correction is the time that the correction removes
    from the corrected statement. Notices refer to a statement by its `told_id`.
    """

    id: UUID = UUID(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    contract_id = BigInt(default=None)
    run_id = BigInt(null=True, default=None)
    until = Date(default=None)
    supply_from = Date(default=None)
    supply_to = Date(default=None)
    made_at = Timestamptz(default=None)
    contract_name = Text(default=None)
    corrects_id = UUID(null=True, default=None)
    reason = Text(null=True, default=None)
    made_by_id = BigInt(null=True, default=None)
    form_key = UUID(null=True, default=None)
    told_id = BigSerial()

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Return a query of the statements that `reader` may see.

        Managers and the system see all statements, other agents none. A contact with the right to invoices sees the
        statements of their customer.
        """
        if isinstance(reader, ContactReader):
            return cls.objects().where(
                cls.customer_id == reader.customer_id if reader.sees_invoices else WhereRaw("false")
            )
        sees = isinstance(reader, System) or reader.is_manager
        return cls.objects().where(WhereRaw("true" if sees else "false"))

    @classmethod
    async def find(cls, id: uuid.UUID, reader: Reader | System) -> Self:
        """Return the statement with this id if `reader` may see it. Raise `NotFound` otherwise."""
        statement = await cls.visible_to(reader).where(cls.id == id).first()
        if statement is None:
            raise NotFound
        return statement

    async def related(self) -> list["Statement"]:
        """Return the statement that this statement corrects, or else its corrections, the oldest first."""
        if self.corrects_id:
            return await Statement.objects().where(Statement.id == self.corrects_id)
        return await Statement.objects().where(Statement.corrects_id == self.id).order_by(Statement.made_at)


_LIST = """
select s.id, s.until, s.supply_from, s.supply_to, s.made_at, s.contract_name, s.customer_id, u.name as customer_name, s.corrects_id,
       (select sum(d.minutes) from detail_row d where d.statement_id = s.id) as minutes
from statement s join customer u on u.id = s.customer_id
where ($1::bigint is null or s.customer_id = $1)
  and ($2::uuid is null or (s.made_at, s.id) < (select b.made_at, b.id from statement b where b.id = $2))
order by s.made_at desc, s.id desc limit $3
"""


async def list_statements(
    reader: Reader, *, customer_id: int | None = None, after: str | None = None, limit: int = PAGE
) -> DocumentPage:
    """Return a page of the statements that `reader` may see, newest first, with their minutes.

    The minutes of a correction are the minutes that it removes from the corrected statement. With `customer_id`, only
    statements of that customer are listed. `after` is the cursor: the id of the last statement on the previous page.
    """
    return await listed(_LIST, reader, customer_id, _id_of(after), key="id", limit=limit)


def _id_of(text: str | None) -> uuid.UUID | None:
    """Return the UUID in a cursor from a URL. If the text is not a UUID, return None, which leads to the first page."""
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None
