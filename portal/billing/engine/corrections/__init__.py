"""Correct what was billed: credit documents, and move the ends of contracts whose fees were paid in advance (D38)."""

from portal.billing.engine.corrections.credits import CannotCredit, Credit
from portal.billing.engine.corrections.ending import end_contract, extend_contract

__all__ = ["CannotCredit", "Credit", "end_contract", "extend_contract"]
