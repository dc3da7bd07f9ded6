"""Compute billing as a pure function of values: no database, no clock, no settings.

`portal simulate` runs exactly these rules. `price_for` finds the price that the approval of an entry fixes.
`allocate` decides what pays for each approved entry that no document has settled. `bill` settles what is due up to a
date, and makes the invoices and the statements (documents for time that costs nothing). Values never change: every step
returns a new `BillingState`.
"""

from portal.billing.engine.allocation import allocate
from portal.billing.engine.approval import LONGEST_COUNTED, approve, overlong, release, verdict, withdraw
from portal.billing.engine.billing import bill, remake
from portal.billing.engine.blocking import coverable
from portal.billing.engine.corrections import CannotCredit, Credit, end_contract, extend_contract
from portal.billing.engine.fees import price_of_days, price_until
from portal.billing.engine.rates import RateTable, price_for
from portal.billing.engine.rollups import Work
from portal.billing.engine.settlements import IncludedMinutes
from portal.billing.engine.terms import (
    ContractTerms,
    Key,
    Price,
    PriceChange,
    RateTerms,
    Rollover,
    ServiceTerms,
    VatRate,
    Voucher,
)
from portal.billing.engine.values import (
    Allocation,
    Billing,
    BillingState,
    Document,
    Entry,
    Line,
    PoolKey,
    RolledMinutes,
    Skipped,
    VatGroup,
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
from portal.schedules import Stretch
from portal.words import Due, EntryBilling, Overflow, Rollup, Settlement

__all__ = [
    "LONGEST_COUNTED",
    "Allocation",
    "AllocationKind",
    "Billing",
    "BillingState",
    "CannotCredit",
    "ContractTerms",
    "Credit",
    "Document",
    "DocumentKind",
    "Due",
    "Entry",
    "EntryBilling",
    "IncludedMinutes",
    "Key",
    "Line",
    "LineKind",
    "Overflow",
    "PoolKey",
    "Price",
    "PriceChange",
    "RateSource",
    "RateTable",
    "RateTerms",
    "RefusalReason",
    "RolledMinutes",
    "Rollover",
    "Rollup",
    "ServiceTerms",
    "Settlement",
    "SkipReason",
    "Skipped",
    "Stretch",
    "VatCategory",
    "VatGroup",
    "VatRate",
    "Voucher",
    "Work",
    "allocate",
    "approve",
    "bill",
    "coverable",
    "end_contract",
    "extend_contract",
    "overlong",
    "price_for",
    "price_of_days",
    "price_until",
    "release",
    "remake",
    "verdict",
    "withdraw",
]
