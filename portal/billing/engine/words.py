"""Define the closed sets of words that only billing uses; `portal/words.py` has those that other rooms share."""

from enum import StrEnum


class AllocationKind(StrEnum):
    """Name what pays for a piece of an entry."""

    INCLUDED = "included"
    VOUCHER = "voucher"
    CHARGED = "charged"
    HELD = "held"
    NO_CHARGE = "no_charge"


class RateSource(StrEnum):
    """Name where a price comes from. The six scopes of rates are in the order in which they win (D18)."""

    ENTRY = "entry"
    OVERAGE = "overage"
    SERVICE_AGENT = "service+agent"
    SERVICE_ROLE = "service+role"
    SERVICE = "service"
    CUSTOMER_ROLE = "customer+role"
    CUSTOMER = "customer"
    ROLE = "role"


class VatCategory(StrEnum):
    """Name the VAT categories of EN 16931.

    The portal uses S and E; the others need data that it does not have yet (D42).
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
    """Name what a line charges for."""

    FEE = "fee"
    TIME = "time"
    VOUCHER = "voucher"


class DocumentKind(StrEnum):
    """Name the kind of a document. A statement has a detail, but no lines and no amounts."""

    INVOICE = "invoice"
    STATEMENT = "statement"


class RefusalReason(StrEnum):
    """Name why an entry is not approved, or (`settled`) why its approval is not withdrawn.

    The reasons against approving are in the order in which they are checked. An entry of `portal simulate` always has
    a role, so `no_role` does not occur there.
    """

    BEFORE_SERVICE_START = "before_service_start"
    AFTER_CONTRACT_END = "after_contract_end"
    NO_RATE = "no_rate"
    NO_ROLE = "no_role"
    SETTLED = "settled"


class SkipReason(StrEnum):
    """Name why a billing run skipped an entry that is old enough."""

    NOT_APPROVED = "not_approved"
    HELD = "held"
