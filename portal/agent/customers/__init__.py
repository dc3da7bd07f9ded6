"""Serve the pages of customers with their contacts, contracts, services and vouchers.

Every agent may read the page of a customer, managers sell vouchers, and admins change the rest.
"""

from portal.agent.customers import contacts, contracts, customers, delivery, prices, vouchers

handlers = [
    *customers.handlers, *contacts.handlers, *contracts.handlers, *delivery.handlers, *prices.handlers, *vouchers.handlers,
]  # fmt: skip
