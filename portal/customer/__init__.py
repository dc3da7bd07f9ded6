"""The contacts' area, mounted at /. Every page in it needs a signed-in contact.

The only exception is the front page: it redirects a signed-in agent to the agents' area.
"""

from litestar import Router

from portal.customer import (
    case,
    cases,
    contacts,
    credit_notes,
    delivery,
    home,
    hours,
    invoices,
    questions,
    rating,
    search,
    sharing,
    statements,
)
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
                *delivery.handlers,
                *hours.handlers,
                *invoices.handlers,
                *questions.handlers,
                *rating.handlers,
                *search.handlers,
                *sharing.handlers,
                *statements.handlers,
                *credit_notes.handlers,
                *notices.handlers,
            ],
            guards=[contact_only],
        ),
    ],
)
