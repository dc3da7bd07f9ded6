"""The sentences that people read if billing refuses or skips an entry, and the words for what pays for an entry."""

from decimal import Decimal

REFUSED: dict[str, str] = {
    "own": "This is your own time. Another manager has to decide on it.",
    "not_designated": "You are not designated for {name}’s department, nor for the service.",
    "changed": "It was changed in the meantime. Look at it again.",
    "approved": "It is approved already, by {name}.",
    "rejected": "It is rejected already, and {name} has not submitted it again.",
    "flagged": "{name} has flagged it. Lift the flag, then approve.",
    "flagged_already": "{name} has flagged it already.",
    "gone": "It was deleted in the meantime.",
    "general": "General time has no customer, so it is never charged.",
    "before_service_start": "“{service.name}” had not begun on {entry.date:%-d %b %Y}.",
    "after_contract_end": "The contract “{contract.name}” had ended on {entry.date:%-d %b %Y}.",
    "no_rate": "There is no rate for {entry.agent_name} under “{service.name}” on {entry.date:%-d %b %Y}. Add one, then approve.",
    "too_large": "With it, “{contract.name}” has more to bill than one document can hold. Bill what is approved first, or check the rate.",
    "beyond_prepaid": "The prepaid hours of “{service.name}” do not cover it wholly, and it takes no other time. Sell a voucher, or shorten it.",
    "too_long": "Rounded with its day, {entry.date:%-d %b %Y}, one entry would count more than 48 h. Change how “{service.name}” rounds.",
    "no_role": "{entry.agent_name} has no role, and “{service.name}” is billed by role. Give one, then approve.",
}
"""The sentences that say why a decision on an entry is refused, by the reason. Such an entry does not change (D19)."""

COVERED_BY = {
    "included": "included hours",
    "voucher": "prepaid hours",
    "charged": "charged",
    "fixed_fee": "fixed fee",
    "held": "held",
    "no_charge": "no charge",
}
"""The words for what pays for a piece of an entry, by the kind of the allocation, and for a fixed fee (`cover_of`)."""


def cover_of(kind: str, hourly_rate: Decimal | None) -> str:
    """Return the words for what pays for an allocation. A charged allocation without an hourly rate has a fixed fee."""
    return COVERED_BY["fixed_fee" if kind == "charged" and hourly_rate is None else kind]


SKIPPED = {
    "not_approved": "Not approved",
    "held": "Held",
    "flagged": "Flagged",
    "customer_unticked": "Left out by hand",
    "too_large": "More than one document can hold",
    "failed": "Could not be billed",
}
"""The words for why a billing run skipped an entry, by the reason."""
