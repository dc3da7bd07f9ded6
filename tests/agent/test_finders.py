"""Test the suggestions of type-ahead fields, and the lists that are filtered with them."""

import html
import re

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.people.customers import Customer, CustomerFacts
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.agent.test_cases import numbers, open_case
from tests.browser import Browser
from tests.world import ACME, ADA, GIL, GLOBEX, INES, MAX, NOW


async def customers(count: int) -> None:
    async with transaction(SYSTEM):
        for place in range(count):
            facts = CustomerFacts(
                name=f"Housing {place:02} <b>", street="Weg 1", postcode="1", city="Kiel", country="DE"
            )
            await Customer.create(facts, NOW)


async def test_suggestions_are_options_that_go_on_after_the_last(ines: Browser) -> None:
    await customers(23)
    first = await ines.get("/agent/finders/customers?text=housing")
    assert first.text.count("data-id=") == 20
    assert "Housing 00 &lt;b&gt;" in first.text
    more = re.search(r'data-more="([^"]+)"', first.text)
    assert more
    second = await ines.get(html.unescape(more[1]))
    assert re.findall(r'data-name="([^"&]+)', second.text) == ["Housing 20 ", "Housing 21 ", "Housing 22 "]
    assert "data-more" not in second.text


async def test_no_suggestion_is_said(ines: Browser) -> None:
    answer = await ines.get("/agent/finders/agents?text=%3Cb%3E&after=x")
    assert "No agent has “&lt;b&gt;” in its name" in answer.text


async def test_the_list_is_narrowed_by_what_is_typed_without_script(ines: Browser, case: Case) -> None:
    other = await open_case("Switch fails", by=GIL)
    for query, expected in (
        ("customer_typed=globex&customer=", [other]), ("customer_typed=Globex&customer=1", [other]), (f"customer={GLOBEX}", [other]),
        ("customer_typed=&customer=2", [other, case]), ("agent_typed=ines", []), (f"customer={ACME}&customer_typed=Acme", [case]),
    ):  # fmt: skip
        answer = await ines.get(f"/agent/cases?{query}")
        assert numbers(answer.text) == [found.number for found in expected], query


async def test_a_filter_that_means_several_offers_them(ines: Browser, case: Case) -> None:
    answer = await ines.get("/agent/cases?view=all&customer_typed=e&customer=")
    assert "2 customers have “e” in their name: choose one." in answer.text
    assert 'href="/agent/cases?view=all&amp;customer=2"' in answer.text
    assert 'value="e"' in answer.text
    assert (
        "There is no agent with “nobody like this”"
        in (await ines.get("/agent/cases?agent_typed=nobody+like+this")).text
    )


async def test_a_filter_shows_what_it_is_set_to(ines: Browser, case: Case) -> None:
    answer = await ines.get(f"/agent/cases?customer={ACME}")
    assert re.search(r'name="customer_typed"[^>]* value="Acme"', answer.text)
    assert re.search(rf'name="customer"\s+value="{ACME}"', answer.text)


@pytest.mark.parametrize("path", ["/agent/invoices", "/agent/approvals"])
async def test_the_lists_of_managers_are_narrowed_by_typing_too(app: Gate, path: str) -> None:
    async with await Browser.of(app, MAX) as browser:
        chosen = await browser.get(f"{path}?customer_typed=glob")
        assert re.search(r'name="customer_typed"[^>]* value="Globex"', chosen.text)
        assert re.search(r'name="customer"\s+value="2"', chosen.text)
        assert "Clear filters" in chosen.text
        several = await browser.get(f"{path}?customer_typed=e")
        assert f'href="{path}?customer=2">Globex' in several.text
        assert several.text.count("<option") < 10


@pytest.mark.slow
async def test_a_list_of_25_rows_has_less_than_40_kb_and_12_on_the_wire(app: Gate) -> None:
    """A list of 25 cases has less than 40 kB, and less than 12 kB compressed.

    Subjects and names are as long as in the demo data. The customers and agents that the filters offer are not part of
    the page.
    """
    await customers(40)
    for place in range(26):
        case = await open_case(f"Nobody can reach the ERP from branch {place:02} since Monday", by=ADA)
        async with transaction(INES):
            await case.take(by=INES, at=NOW)
    async with await Browser.of(app, INES) as browser:
        page = await browser.get("/agent/cases?view=all", headers={"accept-encoding": "identity"})
        packed = await browser.get("/agent/cases?view=all")
    assert len(numbers(page.text)) == 25
    assert len(page.content) < 40_000
    assert int(packed.headers["content-length"]) < 12_000
    assert "Housing" not in page.text
    rows = re.findall(r"<tr id=.*?</tr>", page.text, re.S)
    assert len(rows) == 25
    assert max(len(row) for row in rows) < 1_100
