"""Move time entries to another case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from portal import outbox
from portal.database import current
from portal.desk.cases import Case
from portal.people.readers import AgentReader
from portal.timekeeping import versions
from portal.timekeeping.versions import Step, Verb


async def hold_customer(customer_id: int) -> None:
    """Lock the customer, so that no manager decides on the customer's time and no run bills it (`billing.locks`)."""
    await current().execute("select id from customer where id = $1 for no key update", customer_id)


COLUMNS = "e.id, e.version, e.state, e.case_id"
"""The columns of an entry `e` that `move` needs. Entries are locked in the order of their ids, as in submitting."""

# Entries of an appointment have moved with the appointment already.
_MOVE = "update time_entry set case_id = $1 where id = any($2) and case_id <> $1"


async def move(time: Sequence[Any], sources: dict[int, Case], target: Case, by: AgentReader, at: datetime) -> None:
    """Move the locked entries `time` to the case `target`, and record a version of each entry.

    `time` are rows with `COLUMNS`. `sources` are the cases that the entries leave, by id. An outbox row makes open
    pages of `target` show the change.
    """
    if not time:
        return
    await current().execute(_MOVE, target.id, [row["id"] for row in time])
    here = f"#{target.number} {target.subject}"
    steps = []
    for row in time:
        source = sources[row["case_id"]]
        steps.append(
            Step(row["id"], row["version"], row["state"], {"case_id": [f"#{source.number} {source.subject}", here]})
        )
    await versions.keep(Verb.CHANGED, steps, by, at)
    await outbox.tell_of([(target.id, target.customer_id)], kind="time.changed", actor=by, at=at)
