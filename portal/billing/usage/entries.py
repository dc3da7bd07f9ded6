"""List the approved time behind the hours of a service, as its customer may see it (D57)."""

from collections.abc import Collection
from typing import Any

from portal.billing.sentences import COVERED_BY
from portal.database import current
from portal.periods import Period

Row = Any

SHOWN = 50
"""The maximum number of entries on one page."""

_ENTRIES = """
select * from approved_time t where t.service_id = $1 and t.work_date >= $2 and t.work_date < $3
  and ($4::bigint is null or (t.work_date, t.id) < (select b.work_date, b.id from approved_time b where b.id = $4))
order by t.work_date desc, t.id desc limit $5
"""


async def approved_time(
    service_id: int, period: Period, before: int | None = None
) -> tuple[list[dict[str, Any]], int | None]:
    """Return a page of the approved entries of a service in a period, the latest first, and the next cursor or None.

    In each row, `covered_by` says in words what pays for the entry. `before` is the cursor: the id of the last entry on
    the previous page.
    """
    rows = await current().fetch(_ENTRIES, service_id, period.start, period.end, before, SHOWN + 1)
    shown = [dict(row) | {"covered_by": cover_words(row["kinds"])} for row in rows[:SHOWN]]
    return shown, rows[SHOWN - 1]["id"] if len(rows) > SHOWN else None


def cover_words(kinds: Collection[str] | None) -> str:
    """Return the words for what pays for an entry, such as "included hours, charged".

    `kinds` are the kinds of the entry's allocations. If there are none, return the words for no charge.
    """
    return ", ".join(words for kind, words in COVERED_BY.items() if kind in (kinds or ("no_charge",)))
