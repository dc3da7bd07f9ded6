"""Renew the contracts that are due, each in its own transaction, and recompute what pays for unbilled time."""

from datetime import datetime

from portal.billing.allocating.allocations import changing_terms
from portal.contracts.company import Company
from portal.contracts.renewals import renew, renewals_due
from portal.database import transaction
from portal.database.batches import Report, all_or_report
from portal.people.readers import SYSTEM
from portal.periods import today


async def renew_contracts(at: datetime) -> Report[tuple[int, int], bool]:
    """Renew every contract whose last day for notice has passed, and report which were renewed and which were refused.

    The keys of the report are pairs of contract id and customer id. A refused contract does not change. A repeated call
    renews nothing more, so the job that calls this may run again at any time.
    """
    async with transaction(SYSTEM):
        company = await Company.find()
        day = today(company.time_zone if company else "UTC", at)
        due = await renewals_due(day)

    async def one(key: tuple[int, int]) -> bool:
        contract, customer = key
        async with changing_terms(customer):
            return await renew(contract, day, at)

    return await all_or_report(due, one, reader=SYSTEM)
