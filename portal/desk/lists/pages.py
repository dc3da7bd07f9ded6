"""Write the SQL for the cases of one page of a list.

A list that is sorted by status, agent or customer has few groups of equal cases. If such a list is long, it is read
group by group: each group gives as many cases as the page needs, in the order of an index, and reading ends once the
page is full. So the cost of a page does not depend on the number of cases. A short or a filtered list is sorted as a
whole instead, because it may have few cases in many groups.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from portal.desk.lists.paging import Cursor, edge, sorting
from portal.desk.lists.questions import Question
from portal.desk.workflow.moves import RANK


class Groups(NamedTuple):
    """The groups of cases that have the same status, agent or customer, by which a list can be sorted.

    `rows` is the SQL of the groups, with the `id` of each and the `key` by which a list sorts them. `column` is the SQL
    of the id of the group to which a case `c` belongs.
    """

    rows: str
    column: str


# "offset 0" makes PostgreSQL compute the key once for each group and not once for each case.
GROUPS = {
    "u.key": Groups("select id, folded(name) as key from customer", "c.customer_id"),
    "k.key": Groups(f"select k.id, row_number() over (order by {RANK}, k.position, k.id) as key from case_status k", "c.status_id"),  # noqa: S608
    "a.key": Groups("select id, folded(name) as key from agent union all select 0, null", "coalesce(c.agent_id, 0)"),
}  # fmt: skip
"""For each expression in `ORDERS` that is no column of a case, the groups that it sorts."""


def joined(ordered: str) -> str:
    """Return the SQL that joins the groups by which a list is sorted first; "" if a column of a case comes first.

    `ordered` is the SQL after `order by`. The groups are sorted, so that PostgreSQL can read the cases of one group
    after another.
    """
    first = ordered.partition(", ")[0]
    expression = first.partition(" ")[0]
    groups = GROUPS.get(expression)
    if groups is None:
        return ""
    alias = expression[0]
    return f" join (select * from ({groups.rows}) {alias} order by {first} offset 0) {alias} on {alias}.id = {groups.column}"  # noqa: S608


def cases_sql(
    question: Question,
    condition: str,
    columns: Sequence[str],
    limit: int,
    *,
    is_long: bool,
    cursor: Cursor | None,
    after: int,
    offset: int = 0,
) -> tuple[str, list[Any]]:
    """Return the SQL for the next `limit` cases of a list that meet `condition`, and its parameters.

    The rows have the `columns` of a case, and the values of the sort expressions in the columns `key_0` and so on. The
    rows begin after `cursor` or, without a cursor, after the first `offset` cases. With a cursor that has `is_back`,
    the rows before the cursor are read, in reversed order. The parameters are numbered from `after` + 1. `is_long` says
    whether more than `COUNTED` cases meet the condition.
    """
    order = question.order
    expressions, is_back = order.expressions, cursor is not None and cursor.is_back
    named = [f"{expression} as key_{place}" for place, expression in enumerate(expressions)]
    ordered = sorting(order, is_falling=question.is_falling, is_back=is_back)
    by_group = is_long and not question.is_filtered and question.sort in question.rule.grouped
    groups = GROUPS.get(expressions[0]) if by_group else None
    falls = question.is_falling is not is_back
    of_groups, begin, since, values = "true", str(edge(falls)), "", list[Any]()
    if cursor and groups:
        of_groups, begin, values = cursor.in_groups(order, is_falling=question.is_falling, after=after)
    elif cursor:
        since, values = cursor.condition(order, is_falling=question.is_falling, after=after)
    elif offset:
        values = [offset]
    skipped = f"${after + 1}" if offset and not cursor else ""
    selected = ", ".join((*(f"c.{column}" for column in columns), *named))
    end = f"order by {ordered} limit {limit}{skipped and f' offset {skipped}'}"
    if groups is None:
        condition = f"{condition} and {since}" if since else condition
        return f"select {selected} from cases c{joined(ordered)} where {condition} {end}", values  # noqa: S608
    alias, column, by_key = expressions[0][0], groups.column, ordered.rsplit(", ", 1)[0]
    sign, way, most = "<" if falls else ">", "desc" if falls else "asc", f"{limit} + {skipped}" if skipped else limit
    # An equality with the id of the group would let PostgreSQL search the primary key for the cases of the group, which
    # takes long if the group has few cases. With two bounds, only an index that begins with the group has this order.
    of_group = f"({column}, c.id) {sign} ({alias}.id, {begin}) and {column} {'>' if falls else '<'}= {alias}.id"
    return (
        f"select {selected} from (select id, key from ({groups.rows}) {alias} where {of_groups} order by {by_key} offset 0) {alias}"  # noqa: S608
        f" cross join lateral (select * from cases c where {of_group} and {condition} order by {column} {way}, c.id {way} limit {most}) c"
        f" {end}",
        values,
    )
