"""The rules by which time entries look odd: each has a code, and a sentence that says why to look twice.

Each rule is an SQL expression on a time entry `e`: null if the rule does not apply, else the value that its
sentence mentions. So the same rules can mark the rows of a page, filter rows, and count the rows of each kind.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from portal.billing.allocating.book import Row
from portal.durations import spoken
from portal.timekeeping.flags import IS_FLAGGED

MOST_A_DAY = 10 * 60
"""If an agent logged more minutes than this on one day, the entries of that day look odd."""
LATELY = 1_000
"""The number of latest entries from which the usual length of each type of work is computed."""
ENOUGH = 20
"""A type of work has a usual length only if at least this many of the latest `LATELY` entries have the type."""
USUAL_TIMES, USUAL_FROM = 3, 60
"""An entry is longer than usual if it has more than `USUAL_TIMES` times the median minutes of its type of work.

An entry of at most `USUAL_FROM` minutes is never longer than usual.
"""

_TYPE = """
case when {e}.task_id is not null then 't' || {e}.task_id when {e}.case_id is not null then
  'c' || (select case_type_id from cases where id = {e}.case_id)
when {e}.general_kind_id is not null then 'g' || {e}.general_kind_id when {e}.project_id is not null then 'p' || {e}.project_id
else 's' || {e}.service_id end
"""
USUAL = f"""
usual as materialized (
  select type, (percentile_disc(0.5) within group (order by actual_minutes))::int as minutes
  from (select {_TYPE.format(e="l")} as type, l.actual_minutes
        from (select * from time_entry order by id desc limit {LATELY}) l where l.state <> 'rejected') lately
  where type is not null group by type having count(*) >= {ENOUGH}
)"""  # noqa: S608
"""SQL of a common table expression: the median minutes of the latest entries, by type of work.

The type is the task, or else the case type, the kind of general time, the project or the service.
"""

TYPE_NAME = """
coalesce((select name from task where id = e.task_id),
  (select t.name from cases o join case_type t on t.id = o.case_type_id where o.id = e.case_id),
  (select name from general_kind where id = e.general_kind_id), (select name from project where id = e.project_id),
  (select name from service where id = e.service_id))
"""
"""SQL expression that returns the name of the type of the time entry `e`, for the sentence about its usual length."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to look twice at a time entry.

    `title` is the name of the rule in filters and counts. `sql` is the SQL expression that returns the value that the
    rule found, or null. `sentence` returns the sentence for this value and the entry's row.
    """

    code: str
    title: str
    sql: str
    sentence: Callable[[Any, Row], str]


@dataclass(frozen=True, slots=True)
class Why:
    """A reason to look twice at an entry: the code of the rule, and the sentence that says why."""

    code: str
    sentence: str


_DAY = "%-d %b"
RULES = (
    Rule("flagged", "Flagged", f"case when {IS_FLAGGED} then true end", lambda found, row: ""),
    Rule(
        "no_comment",
        "No external comment",
        "case when e.external_comment !~ '[^[:space:]]' and e.billing <> 'not_billable' then true end",
        lambda found, row: f"No external comment. {row['customer_name']} will see an empty row.",
    ),
    Rule(
        "before_start",
        "Before the service began",
        "(select greatest(s.effective_start, k.start_on) from service s join contract k on k.id = s.contract_id where s.id = e.service_id"
        " and e.billing <> 'not_billable' and e.work_date < greatest(s.effective_start, k.start_on))",
        lambda found, row: f"The service begins on {found:%-d %b %Y}.",
    ),
    Rule(
        "after_end",
        "After the contract ended",
        "(select k.end_on from service s join contract k on k.id = s.contract_id where s.id = e.service_id"
        " and e.billing <> 'not_billable' and e.work_date >= k.end_on)",
        lambda found, row: f"The contract ended on {found:%-d %b %Y}.",
    ),
    Rule(
        "after_closed",
        "After the case was closed",
        "(select (c.closed_at at time zone g.time_zone)::date from cases c, agent g where c.id = e.case_id and g.id = e.agent_id"
        " and case when e.started_at is null then e.work_date > (c.closed_at at time zone g.time_zone)::date"
        " else e.started_at > c.closed_at end)",
        lambda found, row: f"The case was closed on {found:{_DAY}}.",
    ),
    Rule(
        "longer",
        "Longer than usual",
        f"(select y.minutes from usual y where y.type = {_TYPE.format(e='e')}"  # noqa: S608
        f" and e.actual_minutes > greatest({USUAL_TIMES} * y.minutes, {USUAL_FROM}))",
        lambda found, row: f"Longer than usual: most entries of “{row['type_name']}” take about {spoken(found)}.",
    ),
    Rule(
        "weekend",
        "At a weekend",
        "case when extract(isodow from e.work_date) >= 6 then true end",
        lambda found, row: f"On a {row['work_date']:%A}.",
    ),
    Rule(
        "long_day",
        "A long day",
        f"(select nullif(greatest(sum(o.actual_minutes), {MOST_A_DAY}), {MOST_A_DAY}) from time_entry o"  # noqa: S608
        " where o.agent_id = e.agent_id and o.work_date = e.work_date and o.state <> 'rejected')",
        lambda found, row: f"{found // 60} h {found % 60} min were logged on that day altogether.",
    ),
    Rule(
        "overlap",
        "Overlaps with other time",
        "(select to_char(min(o.started_at) at time zone e.time_zone, 'HH24:MI') from time_entry o"
        " where o.agent_id = e.agent_id and o.started_at < e.ended_at and o.started_at > e.started_at - interval '25 hours'"
        " and o.ended_at > e.started_at and o.id <> e.id and o.state <> 'rejected')",
        lambda found, row: f"Overlaps with other time from {found}.",
    ),
    Rule(
        "same_text",
        "Same text as before",
        "(select max(o.work_date) from time_entry o where o.case_id = e.case_id and o.agent_id = e.agent_id"
        " and md5(o.external_comment) = md5(e.external_comment) and o.external_comment = e.external_comment"
        " and o.external_comment <> '' and o.id < e.id and o.state <> 'rejected')",
        lambda found, row: f"Same text as an entry of {found:{_DAY}} on this case.",
    ),
)
"""The rules, in the order in which pages list them."""
TITLES = {rule.code: rule.title for rule in RULES}

COLUMNS = ", ".join(f"{rule.sql} as odd_{rule.code}" for rule in RULES)
"""SQL columns that return what each rule found about the time entry `e`; they need the table `USUAL`."""
IS_ODD = "(" + " or ".join(f"({rule.sql}) is not null" for rule in RULES) + ")"
"""SQL condition that the time entry `e` looks odd by at least one rule; it needs the table `USUAL`."""
IS_ODD_BY = {rule.code: f"({rule.sql}) is not null" for rule in RULES}
"""The SQL condition that a rule applies to the time entry `e`, by the code of the rule.

The condition of the rule `longer` needs the table `USUAL`.
"""


def reasons(row: Row) -> Iterator[Why]:
    """Yield the reasons to look twice at an entry whose row has the columns `COLUMNS`.

    The rule `flagged` is left out, because pages show the question of the flag instead.
    """
    for rule in RULES:
        if rule.code != "flagged" and (found := row[f"odd_{rule.code}"]) is not None:
            yield Why(rule.code, rule.sentence(found, row))
