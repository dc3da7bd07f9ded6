"""Provide what several set-up pages share: pages with forms, and the invitation of a person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response

from portal.agent.pages import agent_page
from portal.people.access import invitations
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.web.finding import Finder, people_in
from portal.web.pages import form_values, see_other
from portal.web.visit import Web, visit_of


async def form_page(
    request: Web,
    template: str,
    *,
    facts: msgspec.Struct | None = None,
    seen: msgspec.Struct | None = None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    finders: Mapping[str, Finder] | None = None,
    **context: Any,
) -> Response[str]:
    """Return a page with a form.

    The form is filled with `typed`, the values of a refused submission. If `typed` is None, the form is filled with the
    reader's draft for this path; without a draft, with the stored values `facts`. `seen` holds the values with which a
    later submission is compared, by default `facts`. `errors` holds the error messages by field. With `finders`, the
    variable `people` of the template holds what the search fields for people show (`people_in`).
    """
    reader: Any = visit_of(request).reader
    values = await form_values(request, facts, typed, seen=seen)
    if finders is not None:
        context["people"] = await people_in(values["typed"], finders)
    return await agent_page(request, reader, template, errors=errors or {}, **values, **context)


async def invite_person(request: Web, person: Agent | Contact, at: datetime, *, page: str, back: str) -> Response[Any]:
    """Mail the person a link for setting a password, and redirect to `page`, which is about the person.

    If the portal cannot send mails, return a page with an invitation link to copy. The page shows the link only once,
    because whoever has the link can choose the person's password. `back` is the URL to which this page leads back. Call
    this function in the admin's transaction. Raise `Conflict` for a person who has left.
    """
    visit = visit_of(request)
    if visit.settings.smtp_url:
        await person.mail_link(at)
        return see_other(f"{page}#access")
    credential, token = await person.credential(), await person.invite(at)
    return await form_page(
        request, "agent/setup/invited.html", typed={}, name=person.name, email=credential["email"], back=back,
        again=f"{page}/invitations", link=f"{visit.settings.base_url}/invitations/{token}", until=at + invitations.VALID,
    )  # fmt: skip
