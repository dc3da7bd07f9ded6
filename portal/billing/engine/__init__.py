"""The billing engine: a function of values. It knows no database, no clock and no settings (design.md, manner 11).

Its words are those of domain.md, its rules those of `portal simulate`. `price_for` fixes an entry's price when it is
approved, `allocate` says what pays for each approved entry that is not settled, `bill` settles what is due up to a date
and makes the documents. Every change gives a new `State`.
"""

from portal.billing.engine.allocation import allocate
from portal.billing.engine.approval import approve, release, verdict, withdraw
from portal.billing.engine.billing import bill
from portal.billing.engine.rates import RateTable, price_for
from portal.billing.engine.values import (
    Allocation,
    Billing,
    Contract,
    Document,
    Entry,
    Key,
    Line,
    PoolKey,
    Price,
    Rate,
    Service,
    Skipped,
    State,
    VatGroup,
    VatRate,
    Voucher,
)
from portal.billing.engine.words import (
    AllocationKind,
    DocumentKind,
    LineKind,
    RateSource,
    RefusalReason,
    SkipReason,
    VatCategory,
)
from portal.words import Due, EntryBilling, Overflow, Rollup, Settlement

__all__ = [
    "Allocation",
    "AllocationKind",
    "Billing",
    "Contract",
    "Document",
    "DocumentKind",
    "Due",
    "Entry",
    "EntryBilling",
    "Key",
    "Line",
    "LineKind",
    "Overflow",
    "PoolKey",
    "Price",
    "Rate",
    "RateSource",
    "RateTable",
    "RefusalReason",
    "Rollup",
    "Service",
    "Settlement",
    "SkipReason",
    "Skipped",
    "State",
    "VatCategory",
    "VatGroup",
    "VatRate",
    "Voucher",
    "allocate",
    "approve",
    "bill",
    "price_for",
    "release",
    "verdict",
    "withdraw",
]
