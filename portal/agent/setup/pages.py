"""Render what several set-up pages share: a page with a form, and the page that shows an invitation link."""

from typing import Any

import msgspec
from litestar import Response

from portal.agent.pages import agent_page
from portal.people import invitations
from portal.web.pages import form_values
from portal.web.visit import Web, visit_of


async def form_page(
    request: Web,
    template: str,
    *,
    facts: msgspec.Struct | None = None,
    seen: msgspec.Struct | None = None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """Return a page with a form.

    The form is filled with `typed`, the values of a refused submission; if there are none, with what the portal saved
    for this person when a session ended; otherwise with the stored values `facts`. `seen` holds the values that the
    form displays, with which a later submission is compared; it defaults to `facts`. `errors` holds the error messages
    by field.
    """
    reader: Any = visit_of(request).reader
    values = await form_values(request, facts, typed, seen=seen)
    return await agent_page(request, reader, template, errors=errors or {}, **values, **context)


async def invited_page(request: Web, credential: Any, name: str, token: str, *, back: str, again: str) -> Response[str]:
    """Return the page that shows an invitation link, which no later page shows again.

    `credential` is a row with the person's `email`, `token` the invitation's token. `back` is the URL to return to,
    `again` the URL that creates another invitation link.
    """
    visit = visit_of(request)
    return await form_page(
        request, "agent/setup/invited.html", typed={}, name=name, email=credential["email"], back=back, again=again,
        link=f"{visit.settings.base_url}/invitations/{token}", until=visit.at + invitations.VALID,
    )  # fmt: skip
