"""The filters of the agents' list of cases: what each filter offers, and the words for the filters that are set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from portal.database import current
from portal.desk.custom_fields.offered import OfferedField, offered
from portal.desk.lists.questions import NOBODY, Question
from portal.desk.workflow import Status
from portal.desk.workflow.moves import RANK
from portal.people.readers import AgentReader
from portal.render.formats import reading

_OFFERED = f"""
select 'department' as filter, id, name, true as is_offered, folded(name) as place from department
union all select 'status', k.id, k.name, k.ended_at is null, {RANK} || lpad(k.position::text, 6) from case_status k
union all select 'priority', id, name, true, (9 - id)::text from case_priority
union all select 'type', id, name, ended_at is null, lpad(position::text, 6) from case_type where ended_at is null or id = any($1)
union all select 'customer', id, name, false, folded(name) from customer where id = any($2)
union all select 'agent', id, name, false, folded(name) from agent where id = any($3)
union all select 'tag', id, name, false, folded(name) from tag where id = any($5)
union all select 'project', id, name, false, folded(name) from project where id = $4
order by filter, place, id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter, with its words. `is_set` is True if the list is filtered by this value."""

    value: int | str
    words: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip for one value that is set: filter and value in words, and the list's query string without this value."""

    words: str
    without: str


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list.

    The keys of `words` and `choices` are the names of the filters in the URL; `words` has the names that people read,
    and `choices` the choices. `chips` has one item for each value that is set. Customers, agents and tags are found by
    typing, so their choices are only the values that are set, and for agents also "Nobody". `own` are the custom fields
    of cases, by which a list can be filtered too.
    """

    words: Mapping[str, str]
    choices: Mapping[str, list[Choice]]
    chips: list[Chip]
    own: list[OfferedField]


WORDS = {
    "status": "Status", "priority": "Priority", "department": "Department", "type": "Type", "agent": "Agent",
    "customer": "Customer", "tag": "Tag",
}  # fmt: skip
"""The names of the filters with several values, as people read them, in the order of the page."""


async def filters_of(question: Question, reader: AgentReader) -> Filters:
    """Return the filters of an agent's list of cases, read with two queries."""
    asked = question.chosen
    rows = await current().fetch(
        _OFFERED,
        asked["type"],
        asked["customer"],
        [one for one in asked["agent"] if one != NOBODY],
        question.project_id,
        asked["tag"],
    )
    named: dict[str, list[tuple[int | str, str, bool]]] = {name: [] for name in (*WORDS, "project")}
    # A category of statuses is shown if the URL contains it, but the form offers only single statuses.
    named["status"] = [(status.value, status.word, False) for status in Status]
    named["agent"] = [(NOBODY, "Nobody", True)]
    for row in rows:
        named[row["filter"]].append((row["id"], row["name"], row["is_offered"]))
    choices = {name: list(_choices(named[name], asked[name])) for name in WORDS}
    chips = [
        Chip(f"{words}: {choice.words}", question.without(name, choice.value))
        for name, words in WORDS.items()
        for choice in choices[name]
        if choice.is_set
    ]
    if question.due:
        chips.append(Chip(f"Deadline: {question.due.word}", question.without("due")))
    if question.project_id is not None:
        project = "".join(words for _, words, _ in named["project"]) or "unknown"
        chips.append(Chip(f"Project: {project}", question.without("project")))
    own = await offered(reader)
    fields = {field.id: field for field in own}
    with reading(reader, None, None):
        chips += [Chip(one.words(fields.get(one.field)), question.without(*one)) for one in question.custom_fields]
    if question.text:
        chips.append(Chip(f"Search: {question.text}", question.without("text")))
    return Filters(WORDS, choices, chips, own)


def _choices(named: Iterable[tuple[int | str, str, bool]], asked: tuple[int | str, ...]) -> Iterable[Choice]:
    """Yield the choices of a filter: its values that are offered or set, then the set values that do not exist.

    `named` has each value that exists, its words, and whether it is offered. `asked` are the values that are set.
    """
    known = set()
    for value, words, is_offered in named:
        known.add(value)
        if is_offered or value in asked:
            yield Choice(value, words, value in asked)
    for value in asked:
        if value not in known:
            yield Choice(value, "unknown", is_set=True)
