"""The outermost layer of the app: host check, session look-up, transactions of read-only requests, security headers."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from datetime import datetime
from logging import ERROR, INFO
from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar import Request

from portal import notices
from portal.contracts.company import BRIEF
from portal.database import ORIGIN, transaction
from portal.errors import BadRequest, Forbidden, NotFound, Refusal
from portal.numbers import is_ascii_where_numbers_are
from portal.people.access import sessions
from portal.settings import Settings
from portal.storage import Storage
from portal.timekeeping.policy.switches import RULES, Rules
from portal.web import cookies, drafts, headers
from portal.web.address import client_address
from portal.web.bodies.receiving import keep_and_sign_in
from portal.web.compression import Compressor
from portal.web.errors import STREAMS, answer_failure, answer_refusal
from portal.web.monitoring import metrics
from portal.web.visit import KEY, CompanyBrief, Visit, now

SAFE = ("GET", "HEAD", "OPTIONS")
BY_MACHINES = ("/health", "/metrics")
"""Paths that load balancers and monitoring request without a session, and by IP address instead of host name."""
ONE_CLICK = "/unsubscriptions/"
"""Prefix of the paths where mail programs unsubscribe with one click (RFC 8058).

This is the only form that may be sent from another site (R37).
"""
SESSIONLESS = ("/sign-in", "/sign-out", "/invitations/", "/password-resets", "/ratings/", ONE_CLICK)
"""Prefixes of paths whose forms work without a session or with an ended one. Their text is never saved as a draft."""
SAID_ONCE = (b"host", b"origin", b"sec-fetch-site", b"content-type", b"x-csrf-token")
"""Headers that decide what a request may do, and that may therefore occur only once.

If one occurred twice, a proxy might use the first and the app the last.
"""


TAKEN_SECONDS, TAKEN_RATE = 60.0, 8 * 1024
"""How long a client may take to read one piece of a response before the connection is closed.

A client has `TAKEN_SECONDS`, and one more second for each `TAKEN_RATE` bytes of the piece.
"""


log = structlog.get_logger("portal.web")

BESIDE = f"select company.*, {RULES} as rules from (select) as one left join ({BRIEF}) company on true"  # noqa: S608
"""The SQL query for what every page needs besides its reader: the company's data and the rules of time tracking.

It returns one row even if the company is not set up yet.
"""


class Gate:
    """The ASGI app that is served. It runs the checks that come before Litestar, adds headers, and logs requests.

    Successful requests for static files, health and metrics are not logged. `inner` is the Litestar app. `clock`
    returns the instant of each request.
    """

    def __init__(self, inner: Any, settings: Settings, storage: Storage, clock: Callable[[], datetime] = now) -> None:
        self.inner = inner
        self.clock = clock
        self.settings = settings
        self.storage = storage
        self.company = CompanyBrief("Portal", "EUR", "UTC")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        visit = Visit(
            self.settings,
            self.storage,
            self.clock(),
            client_address(scope, self.settings.trusted_proxies),
            self.company,
        )
        scope[KEY] = visit
        ORIGIN.set((visit.address, visit.id, None))
        asked_by_machines = scope["path"] in BY_MACHINES
        public = scope["path"].startswith("/static/") or asked_by_machines
        began, status, answered = time.perf_counter(), 0, scope
        bodiless = scope["method"] == "HEAD" and scope["path"] not in STREAMS
        if bodiless:  # HEAD passes the same guards and has the same headers as GET (R34).
            answered = {**scope, "method": "GET"}

        async def leave(message: Any) -> None:
            if bodiless and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await _send_in_time(send, message)

        leaving = Compressor("" if public else given.get(b"accept-encoding", ""), leave)

        async def finish(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                sent = list(message.get("headers", []))
                message["headers"] = sent + headers.for_every_answer(
                    visit, {name.lower(): value for name, value in sent}, public=public
                )
            await leaving.send(message)

        try:
            await self._answer(visit, given, answered, receive, finish, public=public, known=asked_by_machines)
        except Exception as error:
            # The error was raised outside the Litestar app, which handles its own errors.
            if status:
                raise
            await answer_failure(error, answered, receive, finish)
        finally:
            if not public or status >= 400:
                _record(answered, visit, status, time.perf_counter() - began)

    async def _answer(
        self,
        visit: Visit,
        given: dict[bytes, str],
        scope: Any,
        receive: Any,
        finish: Any,
        *,
        public: bool,
        known: bool,
    ) -> None:
        """Pass the request on: a public path to the app at once, any other path once the session has been looked up.

        Refuse a request with a duplicate header, with an unknown host, or with a path whose number is not in ASCII.
        `public` says that the response to this path is the same for everybody and needs no session. `known` says that
        the path may be requested by IP address, without the host check (R43). `finish` is the ASGI function that sends
        the response.
        """
        names = [name for name, _ in scope["headers"] if name in SAID_ONCE]
        if len(names) != len(set(names)):
            await answer_refusal(BadRequest("This request has the same header twice."), scope, receive, finish)
        elif not known and given.get(b"host", "") not in self.settings.allowed_hosts:
            await answer_refusal(Refusal("This address is not served here."), scope, receive, finish)
        elif not is_ascii_where_numbers_are(scope["path"]):
            await answer_refusal(NotFound(), scope, receive, finish)
        elif public:
            await self.inner(scope, receive, finish)
        else:
            try:
                await self._visit(visit, given, scope, receive, finish)
            except Refusal as refusal:
                await answer_refusal(refusal, scope, receive, finish)

    async def _visit(self, visit: Visit, given: dict[bytes, str], scope: Any, receive: Any, send: Any) -> None:
        """Look up and prolong the session, and call the Litestar app.

        A GET of a signed-in reader runs in one read-only transaction, which ends before the first byte of the response
        is sent. For other methods no transaction is open: the handler opens one. A GET without a session gets a cookie
        to which the CSRF tokens of the forms in the response are bound.

        If a form arrives after the session has ended, the app is not called: the text is saved as a draft, and the
        response redirects to the sign-in page. After a form was processed (status 303), the draft of the form is
        emptied. Raise `Forbidden` for a form of another site.
        """
        found = cookies.read(given.get(b"cookie", ""), self.settings)
        visit.anonymous, visit.step = found.get(cookies.ANONYMOUS, ""), found.get(cookies.STEP, "")
        token, safe = found.get(cookies.SESSION), scope["method"] in SAFE
        async with contextlib.AsyncExitStack() as stack:
            visit.end_reading = stack.aclose
            if token:
                tx = await stack.enter_async_context(transaction(None, readonly=True))
                await self._recognise(visit, token)
                # A live stream, or the attempt to open one, does not prolong its session (R16).
                used = scope["path"] not in STREAMS
                if used and visit.session and visit.session.to_be_touched and visit.session.live:
                    await stack.aclose()
                    async with transaction(None):
                        await sessions.touch(visit.session, visit.at)
                    tx = await stack.enter_async_context(transaction(None, readonly=True))
                if safe and visit.reader:
                    await tx.become(visit.reader)
                    visit.unread = 0 if scope["path"] in STREAMS else await notices.unread(visit.reader)
                else:
                    await stack.aclose()
            if not visit.session and not visit.anonymous and scope["method"] == "GET":
                visit.anonymous = secrets.token_urlsafe(16)
                visit.new_cookies.append(cookies.write(cookies.ANONYMOUS, visit.anonymous, self.settings))
            if not safe:
                if not scope["path"].startswith(ONE_CLICK):
                    self._refuse_foreign(given)
                if visit.session and not visit.session.live and not scope["path"].startswith(SESSIONLESS):
                    await keep_and_sign_in(visit, scope, receive, send)
                    return

            status = 0

            async def answer(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    await stack.aclose()
                await send(message)

            await self.inner(scope, receive, answer)
        if not safe and status == 303 and visit.reader and not visit.kept and not scope["path"].startswith("/drafts"):
            await drafts.done(visit.reader, drafts.address_of(Request(scope)), visit.form and visit.form.key, visit.at)

    async def _recognise(self, visit: Visit, token: str) -> None:
        """Set the fields of the visit that come from the database. Do nothing if there is no session with this token.

        The fields are the session, the reader (None if the session has ended), the company, the rules of time tracking
        and the database snapshot.
        """
        found = await sessions.find(token, visit.at, beside=BESIDE)
        if found is None:
            return
        visit.session, row = found
        visit.reader = visit.session.reader
        ORIGIN.set((visit.address, visit.id, visit.reader.credential_id if visit.reader else None))
        visit.snapshot, visit.rules = row["snapshot"], Rules.read(row["rules"])
        if row["company"]:
            self.company = visit.company = CompanyBrief(
                row["company"], row["currency"], row["company_zone"], row["logo"] or ""
            )

    def _refuse_foreign(self, given: dict[bytes, str]) -> None:
        """Raise `Forbidden` for a form that another site sent, even if the request has a valid session cookie (R37)."""
        site, origin = given.get(b"sec-fetch-site"), given.get(b"origin")
        # Pages that hide their URL, such as an invitation, send the Origin `null`; then Sec-Fetch-Site proves that
        # the form was sent from this site.
        hidden = origin == "null" and site == "same-origin"
        foreign = site not in (None, "same-origin", "none") or (
            origin is not None and not hidden and not self._is_ours(origin)
        )
        if foreign:
            raise Forbidden("This form was sent from another site.")

    def _is_ours(self, origin: str) -> bool:
        try:
            said = urlsplit(origin)
        except ValueError:  # The origin contains brackets without an IP address.
            return False
        return said.netloc in self.settings.allowed_hosts and said.scheme == urlsplit(self.settings.base_url).scheme


async def _send_in_time(send: Any, message: Any) -> None:
    """Send one piece of a response. Raise `ConnectionAbortedError` if the client does not take it in time (R83)."""
    try:
        async with asyncio.timeout(TAKEN_SECONDS + len(message.get("body", b"")) / TAKEN_RATE):
            await send(message)
    except TimeoutError:
        raise ConnectionAbortedError("The client did not read its answer in time.") from None


def _record(scope: Any, visit: Visit, status: int, seconds: float) -> None:
    """Log and count the request. A `status` of 0 means that the client disconnected before the response began."""
    metrics.observe(scope, status, seconds)
    reader = visit.reader
    log.log(
        ERROR if status >= 500 else INFO,
        "request",
        request=visit.id,
        method=scope["method"],
        route=metrics.route_of(scope),
        status=status,
        ms=round(seconds * 1000),
        credential=reader.credential_id if reader else None,
        customer=getattr(reader, "customer_id", None),
    )
