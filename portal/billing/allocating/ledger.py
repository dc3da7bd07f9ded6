"""Read the ledger of vouchers: the minutes that were granted, drawn, returned and expired (D23).

The database writes a row when a document settles time that draws minutes from a voucher, and a row with negative
minutes when a correction of the document returns them. The granted minutes and the last day are columns of the voucher.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from piccolo.columns import BigInt, BigSerial, Integer, Timestamptz
from piccolo.table import Table

from portal.database import current

Row = Any


class VoucherMove(Table, tablename="voucher_move"):
    """Minutes that an entry drew from a voucher; negative minutes were returned to the voucher. Rows never change."""

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    voucher_id = BigInt(default=None)
    entry_id = BigInt(default=None)
    minutes = Integer(default=None)
    at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of a voucher.

    `voucher` is a database row, whose columns the function `balances` describes. `drawn` are the minutes that settled
    time drew from the voucher. `reserved` are the minutes for approved time that no document has settled yet.
    """

    voucher: Row
    drawn: int
    reserved: int

    @property
    def left(self) -> int:
        """Return the minutes that are neither drawn, reserved nor credited, even if they have expired."""
        return int(self.voucher["minutes"]) - int(self.voucher["credited_minutes"]) - self.drawn - self.reserved

    @property
    def valid_until(self) -> date | None:
        """Return the last day on which the voucher pays, or None if it has no end."""
        end = self.voucher["end_on"]
        return end - timedelta(days=1) if end else None

    def state(self, on: date) -> str:
        """Return the status of the voucher on the day `on`: the first of the following that applies.

        `expired`: the last day is over. `waiting`: the voucher's invoice has to be issued or paid first. `early`: the
        first day has not come. `used_up`: no minutes are left. `open`: none of these applies.
        """
        if self.voucher["end_on"] and self.voucher["end_on"] <= on:
            return "expired"
        if not self.voucher["usable"]:
            return "waiting"
        if on < self.voucher["valid_from"]:
            return "early"
        return "open" if self.left else "used_up"


_BALANCES = """
select v.*, u.usable, u.drawn, u.reserved, i.number as invoice, case when i.state = 'draft' then i.id end as draft_id,
  (select array_agg(s.name order by x.position) from voucher_service x join service s on s.id = x.service_id
   where x.voucher_id = v.id) as services,
  (select array_agg(x.service_id order by x.position) from voucher_service x where x.voucher_id = v.id) as service_ids
from voucher v join voucher_use u on u.customer_id = v.customer_id and u.voucher_id = v.id left join invoice i on i.id = u.sale_id
where v.customer_id = $1 and ($2::bigint is null or v.id = $2)
order by v.end_on nulls last, v.sold_on, v.id
"""


async def balances(customer_id: int, voucher_id: int | None = None) -> list[Balance]:
    """Return the balances of a customer's vouchers, or of one voucher, in the order in which vouchers pay for time.

    `Balance.voucher` has the columns of the table `voucher` and more. `usable` is whether the voucher can pay for time.
    `services` and `service_ids` are the names and ids of the services whose time the voucher pays for. `invoice` is the
    number of the invoice that sells the voucher, and `draft_id` the id of the draft that sells it; each can be None.
    """
    rows = await current().fetch(_BALANCES, customer_id, voucher_id)
    return [Balance(row, row["drawn"], row["reserved"]) for row in rows]


MOVES = 50
"""The maximum number of rows of the ledger on one page."""

_MOVES = """
select m.*, g.name as agent_name, c.number as case_number, s.name as service_name
from voucher_ledger m left join time_entry e on e.id = m.entry_id left join agent g on g.id = e.agent_id
left join cases c on c.id = coalesce(e.settled_on_id, e.case_id) left join service s on s.id = e.service_id
where m.voucher_id = $1 and ($2::bigint is null or m.id < $2) order by m.id desc limit $3
"""

_OWN_MOVES = """
select m.* from voucher_ledger m
where m.voucher_id = $1 and ($2::bigint is null or m.id < $2) order by m.id desc limit $3
"""
"""The query `_MOVES` for contacts, who cannot read the table of time entries."""


async def moves_of(
    voucher_id: int, before: int | None = None, *, for_contact: bool = False
) -> tuple[list[Row], int | None]:
    """Return a page of the draws and reversals of a voucher, the latest first, and the cursor of the next page or None.

    In each row, `left_then` is how many minutes the voucher had left after this draw or reversal. The columns of the
    entry are None if the entry was deleted since. With `for_contact`, `work_date` is the only column of the entry.
    `before` is the cursor: the id of the last row on the previous page.
    """
    rows = await current().fetch(_OWN_MOVES if for_contact else _MOVES, voucher_id, before, MOVES + 1)
    return rows[:MOVES], rows[MOVES - 1]["id"] if len(rows) > MOVES else None


_RESERVED = """
select a.minutes, e.id as entry_id, e.work_date, g.name as agent_name, c.number as case_number, s.name as service_name
from allocation a join time_entry e on e.id = a.entry_id join agent g on g.id = e.agent_id join service s on s.id = e.service_id
left join cases c on c.id = coalesce(e.settled_on_id, e.case_id)
where a.voucher_id = $1 and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)
order by e.work_date, e.created_at, e.id
"""


async def reserved_by(voucher_id: int) -> list[Row]:
    """Return the approved, unsettled entries that reserve minutes of a voucher, sorted by day.

    Each row has `entry_id`, `minutes`, `work_date`, `agent_name`, `case_number` and `service_name`.
    """
    return await current().fetch(_RESERVED, voucher_id)
