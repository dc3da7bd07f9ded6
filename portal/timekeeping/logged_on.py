"""Find the case, project, service or kind of general time on which time is to be logged, by the words of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from portal.contracts.naming import shown_contract
from portal.database import current
from portal.database.finder import LONGEST, MOST_WORDS, SUGGESTED
from portal.desk.cases import numbered
from portal.desk.lists.questions import Question
from portal.desk.workflow.moves import name_sql
from portal.fields import one_line
from portal.folding import folded
from portal.people.readers import AgentReader
from portal.words import CaseView

NOTHING = "Choose a case, a project, a service or a kind of general time."


class On(NamedTuple):
    """A case, project, service or kind of general time on which time can be logged.

    `id` identifies it in forms and URLs: `case-1042` has the case's number, `service-7` the service's row id. `about`
    tells things of the same name apart by customer, service and contract. `service_id` is the default service of a new
    time entry. `billable` says whether a new entry is billable by default; None if the service or the task decides
    that. `confidential` is True for a confidential case.
    """

    id: str
    name: str
    about: str
    row_id: int
    customer_id: int | None
    customer: str | None
    service_id: int | None
    billable: bool | None
    confidential: bool

    @property
    def kind(self) -> str:
        """Return the first part of `id`: `case`, `project`, `service` or `general`."""
        return self.id.partition("-")[0]

    @property
    def address(self) -> str:
        """Return the URL path of the case, project or service; for general time, the path of the agent's own list."""
        return address_of(self.id)


def address_of(id: str) -> str:
    """Return the URL path for an id such as `case-1042`; for general time, the path of the agent's own list."""
    kind, _, number = id.partition("-")
    area = {"case": "cases", "project": "projects", "service": "services"}.get(kind)
    return f"/agent/{area}/{number}" if area else "/agent/time"


@dataclass(frozen=True, slots=True)
class Sought:
    """The case, project, service or kind of general time that the search field of the form for time refers to.

    It was chosen from the suggestions, or found by the typed text: then it is `on`, and `name` is its name. If the text
    matches nothing or several things, `on` is None, `name` is the typed text, `problem` is the error message, and
    `choices` are the things that match.
    """

    on: On | None = None
    name: str = ""
    problem: str = ""
    choices: Sequence[On] = ()

    @property
    def id(self) -> str:
        """Return the id of `on`, such as `case-1042`, or "" if `on` is None."""
        return self.on.id if self.on else ""


class Suggestions(NamedTuple):
    """At most `SUGGESTED` suggestions.

    `after` is the number of suggestions to skip to get the next ones, or None if these are the last.
    """

    rows: list[On]
    after: int | None


_CONTRACT = shown_contract("k")
_UNDER = f"concat_ws(', ', u.name, s.name, {_CONTRACT})"
_CASE = f"""
select 'case-' || c.number as id, '#' || c.number || ' ' || c.subject as name,
  {_UNDER} || case when c.status in ('resolved', 'closed') then ', ' || {name_sql("c", for_contact=False)} else '' end as about,
  c.id as row_id, c.customer_id, u.name as customer, c.service_id, t.billable, c.confidential
from cases c join customer u on u.id = c.customer_id join case_type t on t.id = c.case_type_id
left join service s on s.id = c.service_id left join contract k on k.id = s.contract_id
"""  # noqa: S608
_PROJECT = f"""
select 'project-' || p.id as id, p.name, {_UNDER} as about, p.id as row_id, p.customer_id, u.name as customer, p.service_id,
  null::boolean as billable, false as confidential
from project p join customer u on u.id = p.customer_id join service s on s.id = p.service_id join contract k on k.id = s.contract_id
where p.state = 'open'
"""  # noqa: S608
_SERVICE = f"""
select 'service-' || s.id as id, s.name, concat_ws(', ', u.name, {_CONTRACT}) as about, s.id as row_id, s.customer_id, u.name as customer,
  s.id as service_id, null::boolean as billable, false as confidential
from service s join customer u on u.id = s.customer_id join contract k on k.id = s.contract_id
where u.ended_at is null
"""  # noqa: S608
_GENERAL = """
select 'general-' || g.id as id, g.name, 'General time' as about, g.id as row_id, null::bigint as customer_id, null as customer,
  null::bigint as service_id, false as billable, false as confidential
from general_kind g where g.ended_at is null
"""
_NAMED = {
    "case": f"{_CASE} where c.id = {numbered('$1')}",
    "project": f"{_PROJECT} and p.id = $1",
    "service": f"{_SERVICE} and s.id = $1",
    "general": f"{_GENERAL} and g.id = $1",
}


async def named(id: str) -> On | None:
    """Return the case, project, service or kind with an id such as `case-1042`.

    Return None if there is none on which time can be logged: the project must be open, the kind and the customer of the
    service must not have ended.
    """
    kind, _, number = id.partition("-")
    if kind not in _NAMED or not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    row = await current().fetchrow(_NAMED[kind], int(number))
    return On(**dict(row)) if row else None


async def suggest(reader: AgentReader, typed: str, after: int = 0) -> Suggestions:
    """Return the cases, projects, services and kinds of general time that match every word of `typed`.

    Cases are searched as in the list of cases: by number, subject, contact and customer. All others are searched by
    their name, customer, service and contract. Open cases come first, closed cases last. If nothing is typed, return
    the reader's own open cases and all kinds of general time. `after` is the number of suggestions to skip.
    """
    text = one_line(typed)[:LONGEST]
    views = (CaseView.ALL, CaseView.CLOSED) if text else (CaseView.MINE,)
    asked = [Question(view=view, text=text).conditions(reader) for view in views]
    values = asked[0][1]
    sql = _suggesting([condition for condition, _ in asked], len(values), with_names=bool(text))
    rows = await current().fetch(sql, *values, after + SUGGESTED + 1, text.split()[:MOST_WORDS], after)
    shown = [On(**dict(row)) for row in rows[:SUGGESTED]]
    return Suggestions(shown, after + SUGGESTED if len(rows) > SUGGESTED else None)


def _suggesting(conditions: list[str], count: int, *, with_names: bool) -> str:
    """Return the SQL for suggestions, in this order: cases, things other than cases, and further cases.

    `conditions` are one or two SQL conditions: the first chooses the cases, the second the further cases. With
    `with_names`, the things other than cases are the projects, services and kinds of general time whose names contain
    all words; otherwise, they are all kinds of general time. The conditions have `count` parameters. The parameters
    after these are the limit of cases, the words, and the number of rows to skip.
    """
    limit, words, skipped = (f"${count + place}" for place in (1, 2, 3))
    is_in = "strpos(folded(x.name || ' ' || x.about), folded(word)) > 0"
    has = f"(select bool_and({is_in}) from unnest({words}::text[]) as word)"  # noqa: S608 (our own queries)
    named = [f"select * from ({sql}) as x where {has}" for sql in (_PROJECT, _SERVICE, _GENERAL)]  # noqa: S608
    first, *others = [_cases(condition, limit) for condition in conditions]
    parts = [first, *(named if with_names else [_GENERAL]), *others]
    union = " union all ".join(
        f"select {rank} as part, row_number() over () as place, y.* from ({part}) as y"  # noqa: S608
        for rank, part in enumerate(parts)
    )
    return (
        f"select {', '.join(On._fields)} from ({union}) as found where {words}::text[] is not null"  # noqa: S608
        f" order by part, place limit {SUGGESTED + 1} offset {skipped}"
    )


def _cases(condition: str, limit: str) -> str:
    """Return the SQL for the latest cases that meet `condition`. It looks up names for these cases only."""
    newest = f"select c.id from cases c where {condition} order by c.updated_at desc, c.id desc limit {limit}"  # noqa: S608
    return f"{_CASE} where c.id in ({newest}) order by c.updated_at desc, c.id desc"


async def find(reader: AgentReader, id: str, typed: str | None) -> Sought:
    """Return what time is to be logged on, such as a case, from the id of an earlier choice and the searched text.

    If the name of the thing with this id contains the text, return that thing. Otherwise the id is ignored, because
    without JavaScript the id of an earlier choice is sent with a new text. The text then means the case with that
    number, the thing with exactly that name, or the only suggestion for the text. `typed` is None if only the id was
    sent, as in a link.
    """
    chosen = await named(id) if id else None
    text = one_line(typed or "")[:LONGEST]
    if chosen and (typed is None or not text or folded(text) in folded(chosen.name)):
        return Sought(chosen, chosen.name)
    if not text:
        return Sought(problem=NOTHING)
    if case := await named(f"case-{text.removeprefix('#')}"):
        return Sought(case, case.name)
    rows, after = await suggest(reader, text)
    matching = [row for row in rows if folded(row.name) == folded(text)] or rows
    if len(matching) == 1:
        return Sought(matching[0], matching[0].name)
    if not matching:
        return Sought(name=text, problem=f"No case, project or service has “{text}” in its number, name or customer.")
    count = f"More than {SUGGESTED}" if after and matching == rows else str(len(matching))
    return Sought(
        name=text, problem=f"{count} cases, projects or services have “{text}”: choose one.", choices=matching
    )
