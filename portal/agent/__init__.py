"""The agents' area, mounted at /agent. Every request here needs a signed-in agent."""

from litestar import Router

from portal.agent import (
    appointments,
    approvals,
    billing,
    case,
    case_facts,
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
    working,
)
from portal.web import notices
from portal.web.guards import agent_only, time_tracked

tracked = Router(
    "/",
    route_handlers=[*time.handlers, *timer.handlers, *approvals.handlers, *timesheets.handlers],
    guards=[time_tracked],
)
"""The pages and forms of time, which get 404 while time tracking is switched off."""

router = Router(
    "/agent",
    route_handlers=[
        *cases.handlers,
        *case.handlers,
        *case_facts.handlers,
        *appointments.handlers,
        tracked,
        *billing.handlers,
        *invoices.handlers,
        *customers.handlers,
        *services.handlers,
        *projects.handlers,
        *tasks.handlers,
        *finders.handlers,
        *setup.handlers,
        *working.handlers,
        *printing.handlers,
        *notices.handlers,
    ],
    guards=[agent_only],
)
