"""The agents' area, mounted at /agent. Every request here needs a signed-in agent."""

from litestar import Router

from portal.agent import (
    appointments,
    approvals,
    billing,
    case,
    case_facts,
    case_fields,
    cases,
    contracts,
    customers,
    earnings,
    finding,
    flow,
    help,
    invoices,
    owed,
    printing,
    projects,
    queue,
    related,
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
    route_handlers=[
        *time.handlers,
        *timer.handlers,
        *approvals.handlers,
        *timesheets.handlers,
        *earnings.time_handlers,
    ],
    guards=[time_tracked],
)
"""The pages and forms about time, which return 404 while time tracking is switched off."""

router = Router(
    "/agent",
    route_handlers=[
        *cases.handlers,
        *queue.handlers,
        *case.handlers,
        *case_facts.handlers,
        *case_fields.handlers,
        *flow.handlers,
        *related.handlers,
        *appointments.handlers,
        tracked,
        *billing.handlers,
        *invoices.handlers,
        *owed.handlers,
        *earnings.handlers,
        *customers.handlers,
        *contracts.handlers,
        *services.handlers,
        *projects.handlers,
        *tasks.handlers,
        *finding.handlers,
        *help.handlers,
        *setup.handlers,
        *working.handlers,
        *printing.handlers,
        *notices.handlers,
    ],
    guards=[agent_only],
)
