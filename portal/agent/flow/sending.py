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
from portal.errors import Conflict
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

    `kind` is the selected tab, which a refused form shows again; the URL alone decides whether the text is a reply or a
    note. `then` is a key of `THEN` if the reply also sets a status, or `next` to show the next case of the list
    afterwards. `seen_reply` is the id of the newest sent reply that the page showed. `seen_held` has the form keys,
    separated by spaces, of the replies that could still be withdrawn when the page was shown.
    """

    kind: str = ""
    body: str = ""
    then: str = ""
    seen_reply: str = ""
    seen_held: str = ""
    form_key: str = ""


async def send(request: Web, reader: AgentReader, form: Form, number: str, at: datetime) -> Response[Any]:
    """Send a reply, and redirect to the case or to the next case of the list.

    For some seconds, the agent can withdraw the reply; after that, the customer can read the reply. If the form has no
    form key, which only scripts leave out, the customer can read the reply at once.
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
            held = (
                form.key
                if await outgoing.send(case, writing, by=reader, at=at, then=then, seen=seen, seen_held=seen_held)
                else None
            )
        else:
            await case.reply(by=reader, text=fields.body, files=form.files, at=at, then=then)
    await forget_draft(reader, number, form, at)
    told = {"sent": case.number} | ({"held": held} if held else {})
    if fields.then == "next":
        return see_other(next_place(request, **told))
    return see_other(written_on(request, number, case, **told))


async def forget_draft(reader: AgentReader, number: str, form: Form, at: datetime) -> None:
    """Empty the draft of a case's text box.

    The draft may be stored under the URL path for replies or under the URL path for notes, so both drafts are emptied.
    """
    for address in draft_addresses(number):
        await drafts.done(reader, address, form.key, at)


def draft_addresses(*numbers: str | int) -> list[str]:
    """Return the URL paths under which the drafts of these cases' text boxes are stored: two for each case number."""
    return [f"/agent/cases/{number}/{noun}" for number in numbers for noun in ("replies", "notes")]


def add_to_reply(kept: dict[str, dict[str, str]], text: str, *, taken_back: bool = False) -> tuple[str, dict[str, str]]:
    """Add `text` below the present text of the draft of a reply, and return the address and the fields of this draft.

    With `taken_back`, `text` is a withdrawn reply. Add it above the present text instead, unless the draft contains it
    already.

    `kept` maps addresses to the drafts of the text boxes of one case, newest first. If there is the draft of a reply,
    add `text` to this draft. Otherwise, begin a draft at an address without one. If every address has the draft of a
    note, add `text` to the newest of these notes, and leave it a note: no text of a note becomes part of a reply (D51).
    """
    replies = [address for address, fields in kept.items() if fields and fields.get("kind") != "note"]
    free = [address for address, fields in kept.items() if not fields]
    address = [*replies, *free, *kept][0]
    begun = kept[address]
    body, parts = begun.get("body", ""), [begun.get("body", ""), text]
    if not (taken_back and f"\n\n{text}\n\n" in f"\n\n{body}\n\n".replace("\r\n", "\n")):
        body = "\n\n".join(part for part in (reversed(parts) if taken_back else parts) if part.strip())
    return address, {"kind": "reply"} | begun | {"body": body}


def written_on(request: Web, number: str, case: Case, **told: object) -> str:
    """Return the URL of the text box on the page of `case`, after a reply or note was added to this case.

    `number` is the case number in the URL of the form. It differs from the number of `case` if the form's case was
    merged in the meantime; the page then says that the case was merged. `told` are additional query parameters.
    """
    merged: dict[str, object] = {} if str(case.number) == number else {"from": number}
    return f"{place_of(request, case.number, **told, **merged)}#composer"


@post("/cases/{number:str}/replies/{reply:uuid}/withdrawal")
async def take_back(
    request: Web,
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    number: FromPath[str],
    reply: FromPath[uuid.UUID],
) -> Response[Any]:
    """Withdraw a reply that the customer cannot read yet, and put its text and files back into the case's text box.

    `reply` is the key of the reply's form. Redirect to the case. A repeated request does not add the same text twice.
    Raise `Conflict` if the text box has no room for the text; the reply is then not withdrawn.
    """
    async with transaction(reader, readonly=True):
        case = await Case.find(number, reader)
        held = await outgoing.held_on(case, reply, by=reader)
    # The database role for sign-in reads drafts, and the role for agents reads replies: the transaction takes both.
    async with transaction(None) as tx:
        # Of two requests at once, the second reads the draft that the first stored, and keeps the draft's file key.
        addresses = draft_addresses(case.number)
        await drafts.hold(reader, addresses[0])
        kept = await drafts.kept(reader, *addresses)
        address, fields = add_to_reply(kept, held.text, taken_back=True)
        key = uuid_in(fields.get("form_key")) or uuid.uuid4()
        if not await drafts.store(reader.credential_id, address, fields | {"form_key": str(key)}, at):
            raise Conflict(NO_ROOM)
        await tx.become(reader)
        held = await outgoing.held_on(case, reply, by=reader, hold=True)
        take = draft_files.move if held.agent_id == reader.id else draft_files.take_over
        await take(held.files_key, key, reader)
        await outgoing.take_back(case, held, by=reader, at=at)
    return see_other(f"{place_of(request, case.number)}#body")


NO_ROOM = "The text box has no room for this reply too. Send or shorten what is in it, and take the reply back then."


handlers: list[Any] = [take_back]
