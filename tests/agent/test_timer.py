"""Test the timer in the bar of every page, the page of timers, and what becomes of a timer (S1.3, D54)."""

import html
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.forms import form_of
from tests.world import ADA, INCIDENT, INES, MAX, NOW

HTMX = {"hx_request": "true"}


class Clock:
    """The clock of the app, which begins at `NOW` and moves only when a test calls `passes`."""

    def __init__(self, app: Gate) -> None:
        self.at = NOW
        app.clock = lambda: self.at

    def passes(self, **length: float) -> datetime:
        self.at += timedelta(**length)
        return self.at


@pytest.fixture
def clock(app: Gate) -> Clock:
    return Clock(app)


@pytest.fixture
async def ines(app: Gate, clock: Clock) -> AsyncIterator[Browser]:
    async with await Browser.of(app, INES, at=NOW) as browser:
        yield browser


@pytest.fixture
async def max_(app: Gate, clock: Clock) -> AsyncIterator[Browser]:
    async with await Browser.of(app, MAX, at=NOW) as browser:
        yield browser


async def rows(table: str) -> list[Any]:
    async with transaction(SYSTEM) as tx:
        return list(await tx.fetch(f"select * from {table} order by id"))


def fields_of(page: str, action: str) -> dict[str, Any]:
    """Return the fields of the form with this `action` on the page, without the CSRF token, which `Browser` adds."""
    return {name: values for name, values in form_of(page, action).fields.items() if name != "csrf"}


async def started(browser: Browser, **fields: str) -> int:
    """Start a timer with these form fields, and return its id."""
    assert (await browser.send_form("/agent/timer", fields)).status_code == 303
    return int((await rows("timer"))[-1]["id"])


async def test_every_page_shows_the_running_timer(ines: Browser, clock: Clock, case: Case) -> None:
    """S1.3, D54: every page shows Ines's running timer, and has the server's time, so that all tabs count alike."""
    assert 'action="/agent/timer"' in (await ines.get("/agent/cases")).text
    await started(ines, here=f"case-{case.number}")
    at = clock.passes(minutes=12, seconds=44)
    for path in ("/agent/cases", f"/agent/cases/{case.number}", "/agent/time", "/agent/projects", "/account"):
        page = (await ines.get(path)).text
        assert re.search(
            rf'data-now="{int(at.timestamp()) * 1000}"\s.*data-since="{int(NOW.timestamp()) * 1000}"', page
        ), path
        assert ">0:12:44</time>" in page, path
        assert f"#{case.number} VPN drops" in page, path


async def test_a_timer_started_on_a_case_is_stopped_into_the_prefilled_form(
    ines: Browser, clock: Clock, case: Case
) -> None:
    """S1.3, D54: when Ines stops a timer, the timer fills in the form for time; saving the form ends the timer.

    Undo deletes the entry and brings the timer back. Sending either form twice is harmless.
    """
    here = f"/agent/cases/{case.number}"
    form = form_of((await ines.get(here)).text, "/agent/timer")
    assert form.fields["here"] == [f"case-{case.number}"]
    timer = await started(ines, here=form.fields["here"][0], form_key=form.fields["form_key"][0])
    clock.passes(minutes=25)
    answer = await ines.send_form(f"/agent/timer/{timer}/stop", {"here": f"case-{case.number}"})
    assert answer.headers["location"] == f"/agent/time/new?timer={timer}&on=case-{case.number}"
    clock.passes(minutes=2)
    page = (await ines.get(answer.headers["location"])).text
    log = form_of(page, "/agent/time/new")
    said = {name: log.fields[name][0] for name in ("timer", "on", "duration", "work_date", "began", "ended")}
    assert said == {
        "timer": str(timer), "on": f"case-{case.number}", "duration": "25\u00a0min", "work_date": "2026-11-20", "began": "11:00",
        "ended": "11:25",
    }  # fmt: skip
    sent = {name: values for name, values in log.fields.items() if name != "csrf"}
    for _ in range(2):
        assert (await ines.send_form("/agent/time/new", sent)).status_code == 303
    (entry,), (ended,) = await rows("time_entry"), await rows("timer")
    assert (entry["actual_minutes"], entry["case_id"], entry["started_at"]) == (25, case.id, NOW)
    assert (ended["entry_id"], ended["ended_at"] is None) == (entry["id"], False)
    assert ">0:25:00</time>" not in (await ines.get(here)).text

    undo = {"version": "1", "back": here}
    for _ in range(2):
        answer = await ines.send_form(f"/agent/timer/{timer}/restoration", undo)
        assert answer.headers["location"] == here
    assert await rows("time_entry") == []
    assert "0:25:00" in (await ines.get("/agent/timer")).text


async def test_a_timer_is_not_logged_twice(ines: Browser, clock: Clock, case: Case) -> None:
    """If Ines logs the same timer in two tabs, the second form gets 422 with an error message and keeps what she typed.

    If she sends that form again, its time is logged as an entry that is not linked with the timer.
    """
    timer = await started(ines, here=f"case-{case.number}")
    clock.passes(minutes=20)
    pages = [(await ines.get(f"/agent/time/new?timer={timer}")).text for _ in range(2)]
    first, second = (fields_of(page, "/agent/time/new") for page in pages)
    assert (await ines.send_form("/agent/time/new", first)).status_code == 303
    refused = await ines.send_form("/agent/time/new", second | {"external_comment": "Twice"})
    assert (refused.status_code, "This timer was logged already" in refused.text) == (422, True)
    assert len(await rows("time_entry")) == 1
    again = fields_of(refused.text, "/agent/time/new")
    assert ("timer" in again, again["external_comment"]) == (False, ["Twice"])
    assert (await ines.send_form("/agent/time/new", again)).status_code == 303
    assert len(await rows("time_entry")) == 2


async def test_a_timer_that_belongs_nowhere_yet_is_logged_on_the_case_where_it_is_stopped(
    ines: Browser, clock: Clock
) -> None:
    """S1.3: if Ines stops an unattached timer on the page of a case, the form for time then names this case.

    A timer that she has attached to a case stays on that case, wherever she stops the timer.
    """
    timer = await started(ines)
    clock.passes(minutes=7)
    async with transaction(INES):
        case = await Case.open(
            by=INES, subject="VPN drops", text="Ada called.", case_type_id=INCIDENT, contact_id=ADA.id, at=clock.at
        )
    here = {"here": f"case-{case.number}"}
    panel = await ines.send_form(f"/agent/timer/{timer}/stop", here, **HTMX)
    assert form_of(panel.text, "/agent/time/new").fields["on"] == [f"case-{case.number}"]
    assert 'id="timer-bar"' in panel.text
    assert "Start timer" in panel.text
    assert "Attach it to" not in panel.text
    await ines.send_form(f"/agent/timer/{timer}/resumption")
    assert "Attach it to" in html.unescape((await ines.get(f"/agent/cases/{case.number}")).text)
    assert (await ines.send_form(f"/agent/timer/{timer}/place", here, **HTMX)).status_code == 200
    (line,) = await rows("timer")
    assert (line["case_id"], line["customer_id"]) == (case.id, case.customer_id)
    panel = await ines.send_form(f"/agent/timer/{timer}/stop", {"here": "general-1"}, **HTMX)
    assert form_of(panel.text, "/agent/time/new").fields["on"] == [f"case-{case.number}"]


async def test_an_agent_switches_between_several_timers(ines: Browser, clock: Clock, case: Case) -> None:
    """S1.3, D54: when Ines starts a second timer, the first is paused, and the bar offers to resume the first."""
    first = await started(ines, note="On the phone")
    clock.passes(minutes=5)
    answer = await ines.send_form("/agent/timer", {"here": f"case-{case.number}"}, **HTMX)
    assert ("0:05:00" in answer.text, f'action="/agent/timer/{first}/resumption"' in answer.text) == (True, True)
    clock.passes(minutes=2)
    other = (await ines.get("/agent/services/1")).text
    assert re.search(r'data-key="t">(?:(?!</button>).)*Start here', other, re.DOTALL)
    assert re.search(r'data-key="t">\s*Stop', (await ines.get(f"/agent/cases/{case.number}")).text)
    for _ in range(2):
        assert (await ines.send_form(f"/agent/timer/{first}/resumption")).headers["location"] == "/agent/timer"
    assert [row["ended_at"] is None for row in await rows("timer_segment")] == [False, False, True]


async def test_a_timer_goes_on_after_its_agent_has_signed_out(app: Gate, ines: Browser, clock: Clock) -> None:
    """D54: Ines's timer runs on after she has signed out."""
    await started(ines)
    assert (await ines.send_form("/sign-out")).status_code == 303
    clock.passes(hours=2)
    async with await Browser.of(app, INES, at=clock.at) as anew:
        assert ">2:00:00</time>" in (await anew.get("/agent/cases")).text


async def test_a_forgotten_timer_is_asked_about(app: Gate, clock: Clock) -> None:
    """D54: for a timer of 14 hours, a page asks Ines: keep all the time, keep 30 minutes, discard it, or let it run on?

    She keeps 30 minutes, which the form for time then shows. The same request again gets 409, and no page asks again.
    """
    timer = await started(await Browser.of(app, INES, at=clock.passes(hours=7, minutes=2)))
    ines = await Browser.of(app, INES, at=clock.passes(hours=14, minutes=3))
    page = html.unescape((await ines.get("/agent/cases")).text)
    question = page[page.index('id="timer-question"') :]
    assert ("is running since" in question, "yesterday\u00a018:02" in question) == (True, True)
    for words in ("Keep all, 14\u00a0h\u00a03\u00a0min", "Keep 30\u00a0min", ">Discard<", "It still runs"):
        assert words in question, words
    panel = await ines.send_form(f"/agent/timer/{timer}/trimming", {"keep": "30"}, **HTMX)
    fields = form_of(panel.text, "/agent/time/new").fields
    assert (fields["duration"], fields["work_date"], fields["ended"]) == (["30\u00a0min"], ["2026-11-20"], ["18:32"])
    assert (await ines.send_form(f"/agent/timer/{timer}/trimming", {"keep": "30"})).status_code == 409
    assert "is running since" not in (await ines.get("/agent/cases")).text


async def test_a_timer_that_still_runs_goes_on(app: Gate, ines: Browser, clock: Clock) -> None:
    timer = await started(ines)
    clock.passes(hours=11)
    ines = await Browser.of(app, INES, at=clock.at)
    bar = await ines.send_form(f"/agent/timer/{timer}/confirmation", **HTMX)
    assert ("11:00:00" in bar.text, "is running since" in bar.text) == (True, False)


async def test_a_discarded_timer_is_offered_again(ines: Browser, clock: Clock) -> None:
    """Ines can restore a discarded timer on the page of timers. Resuming the timer before it is restored gets 409."""
    timer = await started(ines, note="Wrong number")
    clock.passes(minutes=1)
    answer = await ines.send_form(f"/agent/timer/{timer}/discarding", **HTMX)
    assert "Timer discarded: 0:01:00, Wrong number." in answer.text
    assert form_of((await ines.get("/agent/timer")).text, f"/agent/timer/{timer}/restoration")
    assert (await ines.send_form(f"/agent/timer/{timer}/resumption")).status_code == 409
    assert (await ines.send_form(f"/agent/timer/{timer}/restoration")).status_code == 303
    assert (await ines.send_form(f"/agent/timer/{timer}/resumption")).status_code == 303


async def test_a_timer_is_attached_and_described_on_its_page(ines: Browser, max_: Browser, case: Case) -> None:
    """Without JavaScript, Ines attaches a timer by typing the case's number; a text that names nothing gets 422.

    Max gets 404 for the page of her timer and for all forms about it.
    """
    timer = await started(ines)
    here = f"/agent/timer/{timer}"
    form = fields_of((await ines.get(here)).text, here)
    assert (await ines.send_form(here, form | {"on_typed": f"#{case.number}", "note": "VPN"})).status_code == 303
    assert (await ines.send_form(here, form | {"on_typed": "nothing has this name"})).status_code == 422
    (row,) = await rows("timer")
    assert (row["case_id"], row["note"]) == (case.id, "VPN")
    for verb in ("", "/pause", "/stop", "/discarding", "/place", "/restoration"):
        assert (await max_.send_form(f"{here}{verb}")).status_code == 404, verb
    assert (await max_.get(here)).status_code == 404
    assert (await rows("timer"))[0]["ended_at"] is None


async def test_two_tabs_that_change_a_timer_see_each_others_change(ines: Browser, case: Case) -> None:
    """If Ines changes different fields of a timer in two tabs, both changes stay.

    If she changes the same field in both tabs, the second form gets 409, with the present value in the error message.
    """
    timer = await started(ines)
    here = f"/agent/timer/{timer}"
    form = fields_of((await ines.get(here)).text, here)
    assert (await ines.send_form(here, form | {"note": "One"})).status_code == 303
    assert (await ines.send_form(here, form | {"on_typed": f"#{case.number}"})).status_code == 303
    assert [(row["note"], row["case_id"]) for row in await rows("timer")] == [("One", case.id)]
    refused = await ines.send_form(here, form | {"note": "Two"})
    assert (refused.status_code, "It is now “One”" in refused.text) == (409, True)


async def test_a_timer_on_nothing_that_exists_is_refused(ines: Browser) -> None:
    answer = await ines.send_form("/agent/timer", {"on_typed": "nothing has this name"})
    assert (answer.status_code, await rows("timer")) == (422, [])
    assert (await ines.send_form("/agent/timer", {"here": "case-999999"}, **HTMX)).status_code == 422
    assert await rows("timer") == []
