"""The customers' area, mounted at /. Every handler starts from the signed-in contact."""

from litestar import Router

from portal.web.guards import contact_only

router = Router("/", route_handlers=[], guards=[contact_only])
