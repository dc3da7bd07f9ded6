"""Test the pages of the search in both areas: what they show, where they lead, and what they never show."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.desk.help.articles import Article, HelpFacts
from portal.desk.looking import look_at
from portal.web import limits
from portal.web.gate import Gate
from tests.billing.test_issuing_persistence import issued
from tests.browser import Browser, text_of
from tests.desk.files import upload
from tests.queries import counted
from tests.world import ADA, ALAN, GIL, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")


@pytest.fixture
async def desk(app: Gate) -> Case:
    """Create a case of Ada with a note and a file, a case of Gil, and a help article for agents.

    Return Ada's case, which has the number 1001.
    """
    log = await upload(app.storage, ADA, "vpn-client.log")
    async with transaction(ADA):
        case = await Case.open(
            by=ADA, subject="VPN <b>drops</b>", text="The tunnel & more.", case_type_id=INCIDENT, at=NOW, files=[log]
        )
    async with transaction(GIL):
        await Case.open(by=GIL, subject="VPN of Globex", text="Zebrafish.", case_type_id=INCIDENT, at=NOW)
    async with transaction(INES):
        await case.note(by=INES, text="Quagga tunnel", at=NOW)
        made = await Article.write(HelpFacts(title="Tunnel rules", text="Inside.", audience="agents"), by=INES, at=NOW)
        await made.publish(NOW)
    return case


async def test_an_agent_finds_every_kind_on_one_page(app: Gate, desk: Case) -> None:
    """One page shows the cases, customers, contacts, files and articles that are found, and escapes their texts."""
    async with await Browser.of(app, INES, at=NOW) as ines:
        page = await ines.get("/agent/search?q=tunnel")
        assert "Quagga <mark>tunnel</mark>" in page.text
        assert "Internal note" in page.text
        assert "/help/tunnel-rules" in page.text
        page = await ines.get("/agent/search?q=vpn")
        assert "<mark>VPN</mark> &lt;b&gt;drops&lt;/b&gt;" in page.text
        assert "vpn-client.log" in page.text
        assert page.text.index("</mark> of Globex") < page.text.index("lt;b&gt;drops")
        page = await ines.get("/agent/search?q=ada")
        assert "ada@acme.example · +49 40 555 0148" in text_of(page.text)
        assert "/agent/customers/1" in (await ines.get("/agent/search?q=acme")).text
        assert "Contacts" in (await ines.get("/agent/search?q=%2B49+405+550148")).text


async def test_an_exact_number_leads_to_its_case(app: Gate, desk: Case) -> None:
    """`#1001` redirects to the case and `1001` lists it; a contact finds nothing by another customer's case number."""
    async with await Browser.of(app, INES, at=NOW) as ines, await Browser.of(app, GIL, at=NOW) as gil:
        assert (await ines.get("/agent/search?q=%231001")).headers["location"] == "/agent/cases/1001"
        assert 'Case <a href="/agent/cases/1001">' in (await ines.get("/agent/search?q=1001")).text
        assert (await gil.get("/search?q=%231002")).headers["location"] == "/cases/1002"
        strange = await gil.get("/search?q=%231001")
        assert (strange.status_code, "Nothing found" in strange.text) == (200, True)


async def test_a_contact_finds_only_what_they_may_see(app: Gate, desk: Case) -> None:
    """R23, R26, D51: contacts find no notes, no articles for agents, and only cases that they may see.

    Ada sees all cases of Acme; Alan sees only his own.
    """
    async with (
        await Browser.of(app, ADA, at=NOW) as ada,
        await Browser.of(app, ALAN, at=NOW) as alan,
        await Browser.of(app, GIL, at=NOW) as gil,
    ):
        page = (await ada.get("/search?q=tunnel")).text
        assert "The <mark>tunnel</mark> &amp; more." in page
        for hidden in ("Quagga", "Tunnel rules", "Globex", "note"):
            assert hidden not in page
        for browser, query in (
            (ada, "quagga"), (ada, "zebrafish"), (alan, "vpn"), (alan, "tunnel"), (gil, "tunnel"), (gil, "acme"),
            (alan, "vpn&in=files"), (gil, "log&in=files"), (gil, "ada&in=contacts"),
        ):  # fmt: skip
            page = (await browser.get(f"/search?q={query}")).text
            assert "VPN &lt;b&gt;" not in page.replace("<mark>", "").replace("</mark>", ""), query
            assert "vpn-client" not in page, query
            assert "Nothing found" in page, query


async def test_an_invoice_is_found_by_its_number_by_those_who_may_see_it(app: Gate) -> None:
    """R23: managers, and contacts with the right to invoices, find an issued invoice by its number."""
    async with transaction(MAX):
        invoice = await issued(60)
    for reader, path, sees in (
        (MAX, "/agent", True), (INES, "/agent", False), (ADA, "", True), (ALAN, "", False), (GIL, "", False),
    ):  # fmt: skip
        async with await Browser.of(app, reader, at=NOW) as browser:
            page = (await browser.get(f"{path}/search?q={invoice.number}")).text
            assert (f'href="{path}/invoices/{invoice.number}"' in page) is sees, reader.name


async def test_an_empty_or_too_long_text_is_explained(app: Gate, desk: Case) -> None:
    """R52: without a text, the page explains what can be searched. An unusable text gets an error message.

    Such a text is too long, or has no letter and no digit.
    """
    async with await Browser.of(app, INES, at=NOW) as ines, await Browser.of(app, ADA, at=NOW) as ada:
        for browser, path in ((ines, "/agent/search"), (ada, "/search")):
            assert "What can be searched" in (await browser.get(path)).text
            long = await browser.get(f"{path}?q={'tunnel+' * 60}")
            assert "at most 200 characters" in long.text
            assert "no letter and no digit" in (await browser.get(f"{path}?q=%3F%21")).text
            odd = await browser.get(f"{path}?q=%00%ff%ed%a0%80vpn&after=%00&in=x")
            assert odd.status_code == 200
            assert html.escape("“zebu”") in (await browser.get(f"{path}?q=zebu")).text


async def test_many_searches_in_a_minute_have_to_wait(app: Gate, desk: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """R83: if only one search is allowed in a minute, Ada's second search gets 429."""
    monkeypatch.setattr(limits, "SEARCHES", replace(limits.SEARCHES, free=1))
    async with await Browser.of(app, ADA, at=NOW) as ada:
        assert [(await ada.get("/search?q=vpn")).status_code for _ in range(2)] == [200, 429]


async def test_the_empty_search_lists_what_the_reader_lately_opened(app: Gate, desk: Case) -> None:
    """R23, R26: the search without a text lists the cases that the person lately opened or wrote in, and no others.

    The case that was opened last comes first. A case that Ada may no longer see is left out. Alan, who has opened no
    case, gets no list.
    """
    async with transaction(GIL):
        globex = await Case.find(1002, GIL)
    async with transaction(MAX):
        await look_at(desk.id, MAX, NOW + timedelta(hours=1))
        await look_at(globex.id, MAX, NOW + timedelta(hours=2))
    for reader, path, cases in (
        (MAX, "/agent/search", ["VPN of Globex", "VPN &lt;b&gt;drops&lt;/b&gt;"]), (INES, "/agent/search", ["VPN &lt;b&gt;drops&lt;/b&gt;"]),
        (GIL, "/search", ["VPN of Globex"]), (ADA, "/search", ["VPN &lt;b&gt;drops&lt;/b&gt;"]), (ALAN, "/search", []),
    ):  # fmt: skip
        async with await Browser.of(app, reader, at=NOW) as browser:
            page = (await browser.get(path)).text
            assert ("Lately opened" in page) is bool(cases), reader.name
            assert re.findall(r'cases/100\d">([^<]+)</a>', page) == cases, reader.name
            options = (await browser.get(f"{path}/suggestions?text=")).text
            assert re.findall(r">#100\d ([^<]+?)\s*<", options) == cases, reader.name
            if reader is MAX:
                assert '<a href="/agent/customers/2">Globex</a>, <a href="/agent/customers/1">Acme</a>' in page
            else:
                assert ("Globex" in page) is (reader is GIL), reader.name
    async with transaction(ADA):
        await look_at(globex.id, ADA, NOW)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        assert "Globex" not in (await ada.get("/search")).text


async def test_suggestions_lead_to_cases_and_customers_that_the_reader_may_see(app: Gate, desk: Case) -> None:
    """R23, R26: the search suggests the case with the typed number and cases that match; agents also get customers.

    Nothing that the reader may not see is suggested.
    """

    async def suggested(reader: Any, text: str) -> list[str]:
        path = "/search" if reader.is_contact else "/agent/search"
        async with await Browser.of(app, reader, at=NOW) as browser:
            answer = await browser.get(f"{path}/suggestions", params={"text": text})
            assert answer.status_code == 200
            return re.findall(r'data-id="([^"]+)"', answer.text)

    assert await suggested(INES, "vpn") == ["/agent/cases/1002", "/agent/cases/1001"]
    assert await suggested(INES, "acme") == ["/agent/customers/1", "/agent/cases/1001"]
    assert await suggested(INES, "#1001") == ["/agent/cases/1001"]
    assert await suggested(ADA, "vpn") == ["/cases/1001"]
    for reader, text in ((ALAN, "vpn"), (GIL, "1001"), (GIL, "acme"), (ADA, "quagga"), (ADA, "globex"), (INES, "zebu")):
        assert await suggested(reader, text) == [], (reader.name, text)
    for odd in ("?!", "\0", "x" * 300, "'; delete", "١٢"):
        for reader in (INES, ADA):
            assert await suggested(reader, odd) == []


async def test_suggestions_have_a_limit_of_their_own(app: Gate, desk: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """R83: if only one request for suggestions is allowed in a minute, Ada's second request gets 429.

    A request without a text does not count.
    """
    monkeypatch.setattr(limits, "SUGGESTIONS", replace(limits.SUGGESTIONS, free=1))
    async with await Browser.of(app, ADA, at=NOW) as ada:
        paths = ["/search/suggestions?text=", "/search/suggestions?text=a", "/search/suggestions?text=b"]
        assert [(await ada.get(path)).status_code for path in paths] == [200, 200, 429]
        assert (await ada.get("/search?q=vpn")).status_code == 200


async def test_a_search_asks_as_much_for_many_words_as_for_one(app: Gate, desk: Case) -> None:
    """The number of SQL statements of a search depends neither on its words nor on what it finds."""
    async with await Browser.of(app, INES, at=NOW) as ines:
        asked: dict[str, Any] = {}
        for query in ("vpn", "nothing", "+".join(f"w{n}" for n in range(50)), "%22vpn+drops+a+b+c%22"):
            with counted() as statements:
                await ines.get(f"/agent/search?q={query}")
            asked[query] = len(statements)
    assert len(set(asked.values())) == 1, asked
