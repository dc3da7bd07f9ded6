"""Serve the pages of customers with their contacts, contracts and services. Every agent may read, admins may change."""

from portal.agent.customers import contacts, contracts, customers

handlers = [*customers.handlers, *contacts.handlers, *contracts.handlers]
