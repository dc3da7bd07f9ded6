"""Customers open cases and follow them; agents answer and log their time; managers approve that time; the billing
engine turns what was approved into invoices that carry their detail. One application serves the two audiences over one
set of nouns (people, contracts, desk, timekeeping, billing). The rules live in the nouns, money and hours are settled
by a pure function of values, and the areas that customers and agents see are thin.
"""
