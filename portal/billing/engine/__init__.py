"""Compute billing as a pure function of values: no database, no clock, no settings.

`portal simulate` runs exactly these rules. `price_for` fixes the price of an entry when it is approved; `allocate`
says what pays for each approved entry that is not settled; `bill` settles what is due up to a date and makes the
invoices and statements. Values never change: every step returns a new `BillingState`.
"""

from portal.billing.engine.allocation import allocate
from portal.billing.engine.approval import approve, release, verdict, withdraw
from portal.billing.engine.billing import bill
from portal.billing.engine.rates import RateTable, price_for
from portal.billing.engine.values import (
    Allocation,
    Billing,
    BillingState,
    ContractTerms,
    Document,
    Entry,
    Key,
    Line,
    PoolKey,
    Price,
    RateTerms,
    ServiceTerms,
    Skipped,
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
    "BillingState",
    "ContractTerms",
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
    "RateSource",
    "RateTable",
    "RateTerms",
    "RefusalReason",
    "Rollup",
    "ServiceTerms",
    "Settlement",
    "SkipReason",
    "Skipped",
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
