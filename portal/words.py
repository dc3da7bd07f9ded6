"""The fixed sets of values that several packages, forms and pages share, each with the text shown to people.

The values are stored in tables and appear in the documents of `portal simulate`, so a value never changes.
"""

from enum import StrEnum

from portal.durations import RoundingMode


class Settlement(StrEnum):
    """How a service is paid for; each member has a module in `billing/engine/settlements`."""

    TIME_SPENT = "time_spent"
    VOUCHER = "voucher"
    SUBSCRIPTION = "subscription"

    @property
    def word(self) -> str:
        """Return the text for forms and pages, such as `Time spent`."""
        return self.value.replace("_", " ").capitalize()


class Rollup(StrEnum):
    """How charged time becomes invoice lines; each member has a module in `billing/engine/rollups`."""

    NONE = "none"
    RESOURCE = "resource"
    ROLE = "role"
    SERVICE = "service"

    @property
    def word(self) -> str:
        """Return what each invoice line stands for: `Service`, `Role`, `Agent` or `Entry`."""
        return {"none": "Entry", "resource": "Agent"}.get(self.value, self.value.capitalize())


class Overflow(StrEnum):
    """What happens to an entry only partly covered by included hours and vouchers: charge the rest, or hold it all."""

    BILL = "bill"
    HOLD = "hold"


class Due(StrEnum):
    """When a subscription's fee is billed: on the period's first day, or after the period has ended."""

    ADVANCE = "advance"
    ARREARS = "arrears"


class EntryBilling(StrEnum):
    """What a customer pays for an entry: "no charge" is on the invoice at 0.00, "not billable" is not on it (D9)."""

    BILLABLE = "billable"
    NOT_BILLABLE = "not_billable"
    NO_CHARGE = "no_charge"

    @property
    def word(self) -> str:
        """Return the text for forms and lists, such as `Not billable`."""
        return self.value.replace("_", " ").capitalize()


class EntryState(StrEnum):
    """The state of a time entry before it is billed. Whether a document has settled it is not part of the state."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"

    @property
    def word(self) -> str:
        """Return the text for labels and filters: `Not submitted`, `Submitted`, `Approved` or `Rejected`."""
        return "Not submitted" if self is EntryState.DRAFT else self.value.capitalize()


class ProjectState(StrEnum):
    """Whether time can be logged on a project: on an open project only."""

    OPEN = "open"
    PAUSED = "paused"
    DONE = "done"

    @property
    def word(self) -> str:
        """Return the text for labels and forms, such as `Open`."""
        return self.value.capitalize()


CHOICES: dict[str, list[tuple[str, str]]] = {
    "settlement": [(Settlement.TIME_SPENT.value, Settlement.TIME_SPENT.word)],
    "rollup": [(one.value, one.word) for one in reversed(Rollup)],
    "rounding_mode": [(one.value, one.word) for one in (RoundingMode.UP, RoundingMode.NEAREST, RoundingMode.DOWN)],
    "project_state": [(one.value, one.word) for one in ProjectState],
    "billing": [(one.value, one.word) for one in EntryBilling],
}
"""Form field name -> its choices, as pairs of value and text, in the order shown."""
