"""Test what authors read about a manager's change of their time, and the warnings while time is typed."""

import pytest

from portal import billing
from portal.billing import Choice
from portal.database import current, transaction
from portal.desk import Case, Status
from portal.people.readers import SYSTEM
from portal.timekeeping.work import Work
from tests.billing.work import OCTOBER, a_service, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, ADA, INES, MAX, NOW


def told(html: str) -> str:
    return html.replace("\xa0", " ")


async def test_an_author_reads_what_a_manager_changed_and_approved_alone(ines: Browser, case: Case) -> None:
    """The feed of the case, Ines's list of time and the page of her entry show Max's change, with old and new values.

    When Max then approves the entry, the feed and the list show that nobody else has checked his change.
    """
    async with transaction(MAX):
        entry = await log(60, case_id=case.id)
        work = Work(
            minutes=90,
            work_date=OCTOBER,
            service_id=1,
            external_comment="Switch replaced",
            description="internal words",
        )
        await billing.change_entry(entry.id, work, version=1, by=MAX, at=NOW)
    feed, own = f"/agent/cases/{case.number}", "/agent/time"
    for page in (feed, own, f"/agent/time/{entry.id}"):
        text = told((await ines.get(page)).text)
        assert "Max Herrmann changed this" in text
        assert "Worked 1 h → 1 h 30 min" in text
        assert "approved it alone" not in text
    async with transaction(MAX):
        await billing.approve([Choice(entry.id, 2)], by=MAX, at=NOW)
    for page in (feed, own):
        assert "and approved it alone" in (await ines.get(page)).text


async def test_an_author_reads_that_a_submission_was_implied(ines: Browser, case: Case) -> None:
    """C4: Ines reads on the case and in her list that Max approved her entry before it was submitted."""
    async with transaction(MAX):
        entry = await log(60, case_id=case.id, state="draft")
        await billing.approve([entry.choice], by=MAX, at=NOW)
    for page in (f"/agent/cases/{case.number}", "/agent/time"):
        assert "Max Herrmann approved this before it was submitted." in (await ines.get(page)).text


async def test_a_day_without_a_contract_warns_while_it_is_typed(ines: Browser, case: Case) -> None:
    """If Ines types a day after the end of the contract, the preview of the time form warns her.

    The preview warns for time on a case, for time on a service and for a stored entry. It also warns of a day before
    the service begins. Max reads the warning on the page of a stored entry with such a day.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contract set end_on = '2026-10-01' where id = 1")
        late = await a_service(ACME, ACME_CONTRACT, "Late", effective_start=OCTOBER)
        entry = await log()
    ended = "The contract “Support 2026” ended on 30 Sep 2026: time after that day cannot be approved."
    begun = "“Late” begins on 6 Oct 2026: time before that day cannot be approved."
    typed = "duration=1h&work_date="
    on_case = f"/agent/time/preview?on=case-{case.number}"
    for address in (
        f"{on_case}&{typed}",
        f"{on_case}&service=1&{typed}",
        f"/agent/time/preview?on=service-1&{typed}",
        f"/agent/time/preview?on_typed=%23{case.number}&{typed}",
        f"/agent/time/preview?entry={entry.id}&service=1&{typed}",
    ):
        assert ended in (await ines.get(f"{address}2026-10-01")).text
        assert "cannot be approved" not in (await ines.get(f"{address}2026-09-30")).text
    assert begun in (await ines.get(f"/agent/time/preview?on=service-{late}&{typed}2026-09-01")).text
    assert "General time" in (await ines.get(f"/agent/time/preview?on=general-1&{typed}2026-09-01")).text
    assert "Choose a service" in (await ines.get(f"{on_case}&service=&{typed}2026-09-01")).text
    async with await Browser.of(ines.app, MAX) as max_:
        assert ended in (await max_.get(f"/agent/time/{entry.id}")).text


@pytest.mark.parametrize("then", ["", "wait"])
async def test_a_case_that_we_opened_says_whose_turn_it_is(ines: Browser, ada: Browser, then: str) -> None:
    typed = {
        "customer": ACME,
        "contact": ADA.id,
        "subject": "Move the server",
        "body": "On Friday?",
        "case_type": 1,
        "priority": 2,
    }
    answer = await ines.send_form("/agent/cases/new", typed | {"then": then})
    number = answer.headers["location"].rsplit("/", 1)[1]
    page, home = (await ada.get(f"/cases/{number}")).text, (await ada.get("/")).text
    assert "We owe you a reply" not in page + home
    if then:
        assert "It is your turn" in page
        assert "One case waits for you" in home
    else:
        assert "We opened this case for you, and it is our turn" in page
        assert "We opened it." in home


async def test_sending_the_form_of_a_new_case_again_does_not_turn_it_back(ines: Browser) -> None:
    """If Ines sends the form of a new case again after Ada has replied, the case does not wait for Ada again.

    The status stays `open`, and no second case is created.
    """
    key = "5d3f0c1e-8f5e-4c60-9a8e-000000000001"
    typed = {
        "customer": ACME,
        "contact": ADA.id,
        "subject": "Move",
        "body": "On Friday?",
        "case_type": 1,
        "priority": 2,
        "then": "wait",
        "form_key": key,
    }
    number = (await ines.send_form("/agent/cases/new", typed)).headers["location"].rsplit("/", 1)[1]
    async with transaction(ADA):
        await (await Case.find(number, ADA)).reply(by=ADA, text="Yes.", at=NOW)
    assert (await ines.send_form("/agent/cases/new", typed)).status_code == 303
    async with transaction(INES):
        assert (await Case.find(number, INES)).stands is Status.OPEN
        assert await current().fetchval("select count(*) from cases") == 1


async def test_the_meter_of_a_changed_entry_is_that_of_the_typed_day(ines: Browser) -> None:
    """In the preview of a changed entry, the meter of the service's time counts the typed 2 h, not the stored 1 h.

    The meter is for the month of the typed day. October has another entry of 1 h, so a day in October gives 3 h.
    November has no other entry, so a day in November gives 2 h.
    """
    async with transaction(SYSTEM):
        entry, _ = await log(60), await log(60)
    typed = f"/agent/time/preview?entry={entry.id}&service=1&billing=billable&duration=2h&work_date="
    assert "Helpdesk in October: 1 h, 1 h of it not approved yet, then 3 h." in told(
        (await ines.get(f"{typed}{OCTOBER}")).text
    )
    assert "Helpdesk in November: 0 min, then 2 h." in told((await ines.get(f"{typed}2026-11-02")).text)
