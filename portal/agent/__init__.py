"""The agents' area, mounted at /agent. Every request here needs a signed-in agent."""

from litestar import Router

from portal.agent import (
    appointments,
    approvals,
    billing,
    case,
    cases,
    customers,
    finders,
    invoices,
    printing,
    projects,
    services,
    setup,
    tasks,
    time,
    timer,
    timesheets,
)
from portal.web.guards import agent_only

router = Router(
    "/agent",
    route_handlers=[
        *cases.handlers,
        *case.handlers,
        *appointments.handlers,
        *time.handlers,
        *timer.handlers,
        *approvals.handlers,
        *timesheets.handlers,
        *billing.handlers,
        *invoices.handlers,
        *customers.handlers,
        *services.handlers,
        *projects.handlers,
        *tasks.handlers,
        *finders.handlers,
        *setup.handlers,
        *printing.handlers,
    ],
    guards=[agent_only],
)
