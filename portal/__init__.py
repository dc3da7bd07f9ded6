"""A customer portal and the web app of the agents who serve the customers.

Customers open cases and follow them; agents answer and log their time; managers approve that time; the billing engine
turns approved time into invoices with the time as their detail. One application serves customers and agents, from one
set of packages (people, contracts, desk, timekeeping, billing) that hold the rules. What is billed is computed by a
pure function of values; the pages for customers and agents contain no rules.
"""
