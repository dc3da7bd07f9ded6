"""Serve the set-up pages, which lead from an empty database to the first invoice. Only admins may open them."""

from portal.agent.setup import changes, company, files, kinds, people, prices, system, time_rules

handlers = [
    *company.handlers,
    *people.handlers,
    *prices.handlers,
    *files.handlers,
    *system.handlers,
    *changes.handlers,
    *kinds.handlers,
    *time_rules.handlers,
]
