"""Set-up: from an empty database to the first invoice, and what changes later. Admins only."""

from portal.agent.setup import changes, company, files, kinds, people, prices, system

handlers = [
    *company.handlers,
    *people.handlers,
    *prices.handlers,
    *files.handlers,
    *system.handlers,
    *changes.handlers,
    *kinds.handlers,
]
