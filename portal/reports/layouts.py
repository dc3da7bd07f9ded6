"""The two layouts of an exported timesheet: for payroll and for invoicing (S2.36, S2.37)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal.billing.sentences import cover_of
from portal.contracts.naming import shown_contract, shown_service
from portal.exports import Cell, Column, Kind, Sheet
from portal.money import digits_of
from portal.people.readers import AgentReader
from portal.reports.questions import Layout, Question
from portal.words import EntryBilling, EntryState

_PAYROLL = """
select x.*, g.name as agent, d.name as department
from (
  select e.agent_id, e.work_date, count(*)::int as entries, sum(e.actual_minutes)::int as minutes,
    coalesce(sum(e.actual_minutes) filter (where e.state = 'approved'), 0)::int as approved,
    coalesce(sum(e.actual_minutes) filter (where e.state in ('draft', 'submitted')), 0)::int as waiting,
    coalesce(sum(e.actual_minutes) filter (where e.state = 'rejected'), 0)::int as rejected
  from time_entry e where {condition} group by e.agent_id, e.work_date
) x
join agent g on g.id = x.agent_id
join department d on d.id = g.department_id
order by folded(g.name), g.id, x.work_date
"""

# An approved entry has one allocation for each part of its minutes that is paid for differently; other entries have none.
_INVOICING = f"""
select (a.position is null or a.position = 0)::int as entries, u.name as customer, {shown_contract("k")} as contract,
  {shown_service("s.id")} as service, j.name as project, t.name as task, c.number, case when not c.confidential then c.subject end as subject,
  e.work_date, g.name as agent,
  coalesce(p.role_name, r.name) as role, e.external_comment, e.billing, e.state, a.kind, coalesce(a.minutes, e.billable_minutes) as minutes,
  a.hourly_rate, k.currency::text, a.amount,
  coalesce(i.number, case when i.id is not null then 'draft' when b.entry_id is not null then 'statement' end) as document
from time_entry e
join customer u on u.id = e.customer_id
join agent g on g.id = e.agent_id
left join service s on s.id = e.service_id
left join contract k on k.id = s.contract_id
left join project j on j.id = e.project_id
left join task t on t.id = e.task_id
left join cases c on c.id = coalesce(e.settled_on_id, e.case_id)
left join role r on r.id = coalesce(e.role_id, g.role_id)
left join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join allocation a on a.entry_id = e.id
left join settled_entry b on b.entry_id = e.id and b.part = coalesce(a.part, 0)
left join invoice i on i.id = b.invoice_id
where {{condition}}
order by folded(u.name), u.id, e.work_date, e.id, a.position
"""


@dataclass(frozen=True, slots=True)
class Laid:
    """A timesheet in one of the two layouts: its sheet without rows, and the SQL query of the rows with its parameters.

    `cells` converts a row of the query into cells. The query also has a column `entries`: the number of time entries in
    a row that are in no earlier row. The sum of this column over the rows read so far is the progress.
    """

    sheet: Sheet
    sql: str
    values: Sequence[Any]
    layout: Layout

    def cells(self, row: Any) -> list[Cell]:
        """Return the cells of one row of the query."""
        return _payroll(row) if self.layout is Layout.PAYROLL else _invoicing(row)


def lay_out(reader: AgentReader, question: Question, layout: Layout) -> Laid:
    """Return the sheet and the query of a timesheet in this layout.

    Raise `Forbidden` if the reader is not a manager (S2.28).
    """
    values: list[Any] = []
    condition = question.conditions(reader, values)
    days = f"{question.since.isoformat()} to {question.until.isoformat()}"
    if layout is Layout.PAYROLL:
        return Laid(Sheet(f"Payroll, {days}", PAYROLL, ()), _PAYROLL.format(condition=condition), values, layout)
    return Laid(Sheet(f"Invoicing, {days}", INVOICING, ()), _INVOICING.format(condition=condition), values, layout)


PAYROLL = (
    Column("Agent"),
    Column("Department"),
    Column("Day", Kind.DATE),
    Column("Entries", Kind.NUMBER),
    Column("Worked", Kind.CLOCK),
    Column("Minutes worked", Kind.MINUTES),
    Column("Minutes approved", Kind.MINUTES),
    Column("Minutes undecided", Kind.MINUTES),
    Column("Minutes rejected", Kind.MINUTES),
)
"""The columns of the payroll layout: actual time by agent and day. The last three columns sum to the minutes worked."""


def _payroll(row: Any) -> list[Cell]:
    return [
        row["agent"], row["department"], row["work_date"], row["entries"], row["minutes"], row["minutes"], row["approved"],
        row["waiting"], row["rejected"],
    ]  # fmt: skip


INVOICING = (
    Column("Customer"),
    Column("Contract"),
    Column("Service"),
    Column("Project"),
    Column("Task"),
    Column("Case"),
    Column("Subject"),
    Column("Day", Kind.DATE),
    Column("Agent"),
    Column("Role"),
    Column("Comment"),
    Column("State"),
    Column("Covered by"),
    Column("Minutes", Kind.MINUTES),
    Column("Hourly rate", Kind.MONEY),
    Column("Currency"),
    Column("Amount", Kind.MONEY),
    Column("Document"),
)
"""The columns of the invoicing layout: billable time, rate and amount.

An approved entry has one row for each of its allocations (a piece of its minutes, and what pays for them). Any other
entry has one row, without a rate, because only approved entries have a price (C12). General time is left out. Minutes
worked are never shown (D55).
"""


def _invoicing(row: Any) -> list[Cell]:
    kind, amount, rate = row["kind"], row["amount"], row["hourly_rate"]
    digits = digits_of(row["currency"]) if row["currency"] else 2
    covered = cover_of(kind, rate) if kind else None
    if row["billing"] == EntryBilling.NOT_BILLABLE:
        covered = EntryBilling.NOT_BILLABLE.word.lower()
    return [
        row["customer"], row["contract"], row["service"], row["project"], row["task"], f"#{row['number']}" if row["number"] else None,
        row["subject"], row["work_date"], row["agent"], row["role"], row["external_comment"], EntryState(row["state"]).word, covered,
        row["minutes"], rate, row["currency"], amount if amount is None else amount.quantize(Decimal(1).scaleb(-digits)), row["document"],
    ]  # fmt: skip
