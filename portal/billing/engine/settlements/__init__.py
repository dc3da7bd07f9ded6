"""Map each settlement, which says how the time of a service is paid for, to the module with its rules.

The subscription also uses the rules of the module `voucher`.
"""

from portal.billing.engine.settlements import subscription, time_spent, voucher
from portal.billing.engine.settlements.included import IncludedMinutes
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.settlements.rules import Rules
from portal.words import Settlement

__all__ = ["SETTLEMENTS", "Fee", "IncludedMinutes", "Pool", "Rules"]

SETTLEMENTS: dict[Settlement, Rules] = {
    Settlement.TIME_SPENT: time_spent,
    Settlement.VOUCHER: voucher,
    Settlement.SUBSCRIPTION: subscription,
}
