"""Everybody who uses the portal: customers and their contacts, agents and their departments, and how they sign in."""
