"""Test held replies, and the warning that somebody else has replied in the meantime.

A reply of an agent is held for ten seconds, in which only agents see the reply and its author can withdraw it. Then the
reply goes out: a job stores it as a message, and the customer is notified.
"""

import re
import uuid
from datetime import timedelta

import pytest

from portal.database import transaction
from portal.desk import Case, Status, feed_of
from portal.desk.files import attachments
from portal.desk.replies.canned import CannedFacts, CannedReply
from portal.people.agents import Agent
from portal.people.readers import SYSTEM, Reader
from portal.web import drafts
from portal.web.visit import now
from tests.agent.test_cases import open_case, reload
from tests.browser import Browser
from tests.desk.held import go_out
from tests.world import ADA, INES, MAX

LOG = [("files", ("vpn.log", b"line one\n", "text/plain"))]


async def said(case: Case, reader: Reader = ADA) -> list[str]:
    """Return the HTML of each message that the reader can see on the case."""
    async with transaction(reader):
        feed = await feed_of(case, reader, files_at="/", company="Desk", customer="Acme")
    return [item.html for item in feed.items if item.shape == "message"]


def reply(text: str, **more: str) -> dict[str, str]:
    return {"kind": "reply", "body": text, "form_key": str(uuid.uuid4())} | more


def withdrawal(html: str) -> str:
    found = re.search(r'action="([^"]*/withdrawal[^"]*)"', html)
    assert found
    return found[1].replace("&amp;", "&")


async def test_a_reply_reaches_the_customer_when_it_goes_out_and_counts_from_then(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """S3.20, D51: only agents see a held reply and its file, until the reply goes out.

    Then the reply sets the status of the case and meets the deadline. Sending the form or running the job
    again sends no second reply.
    """
    to = f"/agent/cases/{case.number}/replies"
    form = reply("We look at **it**", then="wait")
    answer = await ines.send_form(to, form, files=LOG)
    assert answer.status_code == 303
    assert (await ines.send_form(to, form)).status_code == 303  # sent twice
    page = (await ines.get(answer.headers["location"])).text
    assert "goes out in 10 seconds" in page
    assert "We look at **it**" in page
    assert "We look at" not in (await ada.get(f"/cases/{case.number}")).text
    before = await reload(case)
    assert (before.stands, before.first_replied_at, len(await said(case))) == (Status.NEW, None, 1)
    async with transaction(ADA) as tx:
        assert not await tx.fetchval("select has_table_privilege('outgoing_reply', 'select')")
    at = now() + timedelta(seconds=11)
    for _ in range(2):  # a job that was killed runs again
        await go_out(at)
    after = await reload(case)
    assert (after.stands, after.first_replied_at) == (Status.WAITING_FOR_CUSTOMER, at)
    assert len(await said(case)) == 2
    assert "vpn.log" in (await ada.get(f"/cases/{case.number}")).text
    assert (await ines.send_form(to, form)).status_code == 303  # the browser sends it once more
    await go_out()
    assert len(await said(case)) == 2


async def test_a_reply_that_is_taken_back_is_in_the_composer_again_with_its_files(ines: Browser, case: Case) -> None:
    """A withdrawn reply is in the text box again with its files, above what was begun in the meantime.

    Nobody is notified of the reply. Withdrawing it twice is harmless, and sending its form again gets 422.
    """
    here = f"/agent/cases/{case.number}"
    form = reply("Too early")
    answer = await ines.send_form(f"{here}/replies?view=all&next=&previous=", form, files=LOG)
    await ines.send_form("/drafts", {"address": f"{here}/replies", "kind": "reply", "body": "Begun since"})
    back = withdrawal((await ines.get(answer.headers["location"])).text)
    for _ in range(2):
        assert (await ines.send_form(back, {})).status_code == 303
        page = (await ines.get(f"{here}?view=all")).text
        assert "Too early\n\nBegun since</textarea>" in page
        assert "vpn.log" in page
    await go_out()
    assert len(await said(case)) == 1
    again = await ines.send_form(f"{here}/replies", form)
    assert (again.status_code, "You sent this form before." in again.text) == (422, True)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from outbox where kind = 'case.replied'") == 0


async def test_a_note_from_the_form_of_a_held_reply_is_asked_about_and_leaves_the_files_of_the_reply(
    ines: Browser, ada: Browser, case: Case
) -> None:
    """D51: a note that is sent with the form of a held reply is refused; the note's file is kept for the note only.

    The agent gets such a form with the Back button of the browser. The reply goes out with its own file.
    """
    here = f"/agent/cases/{case.number}"
    form = reply("See the log")
    assert (await ines.send_form(f"{here}/replies", form, files=LOG)).status_code == 303
    secret = [("files", ("secret.log", b"for us\n", "text/plain"))]
    answer = await ines.send_form(f"{here}/notes", form | {"kind": "note", "body": "Only for us"}, files=secret)
    assert (answer.status_code, "You sent this form before" in answer.text) == (422, True)
    assert "secret.log" in answer.text
    await go_out()
    page = (await ada.get(f"/cases/{case.number}")).text
    assert ("vpn.log" in page, "secret.log" in page, len(await said(case))) == (True, False, 2)


async def test_only_who_sent_a_reply_takes_it_back_and_only_before_it_went_out(
    ines: Browser, max_: Browser, case: Case
) -> None:
    answer = await ines.send_form(f"/agent/cases/{case.number}/replies", reply("Mine"))
    back = withdrawal((await ines.get(answer.headers["location"])).text)
    assert "Mine" in (await max_.get(f"/agent/cases/{case.number}")).text
    assert (await max_.send_form(back, {})).status_code == 404
    await go_out()
    late = await ines.send_form(back, {})
    assert (late.status_code, "The reply has gone out" in late.text) == (409, True)
    assert len(await said(case)) == 2


async def test_a_status_that_was_chosen_gives_way_to_what_happened_meanwhile(ines: Browser, case: Case) -> None:
    """If the contact writes while a reply that resolves the case is held, the reply goes out but changes no status."""
    await ines.send_form(f"/agent/cases/{case.number}/replies", reply("Done?", then="resolve"))
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="One more thing.", at=now() + timedelta(seconds=1))
    await go_out()
    assert (await reload(case)).stands is Status.OPEN
    assert len(await said(case)) == 3


async def test_taking_back_from_the_next_case_keeps_the_list(ines: Browser, case: Case) -> None:
    """Ines replies on a case and is led to the next case: withdrawing the reply there leads back to the first case.

    The page of the first case still links to the next case in the list.
    """
    other = await open_case("Other")
    to = f"/agent/cases/{case.number}/replies?view=all&next={other.number}&previous="
    answer = await ines.send_form(to, reply("We look at it", then="next"))
    assert answer.headers["location"].startswith(f"/agent/cases/{other.number}?view=all")
    page = (await ines.get(answer.headers["location"])).text
    back = re.search(rf'action="(/agent/cases/{case.number}/replies/[^"]*/withdrawal[^"]*)"', page)
    assert back
    returned = await ines.send_form(back[1].replace("&amp;", "&"), {})
    assert returned.headers["location"] == f"/agent/cases/{case.number}?view=all#body"
    shown = (await ines.get(f"/agent/cases/{case.number}?view=all")).text
    assert f'href="/agent/cases/{other.number}?view=all"' in shown


@pytest.mark.parametrize("by", [ADA, MAX], ids=["contact", "colleague"])
async def test_a_reply_that_crosses_another_one_is_asked_about_and_keeps_its_text(
    ines: Browser, case: Case, by: Reader
) -> None:
    """If somebody else replied while Ines was writing, she gets 409 with that reply and her text.

    She can then send her text all the same. A reply of her own causes no such warning.
    """
    here = f"/agent/cases/{case.number}"

    async def seen() -> str:
        found = re.search(r'name="seen_reply" value="(\d+)"', (await ines.get(here)).text)
        assert found
        return found[1]

    first = await seen()
    async with transaction(by):
        await (await Case.find(case.number, by)).reply(by=by, text="It works again.", at=now())
    form = reply("Restart it", seen_reply=first)
    answer = await ines.send_form(f"{here}/replies", form)
    assert answer.status_code == 409
    assert f"{by.name} replied while you were writing." in answer.text
    assert "It works again." in answer.text
    assert ">\nRestart it</textarea>" in answer.text
    await go_out()
    assert len(await said(case)) == 2
    shown = re.search(r'name="seen_reply" value="(\d+)"', answer.text)
    assert shown
    assert (await ines.send_form(f"{here}/replies", form | {"seen_reply": shown[1]})).status_code == 303
    await go_out()
    assert len(await said(case)) == 3
    assert (await ines.send_form(f"{here}/replies", reply("And this", seen_reply=shown[1]))).status_code == 303


@pytest.mark.parametrize("waits", [False, True], ids=["held", "gone out after the warning"])
@pytest.mark.parametrize("ines_is_first", [True, False], ids=["Ines first", "Max first"])
async def test_a_reply_that_crosses_one_that_has_not_gone_out_is_asked_about(
    ines: Browser, max_: Browser, case: Case, ines_is_first: bool, waits: bool
) -> None:
    """The agent who replies second gets 409 with the first agent's held reply, and may then send the second reply.

    No second warning follows, even if the held reply goes out after the first warning.
    """
    here = f"/agent/cases/{case.number}"
    first, second = (ines, max_) if ines_is_first else (max_, ines)

    def seen(html: str) -> dict[str, str]:
        return {name: re.findall(rf'name="{name}" value="([^"]*)"', html)[0] for name in ("seen_reply", "seen_held")}

    began = seen((await second.get(here)).text)
    assert (await first.send_form(f"{here}/replies", reply("Restart it", **began))).status_code == 303
    form = reply("Wait until noon", **began)
    answer = await second.send_form(f"{here}/replies", form)
    assert answer.status_code == 409
    assert f"{INES.name if ines_is_first else MAX.name} is sending a reply, which goes out in a moment." in answer.text
    assert "Restart it" in answer.text
    assert ">\nWait until noon</textarea>" in answer.text
    if waits:
        await go_out()
        assert len(await said(case)) == 2
    assert (await second.send_form(f"{here}/replies", form | seen(answer.text))).status_code == 303
    await go_out()
    assert len(await said(case)) == 3


async def test_a_withdrawn_reply_crosses_no_other_one(ines: Browser, max_: Browser, case: Case) -> None:
    """After Max has withdrawn his reply, Ines's reply is sent without a warning."""
    here = f"/agent/cases/{case.number}"
    answer = await max_.send_form(f"{here}/replies", reply("Restart it"))
    await max_.send_form(withdrawal((await max_.get(answer.headers["location"])).text), {})
    assert (await ines.send_form(f"{here}/replies", reply("Wait", seen_reply="999999"))).status_code == 303


async def test_a_reply_that_cannot_go_out_stays_with_its_reason(
    ines: Browser, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3.17: if a held reply exceeds the customer's quota for files, it does not go out, and the case shows the reason.

    Ines can then withdraw the reply and edit it.
    """
    await ines.send_form(f"/agent/cases/{case.number}/replies", reply("With a file"), files=LOG)
    monkeypatch.setattr(attachments, "QUOTA", 1)
    await go_out()
    page = (await ines.get(f"/agent/cases/{case.number}")).text
    assert "Did not go out" in page
    assert attachments.NO_ROOM in page
    assert (await ines.send_form(withdrawal(page), {})).status_code == 303
    assert "With a file</textarea>" in (await ines.get(f"/agent/cases/{case.number}")).text


async def test_a_reply_goes_out_on_the_case_that_its_case_was_merged_into(ines: Browser, case: Case) -> None:
    """D53: if a case is merged while a reply on it is held, the reply goes out on the other case."""
    other = await open_case("The same")
    await ines.send_form(f"/agent/cases/{case.number}/replies", reply("For both"))
    fields = {"case": [str(other.number), str(case.number)], "into": str(other.number)}
    await ines.send_form("/agent/cases/merging", fields)
    assert "For both" in (await ines.get(f"/agent/cases/{other.number}")).text
    await go_out()
    assert any("For both" in html for html in await said(other))


async def test_a_reply_is_taken_back_only_on_its_own_case(ines: Browser, max_: Browser, case: Case) -> None:
    """R28: withdrawing a reply under the URL of another case, or with an unknown key, gets 404; the reply goes out."""
    other = await open_case("Somebody else's")
    form = reply("Only for the first case")
    await ines.send_form(f"/agent/cases/{case.number}/replies", form)
    for number, key in ((other.number, form["form_key"]), (case.number, str(uuid.uuid4()))):
        assert (await ines.send_form(f"/agent/cases/{number}/replies/{key}/withdrawal", {})).status_code == 404
    assert "Only for the first case" not in (await ines.get(f"/agent/cases/{other.number}")).text
    await go_out()
    assert len(await said(case)) == 2


async def test_a_reply_that_the_text_box_has_no_room_for_is_not_taken_back(ines: Browser, case: Case) -> None:
    """If the unsent text of Ines leaves no room for her held reply, withdrawing the reply gets 409.

    The reply then goes out with its file.
    """
    here = f"/agent/cases/{case.number}"
    answer = await ines.send_form(f"{here}/replies", reply("No room for me"), files=LOG)
    await ines.send_form(
        "/drafts", {"address": f"{here}/replies", "kind": "reply", "body": "x" * (drafts.LARGEST - 60)}
    )
    refused = await ines.send_form(withdrawal((await ines.get(answer.headers["location"])).text), {})
    assert (refused.status_code, "has no room for this reply" in refused.text) == (409, True)
    await go_out()
    assert (len(await said(case)), "vpn.log" in (await ines.get(here)).text) == (2, True)


async def test_a_text_that_was_taken_back_and_lost_is_put_back_by_a_repeated_request(ines: Browser, case: Case) -> None:
    """A withdrawn reply becomes a draft. If another page then overwrites this draft, the reply is not lost.

    Repeating the withdrawal puts the reply above the new text, and only once however often the withdrawal is repeated.
    """
    here = f"/agent/cases/{case.number}"
    form = reply("It is here")
    await ines.send_form(f"{here}/replies", form)
    back = f"{here}/replies/{form['form_key']}/withdrawal"
    await ines.send_form(back, {})
    await ines.send_form("/drafts", {"address": f"{here}/replies", "kind": "reply", "body": "Over it is here"})
    for _ in range(2):
        assert (await ines.send_form(back, {})).status_code == 303
        assert ">\nIt is here\n\nOver it is here</textarea>" in (await ines.get(here)).text


@pytest.mark.parametrize("by", ["taken back", "canned"])
async def test_a_note_that_was_begun_never_becomes_part_of_a_reply(ines: Browser, case: Case, by: str) -> None:
    """D51: a withdrawn or canned reply replaces the note that Ines has begun in the text box, and is not added to it.

    After the reply is sent, the note is in the text box again.
    """
    here = f"/agent/cases/{case.number}"
    form, note = reply("For the customer"), {"kind": "note", "body": "Only for us", "form_key": str(uuid.uuid4())}
    await ines.send_form(f"{here}/replies", form)
    await ines.send_form("/drafts", {"address": f"{here}/replies"} | note)
    if by == "taken back":
        await ines.send_form(f"{here}/replies/{form['form_key']}/withdrawal", {})
        page = (await ines.get(here)).text
    else:
        async with transaction(INES):
            await CannedReply.create(CannedFacts(name="Hello", text="For the customer"), INES)
            [canned] = await CannedReply.listed(INES)
        page = (await ines.get(f"{here}?canned={canned['id']}")).text
    assert ">\nFor the customer</textarea>" in page
    assert re.search(r'value="reply"[^>]* checked', page)
    assert "Only for us" not in page
    key = re.search(r'id="composer".*?name="form_key" value="([^"]+)"', page, re.DOTALL)
    assert key
    sent = await ines.send_form(f"{here}/replies", reply("For the customer", form_key=key[1]))
    assert sent.status_code == 303
    page = (await ines.get(here)).text
    assert ">\nOnly for us</textarea>" in page
    assert re.search(r'value="note"[^>]* checked', page)


async def test_a_text_for_which_each_draft_is_a_note_stays_a_note(ines: Browser, case: Case) -> None:
    """D51: if all unsent texts of Ines on a case are notes, a withdrawn reply becomes part of one of these notes.

    It is put above the text of the note.
    """
    here = f"/agent/cases/{case.number}"
    form = reply("For the customer")
    await ines.send_form(f"{here}/replies", form)
    for noun in ("replies", "notes"):
        note = {"kind": "note", "body": f"In {noun}", "form_key": str(uuid.uuid4())}
        await ines.send_form("/drafts", {"address": f"{here}/{noun}"} | note)
    await ines.send_form(f"{here}/replies/{form['form_key']}/withdrawal", {})
    page = (await ines.get(here)).text
    assert re.search(r'value="note"[^>]* checked', page)
    assert ">\nFor the customer\n\nIn " in page


async def test_a_reply_of_an_agent_who_has_left_meanwhile_does_not_go_out_and_a_manager_takes_it_back(
    ines: Browser, max_: Browser, noor: Browser, case: Case
) -> None:
    """R12, R93: Max's held reply does not go out if he leaves. A manager can withdraw it with its file; Ines cannot."""
    here = f"/agent/cases/{case.number}"
    form = reply("From Max", then="resolve")
    await max_.send_form(f"{here}/replies", form, files=LOG)
    back = f"{here}/replies/{form['form_key']}/withdrawal"
    assert (await noor.send_form(back, {})).status_code == 404, "he may still do that himself"
    async with transaction(SYSTEM):
        await (await Agent.find(MAX.id)).end(now())
    for _ in range(2):
        await go_out()
    assert (len(await said(case)), (await reload(case)).stands) == (1, Status.NEW)
    assert "Take it back" not in (await ines.get(here)).text
    assert (await ines.send_form(back, {})).status_code == 404
    page = (await noor.get(here)).text
    assert "Its author no longer works here" in page
    assert withdrawal(page) == back
    for _ in range(2):
        assert (await noor.send_form(back, {})).status_code == 303
        page = (await noor.get(here)).text
        assert ">\nFrom Max</textarea>" in page
        assert ("vpn.log" in page, "no longer works here" in page) == (True, False)
