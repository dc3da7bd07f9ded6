"""List the time that waits for a manager's approval, by agent, with its cost and with what looks unusual about it.

The counts and sums of all waiting entries come from an index. Only the entries of one page are joined and priced, so
that a page takes equally long however many entries wait.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from portal.billing.allocating.book import Row
from portal.billing.deciding.costs import Cost, amounts_of, costs_of
from portal.billing.deciding.oddness import COLUMNS, IS_ODD, IS_ODD_BY, TYPE_NAME, USUAL, Why, reasons
from portal.contracts.approvers import DECIDES, MAY_DECIDE
from portal.contracts.naming import shown_service
from portal.database import current
from portal.database.counting import Counting, count_all
from portal.people.departments import WORKS_BELOW
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping.filters import GroupCursor
from portal.timekeeping.flags import OPEN_FLAG, OpenFlag

PAGE = 50
"""The maximum number of entries on one page."""
COUNTED = 1000
"""The navigation shows counts up to this number, and "1,000+" for higher counts."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the list of waiting entries, which are entries that a manager has not decided on yet.

    Each of the first five fields narrows the list unless it is None. `until` is the last day whose entries are listed.
    A department includes the departments below it. `only` is `odd` (entries that look odd), `clean` (entries that do
    not look odd), or the code of a rule of `oddness.RULES`, such as `flagged`. With `drafts`, draft entries are listed
    besides submitted entries (C4). `after` is the cursor of the page: the page begins with the next entry.
    """

    until: date | None = None
    agent_id: int | None = None
    department_id: int | None = None
    customer_id: int | None = None
    service_id: int | None = None
    only: str = ""
    drafts: bool = False
    after: GroupCursor | None = None

    @property
    def is_narrowed(self) -> bool:
        """Return whether any filter is set that can leave out submitted entries."""
        return replace(self, drafts=False, after=None) != Filters()


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """One entry of the list, with its cost for the customer.

    `billable_minutes` are the billable minutes that the entry would have if all entries on the page were approved.
    `why` has the reasons to look at the entry twice. If the approval of the entry would be refused, the reason for the
    refusal comes first. `flag` is the open flag of the entry, or None.
    """

    id: int
    version: int
    state: str
    work_date: date
    case_number: int | None
    customer_name: str
    service_name: str
    external_comment: str
    description: str
    actual_minutes: int
    billable_minutes: int
    stretches: str | None
    cost: Cost
    why: tuple[Why, ...]
    flag: OpenFlag | None

    @property
    def choice(self) -> str:
        """Return the value of the tick box of this entry, `id:version`."""
        return f"{self.id}:{self.version}"

    @property
    def is_odd(self) -> bool:
        """Return whether the tick box of this entry is unticked at first, because there is a reason to look twice."""
        return bool(self.why or self.flag)


@dataclass(slots=True)
class Group:
    """The waiting entries of one agent.

    `count` is the number of all waiting entries of the agent, and `all_minutes` are their billable minutes before any
    rounding by day. `entries` are only the entries on this page, the latest day first. `rounds_days` says whether the
    approval may change `all_minutes`, because at least one of the agent's waiting entries is rounded by day. If all the
    agent's waiting entries are on this page, `rounds_days` is False, because the page then does not show `all_minutes`.
    """

    agent_id: int
    agent_name: str
    count: int
    all_minutes: int
    rounds_days: bool = False
    entries: list[WaitingEntry] = field(default_factory=list)

    @property
    def minutes(self) -> int:
        """Return the billable minutes of the entries on this page."""
        return sum(entry.billable_minutes for entry in self.entries)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """Return what customers would pay for the entries on this page, by currency."""
        return amounts_of(self.entries)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One page of waiting entries. `count` is the number of waiting entries on all pages.

    `next` is the cursor of the next page, or None on the last page.
    """

    groups: list[Group]
    count: int
    next: GroupCursor | None

    @property
    def entries(self) -> list[WaitingEntry]:
        """Return all entries on the page."""
        return [entry for group in self.groups for entry in group.entries]


_STATES = {False: "e.state = 'submitted'", True: "e.state in ('draft', 'submitted')"}
WITH = f"with recursive {DECIDES}, {USUAL}"
"""SQL of the common table expressions that the condition of `narrowed` needs, to be put before the query."""


def narrowed(by: AgentReader, filters: Filters, at: datetime) -> tuple[str, list[Any]]:
    """Return the SQL condition for the entries `e` on which `by` may decide at `at`, and its parameter values.

    The condition needs the tables of `WITH`. `$1` is the id of `by`, and `$2` the date at `at` in the time zone of
    `by`. Managers decide on the time of the departments and services for which they are designated. On the days of an
    absence, the deputy of a designated manager decides too. Admins decide on all time. Nobody decides on their own time
    (C10, D33). `filters` narrows the entries further; the cursor in `filters` is ignored.
    """
    parts, values = [_STATES[filters.drafts], "e.agent_id <> $1"], [by.id, today(by.time_zone, at)]
    if not by.is_admin:
        parts.append(MAY_DECIDE)
    if filters.only:
        parts.append({"odd": IS_ODD, "clean": f"not {IS_ODD}"}.get(filters.only) or IS_ODD_BY[filters.only])
    for condition, value in (
        ("e.work_date <= {}", filters.until),
        ("e.agent_id = {}", filters.agent_id),
        (WORKS_BELOW, filters.department_id),
        ("e.customer_id = {}", filters.customer_id),
        ("e.service_id = {}", filters.service_id),
    ):
        if value is not None:
            values.append(value)
            parts.append(condition.format(f"${len(values)}"))
    return " and ".join(parts), values


_GROUPS = """
select w.*, g.name as agent_name
from (select e.agent_id, count(*) as count, sum(e.billable_minutes) as minutes from time_entry e where {narrowed} group by e.agent_id) w
join agent g on g.id = w.agent_id order by folded(g.name), g.id
"""

# For each agent in turn, this query reads a range of an index; other columns are read only for the entries on the
# page.
_ROWS = """
select e.id, e.version, e.state, e.agent_id, g.name as agent_name, e.work_date, c.number, e.customer_id,
       coalesce(u.name, 'General') as customer_name, coalesce({service}, '') as service_name, e.external_comment, e.description,
       e.actual_minutes, e.billable_minutes, e.stretches, {flag} as flag, {type_name} as type_name, {odd}
from (
  select w.id, a.place from unnest({agents}::bigint[]) with ordinality as a (agent_id, place)
  cross join lateral (
    select e.id, e.work_date from time_entry e
    where e.agent_id = a.agent_id and {narrowed} and (a.place > 1 or (e.work_date, e.id) < ({day}::date, {last}::bigint))
    order by e.work_date desc, e.id desc limit {most}
  ) w
  order by a.place, w.work_date desc, w.id desc limit {most}
) w
join time_entry e on e.id = w.id
join agent g on g.id = e.agent_id
left join customer u on u.id = e.customer_id
left join cases c on c.id = e.case_id
order by w.place, e.work_date desc, e.id desc
"""


async def list_waiting(by: AgentReader, filters: Filters = Filters(), *, at: datetime, size: int = PAGE) -> Waiting:
    """Return a page of the time that `by` may decide on at `at`, grouped by agent.

    `filters` narrows the list and holds the cursor. If no entry follows the cursor, return the first page. `size` is
    the maximum number of entries.
    """
    condition, values = narrowed(by, filters, at)
    rows = await current().fetch(WITH + _GROUPS.format(narrowed=condition), *values)
    groups = [Group(row["agent_id"], row["agent_name"], row["count"], row["minutes"]) for row in rows]
    found = await _page(groups, condition, values, filters.after, size) if filters.after else []
    found = found or await _page(groups, condition, values, None, size)
    shown = found[:size]
    costs = await costs_of({row["customer_id"] for row in shown} - {None}, [row["id"] for row in shown])
    by_agent = {group.agent_id: group for group in groups}
    for row in shown:
        by_agent[row["agent_id"]].entries.append(_entry(row, costs.get(row["id"], Cost())))
    long = {group.agent_id: group for group in groups if 0 < len(group.entries) < group.count}
    for row in await _rounding_days(list(long), condition, values):
        long[row["agent_id"]].rounds_days = True
    last = shown[-1] if len(found) > size else None
    return Waiting(
        [group for group in groups if group.entries],
        sum(group.count for group in groups),
        GroupCursor(last["agent_id"], last["work_date"], last["id"]) if last else None,
    )


async def _rounding_days(agent_ids: list[int], condition: str, values: list[Any]) -> Sequence[Row]:
    """Return a row with `agent_id` for each of these agents who has waiting entries that are rounded by day."""
    if not agent_ids:
        return []
    agents = f"${len(values) + 1}"
    return await current().fetch(WITH + _ROUNDING_DAYS.format(narrowed=condition, agents=agents), *values, agent_ids)


_ROUNDING_DAYS = """
select a.agent_id from unnest({agents}::bigint[]) as a (agent_id)
where exists (select from time_entry e where e.agent_id = a.agent_id and e.rounded_by_day and {narrowed})
"""


async def _page(
    groups: Sequence[Group], condition: str, values: list[Any], after: GroupCursor | None, size: int
) -> Sequence[Row]:
    """Return the rows of one page, and one row more if another page follows."""
    agents = list(_agents(groups, after, size))
    if not agents:
        return []
    day, last = (after.work_date, after.entry_id) if after else (date.max, 2**63 - 1)
    places = {name: f"${len(values) + place}" for place, name in enumerate(("agents", "day", "last", "most"), 1)}
    sql = _ROWS.format(
        narrowed=condition,
        service=shown_service("e.service_id"),
        flag=OPEN_FLAG,
        type_name=TYPE_NAME,
        odd=COLUMNS,
        **places,
    )
    return await current().fetch(WITH + sql, *values, agents, day, last, size + 1)


def _agents(groups: Sequence[Group], after: GroupCursor | None, size: int) -> Iterator[int]:
    """Yield the ids of the agents whose entries fill the page, in the order of the list.

    With a cursor, the first agent is the agent of the cursor. It is not known how many entries of this agent follow the
    cursor, so none of them count towards the size of the page.
    """
    ids = [group.agent_id for group in groups]
    if after and after.group_id not in ids:
        return
    first = ids.index(after.group_id) if after else 0
    left = size + 1
    for place, group in enumerate(groups[first:]):
        if left <= 0:
            return
        yield group.agent_id
        left -= 0 if after and place == 0 else group.count


def _entry(row: Row, cost: Cost) -> WaitingEntry:
    return WaitingEntry(
        id=row["id"],
        version=row["version"],
        state=row["state"],
        work_date=row["work_date"],
        case_number=row["number"],
        customer_name=row["customer_name"],
        service_name=row["service_name"],
        external_comment=row["external_comment"],
        description=row["description"],
        actual_minutes=row["actual_minutes"],
        billable_minutes=row["billable_minutes"] if cost.minutes is None else cost.minutes,
        stretches=row["stretches"],
        cost=cost,
        why=tuple(_why(row, cost)),
        flag=OpenFlag.read(row["flag"]),
    )


def _why(row: Row, cost: Cost) -> Iterable[Why]:
    """Yield the reasons to look twice at an entry.

    If the approval of the entry would be refused, the reason for the refusal comes first. In this case, the reasons
    that the day is before the start or after the end are left out, because the refusal says the same.
    """
    if cost.refusal:
        yield Why("refused", cost.refusal)
    for why in reasons(row):
        if not cost.refusal or why.code not in ("before_start", "after_end"):  # The refusal says the same.
            yield why


_COUNT = f"select count(*) from (select from time_entry e where {{narrowed}} limit {COUNTED + 1}) as counted"  # noqa: S608


def counting_waiting(by: AgentReader, at: datetime) -> Counting:
    """Return the query that counts the submitted entries on which `by` may decide at `at`, up to `COUNTED` + 1.

    For an agent who is not a manager, the query returns 0.
    """
    if not by.is_manager:
        return Counting("select 0")
    condition, values = narrowed(by, Filters(), at)
    return Counting(f"with recursive {DECIDES}" + _COUNT.format(narrowed=condition), tuple(values))


async def waiting_count(by: AgentReader, at: datetime) -> int:
    """Return how many submitted entries `by` may decide on at `at`, at most `COUNTED` + 1.

    Return 0 if `by` is not a manager.
    """
    return (await count_all({"waiting": counting_waiting(by, at)}))["waiting"]
