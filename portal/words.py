"""Define the fixed sets of values that several packages, forms and pages share, each value with the text for people.

The values are stored in tables and appear in the documents that `portal simulate` reads and writes, so never change an
existing value.
"""

from enum import StrEnum

from portal.durations import RoundingMode
from portal.periods import Cycle


class Settlement(StrEnum):
    """How the time of a service is paid for: minute by minute, by prepaid vouchers, or by a subscription with a fee.

    Each member has a module in `billing/engine/settlements`.
    """

    TIME_SPENT = "time_spent"
    VOUCHER = "voucher"
    SUBSCRIPTION = "subscription"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Time spent`."""
        return self.value.replace("_", " ").capitalize()


class StandsFor(StrEnum):
    """The type of a service: whether it stands for a contract, a project or something else (S4.2, S4.13)."""

    CONTRACT = "contract"
    PROJECT = "project"
    ENTITLEMENT = "entitlement"
    OTHER = "other"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `A contract`."""
        return {"entitlement": "An entitlement", "other": "Something else"}.get(self.value, f"A {self.value}")


class Unit(StrEnum):
    """The unit by which a product is sold."""

    PIECE = "piece"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    KILOMETRE = "kilometre"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Hour`."""
        return self.value.capitalize()


class Rollup(StrEnum):
    """What each invoice line sums up: one time entry (`NONE`), or all time of an agent (`RESOURCE`), role or service.

    Each member has a module in `billing/engine/rollups`.
    """

    NONE = "none"
    RESOURCE = "resource"
    ROLE = "role"
    SERVICE = "service"

    @property
    def word(self) -> str:
        """Return what each invoice line stands for: `Service`, `Role`, `Agent` or `Entry`."""
        return {"none": "Entry", "resource": "Agent"}.get(self.value, self.value.capitalize())


class Balance(StrEnum):
    """The rule that decides which agent of a department gets the next case. Agents who are away get none."""

    LOAD = "load"
    TURN = "turn"

    @property
    def word(self) -> str:
        """Return the text that describes the rule; forms show it after the name of the department."""
        return {"load": "whoever has the fewest open cases", "turn": "everybody in turn"}[self.value]


class Overflow(StrEnum):
    """What happens to a time entry if included hours or vouchers cover only a part of its minutes (C8, D24).

    Either the rest of the minutes is charged, or the whole entry waits for a decision, or its approval is refused.
    """

    BILL = "bill"
    HOLD = "hold"
    BLOCK = "block"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Charge it`."""
        return {"bill": "Charge it", "hold": "Hold it for a decision", "block": "Refuse it"}[self.value]


class Due(StrEnum):
    """When a subscription's fee is billed: on the first day of the period, or after the period has ended."""

    ADVANCE = "advance"
    ARREARS = "arrears"

    @property
    def word(self) -> str:
        """Return the text that people read: `In advance` or `In arrears`."""
        return f"In {self.value}"


class RoundingPer(StrEnum):
    """What is rounded: each entry, or the sum of the entries with the same case, service, agent and day (D4)."""

    ENTRY = "entry"
    DAY = "day"

    @property
    def word(self) -> str:
        """Return the text that people read: `Each entry` or `Each day together`."""
        return {"entry": "Each entry", "day": "Each day together"}[self.value]


class UsableOnce(StrEnum):
    """From when a voucher pays for time: once it is sold, or once the invoice for its sale is issued or paid (D25)."""

    SOLD = "sold"
    ISSUED = "issued"
    PAID = "paid"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `It is sold`."""
        return {"sold": "It is sold", "issued": "Its invoice is issued", "paid": "Its invoice is paid"}[self.value]


class EntryBilling(StrEnum):
    """How a time entry is billed (D9).

    Time at "no charge" is on the invoice at 0.00; time that is "not billable" is not on the invoice.
    """

    BILLABLE = "billable"
    NOT_BILLABLE = "not_billable"
    NO_CHARGE = "no_charge"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Not billable`."""
        return self.value.replace("_", " ").capitalize()


class EntryState(StrEnum):
    """The state of a time entry before it is billed. Whether it is on an invoice is recorded elsewhere."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"

    @property
    def word(self) -> str:
        """Return the text that people read: `Not submitted`, `Submitted`, `Approved` or `Rejected`."""
        return "Not submitted" if self is EntryState.DRAFT else self.value.capitalize()


class ProjectState(StrEnum):
    """The state of a project. Time can be logged only on an open project."""

    OPEN = "open"
    PAUSED = "paused"
    DONE = "done"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Open`."""
        return self.value.capitalize()


class MailState(StrEnum):
    """The state of a mail.

    `kept` means that no mail server was configured. `given_up` means that no mail server accepted the mail in time.
    """

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    KEPT = "kept"

    @property
    def word(self) -> str:
        """Return the text that people read."""
        return {"waiting": "Waiting", "sent": "Sent", "refused": "Refused", "given_up": "Given up", "kept": "Kept"}[
            self.value
        ]


class CaseView(StrEnum):
    """The views of the agents' list of cases, in the order of the navigation.

    `portal/desk/lists` defines which cases a view shows.
    """

    MINE = "mine"
    UNASSIGNED = "unassigned"
    DEPARTMENT = "department"
    WAITING = "waiting"
    SOON = "soon"
    OVERDUE = "overdue"
    SNOOZED = "snoozed"
    ALL = "all"
    CLOSED = "closed"

    @property
    def word(self) -> str:
        """Return the text for the navigation and the page's heading, such as `Mine`."""
        return {CaseView.DEPARTMENT: "My department", CaseView.SOON: "Ending soon"}.get(self, self.value.capitalize())


CHOICES: dict[str, list[tuple[str, str]]] = {
    "settlement": [(one.value, one.word) for one in Settlement],
    "stands_for": [(one.value, one.word) for one in StandsFor],
    "unit": [(one.value, one.word) for one in Unit],
    "overflow": [(one.value, one.word) for one in Overflow],
    "due": [(one.value, one.word) for one in Due],
    "cycle": [(one.value, one.word) for one in Cycle],
    "usable_once": [(one.value, one.word) for one in UsableOnce],
    "rollup": [(one.value, one.word) for one in reversed(Rollup)],
    "rounding_mode": [(one.value, one.word) for one in (RoundingMode.UP, RoundingMode.NEAREST, RoundingMode.DOWN)],
    "rounding_per": [(one.value, one.word) for one in RoundingPer],
    "project_state": [(one.value, one.word) for one in ProjectState],
    "case_view": [(one.value, one.word) for one in CaseView],
    "billing": [(one.value, one.word) for one in EntryBilling],
}
"""The options of form fields, by field name: pairs of value and text, in the order shown."""
