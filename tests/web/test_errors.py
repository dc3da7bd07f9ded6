"""Test that every error is a page in the app's design, or a fragment for htmx, and reveals nothing internal."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from litestar import Litestar, get
from litestar.params import FromPath

from portal import database
from portal.app import create_app
from portal.database import schema
from portal.embedded import EmbeddedPostgres
from portal.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Full,
    Invalid,
    NotFound,
    Refusal,
    TooLarge,
    TooMany,
    Unavailable,
)
from portal.people.readers import Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ADA, INES, cast_rows

SECRET = "zanzibar-of-the-inside"

REFUSALS: dict[int, Refusal] = {
    400: BadRequest(),
    403: Forbidden(),
    404: NotFound(),
    409: Conflict("Jonas has taken it."),
    413: TooLarge(),
    422: Invalid({"": "Something is missing."}),
    429: TooMany("Wait a minute.", retry_after=60),
    503: Unavailable(),
    507: Full(),
}


@get("/broken/{status:int}")
async def broken(status: FromPath[int]) -> None:
    """Raise the error with the HTTP status that the URL names; 500 is an unexpected error."""
    raise REFUSALS.get(status) or RuntimeError(SECRET)


@pytest.fixture(scope="module")
def breaking_routes(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """Return the Litestar app with one more route, whose handler `broken` raises an error."""
    data = str(tmp_path_factory.mktemp("routes"))
    inner: Litestar = create_app(Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": data})).inner
    inner.register(broken)
    return inner


@pytest.fixture
def breaking(breaking_routes: Litestar, settings: Settings) -> Gate:
    """Return the ASGI app with the route that raises errors."""
    return Gate(breaking_routes, settings, open_storage(settings.storage_url))


@pytest.mark.parametrize("reader", [None, ADA, INES], ids=["nobody", "contact", "agent"])
async def test_every_error_has_a_page_of_its_own_in_the_look(breaking: Gate, reader: Reader | None) -> None:
    """R92: each error status has a page with its own title in the app's design, for contacts, agents and visitors."""
    titles = set()
    async with await Browser.of(breaking, reader) if reader else Browser(breaking) as browser:
        for status in (*REFUSALS, 500):
            answer = await browser.get(f"/broken/{status}")
            assert answer.status_code == status
            (title,) = re.findall(r"<h1>([^<]+)</h1>", answer.text)
            titles.add(title)
            assert "/static/style.css?v=" in answer.text
            assert f'<p class="code">{status}</p>' in answer.text
            assert SECRET not in answer.text
            assert "Traceback" not in answer.text
            assert (answer.headers["x-request-id"] in answer.text) is (status >= 500)
            assert ("retry-after" in answer.headers) is (status in {429, 503})
    assert len(titles) == len(REFUSALS) + 1


async def test_a_page_that_is_not_there_for_a_visitor_leads_back_to_it_after_signing_in(app: Gate) -> None:
    """A visitor who gets 404 for a help article finds a link to the sign-in page, which leads back to the article.

    The article may be one for signed-in customers only. Ada, who is signed in, gets no such link.
    """
    async with Browser(app) as browser:
        answer = await browser.get("/help/reset-the-vpn?q=a%26b")
        assert (answer.status_code, 'href="/sign-in?next=/help/reset-the-vpn%3Fq%3Da%2526b"' in answer.text) == (
            404,
            True,
        )
    async with await Browser.of(app, ADA) as browser:
        assert "/sign-in" not in (await browser.get("/help/reset-the-vpn")).text


async def test_the_address_of_a_form_leads_to_the_page_that_it_stands_on(app: Gate) -> None:
    """A GET of a form's target URL redirects to the form's page.

    After a refusal, the browser's address bar shows the target URL, and a reload requests it.
    """
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.get("/cases/1001/replies")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases/1001")


@pytest.mark.parametrize("status", [*REFUSALS, 500])
async def test_htmx_gets_the_sentence_and_no_page(breaking: Gate, status: int) -> None:
    async with await Browser.of(breaking, INES) as browser:
        answer = await browser.get(f"/broken/{status}", headers={"HX-Request": "true"})
        assert answer.status_code == status
        assert 'role="alert"' in answer.text
        assert "<html" not in answer.text
        assert SECRET not in answer.text


@pytest.mark.slow
async def test_while_the_server_is_away_every_page_is_503_and_afterwards_all_is_well(
    tmp_path: Path, routes: Litestar
) -> None:
    """R84: while the database is down, pages and /health answer 503; once it is back, both work again."""
    with TemporaryDirectory(prefix="portal-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data")
        try:
            owner = server.start()
            await schema.migrate(owner)
            connection = await asyncpg.connect(owner)
            await connection.execute(cast_rows())
            await connection.close()
            await database.start(owner, role="portal_app", size=2)
            data = {"DATABASE_OWNER_URL": owner, "PORTAL_DATA": str(tmp_path), "PORTAL_ENVIRONMENT": "test"}
            settings = Settings.from_environment(data)
            app = Gate(routes, settings, open_storage(settings.storage_url))
            async with await Browser.of(app, ADA) as browser:
                assert (await browser.get("/cases")).status_code == 200
                server.stop()
                for path in ("/", "/cases", "/no-such-page"):
                    answer = await browser.get(path)
                    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
                    assert "/static/style.css?v=" in answer.text
                assert (await browser.get("/health")).status_code == 503
                server.start()
                assert (await browser.get("/health")).status_code == 200
                assert (await browser.get("/cases")).status_code == 200
        finally:
            await database.stop()
            server.remove()


@pytest.mark.parametrize(
    "referer",
    [
        "https://attacker.example//evil.example/path",
        "https://attacker.example/cases",
        "http://127.0.0.1:8000//evil.example/path",
    ],
)
async def test_the_page_of_a_refusal_leads_to_no_other_site(app: Gate, referer: str) -> None:
    """R44: the page of a refused form links back only to paths of the portal, even if another site sent the form."""
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.post("/cases/new", headers={"referer": referer})
        assert answer.status_code == 403
        assert "evil.example" not in answer.text
        assert "Back to where you were" not in answer.text
        ours = await browser.post("/cases/new", headers={"referer": "http://127.0.0.1:8000/cases/1042"})
        assert "Back to where you were" in ours.text
