"""The agents' area, mounted at /agent. Every handler starts from the signed-in agent."""

from litestar import Router

from portal.agent import approvals, billing, case, case_time, cases, entry, invoices, time
from portal.web.guards import agent_only

router = Router(
    "/agent",
    route_handlers=[
        *cases.handlers,
        *case.handlers,
        *case_time.handlers,
        *time.handlers,
        *entry.handlers,
        *approvals.handlers,
        *billing.handlers,
        *invoices.handlers,
    ],
    guards=[agent_only],
)
