"""An HTTP client for tests that acts as a browser without JavaScript: it keeps cookies and sends CSRF tokens."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import httpx

from portal.database import transaction
from portal.people.access import sessions
from portal.people.readers import Reader
from portal.web.gate import Gate
from portal.web.visit import new_csrf_token

HOST = "127.0.0.1:8000"


def text_of(page: str) -> str:
    """Return the text of an HTML page without its tags, with single blanks."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def tokens_in(page: str) -> set[str]:
    """Return the CSRF tokens of an HTML page: of its forms, and of the header that htmx adds to requests."""
    found = re.findall(
        r"X-CSRF-Token&#34;: &#34;([^&]+)&#34;|X-CSRF-Token\": \"([^\"]+)\"|name=\"csrf\" value=\"([^\"]+)\"", page
    )
    return {token for groups in found for token in groups if token}


class Browser(httpx.AsyncClient):
    """A browser without JavaScript. `await Browser.of(app, ADA)` is signed in as Ada, `Browser(app)` is not signed in.

    Every `Browser` asks for uncompressed pages, because compression would lengthen the suite;
    tests/web/test_compression.py asks for compressed ones.
    """

    def __init__(self, app: Gate, **options: Any) -> None:
        self.app = app
        self.token: tuple[set[tuple[str, str | None]], str] | None = None
        super().__init__(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url=f"http://{HOST}", **options
        )
        self.headers["accept-encoding"] = "identity"

    @classmethod
    async def of(cls, app: Gate, reader: Reader, *, at: datetime | None = None) -> "Browser":
        """Begin a session of `reader` without the sign-in page, and return a browser that has the session's cookie.

        The session begins at `at`, by default now.
        """
        async with transaction(None):
            token = await sessions.begin(
                reader.credential_id, address="127.0.0.1", browser="test", at=at or datetime.now(UTC)
            )
        return cls(app, cookies={"sid": token})

    def cookie_values(self) -> set[tuple[str, str | None]]:
        """Return the names and values of the cookies; two may have the same name if their domain or path differs."""
        return {(cookie.name, cookie.value) for cookie in self.cookies.jar}

    async def csrf(self) -> str:
        """Return a CSRF token: a new one of the session if somebody is signed in, otherwise the sign-in page's token.

        The token of a session is computed without loading a page. tests/web/test_gate.py tests that pages have such
        tokens, and so does each test that sends a form of a page. The same token is returned until the cookies change.
        """
        if self.token and self.token[0] == self.cookie_values():
            return self.token[1]
        if "sid" in self.cookies:
            token = new_csrf_token(self.app.settings.secret, sessions.hash_of(self.cookies["sid"]))
        else:
            (token,) = tokens_in((await self.get("/sign-in")).text)
        self.token = self.cookie_values(), token
        return token

    async def send_form(
        self, path: str, fields: dict[str, Any] | None = None, *, files: Any = None, **headers: str
    ) -> httpx.Response:
        """POST a form as a browser does: the CSRF token first, then the fields, then the files.

        `headers` are added to the request; `_` in their names stands for `-`.
        """
        data = {"csrf": await self.csrf()} | (fields or {})
        return await self.post(
            path, data=data, files=files, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
