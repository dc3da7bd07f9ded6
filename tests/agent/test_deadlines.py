"""Test the set-up pages for deadlines, and what agents and customers see of the deadlines of a case."""

import re
from datetime import timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case, Priority, Status
from portal.desk.deadlines import recounting
from portal.desk.deadlines.targets import usual_targets
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.desk.deadlines.promises import TARGETS, deadlines, promise
from tests.desk.test_cases import opened
from tests.forms import form_of
from tests.world import ADA, HELPDESK, INES, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")
HERE = "/agent/setup/deadlines"
MINUTE = timedelta(minutes=1)


async def save(browser: Browser, page: str, **typed: str) -> Any:
    """Open a page, send its form with the values `typed` in place of the shown values, and return the response."""
    form = form_of((await browser.get(page)).text, page)
    return await browser.send_form(page, form.fields | typed)


async def runs() -> int:
    """Return how often changes have caused a recomputation of the deadlines of all open cases; 0 if never."""
    async with transaction(SYSTEM):
        latest = await recounting.latest()
    return latest.version if latest else 0


async def test_an_admin_sets_what_is_promised_and_new_cases_have_it(noor: Browser) -> None:
    """S3.20, S3.35: Noor sets targets for a priority, and a goal, which is the share of deadlines to keep.

    The page shows the targets and the goal, and the next case gets deadlines by these targets.
    """
    assert "Nothing is promised yet" in (await noor.get(HERE)).text
    answer = await save(noor, f"{HERE}/targets", reply_high="90m", solve_high="1d", goal_high="95 %")
    assert (answer.status_code, answer.headers["location"]) == (303, HERE)
    page = (await noor.get(HERE)).text.replace("\u00a0", " ")
    assert all(words in page for words in ("1 h 30 min", "8 h", "95 %"))
    assert (await deadlines(await opened()))["reply"]["minutes"] == 90


async def test_a_service_gets_promises_of_its_own_and_loses_them_again(noor: Browser) -> None:
    """S3.20, S3.35: Noor finds a service by typing, and gives the service targets that differ from the usual targets.

    When she removes these targets, the usual targets apply again. Removing them twice is harmless.
    """
    await promise()
    found = await noor.get(f"{HERE}/services?service_typed=globex&service=")
    assert found.status_code == 303
    page = f"{HERE}/services/{HELPDESK}"
    assert form_of((await noor.get(page)).text, page).fields["reply_high"] == ["1 h"]
    await save(noor, page, reply_high="15m", goal_high="99")
    assert (await deadlines(await opened()))["reply"]["minutes"] == 15
    for _ in range(2):
        assert (await noor.post(f"{page}/removal", data={"csrf": await noor.csrf()})).status_code == 303
    assert (await deadlines(await opened()))["reply"]["minutes"] == 60
    assert (await noor.get(f"{HERE}/services/9999")).status_code == 404


async def test_business_hours_and_days_off_are_set_on_their_pages(noor: Browser) -> None:
    """D49: Noor sets two ranges of business hours for a weekday, and the page lists next year's public holidays.

    A day that she adds replaces the public holiday on the same day until she removes it. Repeated requests change
    nothing.
    """
    assert (
        await save(noor, f"{HERE}/hours", hours_monday="9-12 and 13-17", hours_tuesday="", country="DE", region="hh")
    ).status_code == 303
    page = (await noor.get(HERE)).text
    assert "09:00 to 12:00, 13:00 to 17:00" in page
    assert "Germany, HH" in page
    assert "Good Friday, public holiday" in page
    add = {"csrf": await noor.csrf(), "day": "2027-03-26", "name": "Stocktaking", "kind": "open"}
    for _ in range(2):
        assert (await noor.post(f"{HERE}/days", data=add)).status_code == 303
    page = (await noor.get(HERE)).text
    assert page.count("Stocktaking, open") == 1
    assert "Good Friday" not in page, "the company's own day replaces the public holiday"
    for _ in range(2):
        assert (await noor.post(f"{HERE}/days/2027-03-26/removal", data={"csrf": await noor.csrf()})).status_code == 303
    assert "Good Friday" in (await noor.get(HERE)).text


async def test_an_own_day_that_has_passed_is_still_listed_and_one_of_long_ago_is_refused(noor: Browser) -> None:
    """D49: a day off in the recent past is accepted and listed, because deadlines depend on this day.

    A day off more than a year ago is refused with 422.
    """
    for on, status in (("2026-11-02", 303), ("2025-11-02", 422)):
        add = {"csrf": await noor.csrf(), "day": on, "name": f"Off {on}", "kind": "closed"}
        answer = await noor.post(f"{HERE}/days", data=add)
        assert answer.status_code == status
    assert "This day is too long ago" in answer.text
    page = (await noor.get(HERE)).text
    assert ("Off 2026-11-02" in page, "Off 2025-11-02" in page) == (True, False)


async def test_a_refused_form_says_why_keeps_what_was_typed_and_changes_nothing(noor: Browser) -> None:
    """S3.20: a wrong value gets 422 with an error message and stays in its field, and no deadline is computed again."""
    await promise()
    before = await runs()
    for page, typed, sentence in (
        (f"{HERE}/targets", {"reply_high": "soon"}, "Write the time as"),
        (f"{HERE}/targets", {"reply_high": "9h"}, "A solution is promised no earlier than the reply."),
        (f"{HERE}/hours", {"hours_monday": "9-12, 11-15"}, "These hours overlap."),
        (f"{HERE}/hours", {"region": "XX", "country": "DE"}, "Write one of these, or nothing: BB"),
    ):
        answer = await save(noor, page, **typed)
        assert answer.status_code == 422
        assert sentence in answer.text
        for value in typed.values():
            assert f'value="{value}"' in answer.text
    answer = await noor.post(f"{HERE}/days", data={"csrf": await noor.csrf(), "day": "soon", "name": ""})
    assert answer.status_code == 422
    assert await runs() == before
    async with transaction(NOOR):
        assert (await usual_targets()).facts.reply_high == "1 h"
    assert TARGETS.reply_high == "1h"


async def test_the_page_says_how_far_the_computation_is(noor: Browser) -> None:
    """S3.20: after a change, the page shows how many open cases wait for new deadlines, until the job is done."""
    await opened()
    await promise()
    assert "The deadlines of 1\u00a0open case are computed again" in (await noor.get(HERE)).text
    async with transaction(SYSTEM):
        assert not await recounting.recount(await recounting_version(), NOW)
    assert "are computed again" not in (await noor.get(HERE)).text


async def recounting_version() -> int:
    latest = await recounting.latest()
    assert latest
    return latest.version


async def shown(app: Gate, reader: Any, page: str) -> str:
    async with await Browser.of(app, reader, at=NOW) as browser:
        return (await browser.get(page)).text.replace("\u00a0", " ")


async def test_both_sides_see_the_same_deadline_wherever_a_case_is_shown(app: Gate) -> None:
    """S3.20, D49: the pages of agents and of the contact show the same deadlines, pause and result of a case."""
    await promise()
    case = await opened(at=NOW - 50 * MINUTE)
    pages = [
        (INES, "/agent/cases"),
        (INES, f"/agent/cases/{case.number}"),
        (ADA, "/"),
        (ADA, "/cases?show=all"),
        (ADA, f"/cases/{case.number}"),
    ]

    async def all_say(words: str, but: tuple[str, ...] = ()) -> None:
        for reader, page in pages:
            assert words in await shown(app, reader, page) or page in but, (words, page)

    await all_say('<span class="chip soon">Reply in 10 min</span>')
    async with transaction(INES):
        await case.reply(by=INES, text="We look.", at=NOW - 20 * MINUTE)
    await all_say("Solve by today 15:10")
    async with transaction(INES):
        await case.change_status(Status.WAITING_FOR_CUSTOMER, by=INES, at=NOW - 10 * MINUTE)
    await all_say("Paused since 10:50", but=("/cases?show=all",))
    assert "Paused since 10:50: we wait for you" in await shown(app, ADA, f"/cases/{case.number}")
    async with transaction(INES):
        await case.change_status(Status.RESOLVED, by=INES, at=NOW)
    pages[0] = (INES, "/agent/cases?view=closed")
    await all_say("Solved in time")
    for reader, page in pages:
        assert not re.search(r'class="chip (soon|late)"', await shown(app, reader, page)), page


async def test_the_list_is_sorted_and_filtered_by_what_ends_first(ines: Browser) -> None:
    """S3.20: cases are sorted by the deadline that ends first; a case without a deadline comes last in both directions.

    Filters find overdue cases and those due soon.
    """
    await promise()
    late = await opened(subject="Late", at=NOW - 90 * MINUTE)
    soon = await opened(subject="Soon", at=NOW - 40 * MINUTE)
    easy = await opened(subject="Easy", priority=Priority.NORMAL)
    none = await opened(subject="None", priority=Priority.LOW)

    async def listed(query: str) -> list[int]:
        page = (await ines.get(f"/agent/cases?{query}")).text
        return [int(number) for number in re.findall(r'id="case-(\d+)"', page)]

    by_number = [one.number for one in (late, soon, easy, none)]
    assert await listed("sort=due") == by_number
    assert await listed("sort=due&turned=yes") == [by_number[place] for place in (2, 1, 0, 3)]
    assert await listed("due=overdue") == [late.number]
    assert await listed("due=soon") == [soon.number]
    assert len(await listed("due=never")) == 4


async def test_of_two_people_at_once_the_second_counts_on_from_the_first(app: Gate) -> None:
    """D49: if Ines replies while Noor has the form for targets open, computing the deadlines again keeps both changes.

    The deadline of the reply is met, and the deadline of the solution follows the new target.
    """
    await promise()
    case = await opened()
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = f"{HERE}/targets"
        form = form_of((await noor.get(page)).text, page)
        async with transaction(INES):
            mine = await Case.find(case.number, INES)
            await mine.reply(by=INES, text="We look.", at=NOW)
        assert (await noor.send_form(page, form.fields | {"solve_high": "2h"})).status_code == 303
    async with transaction(SYSTEM):
        await recounting.recount(await recounting_version(), NOW)
    stored = await deadlines(case)
    assert stored["reply"]["met_at"] == NOW
    assert stored["solve"]["minutes"] == 120


async def test_a_new_time_zone_of_the_company_begins_the_computation_again(noor: Browser) -> None:
    """D49: changing the company's time zone starts a recomputation of all deadlines; changing its city does not.

    Business hours are clock times in the company's time zone.
    """
    before = await runs()
    for typed, more in (({"city": "Bremen"}, 0), ({"time_zone": "America/New_York"}, 1)):
        assert (await save(noor, "/agent/setup/company", **typed)).status_code == 303
        assert await runs() == before + more
