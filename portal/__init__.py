"""A customer portal and the web app of the agents who serve the customers.

Customers open cases and follow them. Agents answer the cases and log their time. Managers approve that time. The
billing engine, a pure function of values, turns approved time into invoices that list the time. One application serves
customers and agents. All rules are in the packages people, contracts, desk, timekeeping and billing; the pages for
customers and agents contain no rules.
"""
