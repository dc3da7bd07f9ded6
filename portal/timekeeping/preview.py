"""Explain a time entry while its form is being filled in: what was read, what counts, and what the customer sees."""

from dataclasses import dataclass
from datetime import date

from portal.database import current
from portal.durations import Rounding, RoundingMode, clock, parse_duration, spoken
from portal.people.readers import AgentReader
from portal.timekeeping.rules import counted, why_not_billable_on
from portal.words import EntryBilling

WAITING = "Write how long it took: 1h 30m, 90m, 1:30 or 9-10:45."
UNDER_NO_SERVICE = "Choose a service, so that it can be billed."
GENERAL = "General time: nothing of it counts."


@dataclass(frozen=True, slots=True)
class Understood:
    """Hold what the form shows about the entry so far.

    `wrong` is a sentence if the duration cannot be read, `warning` one if a manager could not approve the entry;
    otherwise they are "". `text` and `rounding` say how many minutes count, and why. `seen` are the parts of the row
    that the customer will see (comment, role, minutes as h:min, "no charge"); empty if the customer will see nothing.
    """

    wrong: str = ""
    warning: str = ""
    text: str = ""
    rounding: str = WAITING
    work_date: date | None = None
    seen: tuple[str, ...] = ()


_SERVICE = """
select s.rounding_minimum, s.rounding_increment, s.rounding_mode, s.name, s.effective_start,
  k.name as contract, k.start_on, k.end_on,
  (select r.name from agent a join role r on r.id = a.role_id where a.id = $3) as role
from service s join contract k on k.id = s.contract_id where s.id = $1 and s.customer_id = coalesce($2, s.customer_id)
"""


async def understood(
    by: AgentReader,
    customer_id: int | None,
    *,
    duration: str,
    work_date: str,
    service_id: int | None,
    billing: str,
    external_comment: str,
) -> Understood:
    """Return what the form shows about the text typed so far, by one query. Invalid text never raises.

    With `customer_id` None, the service may be any customer's.
    """
    if not duration.strip():
        return Understood()
    try:
        minutes = parse_duration(duration)
    except ValueError as error:
        return Understood(wrong=str(error))
    choice = EntryBilling(billing) if billing in list(EntryBilling) else EntryBilling.BILLABLE
    if choice is EntryBilling.NOT_BILLABLE:
        return Understood(text=spoken(minutes), rounding="Not billable: nothing of it counts.")
    row = await current().fetchrow(_SERVICE, service_id, customer_id, by.id)
    if row is None:
        return Understood(text=spoken(minutes), rounding=GENERAL if customer_id is None else UNDER_NO_SERVICE)
    rounding = Rounding(row["rounding_minimum"], row["rounding_increment"], RoundingMode(row["rounding_mode"]))
    counts = counted(minutes, choice, rounding).minutes
    parts = (
        external_comment.strip(),
        row["role"] or "",
        clock(counts),
        "no charge" if choice is EntryBilling.NO_CHARGE else "",
    )
    day = _day(work_date)
    begins = max(row["start_on"], row["effective_start"])
    return Understood(
        warning=why_not_billable_on(day, row["name"], begins, row["contract"], row["end_on"]) if day else "",
        text=f"{spoken(minutes)}, counts {spoken(counts)}",
        rounding=words_of(rounding),
        work_date=day,
        seen=tuple(filter(None, parts)),
    )


def words_of(rounding: Rounding) -> str:
    """Return the rounding of a service as sentences for the agent who logs time."""
    step = f"Rounded {rounding.mode.phrase} {spoken(rounding.increment)}." if rounding.increment > 1 else ""
    least = f"At least {spoken(rounding.minimum)}." if rounding.minimum else ""
    return " ".join(filter(None, (step, least))) or "Counts as it was worked."


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
