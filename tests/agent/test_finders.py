"""Test the suggestions of type-ahead fields, and the lists that are filtered with them."""

import html
import re

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.desk.verbs.linking import link
from portal.people.customers import Customer, CustomerFacts
from portal.people.readers import SYSTEM, AgentReader
from portal.web.gate import Gate
from tests.agent.test_cases import numbers, open_case
from tests.browser import Browser
from tests.desk.deadlines.promises import promise
from tests.world import ACME, ADA, GIL, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOOR, NOW


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


@pytest.mark.parametrize("around", ["\u200b", "\u202e", "\ufeff", "\x00"], ids=ascii)
async def test_what_is_pasted_with_invisible_characters_is_found(ines: Browser, around: str) -> None:
    """R54: finders, the list of cases and the search ignore invisible characters in a text and do not show them.

    Names that are copied from elsewhere may carry such characters.
    """
    case = await open_case("Switch fails", by=ADA)
    for typed, finder, id in (
        ("lind", "callers", ADA.id),
        ("acme", "customers", ACME),
        ("switch", "cases", case.number),
    ):
        found = await ines.get(f"/agent/finders/{finder}", params={"text": f"{around}{typed}{around}"})
        assert re.findall(r'data-id="(\d+)"', found.text) == [str(id)], finder
    for path, name in (("/agent/cases", "text"), ("/agent/search", "q")):
        page = (await ines.get(path, params={name: f"swi{around}tch{around}"})).text
        assert (str(case.number) in page, around in page) == (True, False), path
    refused = await ines.send_form(
        f"/agent/cases/{case.number}/assignment", {"agent_typed": "no\u202ebody", "department_typed": ""}
    )
    assert (refused.status_code, "\u202e" in refused.text) == (422, False)


async def test_cases_are_found_by_number_subject_and_customer_and_for_a_merge_only_those_of_one_customer(
    ines: Browser, case: Case
) -> None:
    """The finder of cases lists open cases before closed ones, and finds them by subject, customer or number.

    For a merge, it offers the other cases of the same customer; for a link, it offers neither the case itself nor the
    cases that are linked with it.
    """
    closed, other = await open_case("Switch fails again"), await open_case("Switch fails")
    foreign = await open_case("Switch of Globex", by=GIL)
    async with transaction(INES):
        await closed.close(by=INES, at=NOW)

    async def found(path: str) -> list[int]:
        return [
            int(one) for one in re.findall(r'data-id="(\d+)"', (await ines.get(f"/agent/finders/cases{path}")).text)
        ]

    assert await found("?text=switch") == [foreign.number, other.number, closed.number]
    assert await found("?text=globex") == [foreign.number]
    assert await found(f"?text=%23{other.number}") == [other.number]
    assert await found(f"/{case.number}?text=switch") == [other.number, closed.number]
    assert await found(f"/{case.number}?text=") == [other.number]
    async with transaction(INES):
        await link(case, other, by=INES, at=NOW)
    assert await found(f"/{case.number}/links?text=") == [foreign.number], "neither the case nor what is linked with it"
    assert await found(f"/{other.number}/links?text=switch") == [foreign.number, closed.number]
    assert "No case has “&lt;b&gt;”" in (await ines.get("/agent/finders/cases?text=%3Cb%3E")).text


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
    assert (
        "There is no agent with “nobody like this”"
        in (await ines.get("/agent/cases?agent_typed=nobody+like+this")).text
    )


async def test_a_filter_shows_what_it_is_set_to(ines: Browser, case: Case) -> None:
    """Each filter value in the URL of the list of cases is ticked in the form of filters, and has a chip.

    The link of the chip removes this value only.
    """
    query = f"customer={ACME}&customer={GLOBEX}&agent=0&status=open"
    answer = await ines.get(f"/agent/cases/filters?{query}")
    for name, value, words in (("customer", ACME, "Acme"), ("customer", GLOBEX, "Globex"), ("agent", 0, "Nobody")):
        assert re.search(rf'name="{name}" value="{value}" checked><span>{words}<', answer.text)
    answer = await ines.get(f"/agent/cases?{query}")
    assert re.search(
        rf'href="/agent/cases\?view=all&amp;status=open&amp;customer={GLOBEX}&amp;agent=0"\s+aria-label="Remove the filter Customer: Acme"',
        answer.text,
    )
    more = await ines.get(f"/agent/cases?customer={ACME}&customer=&customer_typed=glob")
    for words in ("Acme", "Globex"):
        assert f"Remove the filter Customer: {words}" in more.text


@pytest.mark.parametrize("path", ["/agent/invoices", "/agent/approvals"])
async def test_the_lists_of_managers_are_narrowed_by_typing_too(app: Gate, path: str) -> None:
    async with await Browser.of(app, MAX) as browser:
        chosen = await browser.get(f"{path}?customer_typed=glob")
        assert re.search(r'name="customer_typed"[^>]* value="Globex"', chosen.text)
        assert re.search(r'name="customer"\s+value="2"', chosen.text)
        assert "Clear filters" in chosen.text
        several = await browser.get(f"{path}?customer_typed=e")
        assert f'href="{path}?customer=2">Globex' in several.text
        assert not re.search("<option[^>]*>(Acme|Globex|Ines)", several.text), "customers and agents are no options"


@pytest.mark.slow
@pytest.mark.parametrize("reader", [INES, MAX, NOOR], ids=["agent", "manager", "admin"])
async def test_a_list_of_25_rows_has_less_than_40_kb_and_12_on_the_wire(app: Gate, reader: AgentReader) -> None:
    """A list of 25 cases has less than 40 kB, and less than 12 kB compressed.

    Subjects and names are as long as in the demo data. The customers and agents that the filters offer are not part of
    the page.
    """
    await customers(40)
    await promise()
    for place in range(26):
        case = await open_case(f"Nobody can reach the ERP from branch {place:02} since Monday", by=ADA)
        async with transaction(INES):
            await case.take(by=INES, at=NOW)
    async with await Browser.of(app, reader) as browser:
        page = await browser.get("/agent/cases?view=all")
        packed = await browser.get("/agent/cases?view=all", headers={"accept-encoding": "br"})
    assert len(numbers(page.text)) == 25
    assert len(page.content) < 40_000
    assert int(packed.headers["content-length"]) < 12_000
    assert "Housing" not in page.text
    rows = re.findall(r"<tr id=.*?</tr>", page.text, re.S)
    assert len(rows) == 25
    assert max(len(row) for row in rows) < 1_100


async def test_the_customer_of_a_new_case_is_found_by_typing(ines: Browser) -> None:
    """Without JavaScript, Ines enters a part of a customer's name in the form of a new case.

    A single match is chosen; several matches are shown as links. A customer that has ended is not found.
    """
    await customers(40)
    found = await ines.get("/agent/cases/new?customer_typed=globex&customer=")
    assert "New case of Globex" in found.text
    assert "Gil" in found.text
    assert found.text.count("<option") < 20
    assert "Housing" not in found.text
    several = await ines.get("/agent/cases/new?customer_typed=housing+0&customer=")
    assert "13 customers have “housing 0” in their name: choose one." in several.text
    link = re.search(r'href="(/agent/cases/new\?draft=[^"]+)"', several.text)
    assert link
    assert "New case of Housing 0" in (await ines.get(html.unescape(link[1]))).text
    async with transaction(NOOR):
        await (await Customer.find(GLOBEX, NOOR)).end(NOW)
    ended = await ines.get("/agent/cases/new?customer_typed=globex&customer=")
    assert "There is no customer with “globex” in its name." in ended.text


async def test_the_scope_of_a_rate_is_found_by_typing(app: Gate) -> None:
    """Noor types a part of a name into each scope field of a rate; a field that is left empty means no restriction.

    A text that matches no name or several names is refused with 422 and an error message, and so is an unknown id.
    """
    path = "/agent/setup/rates"
    price = {"hourly_rate": "77", "currency": "EUR", "effective_from": "2030-01-01", "role_id": ""}
    async with await Browser.of(app, NOOR) as noor:
        suggested = await noor.get("/agent/finders/services?text=globex+help")
        assert re.findall(r'data-name="([^"]+)"', suggested.text) == ["Globex: Globex helpdesk"]
        for wrong, sentence in (
            ({"customer_id": "", "customer_id_typed": "nobody"}, "There is no customer with “nobody” in its name."),
            ({"customer_id": "", "customer_id_typed": "e"}, "2 customers have “e” in their name: choose one."),
            ({"customer_id": "4711"}, "Choose one from the list."),
            ({"agent_id": "", "agent_id_typed": "nobody"}, "There is no agent with “nobody” in its name."),
        ):
            refused = await noor.send_form(path, price | wrong)
            assert (refused.status_code, sentence in html.unescape(refused.text)) == (422, True), wrong
        typed = {"service_id": "", "service_id_typed": "globex: help", "agent_id": "", "agent_id_typed": "ines"}
        assert (await noor.send_form(path, price | typed)).status_code == 303
        assert (
            await noor.send_form(path, price | {"customer_id": str(ACME), "customer_id_typed": "Acme"})
        ).status_code == 303
    async with transaction(NOOR) as tx:
        rows = await tx.fetch("select customer_id, service_id, agent_id from rate where hourly_rate = 77 order by id")
    assert [tuple(row) for row in rows] == [(GLOBEX, GLOBEX_HELPDESK, INES.id), (ACME, None, None)]
