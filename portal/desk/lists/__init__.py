"""List cases for agents and for contacts. Each page of a list takes one query."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from portal.database import current
from portal.database.counting import Counting
from portal.desk import tagging
from portal.desk.cases import Case
from portal.desk.deadlines.promises import Clock, clock_sql
from portal.desk.lists.pages import cases_sql
from portal.desk.lists.paging import Cursor
from portal.desk.lists.questions import COUNTED, Question, conditions_of, quoted_number
from portal.desk.lists.views import OPEN, VIEWS, filled_in
from portal.desk.looking import unread_sql
from portal.desk.tagging import ShownTag
from portal.desk.workflow import Priority, Status
from portal.desk.workflow.moves import name_sql, standing
from portal.desk.workflow.priorities import priority_sql
from portal.errors import NotFound
from portal.people.readers import AgentReader, ContactReader, Reader

PAGE = 25
COLUMNS = (
    "id", "number", "subject", "status", "status_id", "snoozed_until", "priority", "updated_at", "customer_id", "contact_id",
    "agent_id", "confidential",
)  # fmt: skip
"""The columns of a case that a row of a list needs."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case as one row of a list shows it. `customer`, `contact` and `agent` are names.

    `clock` has the deadlines. `status_word` is the name of the status for the reader, and `priority_word` the name of
    the priority. `is_unread` says whether the case has a message that is new for the reader. Contacts are not shown
    `snoozed_until` and `tags`.
    """

    id: int
    number: int
    subject: str
    customer: str
    contact: str
    status: Status
    priority: Priority
    priority_word: str
    agent: str | None
    updated_at: datetime
    has_files: bool
    confidential: bool
    clock: Clock
    tags: Sequence[ShownTag] = ()
    status_word: str = ""
    snoozed_until: datetime | None = None
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list of cases.

    `total` is the number of cases on all pages; `COUNTED` + 1 stands for any number above `COUNTED`. `before` and
    `after` are the cursors of the previous and the next page, as text. `before` is "" on the first page, and both are
    "" in the lists of contacts, which have no cursors.
    """

    rows: list[Row]
    total: int
    page: int
    has_next: bool = False
    before: str = ""
    after: str = ""

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def total_words(self) -> str:
        return f"more than {COUNTED:,}" if self.total > COUNTED else f"{self.total:,}"

    @property
    def next_count(self) -> int:
        """Return the number of cases on the next page; 0 without a next page, `PAGE` if the total is not known."""
        if not self.has_next:
            return 0
        return PAGE if self.total > COUNTED else max(1, min(PAGE, self.total - self.page * PAGE))


def _listing(
    found: str, total: str, *, for_contact: bool, unread: str, keys: Sequence[str] = (), tags: str = "null"
) -> str:
    """Return the SQL for the rows of one page.

    `found` is the SQL for the cases of the page in their order, and for one more case; if there is one more, there is a
    next page. `total` is the SQL for the number of cases on all pages. `for_contact` chooses between the names of
    statuses for contacts and for agents. `tags` is the SQL for the tags of a case, which contacts may not read. `keys`
    are columns of `found` that are added to each row. `unread` is the SQL for whether a case has something new for the
    reader.
    """
    # Look up names and flags for the rows of the page only, so that their cost does not grow with the number of cases.
    shown = "".join(f", p.{key}" for key in keys)
    return f"""
with matching as (select found.*, row_number() over () as place from ({found}) as found)
select p.id, p.number, p.subject, p.status, {name_sql("p", for_contact=for_contact)} as status_word, p.snoozed_until, p.priority, p.updated_at,
  {priority_sql("p")} as priority_word, u.name as customer, o.name as contact, a.name as agent{shown},
  p.confidential, exists (select 1 from message m join attachment f on f.message_id = m.id where m.case_id = p.id) as has_files,
  {clock_sql("p")} as clock, {tags} as tags, {unread} as is_unread,
  {total} as total
from matching p join customer u on u.id = p.customer_id join contact o on o.id = p.contact_id left join agent a on a.id = p.agent_id
order by p.place
"""  # noqa: S608


def _total(condition: str) -> str:
    return f"(select count(*) from (select 1 from cases c where {condition} limit {COUNTED} + 1) as counted)"  # noqa: S608


async def agents_list(reader: AgentReader, question: Question, counted: Mapping[str, int] | None = None) -> Listed:
    """Return one page of the cases that match `question`, read with one query.

    `counted` maps views to their numbers of cases (see `countings`). If it is given, the cases of a view without
    filters are not counted again.
    """
    known = counted.get(question.view) if counted and not question.is_filtered else None
    is_long = known > COUNTED if known is not None else not question.rule.has_count
    condition, values = question.conditions(reader, is_long=is_long)
    cursor, order = question.cursor, question.order
    is_back = cursor is not None and cursor.is_back
    offset = 0 if cursor else (question.page - 1) * PAGE
    found, more = cases_sql(
        question, condition, COLUMNS, PAGE + 1, is_long=is_long, cursor=cursor, after=len(values), offset=offset
    )
    sql = _listing(
        found,
        _total(condition) if known is None else str(known),
        for_contact=False,
        unread=unread_sql("p", reader),
        keys=[f"key_{place}" for place in range(len(order.expressions))],
        tags=tagging.tags_sql("p.id"),
    )
    rows = await current().fetch(sql, *values, *more)
    shown = rows[:PAGE][::-1] if is_back else rows[:PAGE]
    listed = _listed(shown, question.page, has_next=is_back or len(rows) > PAGE)
    if not shown:
        return listed
    before = str(Cursor.of_row(shown[0], order)) if question.page > 1 else ""
    return replace(listed, before=before, after=str(Cursor.of_row(shown[-1], order)))


def countings(reader: AgentReader, at: datetime) -> dict[str, Counting]:
    """Return the queries that count the cases of each view with `has_count`, by the name of the view.

    Counting stops at `COUNTED` + 1, which means "more than `COUNTED`", so that the cost of the queries is limited.
    """
    return {view.value: _counting(rule.condition, reader, at) for view, rule in VIEWS.items() if rule.has_count}


def _counting(condition: str, reader: AgentReader, at: datetime) -> Counting:
    # Merged cases are closed, so a condition for open cases leaves them out. Without a further condition, an index alone
    # answers the query.
    values = list[Any]()
    filled = filled_in(condition, reader.id, at, values)
    return Counting(f"select count(*) from (select from cases c where {filled} limit {COUNTED + 1}) x", tuple(values))  # noqa: S608


async def customers_list(reader: ContactReader, *, everything: bool, text: str = "", page: int = 1) -> Listed:
    """Return one page of the cases that the contact may see, latest change first, read with one query.

    Only open cases are listed unless `everything` is True. With `text`, only cases that match every word of the text
    are listed (see `conditions_of`). `page` counts from 1.
    """
    sql, values = [Case.visible_sql(reader, "c")], list[Any]()
    if not everything:
        sql.append(OPEN)
    for condition, value in conditions_of(text):
        values.append(value)
        sql.append(condition.replace("?", f"${len(values)}"))
    page = min(max(page, 1), 10_000)
    condition, columns = " and ".join(sql), ", ".join(f"c.{column}" for column in COLUMNS)
    found = (
        f"select {columns} from cases c where {condition}"  # noqa: S608
        f" order by c.updated_at desc, c.id desc limit {PAGE + 1}"
    )
    skipped = [(page - 1) * PAGE] if page > 1 else []
    # The first page has no offset, because with this parameter PostgreSQL would plan the query anew each time.
    found += f" offset ${len(values) + 1}" if skipped else ""
    listing = _listing(found, _total(condition), for_contact=True, unread=unread_sql("p", reader))
    rows = await current().fetch(listing, *values, *skipped)
    return _listed(rows[:PAGE], page, has_next=len(rows) > PAGE)


async def named_elsewhere(text: str, listed: Listed, reader: Reader) -> Case | None:
    """Return the case whose number is the whole search text (`#1393`), unless the page `listed` shows that number.

    Such a case is in another view, on another page, or left out by a filter. For the number of a merged case, return
    the case into which it was merged, even if the page shows that case. The `status_word` of the returned case is the
    name that agents read. Return None if the text is no number, or if the reader may see no such case.
    """
    number = quoted_number(text)
    if number is None or any(row.number == number for row in listed.rows):
        return None
    with suppress(NotFound):
        case = await Case.find(number, reader)
        case.status_word = (await standing(case.status_id)).name
        return case
    return None


def _listed(rows: Sequence[Any], page: int, *, has_next: bool) -> Listed:
    shown = []
    for row in rows:
        values = {name: row[name] for name in Row.__slots__}
        shown.append(
            Row(
                **values
                | {
                    "status": Status(row["status"]),
                    "priority": Priority(row["priority"]),
                    "clock": Clock.read(row["clock"]),
                    "tags": tagging.read(row["tags"]),
                }
            )
        )
    return Listed(shown, rows[0]["total"] if rows else 0, page, has_next)
