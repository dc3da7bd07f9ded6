"""What time is logged on: a case, a project, a service or a kind of general time; found by typing a number, a subject or a customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from portal.contracts.naming import shown_contract
from portal.database import current
from portal.database.finder import LONGEST, MOST_WORDS, SUGGESTED
from portal.desk.lists.questions import Question, View
from portal.folding import folded
from portal.people.readers import AgentReader

NOTHING = "Choose a case, a project, a service or a kind of general time."


class On(NamedTuple):
    """One thing that time can be logged on. `id` names it in forms and addresses: `case-1042` by its number, `service-7` by its id.

    `about` tells it from others: customer, service and contract. `service_id` is what its time is logged under unless somebody chooses another;
    `billable` what its time is unless somebody says otherwise, None where its service or task decides.
    """

    id: str
    name: str
    about: str
    row_id: int
    customer_id: int | None
    customer: str | None
    service_id: int | None
    billable: bool | None

    @property
    def kind(self) -> str:
        """Return `case`, `project`, `service` or `general`."""
        return self.id.partition("-")[0]

    @property
    def address(self) -> str:
        """Return the page of it, or of one's own time."""
        return {
            "case": f"/agent/cases/{self.id.removeprefix('case-')}", "project": f"/agent/projects/{self.row_id}",
            "service": f"/agent/services/{self.row_id}",
        }.get(self.kind, "/agent/time")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sought:
    """What was chosen or typed. Without `on`, `problem` says why in a sentence; `choices` are what a typed name may mean."""

    on: On | None = None
    name: str = ""
    problem: str = ""
    choices: Sequence[On] = ()

    @property
    def id(self) -> str:
        """Return the id of what was found, else ""."""
        return self.on.id if self.on else ""


class Suggestions(NamedTuple):
    """At most `SUGGESTED` rows; `after` is how many were shown before the next ones, None where these are the last."""

    rows: list[On]
    after: int | None


_CONTRACT = shown_contract("k")
_UNDER = f"concat_ws(', ', u.name, s.name, {_CONTRACT})"
_CASE = f"""
select 'case-' || c.number as id, '#' || c.number || ' ' || c.subject as name,
  {_UNDER} || case when c.status in ('resolved', 'closed') then ', ' || c.status else '' end as about,
  c.id as row_id, c.customer_id, u.name as customer, c.service_id, t.billable
from cases c join customer u on u.id = c.customer_id join case_type t on t.id = c.case_type_id
left join service s on s.id = c.service_id left join contract k on k.id = s.contract_id
"""  # noqa: S608
_PROJECT = f"""
select 'project-' || p.id as id, p.name, {_UNDER} as about, p.id as row_id, p.customer_id, u.name as customer, p.service_id,
  null::boolean as billable
from project p join customer u on u.id = p.customer_id join service s on s.id = p.service_id join contract k on k.id = s.contract_id
where p.state = 'open'
"""  # noqa: S608
_SERVICE = f"""
select 'service-' || s.id as id, s.name, concat_ws(', ', u.name, {_CONTRACT}) as about, s.id as row_id, s.customer_id, u.name as customer,
  s.id as service_id, null::boolean as billable
from service s join customer u on u.id = s.customer_id join contract k on k.id = s.contract_id
where u.ended_at is null
"""  # noqa: S608
_GENERAL = """
select 'general-' || g.id as id, g.name, 'General time' as about, g.id as row_id, null::bigint as customer_id, null as customer,
  null::bigint as service_id, false as billable
from general_kind g where g.ended_at is null
"""
_NAMED = {
    "case": f"{_CASE} where c.number = $1",
    "project": f"{_PROJECT} and p.id = $1",
    "service": f"{_SERVICE} and s.id = $1",
    "general": f"{_GENERAL} and g.id = $1",
}


async def named(id: str) -> On | None:
    """Return what an id such as `case-1042` names; None where there is nothing to log time on."""
    kind, _, number = id.partition("-")
    if kind not in _NAMED or not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    row = await current().fetchrow(_NAMED[kind], int(number))
    return On(**dict(row)) if row else None


async def suggest(reader: AgentReader, typed: str, after: int = 0) -> Suggestions:
    """Return what has every word of `typed` in its number, subject, name, customer or contract; of cases the open ones come first.

    Where nothing is typed these are the reader's own open cases and the kinds of general time.
    """
    text = " ".join(typed.replace("\x00", "").split())[:LONGEST]
    views = (View.ALL, View.CLOSED) if text else (View.MINE,)
    asked = [Question(view=view, text=text).conditions(reader) for view in views]
    values = asked[0][1]
    sql = _suggesting([condition for condition, _ in asked], len(values), with_names=bool(text))
    rows = await current().fetch(sql, *values, after + SUGGESTED + 1, text.split()[:MOST_WORDS], after)
    shown = [On(**dict(row)) for row in rows[:SUGGESTED]]
    return Suggestions(shown, after + SUGGESTED if len(rows) > SUGGESTED else None)


def _suggesting(conditions: list[str], count: int, *, with_names: bool) -> str:
    """Return the query for what fits: the cases of each condition, and in front of the second what is found by its name.

    The conditions have `count` parameters; after these come the limit of cases, the words, and how many rows to skip. Without words
    (`with_names` False) there are the kinds of general time instead.
    """
    limit, words, skipped = (f"${count + place}" for place in (1, 2, 3))
    is_in = "strpos(folded(x.name || ' ' || x.about), folded(word)) > 0"
    has = f"(select bool_and({is_in}) from unnest({words}::text[]) as word)"  # noqa: S608 (queries of ours)
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
    """Return the newest cases that fit, as SQL; the names around them are looked up for these only."""
    newest = f"select c.id from cases c where {condition} order by c.updated_at desc, c.id desc limit {limit}"  # noqa: S608
    return f"{_CASE} where c.id in ({newest}) order by c.updated_at desc, c.id desc"


async def find(reader: AgentReader, id: str, typed: str | None) -> Sought:
    """Return what a form means by an id and the text beside it.

    Without script only the text changes, so an id counts only while its name contains what is typed. A text means the case of that number, the
    thing of that name, or the only one that has its words. `typed` None: only the id was sent, as in a link.
    """
    chosen = await named(id) if id else None
    text = " ".join((typed or "").replace("\x00", "").split())[:LONGEST]
    if chosen and (typed is None or not text or folded(text) in folded(chosen.name)):
        return Sought(chosen, chosen.name)
    if not text:
        return Sought(problem=NOTHING)
    if case := await named(f"case-{text.removeprefix('#')}"):
        return Sought(case, case.name)
    rows, after = await suggest(reader, text)
    meant = [row for row in rows if folded(row.name) == folded(text)] or rows
    if len(meant) == 1:
        return Sought(meant[0], meant[0].name)
    if not meant:
        return Sought(name=text, problem=f"No case, project or service has “{text}” in its number, name or customer.")
    count = f"More than {SUGGESTED}" if after and meant == rows else str(len(meant))
    return Sought(name=text, problem=f"{count} cases, projects or services have “{text}”: choose one.", choices=meant)
