"""The kinds of notices: one entry of `KINDS` for each, with everything that is particular to it.

A new kind is one entry here, its name in the check constraint of the table `notice`, and, if a change causes it, its
query in `portal.notices.audiences` and the kind of its outbox rows. What the sentences need is read in
`portal.notices.inbox`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.desk import events
from portal.durations import spoken
from portal.notices import audiences
from portal.notices.choices import Choice, Mail
from portal.render import dom_id
from portal.render.formats import day, plural

if TYPE_CHECKING:
    from portal.notices.inbox import Told


@dataclass(frozen=True, slots=True)
class Side:
    """A kind as contacts or as agents choose it: its words on the page of choices, and the usual choice."""

    word: str
    usual: Choice


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice.

    `told_as` are the kinds of outbox rows that cause it, and `audience` is the SQL query of whom they are told to; both
    are empty for a reminder, which `portal.notices.reminders` makes at its time. `words` returns the sentence in the app,
    without a full stop, and `place` the URL that the notice leads to. `for_agents` and `for_contacts` are None if that
    side is never told of it. `managers_only` hides the notices of a person who is no manager any more.
    """

    name: str
    words: "Callable[[Told], str]"
    place: "Callable[[Told], str]"
    for_agents: Side | None = None
    for_contacts: Side | None = None
    told_as: tuple[str, ...] = ()
    audience: str = ""
    managers_only: bool = False

    @property
    def about(self) -> str:
        """Return what a notice of this kind is about: `case`, `time` or `invoice`, or `day` for a reminder."""
        return self.name.partition(".")[0] if self.told_as else "day"

    @property
    def has_message(self) -> bool:
        """Return whether the record of the notice is a message of a case."""
        return self.name in ("case.opened", "case.replied", "case.mentioned")

    def side(self, *, of_contact: bool) -> Side | None:
        """Return the kind as contacts or as agents choose it, or None if they are never told of it."""
        return self.for_contacts if of_contact else self.for_agents


_AT_ONCE, _DIGEST, _APP_ONLY = Choice(True, Mail.AT_ONCE), Choice(True, Mail.DIGEST), Choice(True, Mail.NEVER)


def _case(told: "Told") -> str:
    return f"{'' if told.for_contact else '/agent'}/cases/{told.number}"


def _message(told: "Told") -> str:
    return f"{_case(told)}#{dom_id('message', told.record_id)}"


def _time(told: "Told") -> str:
    """Return the page of the time entry; that of one's own time for several entries, or for one that is gone."""
    return f"/agent/time/{told.subject_id}" if told.entry_exists and told.count == 1 else "/agent/time"


def _of_time(told: "Told") -> str:
    """Return the entry or entries that a decision was about, such as `your 45 min of Monday 23 November`."""
    if told.count > 1:
        return f"{told.count} of your time entries"
    return f"your {spoken(told.minutes)} of {day(told.work_date)}" if told.work_date else "your time"


def _status(told: "Told") -> str:
    return events.words_of("status", told.actor, told.details, for_contact=told.for_contact, zone=told.zone)


def _changed(told: "Told") -> str:
    return f"{told.actor} {told.verb} {_of_time(told)}"


def _missing(told: "Told") -> str:
    week = f"the week from {day(told.day)}"
    if told.amount:
        return f"{spoken(told.amount)} of {week} are not logged yet"
    return f"Your time of {week} is not submitted yet"


_ALL = [
    Kind(
        "case.opened", told_as=("case.opened",), audience=audiences.OPENED, place=_case,
        words=lambda told: f"{told.actor} opened a case" + (" for you" if told.for_contact else ""),
        for_agents=Side("A new case that nobody has yet", _APP_ONLY),
        for_contacts=Side("A case that we open for you", _AT_ONCE),
    ),
    Kind(
        "case.replied", told_as=("case.replied",), audience=audiences.REPLIED, place=_message,
        words=lambda told: f"{told.actor} replied",
        for_agents=Side("A reply on a case of yours, or on one that nobody has", _AT_ONCE),
        for_contacts=Side("A reply on your case", _AT_ONCE),
    ),
    Kind(
        "case.assigned", told_as=("case.assigned",), audience=audiences.ASSIGNED, place=_case,
        words=lambda told: f"{told.actor} gave you the case",
        for_agents=Side("A case that somebody gives you", _AT_ONCE),
    ),
    Kind(
        "case.mentioned", told_as=("case.noted",), audience=audiences.MENTIONED, place=_message,
        words=lambda told: f"{told.actor} mentioned you in a note",
        for_agents=Side("A note that mentions you", _AT_ONCE),
    ),
    Kind(
        "case.status", told_as=("case.moved",), audience=audiences.MOVED, place=_case, words=_status,
        for_agents=Side("A case of yours that the customer closes or opens again", _DIGEST),
        for_contacts=Side("Your case is resolved, closed or open again, or waits for you", _AT_ONCE),
    ),
    Kind(
        "time.rejected", told_as=("time.rejected",), audience=audiences.REJECTED, place=_time,
        words=lambda told: f"{told.actor} rejected {_of_time(told)}",
        for_agents=Side("Time of yours that is rejected", _AT_ONCE),
    ),
    Kind(
        "time.flagged", told_as=("time.flagged",), audience=audiences.FLAGGED, place=_time,
        words=lambda told: f"{told.actor} has a question about {_of_time(told)}",
        for_agents=Side("A question about your time", _AT_ONCE),
    ),
    Kind(
        "time.answered", told_as=("time.answered",), audience=audiences.ANSWERED, place=_time,
        words=lambda told: f"{told.actor} answered your question", managers_only=True,
        for_agents=Side("An answer to your question about time", _AT_ONCE),
    ),
    Kind(
        "time.changed", told_as=("time.changed", "time.deleted", "time.logged"), audience=audiences.CHANGED,
        place=_time, words=_changed,
        for_agents=Side("Time of yours that somebody else logs, changes or deletes", _DIGEST),
    ),
    Kind(
        "time.waiting", place=lambda told: "/agent/approvals", managers_only=True,
        words=lambda told: plural(told.amount, "time entry waits", "time entries wait") + " for your approval",
        for_agents=Side("Time that waits for your approval, once a day", _AT_ONCE),
    ),
    Kind(
        "time.missing", place=lambda told: f"/agent/time/week?from={told.day}", words=_missing,
        for_agents=Side("Time of last week that you have not logged or submitted, once a week", _AT_ONCE),
    ),
    Kind(
        "invoice.issued", told_as=("invoice.issued",), audience=audiences.ISSUED,
        words=lambda told: f"Invoice {told.invoice} is issued", place=lambda told: f"/invoices/{told.invoice}",
        for_contacts=Side("A new invoice", _AT_ONCE),
    ),
]  # fmt: skip

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""All kinds of notices by name, in the order of the page of choices."""


def told_to(*, of_contact: bool, is_manager: bool) -> list[Kind]:
    """Return the kinds of which contacts or agents of a grade are told, in the order of the page of choices."""
    return [kind for kind in _ALL if kind.side(of_contact=of_contact) and (is_manager or not kind.managers_only)]
