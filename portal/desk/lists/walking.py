"""Find the cases before and after a case in the list from which it was opened, so that agents can page through."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from portal.database import current
from portal.database.counting import count_all
from portal.desk.cases import Case
from portal.desk.lists.pages import cases_sql, joined
from portal.desk.lists.paging import Cursor
from portal.desk.lists.questions import COUNTED, Question
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
        """Return the query string with which the page of the case keeps this place; "" without a list."""
        if not self.in_list:
            return ""
        return f"{self.onward}&{urlencode({'next': self.next or '', 'previous': self.previous or ''})}"

    @property
    def onward(self) -> str:
        """Return the query string with which the page of another case of the same list is opened."""
        return self.question.address(page=self.question.page)

    @property
    def list(self) -> str:
        """Return the path, query and fragment of the list, at the row of the case."""
        return f"/agent/cases{self.onward}#case-{self.number}"


async def walk_of(case: Case, reader: AgentReader, pairs: Iterable[tuple[str, str]], at: datetime) -> Walk:
    """Return the place of the case in the list that the query string of its page, given as pairs, describes.

    If the query string has the numbers of the next and the previous case, use these numbers; otherwise find them with
    at most three queries. If the page was not opened from a list, return a `Walk` without neighbours. Its `question` is
    the view of the reader's own cases if the case is assigned to the reader, otherwise the view of all cases.
    """
    pairs = list(pairs)
    query = dict(pairs)
    if "view" not in query:
        usual = CaseView.MINE if case.agent_id == reader.id else CaseView.ALL
        return Walk(Question(usual), case.number, in_list=False)
    question = Question.read(pairs).asked_at(at)
    if "next" in query and "previous" in query:
        return Walk(question, case.number, number_in(query["next"]), number_in(query["previous"]))
    following, preceding = await _neighbours(question, reader, case.id)
    return Walk(question, case.number, following, preceding)


async def _neighbours(question: Question, reader: AgentReader, case_id: int) -> tuple[int | None, int | None]:
    """Return the numbers of the cases after and before the case with this id in a list, None at its ends."""
    order = question.order
    keys = ", ".join(f"{key} as key_{place}" for place, key in enumerate(order.expressions))
    sql = f"select c.id, {keys} from cases c{joined(order.expressions[0])} where c.id = $1"  # noqa: S608 (SQL of the code)
    here = await current().fetchrow(sql, case_id)
    is_long = not question.rule.has_count or (await count_all({"": question.counting(reader)}))[""] > COUNTED
    condition, values = question.conditions(reader, is_long=is_long)
    beside = []
    for is_back in (False, True):
        cursor = Cursor.of_row(here, order, is_back=is_back)
        sql, more = cases_sql(question, condition, ("number",), 1, is_long=is_long, cursor=cursor, after=len(values))
        beside.append(f"(select found.number from ({sql}) found)")  # noqa: S608
        values += more
    both = f"select {beside[0]} as next, {beside[1]} as previous"
    row = await current().fetchrow(both, *values)
    return row["next"], row["previous"]
