"""Test canned replies: who may change them, which of them an agent can insert, and how placeholders are filled in."""

import html
import re

from portal.database import transaction
from portal.desk import Case
from portal.desk.replies import canned
from portal.desk.replies.canned import CannedFacts, CannedReply
from tests.agent.test_sending import go_out, said
from tests.browser import Browser
from tests.world import INCIDENT, INES, MAX, SUPPORT

HERE = "/agent/canned-replies"


def facts(name: str, text: str = "Hello {first name}.", **more: str) -> dict[str, str]:
    return {"name": name, "text": text} | more


def composed(page: str) -> str:
    found = re.search(r"<textarea id=\"body\"[^>]*>\n?([^<]*)</textarea>", page)
    assert found
    return html.unescape(found[1])


async def names(browser: Browser, case: Case, find: str = "") -> list[str]:
    """Return the names of the canned replies that can be inserted into a reply on the case.

    `find` is text that the canned replies must contain, encoded for a URL.
    """
    answer = await browser.get(f"/agent/cases/{case.number}/canned-replies?find={find}", headers={"HX-Request": "true"})
    return [line.strip() for line in re.findall(r'role="option"[^>]*data-inserts="[^"]*">([^<]+)<', answer.text)]


async def test_agents_keep_their_own_replies_and_managers_those_for_everybody(
    ines: Browser, max_: Browser, case: Case
) -> None:
    """Colleagues get 404 for a private canned reply; all agents can use a shared one, but only managers change it."""
    assert (await ines.send_form(HERE, facts("Mine"))).status_code == 303
    assert (await ines.send_form(HERE, facts("Shared", shared="yes"))).status_code == 403
    assert (await max_.send_form(HERE, facts("Shared", shared="yes"))).status_code == 303
    async with transaction(INES):
        own, shared = [one["id"] for one in await CannedReply.listed(INES)]
    assert (await max_.get(f"{HERE}/{own}")).status_code == 404
    for more, fields in (("", facts("Taken")), ("/removal", {})):
        assert (await max_.send_form(f"{HERE}/{own}{more}", fields)).status_code == 404
        assert (await ines.send_form(f"{HERE}/{shared}{more}", fields)).status_code == 403
    assert await names(ines, case) == ["Mine", "Shared"]
    assert await names(max_, case) == ["Shared"]
    assert (await max_.send_form(f"{HERE}/{shared}", facts("Common", shared="yes"))).status_code == 303
    assert "Common" in (await ines.get(HERE)).text
    for expected in (303, 404):
        assert (await ines.send_form(f"{HERE}/{own}/removal", {})).status_code == expected
    assert await names(ines, case) == ["Common"]


async def test_two_canned_replies_of_one_owner_never_have_one_name(ines: Browser, max_: Browser) -> None:
    assert (await ines.send_form(HERE, facts("Hello"))).status_code == 303
    for wrong, sentence in (
        (facts("hello"), "There is a canned reply of this name already."),
        (facts("", "x"), "Fill this in."),
        (facts("Empty", " "), "Write the text, in at most 10,000 characters."),
        (facts("Long", "x" * 10_001), "Write the text, in at most 10,000 characters."),
    ):
        answer = await ines.send_form(HERE, wrong)
        assert (answer.status_code, sentence in answer.text) == (422, True), wrong
    assert (await max_.send_form(HERE, facts("Hello"))).status_code == 303
    async with transaction(INES):
        assert len(await CannedReply.listed(INES)) == 1


async def test_a_reply_is_offered_for_its_department_and_type_and_found_by_its_words(ines: Browser, case: Case) -> None:
    async with transaction(MAX):
        for name, more in (
            ("Own department", {"department_id": str(SUPPORT)}), ("Incident", {"case_type_id": str(INCIDENT)}),
            ("Other type", {"case_type_id": str(INCIDENT + 1)}), ("Ünder all", {}),
        ):  # fmt: skip
            await CannedReply.create(CannedFacts(name=name, text="Restart {customer}", shared="yes", **more), MAX)
    assert await names(ines, case) == ["Incident", "Own department", "Ünder all"]
    assert await names(ines, case, "UNDER+restart") == ["Ünder all"]
    assert await names(ines, case, "nothing") == []
    page = (await ines.get(f"/agent/cases/{case.number}/canned-replies?view=mine&text=vpn&find=under")).text
    link = re.search(r'href="(/agent/cases/\d+\?view=mine&amp;text=vpn&amp;canned=\d+#body)"', page)
    assert link


async def test_placeholders_are_filled_in_and_what_has_no_value_is_never_sent(ines: Browser, case: Case) -> None:
    """The filled-in canned reply is put below the reply that Ines has begun; `⟦…⟧` marks a value that the case lacks.

    A reply that still contains such a mark is refused with 422.
    """
    text = "Hello {First name} of {customer}, {service}: see #{number}, {subject}. {unknown} {agent}, {company}"
    async with transaction(INES):
        await CannedReply.create(CannedFacts(name="All", text=text), INES)
        (reply,) = await CannedReply.listed(INES)
        await case.change_facts(by=INES, at=case.opened_at, service_id=None)
    here = f"/agent/cases/{case.number}"
    await ines.send_form("/drafts", {"address": f"{here}/replies", "kind": "reply", "body": "Begun"})
    page = composed((await ines.get(f"{here}?canned={reply['id']}")).text)
    filled = f"Hello Ada of Acme, ⟦service⟧: see #{case.number}, {case.subject}. {{unknown}} Ines Okafor, "
    assert page.startswith(f"Begun\n\n{filled}")
    answer = await ines.send_form(f"{here}/replies", {"kind": "reply", "body": page})
    assert (answer.status_code, "Write what ⟦service⟧ stands for" in answer.text) == (422, True)
    await go_out()
    assert len(await said(case)) == 1
    assert (await ines.get(f"{here}?canned=999")).status_code == 404
    assert canned.filled("{agent} { agent } {}", {"agent": "Ines"}) == "Ines Ines {}"


async def test_a_search_for_what_no_text_can_contain_finds_nothing(ines: Browser, case: Case) -> None:
    for text in ("%00", "a%00b"):
        assert (await ines.get(f"/agent/cases/{case.number}/canned-replies?find={text}")).status_code == 200


async def test_a_long_list_of_canned_replies_has_pages_and_is_searched(ines: Browser) -> None:
    """R81: a page lists a hundred canned replies and shows their total number; a search finds a reply by its text."""
    async with transaction(INES):
        for place in range(103):
            await CannedReply.create(CannedFacts(name=f"Reply {place:03}", text=f"Text of {place}"), INES)
    page = (await ines.get(HERE)).text
    assert ("1 to 100 of 103" in page, "Reply 099" in page, "Reply 100" in page) == (True, True, False)
    assert "Reply 102" in (await ines.get(f"{HERE}?find=&page=2")).text
    found = (await ines.get(f"{HERE}?find=text+of+101")).text
    assert ("Reply 101" in found, "Reply 000" in found) == (True, False)
    assert "No canned reply fits" in (await ines.get(f"{HERE}?find=nonsense")).text
