"""What the pages of set-up share: a page with a form, the page that shows an invitation, and asking for the password once more."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, Response

from portal.agent.pages import agent_page
from portal.errors import Invalid
from portal.people import credentials, invitations
from portal.web import drafts
from portal.web.visit import visit_of

CONFIRMED_FOR = timedelta(minutes=10)
"""So long after signing in the password is not asked for again (R20)."""


async def form_page(
    request: Request[Any, Any, Any],
    template: str,
    *,
    facts: msgspec.Struct | None = None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """A page with a form. What was just typed wins over what was kept when a session ended, and that over what is stored (`facts`)."""
    reader: Any = visit_of(request).reader
    if typed is None:
        path = request.scope["path"]
        stored = msgspec.structs.asdict(facts) if facts else {}
        typed = (await drafts.kept(reader, path))[path] or stored
    return await agent_page(request, reader, template, typed=typed, errors=errors or {}, **context)


def choices(nouns: Iterable[Any]) -> list[tuple[int, str]]:
    """Id and name of each, for a select."""
    return [(noun.id, noun.name) for noun in nouns]


async def invited_page(
    request: Request[Any, Any, Any], credential: Any, name: str, token: str, *, back: str, again: str
) -> Response[str]:
    """The link by which somebody chooses a password, shown this once. `credential`: row with the email."""
    visit = visit_of(request)
    return await form_page(
        request, "agent/setup/invited.html", typed={}, name=name, email=credential["email"], back=back, again=again,
        link=f"{visit.settings.base_url}/invitations/{token}", until=visit.at + invitations.VALID,
    )  # fmt: skip


def needs_password(request: Request[Any, Any, Any]) -> bool:
    """Whether the session began too long ago for what only its owner may change."""
    visit = visit_of(request)
    return visit.session is None or visit.at - visit.session.created_at > CONFIRMED_FOR


async def confirm_person(request: Request[Any, Any, Any], password: str, at: datetime) -> None:
    """Raise `Invalid` unless it is the owner of the session who asks: signed in lately, or the password is typed again (R20)."""
    visit = visit_of(request)
    if not needs_password(request) or visit.reader is None:
        return
    try:
        await credentials.verify(visit.reader.email, password, address=visit.address, at=at)
    except Invalid as refusal:
        sentence = "This is not your password." if password else "Type your password: you signed in a while ago."
        raise Invalid({"password": sentence}) from refusal
