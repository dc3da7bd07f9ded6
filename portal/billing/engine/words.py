"""The closed sets of words that billing alone uses, as `portal simulate` spells them; shared ones stand in `portal/words.py`."""

from enum import StrEnum


class AllocationKind(StrEnum):
    """What pays for a piece of an entry."""

    INCLUDED = "included"
    VOUCHER = "voucher"
    CHARGED = "charged"
    HELD = "held"
    NO_CHARGE = "no_charge"


class RateSource(StrEnum):
    """Where a price comes from. The six scopes of rates stand in the order in which they win (D18)."""

    ENTRY = "entry"
    OVERAGE = "overage"
    SERVICE_AGENT = "service+agent"
    SERVICE_ROLE = "service+role"
    SERVICE = "service"
    CUSTOMER_ROLE = "customer+role"
    CUSTOMER = "customer"
    ROLE = "role"


class VatCategory(StrEnum):
    """The categories of EN 16931. The portal uses S and E; reverse charge and the others need what D42 lists first."""

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
    """What a line charges for."""

    FEE = "fee"
    TIME = "time"
    VOUCHER = "voucher"


class DocumentKind(StrEnum):
    """A statement has a detail, but no lines and no amounts."""

    INVOICE = "invoice"
    STATEMENT = "statement"


class RefusalReason(StrEnum):
    """Why an entry is not approved (all but the last, in the order in which they are looked for) or not withdrawn.

    An entry of `portal simulate` always has a role, so `no_role` does not occur there.
    """

    BEFORE_SERVICE_START = "before_service_start"
    AFTER_CONTRACT_END = "after_contract_end"
    NO_RATE = "no_rate"
    NO_ROLE = "no_role"
    SETTLED = "settled"


class SkipReason(StrEnum):
    """Why a billing run left out an entry that is old enough."""

    NOT_APPROVED = "not_approved"
    HELD = "held"
