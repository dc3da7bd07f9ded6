"""The agents' area, mounted at /agent. Every handler starts from the signed-in agent."""

from litestar import Router

from portal.agent import (
    approvals,
    billing,
    case,
    cases,
    customer_contacts,
    customer_contracts,
    customers,
    invoices,
    setup,
    setup_people,
    setup_prices,
    time,
)
from portal.web.guards import agent_only

router = Router(
    "/agent",
    route_handlers=[
        *cases.handlers,
        *case.handlers,
        *time.handlers,
        *approvals.handlers,
        *billing.handlers,
        *invoices.handlers,
        *customers.handlers,
        *customer_contacts.handlers,
        *customer_contracts.handlers,
        *setup.handlers,
        *setup_people.handlers,
        *setup_prices.handlers,
    ],
    guards=[agent_only],
)
