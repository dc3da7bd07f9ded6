"""Customers with their contacts, contracts and services: agents look, admins change."""

from portal.agent.customers import contacts, contracts, customers

handlers = [*customers.handlers, *contacts.handlers, *contracts.handlers]
