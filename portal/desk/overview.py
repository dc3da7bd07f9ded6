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
    is the number of all cases that the contact may see; `COUNTED` + 1 stands for any larger number.
    """

    waiting: list[Brief]
    waiting_count: int
    in_work: list[Brief]
    in_work_count: int
    solved: list[Brief]
    total: int


async def overview(reader: ContactReader, at: datetime) -> Overview:
    """Return the cases for the home page of `reader` at the instant `at`, read with one query."""
    rows = await current().fetch(
        f"""
        with mine as (
          select c.id, c.number, c.subject, c.status, c.resolved_at, c.updated_at, c.agent_id, c.opened_by_agent_id is not null as opened_by_us,
            c.status = 'waiting_for_customer' as waits, c.status = 'resolved' as solved, c.due_at,
            {_STATUS} as status_word
          from cases c where {Case.visible_sql(reader, "c")}
            and (c.status not in ('resolved', 'closed') or (c.status = 'resolved' and c.resolved_at > $1))
        ), placed as (
          select *, count(*) over (partition by waits, solved) as many, row_number() over (partition by waits, solved
            order by status = 'waiting_for_others', case when not waits and not solved then due_at end, updated_at desc, id desc) as place
          from mine
        )
        select p.*, a.name as agent, {_CLOCK} as clock, r.said, r.said_by, r.said_at,
          (select count(*) from (select 1 from cases c where {Case.visible_sql(reader, "c")} limit {COUNTED} + 1) as counted) as total
        from (select 1) as one left join placed p on p.place <= {MOST} left join agent a on a.id = p.agent_id
        left join lateral (select left(m.text, 400) as said, m.author_name as said_by, m.at as said_at from message m
          where p.waits and m.case_id = p.id and m.kind = 'reply' and m.agent_id is not null order by m.at desc, m.id desc limit 1) as r on true
        order by p.place""",  # noqa: S608
        at - RECENTLY,
    )
    found = [row for row in rows if row["number"] is not None]
    waiting, solved = ([row for row in found if row[name]] for name in ("waits", "solved"))
    in_work = [row for row in found if not (row["waits"] or row["solved"])]
    return Overview(
        waiting=[_brief(row) for row in waiting],
        waiting_count=waiting[0]["many"] if waiting else 0,
        in_work=[_brief(row) for row in in_work],
        in_work_count=in_work[0]["many"] if in_work else 0,
        solved=[_brief(row) for row in solved],
        total=rows[0]["total"],
    )


def _brief(row: dict[str, object]) -> Brief:
    values = {name: row[name] for name in Brief.__slots__}
    said = plain(str(row["said"] or ""))
    values["said"] = said if len(said) <= LONGEST_QUOTE else said[:LONGEST_QUOTE].rsplit(" ", 1)[0] + " …"
    return Brief(**values | {"status": Status(str(row["status"])), "clock": Clock.read(str(row["clock"]))})  # type: ignore[arg-type]
