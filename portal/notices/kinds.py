"""Define the kinds of notices: one entry of `KINDS` for each, with everything that is specific to it.

A new kind needs an entry here, and its name in the check constraint of the table `notice`. If a change causes the
notice, the kind also needs a query in `portal.notices.audiences` and a kind of outbox row. `portal.notices.inbox` reads
the values that the sentences contain.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from portal.billing import FULL
from portal.desk import events
from portal.durations import spoken
from portal.notices import audiences
from portal.notices.choices import Choice, Mail
from portal.people.readers import SYSTEM, Reader
from portal.render import dom_id
from portal.render.formats import NBSP, day, day_long, money, plural

if TYPE_CHECKING:
    from portal.notices.inbox import Told


@dataclass(frozen=True, slots=True)
class Side:
    """How a kind of notice is offered to contacts or to agents: its label in the form, and the default choice."""

    word: str
    usual: Choice


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice.

    `told_as` are the kinds of outbox rows that cause the notice, and `audience` is the SQL query that selects its
    recipients. Both are empty for reminders, which `portal.notices.reminders` makes at fixed times, and for warnings
    (`is_warning`), which `portal.notices.warnings` makes. `words` returns the sentence in the app, without a full stop,
    and `place` the URL to which the notice links. `for_agents` is None if agents never get the notice, and
    `for_contacts` is None if contacts never get it. `managers_only` hides the notice from agents who are no longer
    managers. `right` is the attribute of a `ContactReader` that a contact needs to see the notice; "" if every contact
    may. `button` is the label of the button in the mail.
    """

    name: str
    words: "Callable[[Told], str]"
    place: "Callable[[Told], str]"
    for_agents: Side | None = None
    for_contacts: Side | None = None
    told_as: tuple[str, ...] = ()
    audience: str = ""
    managers_only: bool = False
    right: str = ""
    is_warning: bool = False
    button: str = "Open your time"

    @property
    def about(self) -> str:
        """Return what the `subject_id` of a notice identifies.

        This is `case`, `time`, `invoice`, `statement`, `contract` or `warning`; for reminders, which no change in the
        outbox causes, it is `day`.
        """
        if self.is_warning:
            return "warning"
        return self.name.partition(".")[0] if self.told_as else "day"

    @property
    def has_message(self) -> bool:
        """Return whether `record_id` of a notice of this kind is the id of a message of a case."""
        return self.name in ("case.opened", "case.replied", "case.mentioned")

    def side(self, *, of_contact: bool) -> Side | None:
        """Return the label and the default choice for contacts or for agents; None if they never get the notice."""
        return self.for_contacts if of_contact else self.for_agents

    def is_for(self, reader: Reader) -> bool:
        """Return whether the reader, with the rights that the reader has now, may get notices of this kind."""
        if not self.side(of_contact=reader.is_contact):
            return False
        if reader.is_contact:
            return not self.right or bool(getattr(reader, self.right))
        return reader.is_manager or not self.managers_only


class Due(NamedTuple):
    """A notice that is to be made for one person, unless the person has it already.

    `record_id`, `subject_id` and `amount` have the same meaning as the columns of the table `Notice`.
    """

    kind: Kind
    credential_id: int
    record_id: int
    subject_id: int
    at: datetime
    amount: int | None = None


_AT_ONCE, _DIGEST, _APP_ONLY = Choice(True, Mail.AT_ONCE), Choice(True, Mail.DIGEST), Choice(True, Mail.NEVER)


def _case(told: "Told") -> str:
    return f"{'' if told.for_contact else '/agent'}/cases/{told.number}"


def _message(told: "Told") -> str:
    return f"{_case(told)}#{dom_id('message', told.record_id)}"


def _time(told: "Told") -> str:
    """Return the URL of the entry's page or, for several entries or a deleted one, of the agent's list of time."""
    return f"/agent/time/{told.subject_id}" if told.entry_exists and told.count == 1 else "/agent/time"


def _of_time(told: "Told") -> str:
    """Return words for the entry or entries that the notice is about, such as `your 45 min of Thu 19 Nov`."""
    if told.count > 1:
        return f"{told.count} of your time entries"
    return f"your {spoken(told.minutes)} of {day(told.work_date)}" if told.work_date else "your time"


def _status(told: "Told") -> str:
    return events.words_of("status", told.actor, told.details, for_contact=told.for_contact, zone=told.zone)


def _assigned(told: "Told") -> str:
    """Return who gave the reader the case, or that the rules of dispatch gave it to the reader."""
    return "The case was dispatched to you" if told.actor == SYSTEM.name else f"{told.actor} gave you the case"


def _replied(told: "Told") -> str:
    """Return who replied, and the status that the reply set, such as `Ines Okafor replied and resolved the case`."""
    return told.actor + " replied" + events.after_reply_words(told.details, for_contact=told.for_contact)


def _shared(told: "Told") -> str:
    handed = "stays" in told.details
    return f"{told.actor} {'gave you the case' if handed else 'shares the case with you'}"


def _deadline(told: "Told") -> str:
    return events.deadline_words(told.kind.name, told.details, told.zone)


def _changed(told: "Told") -> str:
    return f"{told.actor} {told.verb} {_of_time(told)}"


def _missing(told: "Told") -> str:
    week = f"the week from {day(told.day)}"
    if told.amount:
        return f"{spoken(told.amount)} of {week} are not logged yet"
    return f"Your time of {week} is not submitted yet"


def _hours(told: "Told") -> str:
    """Return the URL of the page with the hours of the voucher or of the service, or with all hours of the customer."""
    if told.for_contact:
        return f"/hours/vouchers/{told.voucher_id}" if told.voucher_id else "/hours"
    if told.voucher_id:
        return f"/agent/customers/{told.customer_id}/vouchers/{told.voucher_id}"
    return f"/agent/services/{told.service_id}" if told.service_id else f"/agent/customers/{told.customer_id}"


def _low(told: "Told") -> str:
    hours = f"the voucher “{told.name}”" if told.voucher_id else f"the included hours of {told.name}"
    when = "" if told.voucher_id else f" in the period from {day_long(told.day)}"
    if told.warned == "used_up":
        return f"{hours[0].upper()}{hours[1:]} {'is' if told.voucher_id else 'are'} used up{when}"
    return f"{FULL}{NBSP}% of {hours} {'is' if told.voucher_id else 'are'} used{when}: {spoken(told.amount)} left"


def _expiring(told: "Told") -> str:
    return f"The voucher “{told.name}” can be used until {_last(told)}: {spoken(told.amount)} left"


def _last(told: "Told") -> str:
    return day_long(told.day - timedelta(days=1) if told.day else None)


def _ending(told: "Told") -> str:
    if told.renews and told.day:
        notice = day_long(told.day - timedelta(days=told.notice_days + 1))
        return f"The contract “{told.name}” is renewed after {_last(told)} unless notice is given until {notice}"
    return f"The contract “{told.name}” ends on {_last(told)}"


def _paid(told: "Told") -> str:
    amount = money(abs(told.paid), told.currency)
    if told.paid < 0:
        return f"We have paid {amount} back to you for invoice {told.invoice}"
    return f"We have received {amount} for invoice {told.invoice}"


def _corrected(told: "Told") -> str:
    return f"The statement on “{told.name}” up to {day_long(told.day)} is corrected: {spoken(told.minutes)} given back"


_ALL = [
    Kind(
        "case.opened", told_as=("case.opened",), audience=audiences.OPENED, place=_case,
        words=lambda told: f"{told.actor} opened a case" + (" for you" if told.for_contact else ""),
        for_agents=Side("A new case that nobody has yet", _APP_ONLY),
        for_contacts=Side("A case that we open for you", _AT_ONCE),
    ),
    Kind(
        "case.replied", told_as=("case.replied",), audience=audiences.REPLIED, place=_message,
        words=_replied,
        for_agents=Side("A reply on a case of yours, or of a customer on one that nobody has", _AT_ONCE),
        for_contacts=Side("A reply on your case", _AT_ONCE),
    ),
    Kind(
        "case.shared", told_as=("case.shared",), audience=audiences.SHARED, place=_case, words=_shared,
        for_contacts=Side("A case that a colleague shares with you or gives to you", _AT_ONCE),
    ),
    Kind(
        "case.assigned", told_as=("case.assigned",), audience=audiences.ASSIGNED, place=_case,
        words=_assigned,
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
        "case.reminded", told_as=("case.reminded",), audience=audiences.REMINDED, place=_case, button="Answer",
        words=lambda told: f"We wait for your answer{events.closing_words(told.details, told.zone)}",
        for_contacts=Side("A case that waits for your answer, once more", _AT_ONCE),
    ),
    Kind(
        "case.ending", told_as=("case.ending",), audience=audiences.ENDING, place=_case, words=_deadline,
        for_agents=Side("A deadline of a case of yours that comes near", _AT_ONCE),
    ),
    Kind(
        "case.overdue", told_as=("case.overdue",), audience=audiences.OVERDUE, place=_case, words=_deadline,
        for_agents=Side("A deadline that has passed, of a case of yours or of your department", _AT_ONCE),
    ),
    Kind(
        "case.rated", told_as=("case.changed",), audience=audiences.RATED, place=_case,
        words=lambda told: f"{told.actor} rated the solution: not good",
        for_agents=Side("A bad rating of a case of yours or of your department", _AT_ONCE),
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
        for_contacts=Side("A new invoice", _AT_ONCE), right="sees_invoices", button="Open the invoice",
    ),
    Kind(
        "invoice.paid", told_as=("invoice.paid",), audience=audiences.PAID, words=_paid,
        place=lambda told: f"/invoices/{told.invoice}",
        for_contacts=Side("A payment that we have received or paid back", _DIGEST), right="sees_invoices",
        button="Open the invoice",
    ),
    Kind(
        "statement.corrected", told_as=("statement.corrected",), audience=audiences.ISSUED, words=_corrected,
        place=lambda told: f"/statements/{told.statement_id}", button="Open the correction",
        for_contacts=Side("A statement of covered time that we correct", _AT_ONCE), right="sees_invoices",
    ),
    Kind(
        "invoice.asked", told_as=("invoice.asked",), audience=audiences.ASKED, managers_only=True,
        words=lambda told: f"{told.customer} has a question about {f'invoice {told.invoice}' if told.invoice else 'time'}",
        place=lambda told: f"/agent/invoices/{told.invoice}#questions" if told.invoice else f"/agent/cases/{told.number}",
        for_agents=Side("A question of a customer about an invoice or about time", _AT_ONCE), button="Open the question",
    ),
    Kind(
        "hours.low", is_warning=True, words=_low, place=_hours, managers_only=True, right="sees_hours", button="Open the hours",
        for_agents=Side("Prepaid hours of a service that you manage are 80 % used, or used up", _AT_ONCE),
        for_contacts=Side("Your prepaid hours are 80 % used, or used up", _AT_ONCE),
    ),
    Kind(
        "hours.expiring", is_warning=True, words=_expiring, place=_hours, managers_only=True, right="sees_hours",
        button="Open the voucher",
        for_agents=Side("A voucher for a service that you manage expires soon", _AT_ONCE),
        for_contacts=Side("A voucher of yours expires soon", _AT_ONCE),
    ),
    Kind(
        "contract.ending", is_warning=True, words=_ending,
        place=_hours, managers_only=True, right="sees_hours", button="Open the portal",
        for_agents=Side("A contract with a service that you manage ends or is renewed soon", _AT_ONCE),
        for_contacts=Side("Your contract ends or is renewed soon", _AT_ONCE),
    ),
    Kind(
        "contract.renewed", told_as=("contract.renewed",), audience=audiences.RENEWED, managers_only=True,
        words=lambda told: f"The contract “{told.name}” is renewed until {_last(told)}",
        place=lambda told: f"/agent/contracts/{told.subject_id}", button="Open the contract",
        for_agents=Side("A contract with a service that you manage is renewed", _DIGEST),
    ),
]  # fmt: skip

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""All kinds of notices by name, in the order of the page of choices."""


def told_to(reader: Reader) -> list[Kind]:
    """Return the kinds of notices that the reader's rights allow (`is_for`), in the order of the page of choices."""
    return [kind for kind in _ALL if kind.is_for(reader)]
