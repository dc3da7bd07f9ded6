"""Export the agents' list of cases as a table."""

from typing import Any

from portal.database import current
from portal.desk import tagging
from portal.desk.custom_fields import FieldKind
from portal.desk.custom_fields.fields import CaseField
from portal.desk.custom_fields.values import read_shown, shown_sql
from portal.desk.lists.pages import joined
from portal.desk.lists.paging import sorting
from portal.desk.lists.questions import Question
from portal.desk.workflow.moves import name_sql
from portal.desk.workflow.priorities import priority_sql
from portal.errors import Invalid
from portal.exports import Column, Kind, Sheet
from portal.people.readers import AgentReader

MOST = 10_000
"""The maximum number of cases in one file."""
COLUMNS = (
    Column("Case", Kind.NUMBER), Column("Subject"), Column("Customer"), Column("Contact"), Column("Status"), Column("Priority"),
    Column("Type"), Column("Department"), Column("Agent"), Column("Tags"), Column("Opened", Kind.MOMENT),
    Column("Updated", Kind.MOMENT), Column("Deadline", Kind.MOMENT), Column("Resolved", Kind.MOMENT),
)  # fmt: skip


async def sheet_of(reader: AgentReader, question: Question) -> Sheet:
    """Return the cases that match `question` as a sheet, in the order of the list.

    Raise `Invalid` for more than `MOST` cases.
    """
    condition, values = question.conditions(reader)
    order = sorting(question.order, is_falling=question.is_falling, is_back=False)
    rows = await current().fetch(_ROWS.format(joins=joined(order), condition=condition, order=order), *values)
    if len(rows) > MOST:
        raise Invalid({"": f"A file has at most {MOST:,} cases. Narrow the list with a filter first."})
    fields = await CaseField.listed()
    columns = (*COLUMNS, *(Column(field.name, _KINDS[FieldKind(field.kind)]) for field in fields))
    return Sheet("Cases", columns, [_cells(dict(row), [field.id for field in fields]) for row in rows])


def _cells(row: dict[str, Any], fields: list[int]) -> tuple[Any, ...]:
    tags = ", ".join(tag.name for tag in tagging.read(row["tags"]))
    shown = row | {"tags": tags}
    own = {one.id: one.value for one in read_shown(row["own"])}
    return (*(shown[name] for name in _NAMES), *(own.get(id) for id in fields))


async def record_download(reader: AgentReader) -> None:
    """Record in the audit log that the reader downloaded a list of cases as a CSV file (R89)."""
    await current().execute("select record_export('cases', $1, 'csv')", reader.id)


_KINDS = {
    FieldKind.TEXT: Kind.TEXT, FieldKind.NUMBER: Kind.NUMBER, FieldKind.DATE: Kind.DATE, FieldKind.CHOICE: Kind.TEXT,
}  # fmt: skip
_NAMES = (
    "number", "subject", "customer", "contact", "status", "priority", "type", "department", "agent", "tags", "opened_at",
    "updated_at", "due_at", "resolved_at",
)  # fmt: skip
_ROWS = f"""
with matching as (
  select found.*, row_number() over () as place from (
    select c.* from cases c{{joins}} where {{condition}} order by {{order}} limit {MOST + 1}
  ) as found
)
select p.number, p.subject, k.name as customer, o.name as contact, {name_sql("p", for_contact=False)} as status, {priority_sql("p")} as priority,
  t.name as type, d.name as department, g.name as agent, p.opened_at, p.updated_at, p.due_at, p.resolved_at,
  {tagging.tags_sql("p.id").replace("{", "{{").replace("}", "}}")} as tags, {shown_sql("p", for_contact=False)} as own
from matching p join customer k on k.id = p.customer_id join contact o on o.id = p.contact_id
join case_type t on t.id = p.case_type_id left join department d on d.id = p.department_id left join agent g on g.id = p.agent_id
order by p.place
"""  # noqa: S608
