"""The sentences that people read if billing refuses or skips an entry, and the words for what pays for an entry."""

REFUSED: dict[str, str] = {
    "own": "This is your own time. Another manager has to decide on it.",
    "not_designated": "You are not designated for {name}’s department, nor for the service.",
    "changed": "It was changed meanwhile. Look at it again.",
    "approved": "It is approved already, by {name}.",
    "rejected": "It is rejected already, and {name} has not submitted it again.",
    "flagged": "{name} has flagged it. Lift the flag, then approve.",
    "flagged_already": "{name} has flagged it already.",
    "gone": "It was deleted meanwhile.",
    "before_service_start": "“{service.name}” had not begun on {entry.date:%-d %b %Y}.",
    "after_contract_end": "The contract “{contract.name}” had ended on {entry.date:%-d %b %Y}.",
    "no_rate": "There is no rate for {entry.agent_name} under “{service.name}” on {entry.date:%-d %b %Y}. Add one, then approve.",
    "too_large": "With it, “{contract.name}” has more to bill than one document can hold. Bill what is approved first, or check the rate.",
    "no_role": "{entry.agent_name} has no role, and “{service.name}” is billed by role. Give one, then approve.",
}
"""Why an entry is not approved, rejected or withdrawn, by the reason; a refused entry does not change (D19)."""

COVERED_BY = {
    "included": "included hours",
    "voucher": "prepaid hours",
    "charged": "charged",
    "held": "held",
    "no_charge": "no charge",
}
"""The words for what pays for a piece of an entry, by the kind of its allocation."""

SKIPPED = {
    "not_approved": "Not approved",
    "held": "Held",
    "flagged": "Flagged",
    "customer_unticked": "Left out by hand",
    "too_large": "More than one document can hold",
    "failed": "Could not be billed",
}
"""The words for why a billing run skipped an entry, by the reason."""
