"""The contacts' area, mounted at /. Its first page also serves agents; everything else needs a signed-in contact."""

from litestar import Router

from portal.customer import case, cases, contacts, home, invoices, statements
from portal.web import notices
from portal.web.guards import contact_only, signed_in

router = Router(
    "/",
    route_handlers=[
        Router("/", route_handlers=[home.front], guards=[signed_in]),
        Router(
            "/",
            route_handlers=[
                *cases.handlers,
                *case.handlers,
                *contacts.handlers,
                *invoices.handlers,
                *statements.handlers,
                *notices.handlers,
            ],
            guards=[contact_only],
        ),
    ],
)
