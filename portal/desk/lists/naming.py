"""Find cases by number, subject, contact or customer, for search fields in which an agent chooses a case."""

from collections.abc import Collection

from portal.database import current
from portal.database.finder import LONGEST, SUGGESTED, Suggestion, Suggestions
from portal.desk.lists.questions import Question
from portal.desk.workflow.moves import name_sql
from portal.fields import one_line
from portal.people.readers import AgentReader
from portal.words import CaseView


async def suggest_cases(
    reader: AgentReader, typed: str, *, customer_id: int | None = None, without: Collection[int] = (), after: int = 0
) -> Suggestions:
    """Return suggestions for at most `SUGGESTED` cases that match every word of `typed`.

    The id of a suggestion is the number of the case. Open cases come first; open and closed cases are each sorted by
    their latest change, newest first. If nothing is typed, only open cases are returned. With `customer_id`, only cases
    of that customer are returned. `without` are the ids of cases that are left out, and `after` is the number of
    suggestions to skip.
    """
    text = one_line(typed)[:LONGEST]
    customers = (customer_id,) if customer_id else ()
    views = (CaseView.ALL, CaseView.CLOSED) if text else (CaseView.ALL,)
    asked = [Question(view=view, text=text, customers=customers).conditions(reader) for view in views]
    values = asked[0][1]
    without_at, limit, skipped = (f"${len(values) + place}" for place in (1, 2, 3))
    parts = " union all ".join(
        f"(select c.id, {rank} as part, c.updated_at from cases c where {condition} and c.id <> all({without_at}::bigint[])"  # noqa: S608
        f" order by c.updated_at desc, c.id desc limit {limit})"
        for rank, (condition, _) in enumerate(asked)
    )
    sql = f"""
select c.number, '#' || c.number || ' ' || c.subject as name, concat_ws(', ', u.name, {name_sql("c", for_contact=False)}) as about
from ({parts}) as found join cases c on c.id = found.id join customer u on u.id = c.customer_id
order by found.part, found.updated_at desc, found.id desc limit {SUGGESTED + 1} offset {skipped}
"""  # noqa: S608
    rows = await current().fetch(sql, *values, list(without), after + SUGGESTED + 1, after)
    shown = [Suggestion(*row) for row in rows[:SUGGESTED]]
    return Suggestions(shown, after + SUGGESTED if len(rows) > SUGGESTED else None)
