"""The log of each case: what happened, who did it and when.

An event is inserted in the transaction of the change that it records. The database refuses to update or delete events.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.table import Table

from portal.desk.custom_fields import value_of
from portal.desk.workflow import Priority, Status
from portal.durations import spoken
from portal.people.readers import Reader, System
from portal.render.formats import own_value


class CaseEvent(Table, tablename="case_event"):
    """One line of a case's log.

    `kind` decides the sentence (`words_of`). `details` holds names and values as they were at the time of the event.
    `contact_id` or `agent_id` is the person who caused the event, and `actor_name` the name of this person at that
    time. Contacts may read the line only if `contact_may_know` is true.
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

    `kind` decides the sentence (see `words_of`), and `details` holds the names and values that the sentence contains.
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
    """Return the contact id and the agent id of `by`.

    Both are None for the portal itself; for a person, one is None.
    """
    if isinstance(by, System):
        return None, None
    return (by.id, None) if by.is_contact else (None, by.id)


_SIGNS = {
    "opened": "inbox",
    "read_article": "life-buoy",
    "assigned": "user",
    "dispatched": "user",
    "department": "users",
    "left": "user",
    "contact": "user",
    "handed": "user",
    "watched": "eye",
    "unwatched": "eye",
    "confidential": "lock",
    "redacted": "x",
    "priority": "flag",
    "type": "tag",
    "service": "layers",
    "project": "layers",
    "subject": "pencil",
    "rated": "circle-check",
    "merged": "merge",
    "took_in": "merge",
    "split": "split",
    "split_off": "split",
    "field": "pencil",
    "field_taken": "merge",
    "field_left": "merge",
    "tagged": "tag",
    "untagged": "tag",
    "linked": "link",
    "follows": "link",
    "followed": "link",
    "unlinked": "link",
    "time.changed": "clock",
    "time.deleted": "clock",
    "deadline.ending": "clock",
    "reminded": "clock",
    "snoozed": "clock",
    "woken": "clock",
    "deadline.overdue": "clock",
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

NOT_SHOWN = ("time.logged", "merged")
"""Kinds of events that the feed does not show.

Instead of `time.logged`, the feed shows the time entry. Instead of `merged`, it shows the event `took_in` of the case
into which the case was merged.
"""


def sign_of(kind: str, details: Mapping[str, Any]) -> str:
    """Return the name of the icon for an event of this kind. For `status`, the new status in `details` decides."""
    if kind == "status":
        return _STATUS_SIGNS.get(Status(details["to"]), "circle-dot")
    return _SIGNS.get(kind, "info")


def words_of(kind: str, actor: str, details: Mapping[str, Any], *, for_contact: bool, zone: ZoneInfo) -> str:
    """Return the sentence for an event, without a full stop, worded for a contact or for an agent.

    `actor` is the name of the person who caused the event, and `details` are the details that `record` stored. Times
    are written in the reader's time zone `zone`. Numbers and dates of custom fields are written for the reader whom the
    caller has set with `formats.reading`.
    """
    to, side = details.get("to"), "your" if for_contact else "the customer's"
    if kind == "status":
        return _status_words(actor, details, for_contact)
    if kind == "assigned":
        return _assigned_words(actor, to)
    if kind == "dispatched" or kind.startswith("field"):
        return _dispatch_words(details) if kind == "dispatched" else _field_words(kind, actor, details)
    if kind.startswith("time."):
        return f"{actor} {'deleted' if kind == 'time.deleted' else 'changed'} a time entry of {spoken(int(details['minutes']))}"
    if kind.startswith(("appointment.", "deadline.")):
        is_deadline = kind.startswith("deadline.")
        return deadline_words(kind, details, zone) if is_deadline else _appointment_words(kind, actor, details, zone)
    sentences = {
        "opened": f"{actor} opened the case",
        "read_article": f"{actor} had read the article “{details.get('title')}”",
        "reminded": f"{actor} reminded {'you ' if for_contact else ''}of the answer that we wait for{closing_words(details, zone)}",
        "snoozed": f"{actor} snoozed the case until {_moment(details.get('until', ''), zone)}",
        "woken": _woken_words(actor, details),
        "left": f"{actor} has left: nobody has the case",
        "contact": f"{actor} made {to} the contact, who was {details.get('from')}",
        "handed": f"{actor} gave the case to {to}" + (" and watches it" if details.get("stays") else ""),
        "watched": f"{actor} watches the case" if to == actor else f"{actor} made {to} a watcher",
        "unwatched": f"{actor} no longer watches the case" if to == actor else f"{actor} took {to} off the watchers",
        "confidential": f"{actor} made the case confidential: on {side} side only its contact and its watchers see it"
        if to
        else f"{actor} ended the confidentiality of the case",
        "redacted": f"{actor} redacted {details.get('what')}: {details.get('reason')}",
        "department": f"{actor} gave the case to the department {to}"
        if to
        else f"{actor} took the case off its department",
        "priority": f"{actor} set the priority to {to}",
        "type": f"{actor} set the type to {to}",
        "service": f"{actor} set the service to {to}" if to else f"{actor} took the service off",
        "project": f"{actor} connected the case to the project {to}"
        if to
        else f"{actor} took the case off its project",
        "rated": f"{actor} rated the solution: {'not good' if to == 'bad' else to}",
        "subject": f"{actor} changed the subject, which was “{details.get('from')}”",
        "merged": f"{actor} merged the case into #{details.get('number')}",
        "took_in": f"{actor} merged #{details.get('number')} “{details.get('subject')}” into this case",
        "split": f"{actor} moved a part of the case to #{details.get('number')} “{details.get('subject')}”",
        "split_off": f"{actor} split this case off #{details.get('number')}",
        "tagged": f"{actor} added the tag “{to}”",
        "untagged": f"{actor} took the tag “{to}” off",
        "follows": f"{actor} wrote on #{details.get('number')}, which is closed for good: this case follows it",
        "followed": f"{actor} wrote again: #{details.get('number')} follows this case",
        "linked": f"{actor} linked the case with #{details.get('number')} “{details.get('subject')}”",
        "unlinked": f"{actor} removed the link with #{details.get('number')} “{details.get('subject')}”",
    }
    return sentences.get(kind, f"{actor} changed the case")


def closing_words(details: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return when the case closes if nobody answers, as the end of a sentence about a reminder; "" if it never does."""
    if not (text := details.get("closes")):
        return ""
    return f": without one, the case closes {_moment(text, zone)}"


def _woken_words(actor: str, details: Mapping[str, Any]) -> str:
    if details.get("answered"):
        return "The case is back before its time, because the customer replied"
    return f"{actor} ended the snooze" if details.get("by_agent") else "The case is back: its snooze has ended"


def _moment(text: str, zone: ZoneInfo) -> str:
    if not text:
        return ""
    at = datetime.fromisoformat(text).astimezone(zone)
    return f"{at:%a} {at.day} {at:%b}, {at:%H:%M}"


def _field_words(kind: str, actor: str, details: Mapping[str, Any]) -> str:
    """Return the sentence for a change of a custom field: set or emptied by somebody, or decided by a merge.

    In a merge, the value of the merged case is either taken over or left out.
    """
    name, value = details["field"], details["to"]
    if value is not None:
        value = own_value(value_of(details["kind"], value))
    if kind == "field_taken":
        return f"{name} was taken over from #{details['number']}: {value}"
    if kind == "field_left":
        return f"{name} of #{details['number']} was {value}, and stays as it is here"
    return f"{actor} emptied {name}" if value is None else f"{actor} set {name} to {value}"


def _assigned_words(actor: str, to: str | None) -> str:
    if to is None:
        return f"{actor} gave the case back: nobody has it"
    return f"{actor} took the case" if to == actor else f"{actor} gave the case to {to}"


def _dispatch_words(details: Mapping[str, Any]) -> str:
    """Return the sentence that says which rule of dispatch chose what.

    `details` are the details of the log line. Older lines have the number of the priority instead of its name.
    """
    rule, whom, department = details["rule"], details["to"], details["department"]
    if rule is None:
        chosen = "No rule of dispatch chose an agent"
    elif whom is None:
        chosen = f"The rule “{rule}” found nobody in {department} who is there"
    else:
        chosen = f"The rule “{rule}” chose {whom}" + (f" of {department}" if department else "")
    if not (by := details["priority_rule"]):
        return chosen
    word = details.get("priority_name") or Priority(details["priority"]).word
    return f"{chosen} and priority {word}" if by == rule else f"{chosen}; the rule “{by}” chose priority {word}"


def deadline_words(kind: str, details: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return the sentence for a deadline that comes near (`deadline.ending`) or has passed (`deadline.overdue`)."""
    what = {"reply": "The first reply", "solve": "The solution"}[details["duty"]]
    when = _moment(details["due"], zone)
    return f"{what} was due {when}" if kind.endswith("overdue") else f"{what} is due {when}"


def _appointment_words(kind: str, actor: str, details: Mapping[str, Any], zone: ZoneInfo) -> str:
    begins, ends = (datetime.fromisoformat(details[name]).astimezone(zone) for name in ("begins", "ends"))
    verb = {"planned": "planned", "moved": "changed", "held": "held", "cancelled": "called off"}[kind.partition(".")[2]]
    when = f"{begins:%a} {begins.day} {begins:%b}, {begins:%H:%M} to {ends:%H:%M}"
    article = "a" if verb == "planned" else "the"
    agent = "" if details["with"] == actor else f", with {details['with']}"
    return f"{actor} {verb} {article} {details['what']}: {when}{agent}"


def after_reply_words(details: Mapping[str, Any], *, for_contact: bool) -> str:
    """Return what follows "replied" in a sentence about a reply that set the status.

    Only waiting for the customer, resolving, closing and reopening are mentioned; for any other change of status,
    return "". `details` are the details of the log line about the status, or {} if the reply did not change the status.
    """
    if not details:
        return ""
    old, new = Status(details["from"]), Status(details["to"])
    if new is Status.WAITING_FOR_CUSTOMER:
        return " and waits for your answer" if for_contact else " and waits for the customer"
    return _status_words(" and", details, for_contact) if new.is_done or old.is_done else ""


def _status_words(actor: str, details: Mapping[str, Any], for_contact: bool) -> str:
    """Return the sentence for a new status, such as "Ines Okafor closed the case: Done".

    The sentence has the name that the status had at that time, unless the verb says the same. If the portal closed the
    case because nobody answered, the sentence says this instead.
    """
    old, new = Status(details["from"]), Status(details["to"])
    name = str(details.get("name") or new.word)
    if for_contact:
        name = str(details.get("customer_name") or (new.customer_word if "name" not in details else name))
    if details.get("unanswered"):
        return f"{actor} closed the case, because nobody answered"
    if old is not new and (new.is_done or old.is_done):
        verb = {Status.CLOSED: "closed the case", Status.RESOLVED: "resolved the case"}.get(
            new, "opened the case again"
        )
        return f"{actor} {verb}" + ("" if name == new.word else f": {name}")
    return f"{actor} set the status to {name}"
