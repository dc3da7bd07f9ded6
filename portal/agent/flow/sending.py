"""Send the reply of an agent, and withdraw it within the first seconds."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.flow.places import next_place, place_of
from portal.database import transaction
from portal.desk import Case, Status
from portal.desk.files import draft_files
from portal.desk.messages import Writing
from portal.desk.replies import canned, outgoing
from portal.numbers import number_in, uuid_in
from portal.people.readers import AgentReader
from portal.web import drafts
from portal.web.forms import Form
from portal.web.pages import see_other
from portal.web.visit import Web

THEN = {"wait": Status.WAITING_FOR_CUSTOMER, "resolve": Status.RESOLVED}
"""The status that a reply sets, by the value of the button with which it is sent."""


class Written(Struct, kw_only=True):
    """Form for a reply or a note on the case page.

    `kind` is the selected tab, which a refused form shows again; whether a reply or a note is written depends on the
    URL only. `then` is a key of `THEN` if the reply also sets a status, or `next` to show the next case of the list
    afterwards. `seen_reply` is the id of the newest reply that the page showed, `seen_held` the form keys of the replies
    that it showed as not gone out yet, separated by spaces.
    """

    kind: str = ""
    body: str = ""
    then: str = ""
    seen_reply: str = ""
    seen_held: str = ""
    form_key: str = ""


async def send(request: Web, reader: AgentReader, form: Form, number: str, at: datetime) -> Response[Any]:
    """Send a reply, and redirect to its case or to the next case of the list.

    The reply of a form without a form key goes out at once and cannot be withdrawn. Only scripts send such forms.
    """
    fields, held = form.into(Written), None
    canned.refuse_unfilled(fields.body)
    then = THEN.get(fields.then)
    async with transaction(reader):
        case = await Case.find(number, reader)
        if form.key:
            writing = Writing(fields.body, form.files, form.key)
            seen = number_in(fields.seen_reply)
            seen_held = [key for typed in fields.seen_held.split() if (key := uuid_in(typed))]
            held = await outgoing.send(case, writing, by=reader, at=at, then=then, seen=seen, seen_held=seen_held)
        else:
            await case.reply(by=reader, text=fields.body, files=form.files, at=at, then=then)
    await forget_draft(reader, number, form, at)
    told = {"sent": case.number} | ({"held": held} if held else {})
    if fields.then == "next":
        return see_other(next_place(request, **told))
    return see_other(written_on(request, number, case, **told))


async def forget_draft(reader: AgentReader, number: str, form: Form, at: datetime) -> None:
    """Delete the draft of the text box for replies and notes, which may be stored under either of the two URLs."""
    for noun in ("replies", "notes"):
        await drafts.done(reader, f"/agent/cases/{number}/{noun}", form.key, at)


def written_on(request: Web, number: str, case: Case, **told: object) -> str:
    """Return the URL of the text box on the page of `case`, to which a reply or note was added.

    `number` is the case number in the URL of the form. It differs from that of `case` if the form's case was merged in
    the meantime; the page then says so. `told` are additional query parameters.
    """
    merged: dict[str, object] = {} if str(case.number) == number else {"from": number}
    return f"{place_of(request, case.number, **told, **merged)}#composer"


@post("/cases/{number:str}/replies/{reply:int}/withdrawal")
async def take_back(
    request: Web,
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    number: FromPath[str],
    reply: FromPath[int],
) -> Response[Any]:
    """Withdraw a reply that has not gone out, and put its text and files back into the text box of its case.

    Redirect to the case.
    """
    async with transaction(reader):
        case = await Case.find(number, reader)
        taken = await outgoing.take_back(reply, by=reader, at=at)
    if taken:
        await _write_again(reader, case.number, *taken, at=at)
    return see_other(f"{place_of(request, case.number)}#body")


async def _write_again(reader: AgentReader, number: int, text: str, files_key: uuid.UUID, *, at: datetime) -> None:
    """Put a text in front of the draft in the text box of a case, and add the files with the key `files_key` there."""
    address = f"/agent/cases/{number}/replies"
    async with transaction(None):
        begun = (await drafts.kept(reader, address))[address]
    key = uuid.UUID(begun["form_key"]) if begun.get("form_key") else uuid.uuid4()
    async with transaction(reader):
        await draft_files.move(files_key, key, reader)
    body = "\n\n".join(part for part in (text, begun.get("body", "")) if part.strip())
    fields = begun | {"kind": "reply", "body": body, "form_key": str(key)}
    await drafts.keep(reader.credential_id, address, {name: [value] for name, value in fields.items()}, at)


handlers: list[Any] = [take_back]
