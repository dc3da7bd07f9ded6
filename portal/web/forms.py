"""Forms: read once, before the handler, for every request that changes something; CSRF is checked while reading, before any file (R37)."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request

from portal.database import transaction
from portal.desk import RefusedEnding
from portal.desk.files import attachments, draft_files, filetypes
from portal.desk.files.draft_files import DraftFile
from portal.errors import BadRequest, Forbidden, Full, Invalid, TooLarge, TooMany, TooSlow
from portal.numbers import number_in
from portal.people import sessions
from portal.people.readers import Reader
from portal.storage import new_key
from portal.web import drafts
from portal.web.arriving import READ_PAST, Arriving, arriving
from portal.web.errors import SignInNeeded, answer, sign_in_response
from portal.web.multipart import MAX_FIELDS, MAX_TEXT, Body, Part, within
from portal.web.visit import Visit, Web, now, visit_of

MAX_FILE = 25 * 1024 * 1024
MAX_FILES = 10
TOO_LARGE = "A file may have at most 25 MB."
TOO_OLD = (
    "It was opened before you last signed in. Go back, copy what you typed, load the page again and send it there."
)
SAFE = ("GET", "HEAD", "OPTIONS")
SLOW = timedelta(seconds=1)
"""After a body that took longer its reader is looked up again."""
SEEN = "seen"
"""The hidden field in which an edit form says what it showed (`portal.web.edits`)."""
HEAD = 4096
"""Bytes of a file that tell what it is."""

Fields = TypeVar("Fields", bound=msgspec.Struct)


@dataclass(slots=True)
class Form:
    """What was sent: text fields in their order, and files."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[DraftFile] = field(default_factory=list)
    """What came with it and what was kept for it before, at most `MAX_FILES`."""
    loaded: bool = False
    """Whether `files` has what was kept before."""
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong with its files, by field; a verb that would take them refuses."""

    def get(self, name: str) -> str:
        """The field's last value, "" where it was not sent."""
        return self.fields.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be sent several times, such as ticked rows."""
        return self.fields.get(name, [])

    @property
    def typed(self) -> dict[str, str]:
        """What the page shows again after a refusal."""
        return {name: values[-1] for name, values in self.fields.items()}

    def refuse_file(self, field: str, sentence: str) -> None:
        """Refuse one file; each has its own sentence."""
        self.problems[field] = f"{self.problems[field]} {sentence}" if field in self.problems else sentence

    async def begin_anew(self, by: Reader) -> None:
        """Give the form another key, and its files with it: under the former one it was sent already."""
        former, anew = self.key, uuid.uuid4()
        self.fields["form_key"] = [str(anew)]
        if former:
            async with transaction(by):
                await draft_files.move(former, anew, by)

    @property
    def had_files(self) -> bool:
        """Whether files came with it that could not be kept, because the session had ended."""
        return bool(self.files or self.problems)

    @property
    def key(self) -> uuid.UUID | None:
        """What marks this very form (`form_key`), so that one sent twice counts once; None where it says nothing that makes sense."""
        try:
            return uuid.UUID(self.get("form_key"))
        except ValueError:
            return None

    def into(self, shape: type[Fields]) -> Fields:
        """The fields as a struct whose members are str, int, bool, list[str] or list[int].

        A field that the struct does not have is refused (R30), so that no column can be set that the form does not show. A number that is none
        raises `Invalid`; a member that was not sent takes its default, a bool False, a str "".
        """
        known = {member.name: member for member in msgspec.structs.fields(shape)}
        if unknown := set(self.fields) - set(known) - {SEEN}:
            raise BadRequest(f"This form has no field “{min(unknown)}”.")
        values: dict[str, Any] = {}
        problems = dict(self.problems)
        for name, member in known.items():
            try:
                values |= _converted(name, member, self.fields.get(name))
            except ValueError:
                problems[name] = "Choose one of the list." if self.get(name) else "Choose one."
        if problems:
            raise Invalid(problems)
        return shape(**values)


class Nothing(msgspec.Struct):
    """A form that is only a button. It is that of every handler that asks for no form."""


def _converted(name: str, member: Any, given: list[str] | None) -> dict[str, Any]:
    if given is None and member.default is not msgspec.NODEFAULT:
        return {}
    try:
        return {name: _CONVERTERS[member.type](given or [])}
    except KeyError:
        raise TypeError(f"{name}: a form has no {member.type}") from None


def _last(given: list[str]) -> str:
    return given[-1] if given else ""


def _whole(value: str) -> int:
    if (number := number_in(value)) is None:
        raise ValueError(value)
    return number


_CONVERTERS: dict[Any, Callable[[list[str]], Any]] = {
    str: _last,
    int: lambda given: _whole(_last(given)),
    int | None: lambda given: _whole(_last(given)) if _last(given) else None,
    bool: lambda given: _last(given) not in ("", "0", "false"),
    list[str]: lambda given: given,
    list[int]: lambda given: [_whole(value) for value in given],
}


async def read(request: Web) -> None:
    """Before every handler of an unsafe method: the form, or a refusal. On the way the token is checked, and files go to the storage."""
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
        await _look_again(form, visit, request, visit.at + took)
    if "form" not in request.route_handler.parsed_fn_signature.parameters:
        form.into(Nothing)


def _refuse_unread(visit: Visit) -> None:
    """Raise `Forbidden` where no token can be right, so that nothing of the body has to be read."""
    if visit.session is None and not visit.anonymous:
        raise Forbidden(TOO_OLD)


async def _look_again(form: Form, visit: Visit, request: Web, at: datetime) -> None:
    """Who asks was found out when the request began. A body that took its time may arrive after the session has ended, or its reader has
    other rights (R12, R17): then its text is kept as a draft, and `SignInNeeded` leads to it once the reader is back."""
    if visit.session is None or visit.reader is None:
        return
    async with transaction(None, readonly=True):
        session = await sessions.find_again(visit.session, at)
    if session is None or not session.live or session.reader != visit.reader:
        await _keep(form, visit, request)
        raise SignInNeeded(drafts.page_to_go_on(request), kept=True)
    visit.at, visit.session = at, session


async def _keep(form: Form, visit: Visit, request: Web) -> None:
    if visit.reader and not request.scope["path"].startswith("/drafts"):
        await drafts.keep(
            visit.reader.credential_id, drafts.address_of(request), form.fields, visit.at, had_files=form.had_files
        )
    visit.kept = True


async def keep_and_sign_in(visit: Visit, scope: Any, receive: Any, send: Any) -> None:
    """Answer a form that arrives after its session ended: its text becomes the person's draft, and they are led to the sign-in page and from
    there back to the page of the form. Files are not kept."""
    request: Web = Request(scope, receive, send)
    form = Form()
    with arriving(visit, request.receive, request.headers.get("content-length", "")) as body:
        await _fill(form, visit, request, body, _pass_file)
    if visit.session and not request.scope["path"].startswith(("/drafts", "/sign-out")):
        address, had_files = drafts.address_of(request), form.had_files
        await drafts.keep(visit.session.credential_id, address, form.fields, visit.at, had_files=had_files)
    await answer(sign_in_response(request, SignInNeeded(drafts.page_to_go_on(request), kept=True)), send)


FileTaker = Callable[[Form, Visit, Part, AsyncIterator[bytes]], Awaitable[None]]


async def _fill(form: Form, visit: Visit, request: Web, on_its_way: Arriving, take_file: FileTaker) -> None:
    """Read the form. Raises `Forbidden` for one that no session of this person made, `SignInNeeded` for one that an earlier session made:
    its text is then kept as a draft, and the person is led back to its page."""
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
            await (take_file if checked else _pass_file)(form, visit, part, body.chunks())
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
    """Whether the page was loaded before this person signed in anew in another window."""
    if visit.reader is None:
        return False
    async with transaction(None, readonly=True):
        return visit.is_of(await sessions.of_person(visit.reader.credential_id), token)


def _clean(raw: bytes) -> str:
    """Text as people mean it: UTF-8, no NUL, Unix line ends."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest from error
    if "\x00" in text:
        raise BadRequest("This text has a character that cannot be stored.")
    return text.replace("\r\n", "\n")


async def _pass_file(form: Form, visit: Visit, part: Part, chunks: AsyncIterator[bytes]) -> None:
    async for _ in within(chunks, MAX_FILE, TOO_LARGE):
        pass
    if part.filename:
        form.problems.setdefault(part.name, TOO_OLD)


async def _load_kept(form: Form, visit: Visit) -> None:
    """Add the files that were chosen in this form before and are kept for it."""
    if visit.reader and form.key and not form.loaded:
        async with transaction(visit.reader, readonly=True):
            form.files = await draft_files.of_form(form.key, visit.reader)
        form.loaded = True


async def _store_file(form: Form, visit: Visit, part: Part, chunks: AsyncIterator[bytes]) -> None:
    """Store one file and keep it for the form. The empty file field of a form without files is no file.

    One that is not taken is read past and has its sentence, so that the form comes back with everything else.
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
    if len(form.files) >= MAX_FILES:
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
