"""Forgotten time: days on which an agent worked on a case, according to the case's log, but logged no time on it.

Only the log of the case is read: the replies that the agent wrote, and whether the agent resolved or closed the case.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from piccolo.columns import BigInt, Date, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.batches import Report, all_or_report
from portal.desk.cases import Case
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work

DAYS = 28
"""The number of days, up to yesterday, that are searched for forgotten time."""
MOST = 200
"""The maximum number of suggestions on a page. One more is read to find out whether there are more."""
QUARTER = 15
"""The minutes suggested for each quarter of an hour in which the agent replied, or resolved or closed the case."""
_COUNTS = ("", "once", "twice", *(f"{word} times" for word in "three four five six seven eight nine".split()))


class ForgottenDismissal(Table, tablename="forgotten_dismissal"):
    """An agent's decision that there is no time to log on a case for a day. The day is no longer suggested then."""

    customer_id = BigInt(default=None)
    case_id = BigInt(default=None, primary_key=True)
    agent_id = BigInt(default=None)
    work_date = Date(default=None)
    dismissed_at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True, order=True)
class Pick:
    """A case and a day; forms write it as `1042.2026-11-12`."""

    number: int
    day: date

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the pick for which `str` returns `text`, or None if there is no such pick."""
        found = re.fullmatch(r"([0-9]{1,15})\.(\d{4}-\d{2}-\d{2})", text, re.ASCII)
        try:
            return cls(int(found[1]), date.fromisoformat(found[2])) if found else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.number}.{self.day.isoformat()}"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Work of an agent on a case on one day without logged time, and the minutes that are suggested for it.

    `replies` is the number of replies. `ended` is the last status, `resolved` or `closed`, that the agent gave the case
    on that day, or None.
    """

    case_id: int
    customer_id: int
    number: int
    subject: str
    customer: str
    day: date
    replies: int
    ended: str | None
    minutes: int

    @property
    def pick(self) -> Pick:
        """Return the case and day that identify this suggestion in forms."""
        return Pick(self.number, self.day)

    @property
    def action(self) -> str:
        """Return what the agent did, such as `replied four times and closed`."""
        said = _COUNTS[self.replies] if self.replies < len(_COUNTS) else f"{self.replies} times"
        return " and ".join(filter(None, (f"replied {said}" if self.replies else "", self.ended or "")))

    @property
    def sentence(self) -> str:
        """Return the work as a sentence, such as `You replied four times and closed #1042`."""
        return f"You {self.action}{'' if self.ended else ' on'} #{self.number}"


_FORGOTTEN = f"""
with action as (
  select case_id, at, null as ended from message where agent_id = $1 and kind = 'reply' and at >= $2 and at < $3
  union all
  select coalesce(m.merged_into_id, m.id), at, details ->> 'to' from case_event v join cases m on m.id = v.case_id
  where v.agent_id = $1 and kind = 'status' and details ->> 'to' in ('resolved', 'closed') and at >= $2 and at < $3
), day as (
  select case_id, (at at time zone $4)::date as day, count(*) filter (where ended is null) as replies,
    (array_agg(ended order by at desc) filter (where ended is not null))[1] as ended,
    count(distinct date_bin('{QUARTER} minutes', at, '2000-01-01'))::int * {QUARTER} as minutes
  from action group by case_id, 2
)
select c.id as case_id, c.customer_id, c.number, c.subject, u.name as customer, d.day, d.replies, d.ended, d.minutes
from day d join cases c on c.id = d.case_id join customer u on u.id = c.customer_id
where not exists (select from time_entry e where e.agent_id = $1 and e.case_id = d.case_id and e.work_date = d.day)
  and not exists (select from timer t where t.agent_id = $1 and t.case_id = d.case_id and t.ended_at is null)
  and {{dismissed}} exists (select from forgotten_dismissal f join cases m on m.id = f.case_id
    where f.agent_id = $1 and coalesce(m.merged_into_id, m.id) = d.case_id and f.work_date = d.day and f.dismissed_at >= $5)
order by d.day desc, c.number limit {MOST + 1}
"""  # noqa: S608 (our own numbers)


async def forgotten_by(reader: AgentReader, at: datetime) -> list[Forgotten]:
    """Return the reader's work of the last `DAYS` days without logged time, by day and case, the latest day first.

    At most `MOST` + 1 suggestions are returned. Days begin and end in the reader's time zone. Left out are today, cases
    for which the reader has a timer that has not ended, and suggestions that the reader has dismissed.
    """
    return await _found(reader, at, "not", None)


async def dismissed_by(reader: AgentReader, at: datetime) -> list[Forgotten]:
    """Return the suggestions that the reader dismissed within the last 24 hours, so that the reader can restore them."""
    return await _found(reader, at, "", at - timedelta(days=1))


async def _found(reader: AgentReader, at: datetime, dismissed: str, since: datetime | None) -> list[Forgotten]:
    first, last = _bounds(today(reader.time_zone, at), reader.zone)
    sql = _FORGOTTEN.format(dismissed=dismissed)
    # Only past days are suggested, so none of these days was dismissed before `first`.
    rows = await current().fetch(sql, reader.id, first, last, reader.time_zone, since or first)
    return [Forgotten(**dict(row)) for row in rows]


def _bounds(now: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of the day `DAYS` days before `now`, and the first instant of the day `now`."""
    first, last = (datetime.combine(day, time(), zone) for day in (now - timedelta(days=DAYS), now))
    return first, last


async def log_forgotten(reader: AgentReader, picks: Iterable[Pick], *, at: datetime) -> Report[Pick, TimeEntry]:
    """Create a draft entry with the suggested minutes for each pick that is still suggested.

    The report has the new entries, and a `Conflict` for each pick that is no longer suggested. The reader's suggestions
    are locked, so that sending the form twice creates no entry twice.
    """
    await _hold(reader)
    known = {found.pick: found for found in await forgotten_by(reader, at)}

    async def log(pick: Pick) -> TimeEntry:
        if pick not in known:
            raise Conflict(f"#{pick.number}: time is logged, or the suggestion was dismissed in the meantime.")
        found, case = known[pick], await Case.find(pick.number, reader)
        work = Work(
            minutes=found.minutes, work_date=found.day, service_id=case.service_id,
            description=f"{found.action[0].upper()}{found.action[1:]}",
        )  # fmt: skip
        return await TimeEntry.log(reader, work, at=at, case=case)

    return await all_or_report(list(dict.fromkeys(picks)), log, reader=reader)


async def dismiss(reader: AgentReader, picks: Iterable[Pick], *, at: datetime) -> int:
    """Dismiss the suggestions `picks`, for which there is no time to log, and return how many were dismissed.

    Picks that are not (or no longer) suggested to the reader are ignored and not counted.
    """
    await _hold(reader)
    wanted = set(picks)
    found = [one for one in await forgotten_by(reader, at) if one.pick in wanted]
    await current().executemany(
        "insert into forgotten_dismissal (customer_id, case_id, agent_id, work_date, dismissed_at) values ($1, $2, $3, $4, $5)"
        " on conflict do nothing",
        [(one.customer_id, one.case_id, reader.id, one.day, at) for one in found],
    )  # fmt: skip
    return len(found)


async def suggest_again(reader: AgentReader, pick: Pick) -> None:
    """Undo the reader's dismissal of the suggestion `pick`. If there is no such dismissal, nothing changes."""
    case = await Case.find(pick.number, reader)
    await current().execute(
        "delete from forgotten_dismissal f using cases m where m.id = f.case_id and f.agent_id = $1 and f.work_date = $3"
        " and coalesce(m.merged_into_id, m.id) = $2",
        reader.id, case.id, pick.day,
    )  # fmt: skip


async def _hold(reader: AgentReader) -> None:
    await current().execute("select pg_advisory_xact_lock(hashtextextended('forgotten time', $1))", reader.id)
