"""The closed sets of words that several rooms, forms and pages share, each with the text that people read for it.

The values are stored in tables and stand in the documents of `portal simulate`, so a value never changes.
"""

from enum import StrEnum

from portal.durations import RoundingMode


class Settlement(StrEnum):
    """Name how a service is paid; each member has a module in `billing/engine/settlements`."""

    TIME_SPENT = "time_spent"
    VOUCHER = "voucher"
    SUBSCRIPTION = "subscription"

    @property
    def word(self) -> str:
        """Return the words for a form and a page: `Time spent`."""
        return self.value.replace("_", " ").capitalize()


class Rollup(StrEnum):
    """Name how charged time becomes invoice lines; each member has a module in `billing/engine/rollups`."""

    NONE = "none"
    RESOURCE = "resource"
    ROLE = "role"
    SERVICE = "service"

    @property
    def word(self) -> str:
        """Return what has one invoice line each: `Service`, `Role`, `Agent` or `Entry`."""
        return {"none": "Entry", "resource": "Agent"}.get(self.value, self.value.capitalize())


class Overflow(StrEnum):
    """Name what happens to an entry that included hours and vouchers do not cover wholly: charge the rest, or hold all of it."""

    BILL = "bill"
    HOLD = "hold"


class Due(StrEnum):
    """Name when a subscription's fee is billed: on the period's first day, or after the period has ended."""

    ADVANCE = "advance"
    ARREARS = "arrears"


class EntryBilling(StrEnum):
    """Name what a customer pays for an entry. "No charge" is shown on the invoice at 0.00, "not billable" never appears (D9)."""

    BILLABLE = "billable"
    NOT_BILLABLE = "not_billable"
    NO_CHARGE = "no_charge"

    @property
    def word(self) -> str:
        """Return the words for a form and a list: `Not billable`."""
        return self.value.replace("_", " ").capitalize()


class EntryState(StrEnum):
    """Name where an entry stands on its way to an invoice. Whether a document has settled it is not part of its state."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"

    @property
    def word(self) -> str:
        """Return the words for a chip and a filter: `Not submitted`, `Submitted`, `Approved` or `Rejected`."""
        return "Not submitted" if self is EntryState.DRAFT else self.value.capitalize()


class ProjectState(StrEnum):
    """Name whether time can be logged on a project: on an open one only."""

    OPEN = "open"
    PAUSED = "paused"
    DONE = "done"

    @property
    def word(self) -> str:
        """Return the word for a chip and a form: `Open`."""
        return self.value.capitalize()


CHOICES: dict[str, list[tuple[str, str]]] = {
    "settlement": [(Settlement.TIME_SPENT.value, Settlement.TIME_SPENT.word)],
    "rollup": [(one.value, one.word) for one in reversed(Rollup)],
    "rounding_mode": [(one.value, one.word) for one in (RoundingMode.UP, RoundingMode.NEAREST, RoundingMode.DOWN)],
    "project_state": [(one.value, one.word) for one in ProjectState],
    "billing": [(one.value, one.word) for one in EntryBilling],
}
"""What the form field of each name offers, as pairs of value and words, in the order shown."""
