"""The fixed sets of values that several packages, forms and pages share, each value with the text that people read.

The values are stored in tables and appear in the documents of `portal simulate`, so a value never changes.
"""

from enum import StrEnum

from portal.durations import RoundingMode


class Settlement(StrEnum):
    """How time of a service is paid for. Each member has a module in `billing/engine/settlements`."""

    TIME_SPENT = "time_spent"
    VOUCHER = "voucher"
    SUBSCRIPTION = "subscription"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Time spent`."""
        return self.value.replace("_", " ").capitalize()


class Rollup(StrEnum):
    """How charged time becomes invoice lines. Each member has a module in `billing/engine/rollups`."""

    NONE = "none"
    RESOURCE = "resource"
    ROLE = "role"
    SERVICE = "service"

    @property
    def word(self) -> str:
        """Return what each invoice line stands for: `Service`, `Role`, `Agent` or `Entry`."""
        return {"none": "Entry", "resource": "Agent"}.get(self.value, self.value.capitalize())


class Overflow(StrEnum):
    """What happens to a time entry that included hours and vouchers cover only in part: charge the rest, or hold all."""

    BILL = "bill"
    HOLD = "hold"


class Due(StrEnum):
    """When a subscription's fee is billed: on the first day of the period, or after the period has ended."""

    ADVANCE = "advance"
    ARREARS = "arrears"


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


class CaseView(StrEnum):
    """The views of the agents' list of cases, in the order of the navigation. `portal/desk/lists` says what each shows."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    WAITING = "waiting"
    ALL = "all"
    CLOSED = "closed"

    @property
    def word(self) -> str:
        """Return the text for the navigation and the page's heading, such as `Mine`."""
        return self.value.capitalize()


CHOICES: dict[str, list[tuple[str, str]]] = {
    "settlement": [(Settlement.TIME_SPENT.value, Settlement.TIME_SPENT.word)],
    "rollup": [(one.value, one.word) for one in reversed(Rollup)],
    "rounding_mode": [(one.value, one.word) for one in (RoundingMode.UP, RoundingMode.NEAREST, RoundingMode.DOWN)],
    "project_state": [(one.value, one.word) for one in ProjectState],
    "case_view": [(one.value, one.word) for one in CaseView],
    "billing": [(one.value, one.word) for one in EntryBilling],
}
"""The options of form fields, by field name: pairs of value and text, in the order shown."""
