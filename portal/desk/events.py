"""The log of each case: what happened, who did it and when.

An event is inserted in the transaction of the change that it records. The database refuses to update or delete one.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.table import Table

from portal.desk.workflow import Status
from portal.durations import spoken
from portal.people.readers import Reader, System


class CaseEvent(Table, tablename="case_event"):
    """One line of a case's log.

    `details` holds names and values as they were at the time of the event. `contact_id` or `agent_id` is the person who
    did it, and `actor_name` their name at that time. Contacts may read the line only if `contact_may_know` is true.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    case_id = BigInt(default=None)
    kind = Text(default=None)
    contact_may_know = Boolean(default=None)
    contact_id = BigInt(null=True, default=None)
    agent_id = BigInt(null=True, default=None)
    actor_name = Text(default=None)
    details = JSONB(default=None)
    at = Timestamptz(default=None)


async def record(
    case_id: int,
    customer_id: int,
    kind: str,
    *,
    by: Reader | System,
    contact_may_know: bool,
    at: datetime,
    details: Mapping[str, object] | None = None,
) -> int:
    """Insert one line into the case's log, in the caller's transaction, and return its id.

    `kind` decides the sentence (see `words_of`), and `details` holds the names and values that the sentence mentions.
    With `contact_may_know` False, only agents see the line.
    """
    contact_id, agent_id = author_of(by)
    event = CaseEvent(
        customer_id=customer_id, case_id=case_id, kind=kind, contact_may_know=contact_may_know, contact_id=contact_id, agent_id=agent_id,
        actor_name=by.name, details=json.dumps(details or {}), at=at,
    )  # fmt: skip
    (inserted,) = await CaseEvent.insert(event)
    return int(inserted["id"])


def author_of(by: Reader | System) -> tuple[int | None, int | None]:
    """Return the ids of the contact and of the agent that `by` is: one of them is None, both for the portal itself."""
    if isinstance(by, System):
        return None, None
    return (by.id, None) if by.is_contact else (None, by.id)


_SIGNS = {
    "opened": "inbox",
    "assigned": "user",
    "left": "user",
    "contact": "user",
    "priority": "flag",
    "type": "tag",
    "service": "layers",
    "project": "layers",
    "subject": "pencil",
    "time.changed": "clock",
    "time.deleted": "clock",
    "appointment.planned": "calendar",
    "appointment.moved": "calendar",
    "appointment.held": "calendar",
    "appointment.cancelled": "calendar",
}
_STATUS_SIGNS = {
    Status.RESOLVED: "circle-check",
    Status.CLOSED: "circle-check",
    Status.WAITING_FOR_CUSTOMER: "paused",
    Status.WAITING_FOR_OTHERS: "paused",
}

NOT_SHOWN = ("time.logged",)
"""Kinds of events that the feed leaves out, because it shows the time entry itself instead."""


def sign_of(kind: str, details: Mapping[str, Any]) -> str:
    """Return the name of the icon for an event of this kind. For the kind `status`, the new status in `details` decides."""
    if kind == "status":
        return _STATUS_SIGNS.get(Status(details["to"]), "circle-dot")
    return _SIGNS.get(kind, "info")


def words_of(kind: str, actor: str, details: Mapping[str, Any], *, for_contact: bool, zone: ZoneInfo) -> str:
    """Return the sentence for an event, without a full stop, worded for a contact or for an agent.

    `actor` is the name of the person who did it, and `details` holds the details that `record` stored. `zone` is the
    reader's time zone, in which the times of an appointment are given.
    """
    to = details.get("to")
    if kind == "status":
        return _status_words(actor, Status(details["from"]), Status(details["to"]), for_contact)
    if kind == "assigned":
        if to is None:
            return f"{actor} gave the case back: nobody has it"
        return f"{actor} took the case" if to == actor else f"{actor} gave the case to {to}"
    if kind.startswith("time."):
        return f"{actor} {'deleted' if kind == 'time.deleted' else 'changed'} a time entry of {spoken(int(details['minutes']))}"
    if kind.startswith("appointment."):
        return _appointment_words(kind, actor, details, zone)
    sentences = {
        "opened": f"{actor} opened the case",
        "left": f"{actor} has left: nobody has the case",
        "contact": f"{actor} made {to} the contact, who was {details.get('from')}",
        "priority": f"{actor} set the priority to {to}",
        "type": f"{actor} set the type to {to}",
        "service": f"{actor} set the service to {to}" if to else f"{actor} took the service off",
        "project": f"{actor} connected the case to the project {to}"
        if to
        else f"{actor} took the case off its project",
        "subject": f"{actor} changed the subject, which was “{details.get('from')}”",
    }
    return sentences.get(kind, f"{actor} changed the case")


def _appointment_words(kind: str, actor: str, details: Mapping[str, Any], zone: ZoneInfo) -> str:
    begins, ends = (datetime.fromisoformat(details[name]).astimezone(zone) for name in ("begins", "ends"))
    verb = {"planned": "planned", "moved": "changed", "held": "held", "cancelled": "called off"}[kind.partition(".")[2]]
    when = f"{begins:%a} {begins.day} {begins:%b}, {begins:%H:%M} to {ends:%H:%M}"
    article = "a" if verb == "planned" else "the"
    return f"{actor} {verb} {article} {details['what']}: {when}, {details['with']}"


def _status_words(actor: str, old: Status, new: Status, for_contact: bool) -> str:
    if new is Status.CLOSED:
        return f"{actor} closed the case"
    if new is Status.RESOLVED:
        return f"{actor} resolved the case"
    if old.is_done:
        return f"{actor} opened the case again"
    return f"{actor} set the status to {new.customer_word if for_contact else new.word}"
