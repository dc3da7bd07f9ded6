"""Test the pages and forms for flags and for decisions on everything that matches a filter, and who may send them.

A flag is a manager's question about an entry, which is not billed while the flag is on it.
"""

import re

import pytest

from portal import billing
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.agent.test_waiting_time import many, told
from tests.billing.work import Logged, a_case, log, states
from tests.browser import Browser
from tests.forms import forms_of
from tests.world import INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/approvals"
QUESTION = "Which switch was it?"


async def flagged(*, case_id: int | None = None) -> tuple[Logged, int]:
    """Flag a submitted entry of Ines as Max, and return the entry and the id of the flag."""
    async with transaction(MAX) as tx:
        entry = await log(case_id=case_id)
        await billing.flag([entry.choice], question=QUESTION, by=MAX, at=NOW)
        return entry, await tx.fetchval("select id from flag")


async def test_a_manager_flags_what_is_ticked_and_takes_it_back(max_: Browser) -> None:
    """S2.35: an entry that Max flags stays on the approvals page with his question, and is no longer preselected.

    The message after the decision has a button that undoes the flag.
    """
    async with transaction(SYSTEM):
        entry = await log()
    answer = await max_.send_form("/agent/flags", {"entry": f"{entry.id}:1", "question": QUESTION})
    assert answer.status_code == 303
    page = (await max_.get(answer.headers["location"])).text
    assert "1 entry flagged." in told(page)
    assert QUESTION in page
    assert "No answer yet." in page
    assert not re.search(rf'value="{entry.id}:1"[^>]* checked', page)
    assert "1 looks odd" in told(page)
    undo = next(form for form in forms_of(page) if any("/decisions/" in target for target in form.targets))
    answer = await max_.send_form(next(iter(undo.targets)), {})
    assert answer.status_code == 303
    assert QUESTION not in (await max_.get(PATH)).text
    async with transaction(SYSTEM):
        assert await states(entry) == ["submitted"]


async def test_a_flag_without_a_question_comes_back_with_its_dialog(max_: Browser) -> None:
    """C3: if Max flags an entry without a question, the dialog opens again with an error message.

    The ticks stay, and nothing is flagged.
    """
    async with transaction(SYSTEM):
        entry = await log()
    answer = await max_.send_form("/agent/flags", {"entry": f"{entry.id}:1", "shown": str(entry.id), "question": " "})
    assert answer.status_code == 422
    assert "Write the question that the author is to answer." in answer.text
    assert re.search(r'id="flag"[^>]* open', answer.text)
    assert re.search(rf'value="{entry.id}:1"[^>]* checked', answer.text)


async def test_the_author_answers_on_the_case_and_the_manager_lifts_the_flag(ines: Browser, max_: Browser) -> None:
    """C3: Ines answers Max's question about her entry on the page of the case; the flag ends only when Max lifts it.

    Max reads the answer on the case and on the approvals page. Lifting the flag a second time gets 409.
    """
    async with transaction(SYSTEM):
        case = await a_case()
    entry, flag_id = await flagged(case_id=case["id"])
    here = f"/agent/cases/{case['number']}"
    page = (await ines.get(here)).text
    assert QUESTION in page
    assert "Lift the flag" not in page
    answer = await ines.send_form(f"/agent/time/{entry.id}/answer", {"answer": "The one in the cellar.", "back": here})
    assert (answer.status_code, answer.headers["location"]) == (303, here)
    assert "The one in the cellar." in (await max_.get(here)).text
    assert "The one in the cellar." in (await max_.get(PATH)).text
    lifted = await max_.post(
        f"/agent/flags/{flag_id}/lifting",
        data={"csrf": await max_.csrf()},
        headers={"referer": f"http://portal.example{here}"},
    )
    assert lifted.status_code == 303
    assert "1\u00a0entry is no longer flagged." in (await max_.get(lifted.headers["location"])).text
    assert QUESTION not in (await max_.get(here)).text
    assert (await max_.send_form(f"/agent/flags/{flag_id}/lifting", {})).status_code == 409


async def test_a_manager_sees_answers_until_the_flag_is_lifted(ines: Browser, max_: Browser, app: Gate) -> None:
    """C3, S2.35: Max's approvals page lists Ines's answer about approved time until he lifts the flag."""
    async with transaction(MAX):
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.flag([entry.choice], question=QUESTION, by=MAX, at=NOW)
    assert "of yours" not in (await max_.get(PATH)).text
    await ines.send_form(f"/agent/time/{entry.id}/answer", {"answer": "The one in <Kiel>."})
    page = (await max_.get(PATH)).text
    assert "1 question of yours is answered:" in re.sub(r"\s+", " ", told(page))
    assert "The one in &lt;Kiel&gt;." in page
    assert f'href="/agent/time/{entry.id}"' in page
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert "of yours" not in (await noor.get(PATH)).text
    lift = re.search(r'action="(/agent/flags/\d+/lifting)"', (await max_.get(f"/agent/time/{entry.id}")).text)
    assert lift
    await max_.send_form(lift[1])
    assert "of yours" not in (await max_.get(PATH)).text


async def test_an_answer_that_comes_too_late_or_is_empty_is_not_lost(ines: Browser) -> None:
    """If Max has lifted the flag before Ines answers, she gets 409 with her text; an empty answer gets 422."""
    entry, flag_id = await flagged()
    assert (await ines.send_form(f"/agent/time/{entry.id}/answer", {"answer": " "})).status_code == 422
    async with transaction(MAX):
        await billing.lift(flag_id, by=MAX, at=NOW)
    answer = await ines.send_form(f"/agent/time/{entry.id}/answer", {"answer": "The one in the cellar."})
    assert answer.status_code == 409
    assert "Somebody has lifted this flag in the meantime." in answer.text
    assert "The one in the cellar." in answer.text


async def test_others_than_the_author_cannot_answer_nor_agents_flag(ines: Browser, max_: Browser) -> None:
    """C3, R32: Max may not answer a question about Ines's entry; Ines may not flag entries or lift flags. Both get 403.

    An unknown entry or flag gets 404. Nothing changes.
    """
    entry, flag_id = await flagged()
    assert (await max_.send_form(f"/agent/time/{entry.id}/answer", {"answer": "Mine."})).status_code == 403
    assert (await ines.send_form(f"/agent/flags/{flag_id}/lifting", {})).status_code == 403
    assert (await ines.send_form("/agent/flags", {"entry": f"{entry.id}:1", "question": "Hm?"})).status_code == 403
    assert (await ines.send_form("/agent/time/4711/answer", {"answer": "Mine."})).status_code == 404
    assert (await max_.send_form("/agent/flags/4711/lifting", {})).status_code == 404
    async with transaction(SYSTEM) as tx:
        row = await tx.fetchrow("select count(*), count(answer), count(lifted_at) from flag")
    assert tuple(row) == (1, 0, 0)


async def test_the_page_of_an_entry_says_who_flagged_and_rejected_it(ines: Browser) -> None:
    """The page of Ines's entry says that Max flagged and rejected the entry, and why he rejected it."""
    entry, _ = await flagged()
    async with transaction(MAX):
        await billing.reject([entry.choice], reason="Too long", by=MAX, at=NOW)
    page = (await ines.get(f"/agent/time/{entry.id}")).text
    assert "Max Herrmann flagged this" in page
    assert "Max Herrmann rejected this" in page
    assert "“Too long”" in page


async def test_a_rejection_is_undone_from_the_message(max_: Browser) -> None:
    """D35: the message after Max's rejection has an undo button, which returns the entry to the state `submitted`."""
    async with transaction(SYSTEM):
        entry = await log()
    answer = await max_.send_form("/agent/rejections", {"entry": f"{entry.id}:1", "reason": "Which site?"})
    page = (await max_.get(answer.headers["location"])).text
    undo = next(form for form in forms_of(page) if any("/decisions/" in target for target in form.targets))
    assert (await max_.send_form(next(iter(undo.targets)), {})).status_code == 303
    async with transaction(SYSTEM):
        assert await states(entry) == ["submitted"]


async def test_all_matching_entries_are_approved_at_once_and_changed_ones_are_reported(max_: Browser) -> None:
    """D35, S0.29: Max approves all 120 entries of Ines at once, but 3 of them changed after the page was shown.

    The other 117 are approved; the 3 are reported and stay submitted. Noor's entries stay submitted too. The same form
    sent again gets 409.
    """
    async with transaction(SYSTEM) as tx:
        await many(120)
        await many(3, NOOR.id)
    page = await max_.get(f"{PATH}?agent={INES.id}")
    assert "Decide on all 120 at once" in told(page.text)
    page = await max_.get(f"{PATH}/everything?agent={INES.id}")
    assert "Decide on 120 entries at once?" in told(page.text)
    form = next(form for form in forms_of(page.text) if "entries" in form.names)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update time_entry set version = 2 where id in (select id from time_entry order by id limit 3)"
        )
    approve = next(target for target in form.targets if target.partition("?")[0] == PATH)
    answer = await max_.post(approve, data=form.fields)
    assert answer.status_code == 200
    assert "117 entries went through, 3 did not:" in told(answer.text)
    assert answer.text.count("It was changed in the meantime. Look at it again.") == 3
    async with transaction(SYSTEM) as tx:
        counts = await tx.fetch("select state, count(*) from time_entry group by 1 order by 1")
        assert [tuple(row) for row in counts] == [("approved", 117), ("submitted", 6)]
        assert await billing.violations() == {}
    again = await max_.post(approve, data=form.fields)
    assert again.status_code == 409
    assert "And 70 more, which are" in told(again.text)


async def test_odd_entries_are_left_out_of_all_that_matches_unless_they_are_taken_in(max_: Browser) -> None:
    """The page for a decision on all matching entries leaves out those with a warning, unless Max includes them.

    The page counts these entries and links, for each warning, to the list of entries with that warning.
    """
    async with transaction(SYSTEM):
        await log(comment="Good")
        await log(comment="")
    page = (await max_.get(f"{PATH}/everything")).text
    assert "Decide on 1 entry at once?" in told(page)
    assert "1 entry looks odd and is left out:" in told(page)
    assert f'href="{PATH}?only=no_comment"' in page
    assert "Decide on 2 entries at once?" in told((await max_.get(f"{PATH}/everything?odd=yes")).text)
    listed = (await max_.get(f"{PATH}?only=no_comment")).text
    assert "1 entry waits" in told(listed)
    assert (await max_.get(f"{PATH}?only=nonsense")).status_code == 200


async def test_a_refused_decision_on_all_comes_back_to_its_own_page(max_: Browser) -> None:
    """If Max rejects all matching entries without a reason, he gets 422 and the same page with the dialog open."""
    async with transaction(SYSTEM):
        await many(60)
    page = await max_.get(f"{PATH}/everything")
    form = next(form for form in forms_of(page.text) if "entries" in form.names)
    reject = next(target for target in form.targets if target.partition("?")[0] == "/agent/rejections")
    answer = await max_.post(reject, data=form.fields | {"reason": ""})
    assert answer.status_code == 422
    assert "Decide on 60 entries at once?" in told(answer.text)
    assert re.search(r'id="reject"[^>]* open', answer.text)


async def test_managers_of_a_service_are_ticked_on_its_form(app: Gate) -> None:
    """C10: if Noor designates Max to approve the time of a service, the service's page and the audit log say so.

    Ines, who is not a manager, is refused with 422.
    """
    path = "/agent/customers/1/contracts/1/services/1"
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        form = next(form for form in forms_of((await noor.get(path)).text) if "approvers" in form.names)
        assert form.offered["approvers"] == [str(MAX.id)]
        answer = await noor.post(path, data=form.fields | {"approvers": [str(MAX.id)]})
        assert answer.status_code == 303
        assert "Max Herrmann, and the managers of" in (await noor.get("/agent/services/1")).text
        form = next(form for form in forms_of((await noor.get(path)).text) if "approvers" in form.names)
        assert form.fields["approvers"] == [str(MAX.id)]
        refused = await noor.post(path, data=form.fields | {"approvers": [str(INES.id)]})
        assert refused.status_code == 422
        assert "Choose managers who work here." in refused.text
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from audit where what = 'service_designation.insert'") == 1
