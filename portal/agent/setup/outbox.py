"""Serve the set-up pages that show the delivery state and the text of each mail. Only admins may open them."""

import re
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import audit
from portal.agent.pages import agent_page
from portal.database import transaction
from portal.errors import NotFound
from portal.mail import outgoing
from portal.mail.letters import LETTERS
from portal.mail.outgoing import Filter, Outgoing
from portal.mail.subjects import subjects_of
from portal.numbers import number_in
from portal.people.readers import SYSTEM, AgentReader
from portal.web.finding import asked, suggested
from portal.web.guards import admin_only
from portal.web.headers import MAIL_FRAME, content_security_policy
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of
from portal.words import MailState

PAGE = "/agent/setup/outbox"


def _address(wanted: Filter, **more: object) -> str:
    """Return the URL of the list of mails with the filter `wanted` and the additional parameters `more`."""
    values = {"who": wanted.credential_id, "kind": wanted.kind, "state": wanted.state and wanted.state.value} | more
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return f"{PAGE}?{query}" if query else PAGE


@get("/setup/outbox", guards=[admin_only])
async def show_list(request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[str]:
    """Show the mails of the last weeks with their delivery states, latest first. `?after=` is the keyset cursor.

    `?who=`, `?kind=` and `?state=` filter the list; values that cannot be read are ignored.
    """
    query, who = request.query_params, await asked(request, "who", audit.PEOPLE)
    person = who.id if "who_typed" in query else number_in(query.get("who"))
    kind, state = query.get("kind", ""), query.get("state", "")
    wanted = Filter(person, kind if kind in LETTERS else None, MailState(state) if state in set(MailState) else None)
    after = number_in(query.get("after"))
    mails, following = await outgoing.listed(wanted, after)
    count, not_begun = await outgoing.how_many(wanted), await outgoing.not_begun()
    await visit_of(request).end_reading()
    async with transaction(SYSTEM, readonly=True):  # The database role of agents may not read other people's notices.
        subjects = await subjects_of(mails)
    async with transaction(reader, readonly=True):
        return await agent_page(
            request, reader, "agent/setup/outbox.html", mails=mails, subjects=subjects, count=count, wanted=wanted, who=who,
            kinds=[(name, letter.word) for name, letter in LETTERS.items()], states=[(one.value, one.word) for one in MailState],
            has_server=_has_server(request), not_begun=not_begun, kept_days=outgoing.KEPT.days,
            is_filtered=wanted != Filter(), turning=_turning(wanted, after, following),
        )  # fmt: skip


def _turning(wanted: Filter, after: int | None, following: int | None) -> dict[str, Any]:
    """Return the links to other pages of the list, for the template `shared/_turning.html`."""
    on = _address(wanted, after=following) if following else None
    return {"turned": after is not None, "first": _address(wanted), "next": on, "back": "Latest", "on": "Earlier"}


def _has_server(request: Web) -> bool:
    return visit_of(request).settings.smtp_url is not None


async def _written(request: Web, mail: Outgoing) -> EmailMessage | None:
    """Write the mail as it would be sent now, with the access rights of the receiver, and return the mail.

    Return None if there is nothing to send now, or if the mail has a secret link, because writing such a mail creates a
    new link. The read-only transaction of the request ends before the mail is written.
    """
    if mail.letter is None or mail.letter.has_link:
        return None
    visit = visit_of(request)
    await visit.end_reading()
    return await mail.letter.write(mail.ids, visit.settings, mail.changed_at)


def _part(message: EmailMessage, kind: str) -> str:
    """Return the plain-text (`plain`) or the HTML part (`html`) of a mail, or "" if the mail has no such part.

    The token of a link that rates a case is removed, because whoever has the link can rate as the receiver.
    """
    body = message.get_body((kind,))
    return re.sub(r"/ratings/[\w.-]+", "/ratings/…", str(body.get_content())) if body else ""


@get("/setup/outbox/{mail:int}", guards=[admin_only])
async def show(request: Web, reader: NamedDependency[AgentReader], mail: FromPath[int]) -> Response[str]:
    """Show one mail: its delivery state, its text, and its HTML in a frame without active content.

    If there is nothing to send now, or if the mail has a secret link, show neither text nor HTML.
    """
    found = await outgoing.find(mail)
    message = await _written(request, found)
    async with transaction(reader, readonly=True):
        response = await agent_page(
            request, reader, "agent/setup/outbox_mail.html", mail=found, has_server=_has_server(request),
            subject=str(message["Subject"]) if message else "", text=_part(message, "plain") if message else "",
            attached=[part.get_filename() for part in message.iter_attachments()] if message else [],
        )  # fmt: skip
    response.headers["content-security-policy"] = (
        f"{content_security_policy(visit_of(request).nonce)}; frame-src 'self'"
    )
    return response


@get("/setup/outbox/{mail:int}/html", guards=[admin_only])
async def show_html(request: Web, mail: FromPath[int]) -> Response[str]:
    """Serve the HTML part of a mail, for a frame in the page of the mail.

    Raise `NotFound` if there is nothing to send now, or if the mail has a secret link.
    """
    message = await _written(request, await outgoing.find(mail))
    if message is None:
        raise NotFound
    return Response(_part(message, "html"), media_type="text/html", headers={"content-security-policy": MAIL_FRAME})


@post("/setup/outbox/{mail:int}/sending", guards=[admin_only])
async def send_again(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], mail: FromPath[int]
) -> Response[Any]:
    """Enqueue a mail that could not be sent before, and redirect to the page of the mail.

    The mail could not be sent because the portal had no mail server, because a mail server refused the mail, or because
    the portal gave up its attempts. Raise `NotFound` if the portal has no mail server now.
    """
    if not _has_server(request):
        raise NotFound
    async with transaction(reader):
        await outgoing.send_again(mail, at)
    return see_other(f"{PAGE}/{mail}")


@get("/setup/outbox/people", guards=[admin_only])
async def suggest_people(request: Web) -> Response[str]:
    """Return suggestions for the field *To*: people who can sign in and whose names match the typed text."""
    return await suggested(request, audit.PEOPLE)


handlers: list[Any] = [show_list, show, show_html, send_again, suggest_people]
