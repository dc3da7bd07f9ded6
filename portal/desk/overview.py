"""Read the cases on a contact's home page: those waiting for the customer, other open ones, and recently resolved ones."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.database import current
from portal.desk.cases import Case
from portal.desk.deadlines.promises import Clock, clock_sql
from portal.desk.lists.questions import COUNTED
from portal.desk.workflow import Status
from portal.desk.workflow.moves import name_sql
from portal.people.readers import ContactReader
from portal.render import plain

MOST = 5
"""The maximum number of cases in each list on the home page."""
RECENTLY = timedelta(days=7)
"""How long a resolved case stays on the home page."""
LONGEST_QUOTE = 140

_CLOCK = clock_sql("p")
_STATUS = name_sql("c", for_contact=True)


@dataclass(frozen=True, slots=True)
class Brief:
    """A case as a contact's home page shows it.

    `agent` is the name of the agent to whom the case is assigned. `said`, `said_by` and `said_at` are the shortened
    text, the author and the instant of the agents' latest reply. If the case does not wait for the customer or has no
    such reply, `said` is "", and `said_by` and `said_at` are None. `opened_by_us` is True if an agent opened the case.
    """

    number: int
    subject: str
    status: Status
    status_word: str
    agent: str | None
    resolved_at: datetime | None
    said: str | None
    said_by: str | None
    said_at: datetime | None
    opened_by_us: bool
    clock: Clock


@dataclass(frozen=True, slots=True)
class Overview:
    """The cases on a contact's home page, at most `MOST` in each list.

    `waiting` lists cases that wait for the customer, latest change first, and `waiting_count` is the number of all such
    cases. `in_work` lists all other open cases by their deadlines, and at the end the cases that wait for others;
    `in_work_count` is the number of all such cases. `solved` lists cases that were resolved within `RECENTLY`. `total`
    is the number of all cases that the contact may see. In these three numbers, `COUNTED` + 1 stands for any number
    above `COUNTED`.
    """

    waiting: list[Brief]
    waiting_count: int
    in_work: list[Brief]
    in_work_count: int
    solved: list[Brief]
    total: int


async def overview(reader: ContactReader, at: datetime) -> Overview:
    """Return the cases for the home page of `reader` at the instant `at`, read with one query."""
    rows = await current().fetch(_sql(Case.visible_sql(reader, "c")), at - RECENTLY)
    lists: dict[str, list[Brief]] = {name: [] for name in _LISTS}
    for row in rows:
        if row["list"]:
            lists[row["list"]].append(_brief(row))
    one = rows[0]
    return Overview(**lists, waiting_count=one["waiting_count"], in_work_count=one["in_work_count"], total=one["total"])


_WAITING = "c.status = 'waiting_for_customer'"
_IN_WORK = "c.status in ('new', 'open', 'waiting_for_others')"
# A subquery, because the value of a plain parameter makes PostgreSQL plan the whole query anew each time.
_SINCE = "(select $1::timestamptz)"
_LISTS = {
    "waiting": (_WAITING, "c.updated_at desc, c.id desc"),
    # The index cases_in_work_of_customer has this order.
    "in_work": (_IN_WORK, "(c.status = 'waiting_for_others'), c.due_at, c.updated_at desc, c.id desc"),
    # No case was resolved after its latest change. So the condition on `updated_at` leaves out no case, and with it the
    # search in the index cases_by_customer ends early.
    "solved": (
        f"c.status = 'resolved' and c.resolved_at > {_SINCE} and c.updated_at > {_SINCE}",
        "c.updated_at desc, c.id desc",
    ),
}
"""The SQL condition and the order of each list of `Overview`, by the name of its attribute."""


def _sql(visible: str) -> str:
    """Return the query for the page, given the SQL condition for the cases that the contact may see.

    Each list is read in the order of an index, so that the page is equally fast for a customer with many open cases.
    """
    lists = " union all ".join(
        f"(select '{name}' as list, row_number() over (order by {order}) as place, c.id, c.number, c.subject, c.status,"  # noqa: S608
        f" c.resolved_at, c.agent_id, c.opened_by_agent_id is not null as opened_by_us, {_STATUS} as status_word"
        f" from cases c where {visible} and {condition} order by {order} limit {MOST})"
        for name, (condition, order) in _LISTS.items()
    )
    counts = ", ".join(
        f"(select count(*) from (select from cases c where {visible}{condition} limit {COUNTED} + 1) x) as {name}"  # noqa: S608
        for name, condition in (
            ("waiting_count", f" and {_WAITING}"), ("in_work_count", f" and {_IN_WORK}"), ("total", "")
        )
    )  # fmt: skip
    return f"""
        select p.*, a.name as agent, {_CLOCK} as clock, r.said, r.said_by, r.said_at, {counts}
        from (select 1) as one left join ({lists}) p on true left join agent a on a.id = p.agent_id
        left join lateral (select left(m.text, 400) as said, m.author_name as said_by, m.at as said_at from message m
          where p.list = 'waiting' and m.case_id = p.id and m.kind = 'reply' and m.agent_id is not null order by m.at desc, m.id desc limit 1)
          as r on true
        order by p.place"""  # noqa: S608


def _brief(row: dict[str, object]) -> Brief:
    values = {name: row[name] for name in Brief.__slots__}
    said = plain(str(row["said"] or ""))
    values["said"] = said if len(said) <= LONGEST_QUOTE else said[:LONGEST_QUOTE].rsplit(" ", 1)[0] + " …"
    return Brief(**values | {"status": Status(str(row["status"])), "clock": Clock.read(str(row["clock"]))})  # type: ignore[arg-type]
