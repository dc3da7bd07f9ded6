"""The agents' area, mounted at /agent. Every handler starts from the signed-in agent."""

from litestar import Router

from portal.web.guards import agent_only

router = Router("/agent", route_handlers=[], guards=[agent_only])
