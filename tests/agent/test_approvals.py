"""Test the approvals page over HTTP: what it shows, approving, rejecting, and withdrawing an approval."""

import asyncio
import re
from datetime import date
from decimal import Decimal

import pytest

from portal.agent.approvals import DONE
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import a_case, a_service, log, states
from tests.browser import Browser
from tests.queries import counted
from tests.world import ACME, ACME_CONTRACT, ADA, GLOBEX, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/approvals"


async def test_what_waits_is_listed_by_agent_with_what_it_would_cost(app: Gate) -> None:
    """Max's approvals page lists the entries that wait for his approval, with their prices, and can be filtered.

    Entries with a warning show the reason and are not preselected. His own time is left out. Drafts are left out too,
    unless he includes them.
    """
    async with transaction(SYSTEM):
        case = await a_case()
        good = await log(50, case_id=case["id"], comment="Gateway renewed")
        silent = await log(30, comment="")
        sunday = await log(30, on=date(2026, 11, 15), comment="Night call")
        await log(15, billing="no_charge", comment="Goodwill")
        await log(20, who=MAX, comment="MARK-OWN")
        await log(20, state="draft", comment="MARK-DRAFT")
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.get(PATH)
        assert answer.status_code == 200
        html = answer.text
        assert "4 entries wait, 2 look odd and are not ticked" in html.replace("\xa0", " ")
        assert re.search(rf'value="{good.id}:1"[^>]* checked', html)
        for odd in (silent, sunday):
            assert not re.search(rf'value="{odd.id}:1"[^>]* checked', html)
        assert "No external comment. Acme will see an empty row." in html
        assert "On a Sunday." in html
        assert "100.00" in html
        assert "no charge" in html
        assert "MARK" not in html
        assert "MARK-DRAFT" in (await browser.get(f"{PATH}?drafts=yes")).text
        filtered = (await browser.get(f"{PATH}?until=2026-10-31&agent={INES.id}&customer={ACME}")).text
        assert "Night call" not in filtered
        assert "Gateway renewed" in filtered
        assert (await browser.get(f"{PATH}?until=nonsense&agent=x&customer=99999999999999999999")).status_code == 200


async def test_a_missing_rate_is_reported_before_an_approval_is_tried(app: Gate) -> None:
    """D19: the approvals page reports that an entry has no rate before anybody tries to approve the entry."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from rate")
        await log()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "There is no rate for Ines Okafor under “Helpdesk” on 6 Oct 2026." in (await browser.get(PATH)).text


async def test_what_approving_refuses_has_no_price(app: Gate) -> None:
    """D19: for an entry that `approve` would refuse, the page shows the reason instead of a price.

    The entry counts in no sum. If Max tries to approve it, he gets 422 with the same reason.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set role_id = null where id = $1", INES.id)
        service = await a_service(ACME, ACME_CONTRACT, "By role", rollup="role")
        waits = await log(60, service=service, hourly_rate=Decimal("77.77"))
    sentence = "Ines Okafor has no role, and “By role” is billed by role. Give one, then approve."
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(PATH)).text
        assert sentence in page
        assert "77.77" not in page
        refused = await browser.send_form(PATH, {"entry": [f"{waits.id}:1"], "reason": ""})
        assert (refused.status_code, sentence in refused.text) == (422, True)


async def test_what_is_ticked_is_approved(app: Gate) -> None:
    """S0.29: Max approves several ticked entries at once; sending the form again gets 409 and changes nothing.

    After the approval, the page keeps its filter and shows how many entries were approved. The links on this page do
    not have the query parameter `approved`, so that no other page repeats the message.
    """
    async with transaction(SYSTEM):
        entries = [await log(), await log(30)]
    ticked = {"entry": [f"{entry.id}:1" for entry in entries]}
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form(f"{PATH}?until=2026-11-20", ticked | {"reason": ""})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{PATH}?until=2026-11-20&approved=2&decision=")
        page = (await browser.get(answer.headers["location"])).text
        assert "2\xa0entries approved." in page
        assert "approved=2" not in page
        again = await browser.send_form(PATH, ticked)
        assert again.status_code == 409
        assert "It is approved already, by Max Herrmann." in again.text
    async with transaction(SYSTEM):
        assert await states(*entries) == ["approved", "approved"]


async def test_what_was_changed_meanwhile_is_reported_and_the_rest_goes_through(app: Gate) -> None:
    """D35: of two ticked entries, the one that was changed since the page was shown is reported and not approved.

    The other one is approved.
    """
    async with transaction(SYSTEM):
        good, changed = await log(), await log()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form(PATH, {"entry": [f"{good.id}:1", f"{changed.id}:7"]})
        assert answer.status_code == 200
        assert "1 entry went through, 1 did not:" in answer.text.replace("\xa0", " ")
        assert "It was changed in the meantime. Look at it again." in answer.text
    async with transaction(SYSTEM):
        assert await states(good, changed) == ["approved", "submitted"]


async def test_own_time_is_refused_with_a_sentence(app: Gate) -> None:
    """D33: a manager who approves their own time gets 403 with an error message, and the entry stays submitted."""
    async with transaction(SYSTEM):
        own = await log(who=MAX)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form(PATH, {"entry": f"{own.id}:1"})
        assert answer.status_code == 403
        assert "This is your own time. Another manager has to decide on it." in answer.text
    async with transaction(SYSTEM):
        assert await states(own) == ["submitted"]


@pytest.mark.parametrize("fields", [{}, {"entry": "x"}, {"entry": "1"}])
async def test_nothing_ticked_comes_back_with_a_sentence(app: Gate, fields: dict[str, str]) -> None:
    """An approval or rejection without a valid ticked entry is refused with 422."""
    async with await Browser.of(app, MAX, at=NOW) as browser:
        for path in (PATH, "/agent/rejections"):
            assert (await browser.send_form(path, fields | {"reason": "No"})).status_code == 422


async def test_a_field_that_the_form_has_not_is_refused(app: Gate) -> None:
    """R30: a request with a field that the form for approvals does not have is refused with 400 and changes nothing."""
    async with transaction(SYSTEM):
        entry = await log()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form(PATH, {"entry": f"{entry.id}:1", "hourly_rate": "1", "approved_by": "3"})
        assert answer.status_code == 400
    async with transaction(SYSTEM):
        assert await states(entry) == ["submitted"]


async def test_a_rejection_needs_its_reason(app: Gate) -> None:
    """C3: a rejection without a reason is refused with 422; a rejection with a reason is stored with this reason."""
    async with transaction(SYSTEM) as tx:
        entry = await log()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.send_form("/agent/rejections", {"entry": f"{entry.id}:1", "reason": " "})
        assert answer.status_code == 422
        assert "Say why, so that the author knows what to change." in answer.text
        answer = await browser.send_form("/agent/rejections", {"entry": f"{entry.id}:1", "reason": "Which site?"})
        assert answer.status_code == 303
    async with transaction(SYSTEM) as tx:
        assert await states(entry) == ["rejected"]
        assert await tx.fetchval("select reason from rejection") == "Which site?"


async def test_an_approval_is_taken_back(app: Gate) -> None:
    """If Max withdraws his approval, the entry returns to the state `submitted`. A second withdrawal gets 409.

    Withdrawing the approval of an entry that does not exist gets 409 too. An id that is too large for the database gets
    404.
    """
    async with transaction(SYSTEM):
        entry = await log(comment="Taken back")
    async with await Browser.of(app, MAX, at=NOW) as browser:
        await browser.send_form(PATH, {"entry": f"{entry.id}:1"})
        assert "Taken back" in (await browser.get(PATH)).text
        assert (await browser.send_form(f"{PATH}/{entry.id}/withdrawal")).status_code == 303
        assert (await browser.send_form(f"{PATH}/{entry.id}/withdrawal")).status_code == 409
        assert (await browser.send_form(f"{PATH}/4711/withdrawal")).status_code == 409
        assert (await browser.send_form(f"{PATH}/99999999999999999999/withdrawal")).status_code == 404
    async with transaction(SYSTEM):
        assert await states(entry) == ["submitted"]


async def test_two_managers_at_once_one_gets_409(app: Gate) -> None:
    """If Max and Noor approve the same entry at the same time, one of them gets 409."""
    async with transaction(SYSTEM):
        entry = await log()
    async with await Browser.of(app, MAX, at=NOW) as max_, await Browser.of(app, NOOR, at=NOW) as noor:
        answers = await asyncio.gather(*(who.send_form(PATH, {"entry": f"{entry.id}:1"}) for who in (max_, noor)))
        assert sorted(answer.status_code for answer in answers) == [303, 409]


async def test_agents_get_403_and_contacts_404(app: Gate) -> None:
    """On every approvals URL, agents who are not managers get 403 and contacts get 404; the entry stays submitted.

    A visitor who is not signed in is redirected.
    """
    async with transaction(SYSTEM):
        entry = await log(who=MAX)
    posts = [PATH, "/agent/rejections", f"{PATH}/{entry.id}/withdrawal"]
    for reader, status in ((INES, 403), (ADA, 404)):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(PATH)).status_code == status
            for path in posts:
                assert (await browser.send_form(path, {"entry": f"{entry.id}:1", "reason": "No"})).status_code == status
    async with Browser(app) as nobody:
        assert (await nobody.get(PATH)).status_code == 303
    async with transaction(SYSTEM):
        assert await states(entry) == ["submitted"]


async def test_the_page_asks_the_database_the_same_for_one_entry_and_for_many(app: Gate) -> None:
    """The approvals page takes as many SQL statements with 21 entries as with one, and at most 14."""
    counts = []
    async with await Browser.of(app, MAX, at=NOW) as browser:
        await browser.get(PATH)
        for many in (1, 20):
            async with transaction(SYSTEM):
                for _ in range(many):
                    await log()
            with counted() as statements:
                assert (await browser.get(PATH)).status_code == 200
            counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 14, statements


async def test_no_amount_stands_under_another_currency(app: Gate) -> None:
    """If all listed entries have the same currency, the header of the column of amounts names the currency.

    Otherwise each amount names its currency.
    """
    async with transaction(SYSTEM) as tx:
        swiss = await tx.fetchval(
            "insert into contract (customer_id, name, currency, start_on, payment_days, cycle, anchor, vat_rate, created_at)"
            " select customer_id, 'Swiss', 'CHF', start_on, payment_days, cycle, anchor, vat_rate, created_at from contract"
            " where customer_id = $1 returning id",
            GLOBEX,
        )
        on_site = await a_service(GLOBEX, swiss, "On site")
        await log(60, service=on_site, customer=GLOBEX, hourly_rate=Decimal(80))
    async with await Browser.of(app, MAX, at=NOW) as browser:
        alone = (await browser.get(PATH)).text
        assert '<th class="number" role="columnheader">CHF</th>' in alone
        assert '<th class="number" role="columnheader">EUR</th>' not in alone
        async with transaction(SYSTEM):
            await log(60)
        both = (await browser.get(PATH)).text
        assert '<th class="number" role="columnheader">Amount</th>' in both
        assert re.search(r"CHF.80\.00", both)
        assert "€120.00" in both


async def test_the_message_after_a_decision_fits_one_entry_and_many() -> None:
    assert [words for words in DONE.values() if re.search(r"\b(they|their|them|it|its)\b", words, re.I)] == []
