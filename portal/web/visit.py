"""Describe one request and the person who makes it.

The gate stores a `Visit` in the ASGI scope, where all later code finds it.
"""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection

from portal.people.access.sessions import Membership, Session
from portal.people.readers import Reader
from portal.sealing import key_of
from portal.settings import Settings
from portal.storage import Storage
from portal.timekeeping.policy.switches import Rules

Web = Request[Any, Any, Any]
"""The request type in annotations of route handlers; Litestar's type parameters (user, auth, state) are unused."""
KEY = "portal.visit"
LONGEST_PATH = 1000
"""The maximum length, in characters, of a path to which a person is redirected after signing in.

A cookie holds the path, and browsers drop cookies of more than 4,096 bytes.
"""
_RELATIVE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


@dataclass(frozen=True, slots=True)
class CompanyBrief:
    """The data of the company that every page shows."""

    name: str
    currency: str
    time_zone: str
    logo: str = ""
    """The value of `?v=` in the URL of the company's logo; "" if there is no logo."""


async def _nothing() -> None:
    """Do nothing; the default of `Visit.end_reading` if there is no transaction to end."""


@dataclass(slots=True)
class Visit:
    """One request: when and from where it came, who is signed in, and the state that the layers of the app share.

    `at` is the instant of the request, and `address` is the client's IP address. `session` is the session that the
    browser's cookie names, even if that session has ended; it is None if the cookie names no session. `reader` is None
    if nobody is signed in.
    """

    settings: Settings
    storage: Storage
    at: datetime
    address: str
    company: CompanyBrief
    reader: Reader | None = None
    session: Session | None = None
    anonymous: str = ""
    """The value of the cookie to which the CSRF tokens of forms without a session, such as sign-in, are bound."""
    step: str = ""
    """The value of the cookie that remembers who typed the right password and must still prove a second factor."""
    rules: Rules = field(default_factory=lambda: Rules.read(None))
    """The rules of time tracking, which are read together with the session."""
    snapshot: str = ""
    """A database snapshot from before the page's data was read. The page's event stream sends all later changes."""
    end_reading: Callable[[], Awaitable[None]] = _nothing
    """A function that ends the gate's read-only transaction. Call it before opening a transaction that writes.

    A second call does nothing.
    """
    unread: int = 0
    """The number of the reader's unread notices, which the bell shows."""
    reads: tuple[str, int] | None = None
    """The subject of the page, such as `("case", 7)`. The notices about it are marked as read once the page is sent."""
    looks_at: int | None = None
    """The id of the case that is marked as read for the reader once the page is sent, or None."""
    reads_notices: list[int] = field(default_factory=list)
    """The ids of the notices that link to this page. They are marked as read once the page is sent."""
    new_cookies: list[str] = field(default_factory=list)
    """The values of the Set-Cookie headers that the response gets."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    """The request id, which the log, the audit log and the error page show for this request."""
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """The nonce of this page's scripts, for the content security policy."""
    form: Any = None
    """The `Form` of the request, from the moment at which its body is read; None before that, and for a GET."""
    kept: bool = False
    """Whether the form was saved as a draft instead of being processed."""

    @property
    def other_customers(self) -> tuple[Membership, ...]:
        """Return the other customers to which a signed-in contact can switch."""
        return self.session.others if self.session and self.reader else ()

    @property
    def lacks_factor(self) -> bool:
        """Return whether an agent's session was opened without the second factor that the settings require (R9)."""
        return (
            self.settings.require_second_factor
            and self.reader is not None
            and self.reader.is_agent
            and self.session is not None
            and self.session.factor is None
        )

    @property
    def csrf(self) -> str:
        """Return a new CSRF token for the forms of this page (R37).

        The token is bound to the session or, without one, to the value of the cookie `csrf`.
        """
        return new_csrf_token(self.settings.secret, self._bound_to)

    def is_ours(self, token: str) -> bool:
        """Return whether the CSRF token of a form was made for the session or cookie of this request."""
        return self._is_bound_to(self._bound_to, token)

    def is_of(self, token_hashes: list[bytes], token: str) -> bool:
        """Return whether the CSRF token of a form was made for one of the sessions with these token hashes."""
        return any(self._is_bound_to(token_hash, token) for token_hash in token_hashes)

    @property
    def _bound_to(self) -> bytes:
        return self.session.token_hash if self.session else self.anonymous.encode()

    def _is_bound_to(self, what: bytes, token: str) -> bool:
        salt, _, signature = token.partition(".")
        # Tokens of pages that were loaded before the secret was rotated are still accepted.
        secrets_ = [self.settings.secret, self.settings.former_secret]
        return (
            len(salt) == 16
            and bool(what)
            and any(
                hmac.compare_digest(signature.encode(), _signature(secret, salt, what).encode())
                for secret in secrets_
                if secret
            )
        )


def new_csrf_token(secret: str, bound_to: bytes) -> str:
    """Return a CSRF token that is bound to a session's token hash, or to the value of the cookie `csrf`.

    The random salt makes each token differ. Otherwise the length of a compressed page could reveal the token (BREACH).
    """
    salt = secrets.token_hex(8)
    return f"{salt}.{_signature(secret, salt, bound_to)}"


def _signature(secret: str, salt: str, bound_to: bytes) -> str:
    return hmac.new(key_of(secret, "csrf"), bound_to + salt.encode(), sha256).hexdigest()


def visit_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visit:
    """Return the `Visit` of a request."""
    return connection.scope[KEY]  # type: ignore[literal-required]


def safe_path(path: str) -> str:
    """Return `path` if it is safe to redirect to, else "/", to prevent open redirects (R44).

    A safe path has at most `LONGEST_PATH` characters, and no browser understands it as the URL of another site.
    """
    return path if len(path) <= LONGEST_PATH and _RELATIVE.fullmatch(path) else "/"


def page_of(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the path and query of the page that sent the form or asked for the fragment, from the Referer header.

    Return "/" if the header is missing or names another site.
    """
    try:
        referer = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # The header contains brackets without an IP address.
        return "/"
    if referer.netloc not in visit_of(request).settings.allowed_hosts:
        return "/"
    return safe_path(referer.path + (f"?{referer.query}" if referer.query else ""))


def last_part(request: Web) -> str:
    """Return the last part of the URL's path. A handler of several URLs uses it to tell which of them was requested."""
    return request.url.path.rpartition("/")[2]


def wants_fragment(request: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Return whether htmx inserts the response into the current page, so that it must be a fragment.

    Return False for a boosted link and when the reader goes back in the history, because htmx then replaces the page.
    """
    headers = request.headers
    return "hx-request" in headers and "hx-boosted" not in headers and "hx-history-restore-request" not in headers


def now() -> datetime:
    """Return the current instant in UTC.

    Handlers receive this instant as the parameter `at` and pass it on, so that the code they call reads no clock.
    """
    return datetime.now(UTC)
