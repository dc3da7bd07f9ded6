"""Find the cases before and after a case in the list from which it was opened, so that agents can page through."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from portal.database import current
from portal.desk.cases import Case
from portal.desk.lists import joined
from portal.desk.lists.paging import sorting
from portal.desk.lists.questions import Question
from portal.desk.lists.views import ORDERS
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.words import CaseView


@dataclass(frozen=True, slots=True)
class Walk:
    """The place of a case in an agents' list.

    `next` and `previous` are the numbers of the cases after and before it, None at the ends. The URL of the case's page
    contains these numbers, so that the place stays the same when the case moves in the list, for example because it was
    answered. `in_list` is False if the page was not opened from a list.
    """

    question: Question
    number: int
    next: int | None = None
    previous: int | None = None
    in_list: bool = True

    @property
    def query(self) -> str:
        """Return the query string that shows the page of the case again at this place; "" without a list."""
        if not self.in_list:
            return ""
        return f"{self.onward}&{urlencode({'next': self.next or '', 'previous': self.previous or ''})}"

    @property
    def onward(self) -> str:
        """Return the query string that shows another case of the same list."""
        return self.question.address(page=self.question.page)

    @property
    def list(self) -> str:
        """Return the path, query and fragment of the list, at the row of the case."""
        return f"/agent/cases{self.onward}#case-{self.number}"


async def walk_of(case: Case, reader: AgentReader, pairs: Iterable[tuple[str, str]], at: datetime) -> Walk:
    """Return the place of the case in the list that the query string of its page, given as pairs, describes.

    If the query string has the numbers of the next and the previous case, use these numbers; otherwise find them with
    one query. If the page was not opened from a list, return a `Walk` without neighbours. Its `question` is the view of
    the reader's own cases if the case is assigned to the reader, otherwise the view of all cases.
    """
    pairs = list(pairs)
    query = dict(pairs)
    if "view" not in query:
        usual = CaseView.MINE if case.agent_id == reader.id else CaseView.ALL
        return Walk(Question(usual), case.number, in_list=False)
    question = Question.read(pairs).asked_at(at)
    if "next" in query and "previous" in query:
        return Walk(question, case.number, number_in(query["next"]), number_in(query["previous"]))
    sql, values = _neighbours(question, reader, case.id)
    found = await current().fetchrow(sql, *values)
    return Walk(question, case.number, found["next"], found["previous"])


def _neighbours(question: Question, reader: AgentReader, case_id: int) -> tuple[str, list[Any]]:
    """Return the SQL query for the numbers of the cases before and after the case with this id, and its parameters."""
    condition, values = question.conditions(reader)
    order, falling = ORDERS[question.sort], question.is_falling
    keys, first = order.expressions, order.expressions[0]
    joins = joined(first)
    after, before = ("<", ">") if falling else (">", "<")
    own = [f"(select key_{place} from here)" for place in range(len(keys))]  # noqa: S608
    id = "(select id from here)"

    def beyond(sign: str, missing: str) -> str:
        return (
            f"(({', '.join(keys)}, c.id) {sign} ({', '.join(own)}, {id}){f' or {missing}' if order.may_lack else ''})"
        )

    # Rows without a value come last in either direction.
    following = beyond(after, f"{first} is null and ({own[0]} is not null or c.id {after} {id})")
    preceding = beyond(before, f"{own[0]} is null and ({first} is not null or c.id {before} {id})")
    where = f"from cases c{joins} where {condition} and c.id <> {id} and"
    named = ", ".join(f"{key} as key_{place}" for place, key in enumerate(keys))
    onward, back = (sorting(order, is_falling=falling, is_back=is_back) for is_back in (False, True))
    sql = f"""
with here as materialized (select {named}, c.id from cases c{joins} where c.id = ${len(values) + 1})
select (select c.number {where} {following} order by {onward} limit 1) as next,
  (select c.number {where} {preceding} order by {back} limit 1) as previous
"""  # noqa: S608 (ids and column names of the code)
    return sql, [*values, case_id]
