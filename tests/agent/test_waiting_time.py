"""Test the list of time that waits for approval: each entry can be reached, ticks stay, and decisions can be undone."""

import re
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response

from portal import billing
from portal.database import current, transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, OCTOBER, a_case, a_service, log, states
from tests.browser import Browser
from tests.forms import PageForm, forms_of
from tests.world import ACME, ACME_CONTRACT, GLOBEX_HELPDESK, HELPDESK, INES, MAX, MOVE, NOOR, NOW, SUPPORT

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/approvals"


def entries_form(html: str) -> PageForm:
    """Return the form that contains the list of waiting entries."""
    return next(form for form in forms_of(html) if "shown" in form.names)


def ticked(html: str) -> list[str]:
    return entries_form(html).fields.get("entry", [])


def shown(html: str) -> list[str]:
    return entries_form(html).offered.get("entry", [])


async def decide(browser: Browser, page: Response, path: str, **typed: Any) -> Response:
    """Send the form of the list on `page` to `path`, with the values `typed` in place of the shown values.

    Return the response.
    """
    form = entries_form(page.text)
    address = next(target for target in form.targets if target.partition("?")[0] == path)
    return await browser.post(address, data=form.fields | typed)


def told(html: str) -> str:
    return html.replace("\xa0", " ")


async def many(count: int, agent_id: int = INES.id, state: str = "submitted") -> None:
    """Create `count` entries of one agent for Acme: about seven on each Monday, backwards from 5 October 2026."""
    await current().execute(
        "insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,"
        " external_comment, description, state, created_at, window_from, submitted_at)"
        " select 1, 1, $2, $2, date '2026-10-05' - (n / 7) * 7, 30, 'billable', 30, 'Work ' || n, '', $3, $4, $4, $4"
        " from generate_series(1, $1::int) n",
        count, agent_id, state, NOW,
    )  # fmt: skip


async def test_nothing_is_hidden_however_much_waits(max_: Browser) -> None:
    """The pages of the time that waits for Max's approval show each of 337 entries once, and the total number."""
    async with transaction(SYSTEM) as tx:
        await many(250)
        await many(87, NOOR.id)
        everything = {str(row["id"]) for row in await tx.fetch("select id from time_entry")}
    seen: list[str] = []
    address = PATH
    while address:
        page = (await max_.get(address)).text
        assert "337 entries wait" in told(page)
        seen += [choice.partition(":")[0] for choice in shown(page)]
        onwards = re.search(r'href="([^"]+)" rel="next">Further', page)
        address = onwards[1].replace("&amp;", "&") if onwards else ""
    assert len(seen) == 337
    assert set(seen) == everything
    assert "250 entries" in told((await max_.get(PATH)).text)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (f"department={SUPPORT}", {"ines", "globex", "below"}),
        (f"department={MOVE}", {"below"}),
        ("department=99", set()),
        (f"service={GLOBEX_HELPDESK}", {"globex"}),
        (f"service={HELPDESK}&department={SUPPORT}", {"ines", "below"}),
        ("service_typed=globex", {"globex"}),
        ("service=99&department=x", {"ines", "globex", "below"}),
    ],
)
async def test_waiting_time_is_filtered_by_department_and_service(
    max_: Browser, asked: str, expected: set[str]
) -> None:
    """S0.28: Max filters waiting time by service, and by department together with the departments below it.

    The page for a decision on all entries applies the same filters. A department that is not a number and a service
    that does not exist are ignored; a department that does not exist has no entries.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update department set parent_id = $1 where id = $2", SUPPORT, MOVE)
        await tx.execute("update agent set department_id = $1 where id = $2", MOVE, NOOR.id)
        made = {
            "ines": await log(on=OCTOBER), "globex": await log(service=GLOBEX_HELPDESK), "below": await log(who=NOOR),
        }  # fmt: skip
    choices = {f"{entry.id}:1": name for name, entry in made.items()}
    page = (await max_.get(f"{PATH}?{asked}")).text
    found = {choices[choice] for choice in shown(page)} if expected else set()
    assert found == expected
    assert expected or "Nothing waits here" in page
    everything = (await max_.get(f"{PATH}/everything?odd=yes&{asked}")).text
    named = re.search(r'name="entries" value="([^"]+)"', everything)
    assert {choices[choice] for choice in (named[1].split(".") if named else [])} == expected


async def test_a_page_whose_entries_are_all_decided_shows_what_is_left(max_: Browser) -> None:
    async with transaction(SYSTEM):
        await many(110)
        first = (await billing.list_waiting(MAX, at=NOW)).next
        await current().execute("delete from time_entry where work_date < $1", first.work_date if first else NOVEMBER)
    page = await max_.get(f"{PATH}?after={first}")
    assert page.status_code == 200
    assert shown(page.text)
    for nonsense in ("x", "1.2026-02-30.5", "99999999999999999.2026-01-01.1", "77.2026-01-01.1"):
        assert shown((await max_.get(f"{PATH}?after={nonsense}")).text)


async def test_ticks_survive_a_rejection(max_: Browser) -> None:
    """If Max unticks four entries and rejects a fifth, the four stay unticked, so that none is approved by mistake.

    An entry that appears on that page after the rejection is not ticked either.
    """
    async with transaction(SYSTEM):
        entries = [await log(comment=f"Work {number}") for number in range(5)]
    page = await max_.get(PATH)
    assert len(ticked(page.text)) == 5
    answer = await decide(max_, page, "/agent/rejections", entry=[f"{entries[2].id}:1"], reason="Which site?")
    page = await max_.get(answer.headers["location"])
    assert "1 entry rejected." in told(page.text)
    assert len(shown(page.text)) == 4
    assert ticked(page.text) == []
    assert "0</span> of 4 ticked" in page.text
    # An entry that moves onto the page later has no tick either.
    async with transaction(SYSTEM):
        await log(comment="New")
    assert ticked((await max_.get(answer.headers["location"])).text) == []


async def test_after_a_decision_on_all_ticked_entries_new_ones_are_ticked_too(max_: Browser) -> None:
    """An entry without a warning that is submitted after Max has decided on all ticked entries is ticked by default."""
    async with transaction(SYSTEM):
        good, odd = await log(comment="Good"), await log(comment="")
    page = await max_.get(PATH)
    assert ticked(page.text) == [f"{good.id}:1"]
    answer = await decide(max_, page, PATH)
    async with transaction(SYSTEM):
        later = await log(comment="New")
    page = await max_.get(answer.headers["location"])
    assert shown(page.text) == [f"{later.id}:1", f"{odd.id}:1"]
    assert ticked(page.text) == [f"{later.id}:1"]


async def test_ticks_survive_a_refusal_and_what_goes_through_beside_it(max_: Browser) -> None:
    async with transaction(SYSTEM):
        kept, good, changed = [await log(comment=f"Work {number}") for number in range(3)]
    page = await max_.get(PATH)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update time_entry set version = 2 where id = $1", changed.id)
    choices = [f"{good.id}:1", f"{changed.id}:1"]
    answer = await decide(max_, page, "/agent/rejections", entry=choices, reason=" ")
    assert answer.status_code == 422
    assert ticked(answer.text) == [f"{good.id}:1"]
    answer = await decide(max_, page, PATH, entry=choices, reason="")
    assert "1 entry went through, 1 did not" in told(answer.text)
    assert "Tue 6 Oct, Acme, Ines Okafor</a>: It was changed in the meantime." in told(answer.text)
    assert shown(answer.text) == [f"{changed.id}:2", f"{kept.id}:1"]
    assert ticked(answer.text) == []


async def test_a_withdrawal_keeps_the_ticks(max_: Browser) -> None:
    async with transaction(SYSTEM):
        waits, approved = await log(comment="Waits"), await log(comment="Approved")
        await billing.approve([approved.choice], by=NOOR, at=NOW)
    page = await max_.get(PATH)
    fields = entries_form(page.text).fields | {"entry": []}
    answer = await max_.post(f"{PATH}/{approved.id}/withdrawal", data=fields)
    assert answer.status_code == 303
    page = await max_.get(answer.headers["location"])
    assert ticked(page.text) == []
    assert "1 entry taken back." in told(page.text)
    assert shown(page.text) == [f"{approved.id}:1", f"{waits.id}:1"]


async def test_what_was_approved_together_is_undone_together(max_: Browser, app: Gate) -> None:
    """Max withdraws all three approvals of one decision together; the entry that was a draft is a draft again.

    Undoing the decision again gets 409. Only Max may undo his decision: Noor, another approver, gets 404; Ines, who is
    not a manager, gets 403. Max's other approvals stay.
    """
    async with transaction(SYSTEM):
        entries = [
            await log(comment="One"),
            await log(comment="Two", state="draft"),
            await log(service=None, billing="not_billable"),
        ]
        other = await log(comment="Other")
        await billing.approve([other.choice], by=MAX, at=NOW)
    page = await max_.get(f"{PATH}?drafts=yes")
    answer = await decide(max_, page, PATH, entry=[f"{entry.id}:1" for entry in entries])
    page = await max_.get(answer.headers["location"])
    assert "3 entries approved." in told(page.text)
    undone = next(form.action for form in forms_of(page.text) if "/decisions/" in form.action)
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.send_form(undone)).status_code == 404
    async with await Browser.of(app, INES, at=NOW) as ines:
        assert (await ines.send_form(undone)).status_code == 403
    answer = await max_.send_form(undone)
    assert answer.status_code == 303
    assert "3 entries taken back." in told((await max_.get(answer.headers["location"])).text)
    async with transaction(SYSTEM) as tx:
        assert await states(*entries, other) == ["submitted", "draft", "submitted", "approved"]
        assert await tx.fetchval("select count(*) from allocation") == 1
        assert await billing.violations() == {}
    assert (await max_.send_form(undone)).status_code == 409
    assert (
        await max_.send_form(f"{PATH}/decisions/00000000-0000-0000-0000-000000000000/withdrawal")
    ).status_code == 404


async def test_what_is_billed_meanwhile_is_reported_and_the_rest_is_undone(max_: Browser) -> None:
    """When Max undoes a decision, the approval of an entry that has been billed in the meantime is reported and stays.

    The other approval is withdrawn.
    """
    async with transaction(SYSTEM):
        acmes, globexs = await log(), await log(service=GLOBEX_HELPDESK)
    async with transaction(MAX):
        outcome = await billing.approve([acmes.choice, globexs.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    answer = await max_.send_form(f"{PATH}/decisions/{outcome.decision}/withdrawal")
    assert answer.status_code == 200
    assert "1 entry went through, 1 did not" in told(answer.text)
    async with transaction(SYSTEM):
        assert await states(acmes, globexs) == ["approved", "submitted"]


async def test_general_time_shows_its_description(max_: Browser) -> None:
    async with transaction(SYSTEM):
        entry = await log(service=None, billing="not_billable", comment="", description="Fire drill")
    assert "Fire drill" in (await max_.get(PATH)).text
    await max_.send_form(PATH, {"entry": f"{entry.id}:1"})
    assert "Fire drill" in (await max_.get(PATH)).text


async def test_two_services_of_one_name_are_told_apart(max_: Browser) -> None:
    """Services of the same name are shown with their contract.

    If the contracts have the same name too, the first day of the contract is added. A unique name is shown without a
    contract.
    """
    async with transaction(SYSTEM) as tx:
        case = await a_case()
        contracts = [
            await tx.fetchval(
                "insert into contract (customer_id, name, start_on, currency, payment_days, cycle, anchor, vat_rate, created_at)"
                " values (1, 'Projects', $1, 'EUR', 14, 'monthly', '2026-01-01', 19, $2) returning id",
                start, NOW,
            )
            for start in (OCTOBER - timedelta(days=400), OCTOBER - timedelta(days=30))
        ]  # fmt: skip
        services = [await a_service(ACME, contract, "Helpdesk") for contract in contracts]
        alone = await a_service(ACME, ACME_CONTRACT, "Network care")
        await tx.execute("update cases set service_id = $1 where id = $2", services[1], case["id"])
        for service in (1, *services, alone):
            await log(service=service, customer=ACME, case_id=case["id"], comment=f"Under {service}")
    names = ["Helpdesk, Support 2026", "Helpdesk, Projects from 1 Sep 2025", "Helpdesk, Projects from 6 Sep 2026"]
    waiting = (await max_.get(PATH)).text
    case_page = (await max_.get(f"/agent/cases/{case['number']}")).text
    case_time = (await max_.get(f"/agent/cases/{case['number']}/time")).text
    for name in names:
        assert name in waiting
        assert f"· {name}</strong>" in case_page
        assert name in case_time
        assert f">{name}</option>" in (await max_.get(f"/agent/time/new?on=case-{case['number']}")).text
    assert re.search(rf"<dd>(<a [^>]*>)?\s*{re.escape(names[2])}", case_page)
    assert ">Network care</td>" in waiting


async def test_a_submission_that_an_approval_implied_is_shown(max_: Browser) -> None:
    """C4: Max's approvals page marks an entry that he approved before its author had submitted it."""
    async with transaction(SYSTEM):
        case = await a_case()
        draft, submitted = await log(state="draft", case_id=case["id"]), await log(case_id=case["id"])
    await max_.send_form(PATH, {"entry": [f"{draft.id}:1", f"{submitted.id}:1"]})
    assert (await max_.get(PATH)).text.count("Not submitted before") == 1
