"""The enums that only billing uses; `portal/words.py` has the enums that other packages use too."""

from enum import StrEnum


class AllocationKind(StrEnum):
    """What pays for a piece of an entry's minutes."""

    INCLUDED = "included"
    VOUCHER = "voucher"
    CHARGED = "charged"
    HELD = "held"
    NO_CHARGE = "no_charge"


class RateSource(StrEnum):
    """Where a price comes from: the entry, a schedule, the service's overage rate, or one of six scopes of rates.

    The members are in order of precedence, the highest first (D18). For `schedule`, see `price_for`.
    """

    ENTRY = "entry"
    SCHEDULE = "schedule"
    OVERAGE = "overage"
    SERVICE_AGENT = "service+agent"
    SERVICE_ROLE = "service+role"
    SERVICE = "service"
    CUSTOMER_ROLE = "customer+role"
    CUSTOMER = "customer"
    ROLE = "role"


class VatCategory(StrEnum):
    """The VAT categories of EN 16931.

    The portal uses S and E only; the other categories need data that the portal does not have yet (D42).
    """

    STANDARD = "S"
    ZERO_RATED = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUTSIDE_SCOPE = "O"
    CANARY_ISLANDS = "L"
    CEUTA_AND_MELILLA = "M"


class LineKind(StrEnum):
    """What an invoice line charges for.

    A line of the kind `extra` was added to a draft by hand. The engine keeps such lines, but never makes one.
    """

    FEE = "fee"
    TIME = "time"
    VOUCHER = "voucher"
    EXTRA = "extra"


class DocumentKind(StrEnum):
    """The kind of a document. A statement has a time detail, but no lines and no amounts.

    A credit note corrects an invoice; a statement is corrected by a further statement (D38).
    """

    INVOICE = "invoice"
    STATEMENT = "statement"
    CREDIT_NOTE = "credit_note"


class RefusalReason(StrEnum):
    """Why the approval of an entry is refused or, for `settled`, why its withdrawal is refused.

    The reasons against an approval are in the order in which they are checked. An entry of `portal simulate` always has
    a role, so `no_role` does not occur there.
    """

    BEFORE_SERVICE_START = "before_service_start"
    AFTER_CONTRACT_END = "after_contract_end"
    NO_RATE = "no_rate"
    NO_ROLE = "no_role"
    BEYOND_PREPAID = "beyond_prepaid"
    SETTLED = "settled"


class SkipReason(StrEnum):
    """Why a billing run skipped an entry of a day before the end date of the run."""

    NOT_APPROVED = "not_approved"
    HELD = "held"
    FLAGGED = "flagged"
