"""Serve the set-up pages, which lead from an empty database to the first invoice. Only admins may open them."""

from portal.agent.setup import (
    cases,
    changes,
    company,
    deadlines,
    files,
    kinds,
    outbox,
    overview,
    people,
    prices,
    system,
    time_rules,
)

handlers = [
    *overview.handlers,
    *company.handlers,
    *people.handlers,
    *prices.handlers,
    *cases.handlers,
    *files.handlers,
    *deadlines.handlers,
    *system.handlers,
    *changes.handlers,
    *outbox.handlers,
    *kinds.handlers,
    *time_rules.handlers,
]
