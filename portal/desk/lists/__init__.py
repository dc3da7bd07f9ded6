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
from portal.desk.lists.paging import Cursor, sorting
from portal.desk.lists.questions import COUNTED, Question, conditions_of, quoted_number
from portal.desk.lists.views import OPEN, ORDERS, VIEWS, filled_in
from portal.desk.looking import unread_sql
from portal.desk.tagging import ShownTag
from portal.desk.workflow import Priority, Status
from portal.desk.workflow.moves import RANK, name_sql, standing
from portal.desk.workflow.priorities import priority_sql
from portal.errors import NotFound
from portal.people.readers import AgentReader, ContactReader, Reader

PAGE = 25


@dataclass(frozen=True, slots=True)
class Row:
    """A case as one row of a list shows it. `customer`, `contact` and `agent` are names.

    `clock` has the deadlines. `status_word` is the name of the status for the reader, `priority_word` that of the
    priority. Contacts are not shown `snoozed_until` and `tags`.
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

    `total` is the number of cases on all pages; `COUNTED` + 1 stands for any larger number. `before` and `after` are
    the cursors of the previous and the next page, as text. `before` is "" on the first page, and both are "" in the
    lists of contacts, which have no cursors.
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
        """Return the number of cases on the next page, or `PAGE` if it is not known; 0 if this is the last page."""
        if not self.has_next:
            return 0
        return PAGE if self.total > COUNTED else max(1, min(PAGE, self.total - self.page * PAGE))


# The joins that sorting by a name needs, by table alias. "offset 0" makes PostgreSQL call folded() once for each name
# and not once for each case.
# The customers are sorted, so that PostgreSQL can read the cases of one customer after another until the page is full.
JOINS = {
    "u.": " join (select id, folded(name) as folded from customer order by {order} offset 0) u on u.id = c.customer_id",
    "k.": f" join (select k.id, row_number() over (order by {RANK}, k.position, k.id) as place from case_status k) k on k.id = c.status_id",  # noqa: S608
    "a.": " left join (select id, folded(name) as folded from agent offset 0) a on a.id = c.agent_id",
}


def joined(order: str) -> str:
    """Return the SQL that joins the table of the first column of the SQL `order`; "" if that is a column of `cases`."""
    alias, first = order[:2], order.partition(", ")[0][2:]
    return JOINS[alias].format(order=first) if alias in JOINS else ""


def _listing(
    condition: str,
    order: str,
    *,
    for_contact: bool,
    unread: str,
    keys: Sequence[str] = (),
    offset: str = "",
    counted: str | None = None,
    since: str = "",
    tags: str = "null",
) -> str:
    """Return the SQL for one page of the cases that meet `condition`, sorted by the SQL expressions `order`.

    `for_contact` chooses between the names of statuses for contacts and for agents. One more row than the page shows is
    read, which tells whether there is a next page. `since` is the condition of a cursor, and `offset` the clause that
    skips earlier pages. `tags` is the SQL for the tags of a case, which contacts may not read. Each row has the values
    of the expressions `keys` in the columns `key_0` and so on. The column `total` is `counted` or, if `counted` is
    None, the number of all cases that meet `condition`, at most `COUNTED` + 1. `unread` is the SQL for whether a case
    has something new for the reader.
    """
    # Look up names and flags for the rows of the page only, so that their cost does not grow with the number of cases.
    total = f"(select count(*) from (select 1 from cases c where {condition} limit {COUNTED} + 1) as counted)"  # noqa: S608
    named = "".join(f", {key} as key_{place}" for place, key in enumerate(keys))
    shown = "".join(f", p.key_{place}" for place in range(len(keys)))
    return f"""
with matching as (
  select found.*, row_number() over () as place from (
    select c.id, c.number, c.subject, c.status, c.status_id, c.snoozed_until, c.priority, c.updated_at, c.customer_id, c.contact_id,
      c.agent_id, c.confidential{named}
    from cases c{joined(order)} where {condition}{since and f" and {since}"} order by {order} limit {PAGE + 1}{offset}
  ) as found
)
select p.id, p.number, p.subject, p.status, {name_sql("p", for_contact=for_contact)} as status_word, p.snoozed_until, p.priority, p.updated_at,
  {priority_sql("p")} as priority_word, u.name as customer, o.name as contact, a.name as agent{shown},
  p.confidential, exists (select 1 from message m join attachment f on f.message_id = m.id where m.case_id = p.id) as has_files,
  {clock_sql("p")} as clock, {tags} as tags, {unread} as is_unread,
  {total if counted is None else counted} as total
from matching p join customer u on u.id = p.customer_id join contact o on o.id = p.contact_id left join agent a on a.id = p.agent_id
order by p.place
"""  # noqa: S608


async def agents_list(reader: AgentReader, question: Question, counted: Mapping[str, int] | None = None) -> Listed:
    """Return one page of the cases that match `question`, read with one query.

    `counted` maps views to their numbers of cases (see `countings`), if the caller has these already: then the cases of
    a view without filters are not counted again.
    """
    condition, values = question.conditions(reader)
    order, cursor = ORDERS[question.sort], question.cursor
    is_back = cursor is not None and cursor.is_back
    since, more, offset = "", list[Any](), ""
    if cursor:
        since, more = cursor.condition(order, is_falling=question.is_falling, after=len(values))
    else:
        offset, more = _offset(question.page, len(values))
    known = counted.get(question.view) if counted and not question.is_filtered else None
    ordered = sorting(order, is_falling=question.is_falling, is_back=is_back)
    sql = _listing(
        condition,
        ordered,
        for_contact=False,
        unread=unread_sql("p", reader),
        keys=order.expressions,
        offset=offset,
        since=since,
        tags=tagging.tags_sql("p.id"),
        counted=None if known is None else str(known),
    )
    rows = await current().fetch(sql, *values, *more)
    shown = rows[:PAGE][::-1] if is_back else rows[:PAGE]
    listed = _listed(shown, question.page, has_next=is_back or len(rows) > PAGE)
    if not shown:
        return listed
    before = str(Cursor.of_row(shown[0], order)) if question.page > 1 else ""
    return replace(listed, before=before, after=str(Cursor.of_row(shown[-1], order)))


def countings(reader: AgentReader, at: datetime) -> dict[str, Counting]:
    """Return the queries that count the cases of each view that shows a count, by the name of the view.

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
    offset, skipped = _offset(page, len(values))
    listing = _listing(
        " and ".join(sql),
        "c.updated_at desc, c.id desc",
        for_contact=True,
        unread=unread_sql("p", reader),
        offset=offset,
    )
    rows = await current().fetch(listing, *values, *skipped)
    return _listed(rows[:PAGE], page, has_next=len(rows) > PAGE)


async def named_elsewhere(text: str, listed: Listed, reader: Reader) -> Case | None:
    """Return the case whose number is the whole search text (`#1393`), unless the page `listed` shows that number.

    Such a case is in another view, on another page, or left out by a filter. For the number of a merged case, return
    the case into which it was merged, even if the page shows the latter. The `status_word` of the case is set, for
    agents. Return None if there is no such case.
    """
    number = quoted_number(text)
    if number is None or any(row.number == number for row in listed.rows):
        return None
    with suppress(NotFound):
        case = await Case.find(number, reader)
        case.status_word = (await standing(case.status_id)).name
        return case
    return None


def _offset(page: int, places: int) -> tuple[str, list[int]]:
    """Return the SQL clause that skips the rows of earlier pages, and its parameter; both are empty for the first page.

    `places` is the number of parameters that the query has already.
    """
    return (f" offset ${places + 1}", [(page - 1) * PAGE]) if page > 1 else ("", [])


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
