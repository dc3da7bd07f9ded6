"""Renew contracts for which nobody has given notice, and keep a record of each renewal."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

from piccolo.columns import BigInt, BigSerial, Date, Timestamptz
from piccolo.table import Table

from portal import outbox
from portal.contracts.contracts import DAY, Contract
from portal.database import current
from portal.people.readers import SYSTEM


class ContractRenewal(Table, tablename="contract_renewal"):
    """One renewal of a contract, which moved its end from `old_end` to `new_end`.

    Both dates are exclusive: each is the day after the last day that the contract covers.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    contract_id = BigInt(default=None)
    old_end = Date(default=None)
    new_end = Date(default=None)
    renewed_at = Timestamptz(default=None)

    @classmethod
    async def of(cls, contract: int) -> list["ContractRenewal"]:
        """Return the renewals of a contract, the latest first."""
        return await cls.objects().where(cls.contract_id == contract).order_by(cls.id, ascending=False)

    @property
    def last_day(self) -> date:
        """Return the last day that the contract covers since this renewal."""
        return self.new_end - DAY

    @property
    def old_last_day(self) -> date:
        """Return the last day that the contract covered before this renewal."""
        return self.old_end - DAY


_DUE = """
select c.id, c.customer_id from contract c join customer u on u.id = c.customer_id
where c.renewal_months is not null and c.end_on - coalesce(c.notice_days, 0) <= $1 and u.ended_at is null
order by c.end_on, c.id
"""


async def renewals_due(today: date) -> list[tuple[int, int]]:
    """Return the contract id and the customer id of each contract that is due for renewal on the day `today`.

    A contract is renewed on the first day on which it is too late to give notice. Contracts of former
    customers (with `ended_at`) are left out.
    """
    return [(row["id"], row["customer_id"]) for row in await current().fetch(_DUE, today)]


async def renew(contract_id: int, today: date, at: datetime) -> bool:
    """Extend a contract so far that notice can be given again, and return whether the contract was due for renewal.

    The contract's row is locked, so that only one of two workers renews the contract. Each extension by
    `renewal_months` is stored as a row of `contract_renewal`, and managers are notified of each. The caller must lock
    the customer before, and recompute the allocations afterwards.
    """
    contract = await Contract.find(contract_id, SYSTEM, hold=True)
    if contract.renewal_months is None or contract.last_notice is None or contract.last_notice >= today:
        return False
    anchor = _first_end(contract, await ContractRenewal.of(contract.id))
    passed, ends = _months(contract.end_on) - _months(anchor), [contract.end_on]
    while ends[-1] - timedelta(days=contract.notice_days or 0) <= today:
        ends.append(later(anchor, passed + contract.renewal_months * len(ends)))
    for old, new in pairwise(ends):
        renewal = ContractRenewal(
            customer_id=contract.customer_id, contract_id=contract.id, old_end=old, new_end=new, renewed_at=at
        )
        [stored] = await ContractRenewal.insert(renewal).returning(ContractRenewal.id)
        await outbox.tell(
            kind="contract.renewed", subject_id=contract.id, record_id=stored["id"], customer_id=contract.customer_id,
            contact_may_know=False, actor=None, at=at,
        )  # fmt: skip
    await Contract.update({Contract.end_on: ends[-1]}).where(Contract.id == contract.id)
    return True


def _first_end(contract: Contract, renewals: Iterable[ContractRenewal]) -> date:
    """Return the end date from which the contract was renewed until now. `renewals` are its renewals, the latest first.

    Renewals are counted from this date, so that a contract that ended on the 31st does so again after a short month. If
    somebody has set the end date since a renewal, it is the date that they set.
    """
    first = contract.end_on
    for renewal in renewals:
        if renewal.new_end != first:
            break
        first = renewal.old_end
    return first


def _months(day: date) -> int:
    return day.year * 12 + day.month


def later(day: date, months: int) -> date:
    """Return the day `months` months after `day`, or the last day of that month if the month is too short.

    One month after 31 January is 28 February. The end date of a contract is the day after its last day. So a contract
    whose last day is 31 January has the end date 1 February, and after a renewal by one month 1 March; its last day is
    again the last of a month.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
