"""Map each rollup, which says how charged time is grouped into invoice lines, to the module with its rules."""

from portal.billing.engine.rollups import none, resource, role, service
from portal.billing.engine.rollups.lines import Rule, Work
from portal.words import Rollup

__all__ = ["ROLLUPS", "Rule", "Work"]

ROLLUPS: dict[Rollup, Rule] = {
    Rollup.NONE: none,
    Rollup.RESOURCE: resource,
    Rollup.ROLE: role,
    Rollup.SERVICE: service,
}
