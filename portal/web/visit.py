"""One request and who makes it: put into the scope by the gate, read by everything behind it."""

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

from portal.people.readers import Reader
from portal.people.sessions import Session
from portal.sealing import key_of
from portal.settings import Settings
from portal.storage import Storage

Web = Request[Any, Any, Any]
"""A request in the annotations of handlers. Litestar's three type parameters are its user, its auth and its state; none of them is used."""
KEY = "portal.visit"
LONGEST_PATH = 1000
"""Characters of a path to lead back to. Browsers drop a cookie of more than 4,096 bytes, and nobody types longer addresses."""
_RELATIVE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


@dataclass(frozen=True, slots=True)
class CompanyBrief:
    """What every page says of us."""

    name: str
    currency: str
    time_zone: str
    logo: str = ""
    """What stands in the address of its logo after `?v=`, "" where there is none."""


async def _nothing() -> None:
    """There is no transaction to end."""


@dataclass(slots=True)
class Visit:
    """A request, its instant, its reader (None: nobody is signed in) and what its page is signed with."""

    settings: Settings
    storage: Storage
    at: datetime
    address: str
    company: CompanyBrief
    reader: Reader | None = None
    session: Session | None = None
    anonymous: str = ""
    """Content of the cookie that forms of nobody in particular are bound to, such as sign-in."""
    step: str = ""
    """Content of the cookie that remembers who has typed the right password and is to show a second factor."""
    snapshot: str = ""
    """A snapshot of the database from before anything that the page shows was read; its stream begins with what came after it."""
    end_reading: Callable[[], Awaitable[None]] = _nothing
    """Ends the read-only transaction that the gate holds open for a read, before one that writes; again: nothing."""
    new_cookies: list[str] = field(default_factory=list)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    form: Any = None
    kept: bool = False
    """Its form was not sent but kept as a draft."""

    @property
    def lacks_factor(self) -> bool:
        """Whether its session was opened by a password alone, by somebody who needs more than that (R9)."""
        return (
            self.settings.require_second_factor
            and self.reader is not None
            and self.reader.is_agent
            and self.session is not None
            and self.session.factor is None
        )

    @property
    def csrf(self) -> str:
        """A token for the forms of this page, bound to the session (R37). The salt keeps it from repeating in compressed pages."""
        salt = secrets.token_hex(8)
        return f"{salt}.{_signature(self.settings.secret, salt, self._bound_to)}"

    def is_ours(self, token: str) -> bool:
        """Whether a form's token was made for this session."""
        return self._is_bound_to(self._bound_to, token)

    def is_of(self, token_hashes: list[bytes], token: str) -> bool:
        """Whether a form's token was made for one of these sessions."""
        return any(self._is_bound_to(token_hash, token) for token_hash in token_hashes)

    @property
    def _bound_to(self) -> bytes:
        return self.session.token_hash if self.session else self.anonymous.encode()

    def _is_bound_to(self, what: bytes, token: str) -> bool:
        salt, _, signature = token.partition(".")
        secrets_ = [self.settings.secret, self.settings.former_secret]  # pages stay open while a secret is replaced
        return (
            len(salt) == 16
            and bool(what)
            and any(
                hmac.compare_digest(signature.encode(), _signature(secret, salt, what).encode())
                for secret in secrets_
                if secret
            )
        )


def _signature(secret: str, salt: str, bound_to: bytes) -> str:
    return hmac.new(key_of(secret, "csrf"), bound_to + salt.encode(), sha256).hexdigest()


def visit_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visit:
    """The visit that a request belongs to."""
    return connection.scope[KEY]  # type: ignore[literal-required]


def safe_path(path: str) -> str:
    """Return where to go after signing in: a path of ours, or the start page for one that is longer than `LONGEST_PATH` or that a
    browser could read as another site's (R44)."""
    return path if len(path) <= LONGEST_PATH and _RELATIVE.fullmatch(path) else "/"


def page_of(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The page that a form stood on; a form that does not say, or that another site sent, comes from the start page."""
    try:
        referer = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # brackets that hold no address
        return "/"
    if referer.netloc not in visit_of(request).settings.allowed_hosts:
        return "/"
    return safe_path(referer.path + (f"?{referer.query}" if referer.query else ""))


def wants_fragment(request: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Return whether htmx puts the answer into a page that is there already. For a boosted link, and when the reader goes back to an
    address, htmx replaces the page, so it needs a whole one."""
    headers = request.headers
    return "hx-request" in headers and "hx-boosted" not in headers and "hx-history-restore-request" not in headers


def now() -> datetime:
    """The clock of the web; handlers get it as `at` and hand it on."""
    return datetime.now(UTC)
