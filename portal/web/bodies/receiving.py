"""Read the form of each POST before its handler runs, and check its CSRF token before any file is stored (R37)."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, cast

from litestar import Request

from portal.database import transaction
from portal.desk import RefusedEnding
from portal.desk.files import attachments, draft_files, filetypes
from portal.errors import BadRequest, Forbidden, Full, Invalid, TooLarge, TooMany, TooSlow
from portal.people.access import sessions
from portal.storage import new_key
from portal.web import drafts
from portal.web.bodies.arriving import READ_PAST, Arriving, arriving
from portal.web.bodies.multipart import MAX_FIELDS, MAX_TEXT, Body, Part, within
from portal.web.errors import SignInNeeded, answer, sign_in_response
from portal.web.forms import Form, Nothing
from portal.web.visit import Visit, Web, now, visit_of

MAX_FILE = 25 * 1024 * 1024
TOO_LARGE = "A file may have at most 25 MB."
TOO_OLD = (
    "It was opened before you last signed in. Go back, copy what you typed, load the page again and send it there."
)
SAFE = ("GET", "HEAD", "OPTIONS")
SLOW = timedelta(seconds=1)
"""If a body took longer than this to arrive, the sender's session is looked up again before the handler runs."""
HEAD = 4096
"""How many bytes from the start of a file are read to detect its type."""


async def read(request: Web) -> None:
    """Read the form of a request before its handler runs: check its CSRF token, store its files, and set `visit.form`.

    Do nothing for GET, HEAD and OPTIONS, or if the form has been read. If the form is too large or arrives too slowly,
    or if its files cannot be stored now, raise the refusal. For a signed-in reader, first save the text that has
    arrived as a draft. Raise `Forbidden` for a wrong CSRF token, and `SignInNeeded` if the session ended or the
    reader's rights changed while the body arrived. If the handler takes no form, raise `BadRequest` for a form that has
    fields.
    """
    visit = visit_of(request)
    if request.method in SAFE or visit.form is not None:
        return
    _refuse_unread(visit)
    form, began = Form(), monotonic()
    visit.form = form
    with arriving(visit, request.receive, request.headers.get("content-length", "")) as body:
        try:
            await _fill(form, visit, request, body, _store_file)
        except (TooLarge, TooMany, Full, TooSlow) as refusal:
            if visit.session and not isinstance(refusal, TooSlow):
                await body.read_past()
            if visit.reader:
                await drafts.keep(visit.reader.credential_id, drafts.address_of(request), form.fields, visit.at)
            raise
    if (took := timedelta(seconds=monotonic() - began)) >= SLOW:
        await _find_session_again(form, visit, request, visit.at + took)
    if "form" not in request.route_handler.parsed_fn_signature.parameters:
        form.into(Nothing)


def _refuse_unread(visit: Visit) -> None:
    """Raise `Forbidden`, without reading the body, if this request can have no valid CSRF token.

    Each token is bound to a session or, for people without a session, to a cookie. A request that has neither is
    refused.
    """
    if visit.session is None and not visit.anonymous:
        raise Forbidden(TOO_OLD)


async def _find_session_again(form: Form, visit: Visit, request: Web, at: datetime) -> None:
    """Look up the sender's session again after a slow body, because it may have ended since the request began.

    If the session has ended or the reader's rights have changed (R12, R17), save the text as a draft, which the form
    shows once the reader has signed in, and raise `SignInNeeded`. Otherwise update the session of the visit, and set
    the visit's instant to `at`, when the body had arrived. Do nothing if nobody is signed in.
    """
    if visit.session is None or visit.reader is None:
        return
    async with transaction(None, readonly=True):
        session = await sessions.find_again(visit.session, at)
    if session is None or not session.live or session.reader != visit.reader:
        await _keep(form, visit, request)
        raise SignInNeeded(drafts.page_to_go_on(request), kept=True)
    visit.at, visit.session = at, session


async def _keep(form: Form, visit: Visit, request: Web) -> None:
    """Save the text of the form as the reader's draft, and note in the visit that the form was not processed.

    Save nothing if nobody is signed in, or if the request is itself about a draft (its path begins with `/drafts`).
    """
    if visit.reader and not request.scope["path"].startswith("/drafts"):
        await drafts.keep(
            visit.reader.credential_id, drafts.address_of(request), form.fields, visit.at, had_files=form.had_files
        )
    visit.kept = True


async def keep_and_sign_in(visit: Visit, scope: Any, receive: Any, send: Any) -> None:
    """Save the text of a form that was sent with an ended session, and redirect to the sign-in page.

    The text becomes a draft of the person to whom the session belonged. After signing in, the person is redirected to
    the page of the form. The files are discarded. Nothing is saved for a form that signs out, or for a request that is
    itself about a draft (`/drafts`).
    """
    request: Web = Request(scope, receive, send)
    form = Form()
    with arriving(visit, request.receive, request.headers.get("content-length", "")) as body:
        await _fill(form, visit, request, body, _discard_file)
    if visit.session and not request.scope["path"].startswith(("/drafts", "/sign-out")):
        address, had_files = drafts.address_of(request), form.had_files
        await drafts.keep(visit.session.credential_id, address, form.fields, visit.at, had_files=had_files)
    await answer(sign_in_response(request, SignInNeeded(drafts.page_to_go_on(request), kept=True)), send)


FileTaker = Callable[[Form, Visit, Part, AsyncIterator[bytes]], Awaitable[None]]


async def _fill(form: Form, visit: Visit, request: Web, on_its_way: Arriving, take_file: FileTaker) -> None:
    """Read the fields of the request into `form`, and pass each file to `take_file`.

    The CSRF token must come before the files, because files are passed on only after it has been checked. Raise
    `Forbidden` if a file comes before the token, or if the token is foreign: it belongs neither to this request's
    session or cookie nor to an earlier session of this person. For a token of an earlier session, save the text as a
    draft and raise `SignInNeeded`, which leads back to the form's page. Raise `TooLarge` for too many fields or too
    much text.
    """
    body = Body(on_its_way.chunks(), request.headers.get("content-type", ""))
    checked = visit.is_ours(request.headers.get("x-csrf-token", ""))
    count = length = 0
    earlier = False
    while (part := await body.next_part()) is not None:
        count += 1
        if count > MAX_FIELDS:
            raise TooLarge("This form has too many fields.")
        if part.filename is not None:
            if not (checked or earlier):
                raise Forbidden(TOO_OLD)
            await (take_file if checked else _discard_file)(form, visit, part, body.chunks())
            continue
        content = b"".join(
            [chunk async for chunk in within(body.chunks(), MAX_TEXT - length, "This text is too large.")]
        )
        length += len(content)
        if part.name == "csrf":
            checked = checked or visit.is_ours(_clean(content))
            earlier = not checked and await _is_of_an_earlier_session(visit, _clean(content))
        else:
            form.fields.setdefault(part.name, []).append(_clean(content))
    if earlier and visit.reader:
        await _keep(form, visit, request)
        raise SignInNeeded(drafts.page_to_go_on(request), kept=True)
    if not checked:
        raise Forbidden(TOO_OLD)
    if take_file is _store_file and request.scope["path"] != "/drafts":
        await _load_kept(form, visit)


async def _is_of_an_earlier_session(visit: Visit, token: str) -> bool:
    """Return whether the CSRF token is from an earlier session of this person, who has signed in again since."""
    if visit.reader is None:
        return False
    async with transaction(None, readonly=True):
        return visit.is_of(await sessions.of_person(visit.reader.credential_id), token)


def _clean(raw: bytes) -> str:
    """Decode the bytes of a field as UTF-8, with Unix line ends. Raise `BadRequest` for invalid UTF-8 and for NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest from error
    if "\x00" in text:
        raise BadRequest("This text has a character that cannot be stored.")
    return text.replace("\r\n", "\n")


async def _discard_file(form: Form, visit: Visit, part: Part, chunks: AsyncIterator[bytes]) -> None:
    """Read and discard a file sent with an ended session, and add to the form's problems that the page is too old.

    An empty file field adds no problem.
    """
    async for _ in within(chunks, MAX_FILE, TOO_LARGE):
        pass
    if part.filename:
        form.problems.setdefault(part.name, TOO_OLD)


async def _load_kept(form: Form, visit: Visit) -> None:
    """Load into the form the files that were uploaded for it before this request, unless they are loaded already."""
    if visit.reader and form.key and not form.loaded:
        async with transaction(visit.reader, readonly=True):
            form.files = await draft_files.of_form(form.key, visit.reader)
        form.loaded = True


async def _store_file(form: Form, visit: Visit, part: Part, chunks: AsyncIterator[bytes]) -> None:
    """Store one file and add it to the form; ignore an empty file field.

    If the file is refused, add the reason to the form's problems, and read and discard the rest of the file, so that
    the other fields of the form are not lost. Raise `TooLarge` if this rest has more than `READ_PAST` bytes.
    """
    try:
        await _keep_file(form, visit, part.filename or "", within(chunks, MAX_FILE, TOO_LARGE))
    except Invalid as refusal:
        form.refuse_file(part.name, refusal.sentence)
    except TooLarge:
        name = filetypes.clean_name(part.filename or "")
        form.refuse_file(part.name, f"“{name}” has more than 25 MB and is left out.")
    async for _ in within(chunks, READ_PAST, TOO_LARGE):
        pass


async def _keep_file(form: Form, visit: Visit, name: str, content: AsyncIterator[bytes]) -> None:
    """Check the type of a file by its first bytes, store its content, and record it as an uploaded file of the form.

    A part that has neither a name nor content is skipped. Raise `Forbidden` if nobody is signed in, `Invalid` if the
    form has too many files already or the type is refused, and `TooMany` as `attachments.announce` does.
    """
    head = b""
    async for chunk in content:
        head += chunk
        if len(head) >= HEAD:
            break
    if not name and not head:
        return
    if visit.reader is None:
        raise Forbidden
    if form.key is None:
        form.fields["form_key"] = [str(uuid.uuid4())]
    await _load_kept(form, visit)
    if len(form.files) >= attachments.MAX_FILES:
        raise Invalid({"files": draft_files.left_out(filetypes.clean_name(name))})
    key, form_key = new_key(), cast(uuid.UUID, form.key)
    async with transaction(None):
        refused = await RefusedEnding.all()
        name, media_type = attachments.check_file(name, head[:HEAD], refused)
        await attachments.announce(key, visit.reader.credential_id, visit.at)
    stored = await visit.storage.store(key, _chained(head, content), limit=MAX_FILE)
    async with transaction(visit.reader):
        await draft_files.keep(stored, name, media_type, form_key=form_key, by=visit.reader, at=now())
        form.files = await draft_files.of_form(form_key, visit.reader)


async def _chained(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk
