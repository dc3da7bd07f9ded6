"""Customers, contacts, agents, departments, credentials and sessions."""
