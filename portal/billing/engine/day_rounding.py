"""Round the sum of a day's minutes on one case, under one service and of one agent, instead of each entry (D4)."""

from collections.abc import Iterable, Mapping
from datetime import date

from portal.billing.engine.terms import ContractTerms, Key, ServiceTerms
from portal.billing.engine.values import Entry
from portal.durations import Rounding
from portal.words import EntryBilling

_Group = tuple[Key | None, Key, Key, date, EntryBilling]
"""Case, service, agent, day, and whether the entries are billable or at no charge."""


def rounded_by_day(
    entries: Iterable[Entry], places: Mapping[Key, tuple[ContractTerms, ServiceTerms]]
) -> dict[Key, int]:
    """Return the new minutes of each entry that rounding by day changes, by entry id.

    `entries` are the approved entries that no document has settled, in order. Entries with the same case, service,
    agent, day and kind of billing form a group; an entry with a fixed fee or with `is_override` is in no group. The
    minutes of each group are added and rounded once. The difference goes to the last entry of the group. If rounding
    subtracts more minutes than the last entry has, the rest is subtracted from the entry before it, and so on.
    """
    groups: dict[_Group, list[Entry]] = {}
    rules: dict[_Group, Rounding] = {}
    for entry in entries:
        rule = places[entry.service][1].day_rounding
        if rule is not None and entry.fixed_fee is None and not entry.is_override:
            group: _Group = (entry.case, entry.service, entry.agent, entry.date, entry.billing)
            groups.setdefault(group, []).append(entry)
            rules[group] = rule
    changed: dict[Key, int] = {}
    for group, members in groups.items():
        worked = sum(entry.billable_minutes for entry in members)
        difference = rules[group].apply(worked) - worked
        for entry in reversed(members):
            if not difference:
                break
            changed[entry.id] = max(0, entry.billable_minutes + difference)
            difference -= changed[entry.id] - entry.billable_minutes
    return changed
