"""Test appointments on a case: plan, change, note as held, cancel, and the time that is logged on them (S1.11)."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.forms import form_of
from tests.owner import connected
from tests.world import ADA, ALAN, GIL, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")
VISIT = {
    "kind": "visit",
    "day": "2026-11-23",
    "begins": "10:00",
    "ends": "11:30",
    "agent_id": "1",
    "note": "Bring a switch",
}


@pytest.fixture
def here(case: Case) -> str:
    return f"/agent/cases/{case.number}/appointments"


async def rows(table: str = "appointment") -> list[Any]:
    async with transaction(SYSTEM) as tx:
        return list(await tx.fetch(f"select * from {table} order by id"))


async def planned(browser: Browser, here: str, **more: str) -> str:
    """Plan `VISIT`, with `more` in place of some of its fields, and return the path of the appointment's page.

    `here` is the path of the appointments of the case.
    """
    answer = await browser.send_form(f"{here}/new", VISIT | more)
    assert answer.status_code == 303, answer.text
    return f"{here}/{(await rows())[-1]['id']}"


async def test_an_appointment_is_planned_on_a_case(ines: Browser, here: str, case: Case) -> None:
    """S1.11: Ines plans a visit; the form presets day, times and agent, and the log of the case records the visit.

    She enters the times in her time zone, and they are stored in UTC.
    """
    page = (await ines.get(f"{here}/new")).text
    form = form_of(page, f"{here}/new").fields
    assert (form["day"], form["begins"], form["ends"], form["agent_id"]) == (
        ["2026-11-20"],
        ["12:00"],
        ["13:00"],
        ["1"],
    )
    await planned(ines, here)
    (row,) = await rows()
    assert (row["kind"], row["starts_at"], row["ends_at"], row["agent_id"], row["done_at"]) == (
        "visit", datetime(2026, 11, 23, 9, 0, tzinfo=UTC), datetime(2026, 11, 23, 10, 30, tzinfo=UTC), INES.id, None,
    )  # fmt: skip
    page = html.unescape((await ines.get(f"/agent/cases/{case.number}")).text)
    assert "Ines Okafor planned a visit: Mon 23 Nov, 10:00 to 11:30" in page
    assert "Bring a switch" in page


async def test_an_appointment_that_is_sent_twice_is_planned_once(ines: Browser, here: str) -> None:
    form = form_of((await ines.get(f"{here}/new")).text, f"{here}/new").fields
    for _ in range(2):
        await planned(ines, here, form_key=form["form_key"][0])
    assert len(await rows()) == 1


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("day", "soon", "Write a date"),
        ("begins", "", "Write a clock time such as 09:00."),
        ("ends", "noon", "Write a clock time such as 09:00."),
        ("kind", "party", "Choose one from the list."),
        ("agent_id", "99", "Choose an agent who works here."),
        ("note", "x" * 1001, "Use at most 1000 characters."),
        ("day", "2026-03-29", "The clock is set forward on this day and never shows this time."),
    ],
)
async def test_a_wrong_field_gets_its_sentence_and_changes_nothing(
    ines: Browser, here: str, field: str, text: str, sentence: str
) -> None:
    answer = await ines.send_form(f"{here}/new", VISIT | {"begins": "02:30"} | {field: text})
    assert (answer.status_code, sentence in html.unescape(answer.text)) == (422, True)
    assert await rows() == []


async def test_an_earlier_end_is_on_the_next_day(ines: Browser, here: str) -> None:
    await planned(ines, here, begins="22:00", ends="02:00")
    (row,) = await rows()
    assert (row["ends_at"] - row["starts_at"]).total_seconds() == 4 * 3600


async def test_two_agents_who_change_an_appointment_keep_both_changes(ines: Browser, max_: Browser, here: str) -> None:
    """If Max changes an appointment's start, and Ines then changes its note in an older form, both changes are saved.

    If Ines then changes the start in that old form too, she gets 409. The log of the case records only Max's change,
    because a change of the note has no line in the log.
    """
    page = await planned(ines, here)
    form = form_of((await ines.get(page)).text, page).fields
    form = {name: values for name, values in form.items() if name != "csrf"}
    assert (await max_.send_form(page, form | {"begins": "09:00"})).status_code == 303
    assert (await ines.send_form(page, form | {"note": "Bring two"})).status_code == 303
    assert (await ines.send_form(page, form | {"begins": "08:00"})).status_code == 409
    (row,) = await rows()
    assert (row["starts_at"], row["note"]) == (datetime(2026, 11, 23, 8, 0, tzinfo=UTC), "Bring two")
    events = {
        event["id"]: event["kind"] for event in await rows("case_event") if event["kind"].startswith("appointment")
    }
    assert list(events.values()) == ["appointment.planned", "appointment.moved"]
    # Each change adds a row to the outbox. The change of the note has no event in the log, so its row names none.
    told = [row["record_id"] for row in await rows("outbox") if row["kind"] == "case.changed"]
    assert [events.get(record) for record in told] == ["appointment.planned", "appointment.moved", None]


async def test_an_appointment_is_done_or_called_off_once(ines: Browser, here: str) -> None:
    """Once Ines has noted an appointment as held, cancelling or changing it gets 409 until she plans it again.

    Once she has cancelled it, noting it as held gets 409. Repeating a request that succeeded is harmless.
    """
    page = await planned(ines, here)
    for _ in range(2):
        assert (await ines.send_form(f"{page}/holding")).status_code == 303
    assert (await ines.send_form(f"{page}/cancellation")).status_code == 409
    assert (await ines.send_form(page, VISIT)).status_code == 409
    assert "Plan it again" in (await ines.get(page)).text
    for _ in range(2):
        assert (await ines.send_form(f"{page}/resumption")).status_code == 303
    for _ in range(2):
        assert (await ines.send_form(f"{page}/cancellation")).status_code == 303
    assert (await ines.send_form(f"{page}/holding")).status_code == 409
    (row,) = await rows()
    assert (row["done_at"], row["cancelled_at"]) == (None, NOW)


async def test_an_appointment_of_an_agent_who_has_left_is_not_planned_again(ines: Browser, here: str, dsn: str) -> None:
    """A cancelled future appointment of an agent who has left cannot be planned again; its page offers a new one.

    A past appointment of this agent can be planned again, because it may have been marked as held by mistake. But it
    cannot be moved to a later day.
    """
    page = await planned(ines, here, agent_id=str(MAX.id))
    past = await planned(ines, here, agent_id=str(MAX.id), day="2026-11-19")
    for one, step in ((page, "cancellation"), (past, "holding")):
        assert (await ines.send_form(f"{one}/{step}")).status_code == 303
    async with connected(dsn) as owner:
        await owner.execute("update agent set ended_at = $1 where id = $2", NOW, MAX.id)
    text = (await ines.get(page)).text
    assert ("Plan another one" in text, "Plan it again" in text) == (True, False)
    refused = await ines.send_form(f"{page}/resumption")
    assert (refused.status_code, "The agent of this appointment has left." in refused.text) == (409, True)
    assert (await ines.send_form(f"{past}/resumption")).status_code == 303
    moved = await ines.send_form(past, VISIT | {"agent_id": str(MAX.id), "day": "2026-11-24"})
    assert (moved.status_code, "Choose an agent who works here." in moved.text) == (422, True)
    first, second = await rows()
    assert (first["cancelled_at"], second["done_at"], second["starts_at"].day) == (NOW, None, 19)


async def test_time_is_logged_on_an_appointment_with_its_length(
    ines: Browser, max_: Browser, here: str, case: Case
) -> None:
    """S1.11: Ines's form for time is filled in with the appointment's day, clock times, length and note.

    She also chooses a task of the service, so that the entry is on the case, the task and the appointment; sending the
    form twice makes one entry. The page of the case shows how much time is logged on the appointment. If Max opens the
    form, the form presets Ines as the agent, because the appointment is hers.
    """
    async with transaction(MAX):
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Cabling"))
    page = await planned(ines, here, day="2026-11-20", begins="08:00", ends="09:30")
    answer = await ines.send_form(f"{page}/holding", {"then": "log"})
    form = form_of((await ines.get(answer.headers["location"])).text, "/agent/time/new").fields
    said = {name: form[name][0] for name in ("on", "duration", "work_date", "began", "ended", "description")}
    assert said == {
        "on": f"case-{case.number}", "duration": "1\u00a0h\u00a030\u00a0min", "work_date": "2026-11-20", "began": "08:00",
        "ended": "09:30", "description": "Bring a switch",
    }  # fmt: skip
    sent = {name: values for name, values in form.items() if name != "csrf"} | {"task": str(task.id)}
    for _ in range(2):
        assert (await ines.send_form("/agent/time/new", sent)).status_code == 303
    (entry,) = await rows("time_entry")
    assert entry["task_id"] == task.id
    assert (entry["appointment_id"], entry["case_id"], entry["actual_minutes"]) == (
        (await rows())[0]["id"],
        case.id,
        90,
    )
    case_page = html.unescape((await ines.get(f"/agent/cases/{case.number}")).text)
    assert f'<a href="{page}/time">1\u00a0h\u00a030\u00a0min logged</a>' in case_page
    for _ in range(2):
        assert (await ines.send_form(f"{page}/time/submission", {"entry": [str(entry["id"])]})).status_code == 303
    assert [row["state"] for row in await rows("time_entry")] == ["submitted"]
    as_manager = (await max_.get(answer.headers["location"])).text
    assert form_of(as_manager, "/agent/time/new").fields["agent"] == ["1"], "Ines was there"


async def test_the_clock_times_of_an_appointment_are_those_of_its_agent(
    ines: Browser, max_: Browser, here: str
) -> None:
    """D10, S1.11: Max in Berlin logs the time of an appointment of Ines, who has moved to Lisbon.

    The form shows the clock times of Lisbon, and the entry has the same instants as the appointment.
    """
    page = await planned(ines, here, day="2026-11-20", begins="08:00", ends="09:30")
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set time_zone = 'Europe/Lisbon' where id = $1", INES.id)
    form = form_of(
        (await max_.get(f"/agent/time/new?appointment={page.rpartition('/')[2]}")).text, "/agent/time/new"
    ).fields
    assert (form["began"], form["ended"], form["agent"]) == (["07:00"], ["08:30"], [str(INES.id)])
    sent = {name: values for name, values in form.items() if name != "csrf"}
    assert (await max_.send_form("/agent/time/new", sent)).status_code == 303
    (entry,), (visit,) = await rows("time_entry"), await rows()
    assert (entry["started_at"], entry["ended_at"]) == (visit["starts_at"], visit["ends_at"])


async def test_time_on_another_case_is_not_time_on_the_appointment(ines: Browser, here: str) -> None:
    page = await planned(ines, here)
    form = {"on": "general-1", "appointment": page.rpartition("/")[2], "duration": "20m", "work_date": "2026-11-20"}
    assert (await ines.send_form("/agent/time/new", form | {"description": "Packed"})).status_code == 303
    assert [entry["appointment_id"] for entry in await rows("time_entry")] == [None]


async def test_the_customer_reads_what_is_planned_and_no_note(app: Gate, ines: Browser, here: str, case: Case) -> None:
    """S1.11, D57: Ada sees kind, time and agent of an appointment on her case until Ines cancels the appointment.

    She never sees the note of the appointment: PostgreSQL refuses contacts the column `note`. Alan and Gil, who may not
    see the case, get 404 for its page.
    """
    page = await planned(ines, here)
    async with await Browser.of(app, ADA, at=NOW) as ada:
        seen = html.unescape((await ada.get(f"/cases/{case.number}")).text)
        assert ("Visit " in seen, "with Ines Okafor" in seen, "Bring a switch" in seen) == (True, True, False)
        assert "planned a visit: Mon 23 Nov, 10:00 to 11:30" in seen
        await ines.send_form(f"{page}/cancellation")
        assert "with Ines Okafor" not in (await ada.get(f"/cases/{case.number}")).text
        assert (await ada.get(page)).headers["location"] == f"/cases/{case.number}"
    for reader, found in ((ADA, 1), (GIL, 0)):
        async with transaction(reader) as tx:
            assert len(await tx.fetch("select id, starts_at from appointment")) == found, reader.name
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(reader) as tx:
                await tx.fetch("select note from appointment")
    for stranger in (ALAN, GIL):
        async with await Browser.of(app, stranger, at=NOW) as browser:
            assert (await browser.get(f"/cases/{case.number}")).status_code == 404, stranger.name


async def test_an_agent_sees_own_appointments_in_one_list(ines: Browser, max_: Browser, here: str) -> None:
    """S1.11: Ines's list of appointments shows her planned appointments from the earliest to the latest.

    An appointment that she has marked as held, which means that it took place, is in the list of past appointments
    instead. Max's appointment is in Max's list only.
    """
    later = await planned(ines, here)
    sooner = await planned(ines, here, day="2026-11-21", note="Ring first")
    held = await planned(ines, here, day="2026-11-19", kind="call")
    await planned(ines, here, agent_id="2", note="For Max")
    answer = await ines.send_form(f"{held}/holding", Referer=f"{ines.base_url}/agent/appointments")
    assert answer.headers["location"] == "/agent/appointments"
    page = (await ines.get("/agent/appointments")).text
    shown = list(dict.fromkeys(re.findall(r'<a href="([^"]+/appointments/\d+)">', page)))
    assert shown == [sooner, later]
    assert "Ring first" in page
    over = (await ines.get("/agent/appointments?past=yes")).text
    assert re.findall(r'<a href="([^"]+/appointments/\d+)">', over) == [held]
    assert "For Max" in (await max_.get("/agent/appointments")).text
    assert "Nothing was done" in (await max_.get("/agent/appointments?past=yes")).text


async def test_many_own_appointments_have_pages(ines: Browser, here: str) -> None:
    """S1.11: Ines's list of appointments and the case's list each show all 120 appointments once, on several pages."""
    page = await planned(ines, here)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into appointment (customer_id, case_id, agent_id, kind, starts_at, ends_at, note, created_at)"
            " select p.customer_id, p.case_id, p.agent_id, 'call', p.starts_at + n / 3 * interval '1 day', p.ends_at + n / 3 * interval '1 day',"
            " '', p.created_at from appointment p, generate_series(1, 119) n"
        )
    assert f'href="{here}?past=yes"' in (await ines.get(here.removesuffix("/appointments"))).text
    for first in ("/agent/appointments", here):
        found, address = list[str](), first
        while address:
            page = (await ines.get(address)).text
            found += re.findall(r'<a href="[^"]+/appointments/(\d+)">', page)
            onwards = re.search(r'href="([^"]+)" rel="next">Further', page)
            address = onwards[1].replace("&amp;", "&") if onwards else ""
        assert len(found) == len(set(found)) == 120
    assert (await ines.get(here.replace("/100", "/999"))).status_code == 404


async def test_an_appointment_of_another_case_is_not_found(ines: Browser, here: str, case: Case) -> None:
    page = await planned(ines, here)
    other = page.replace(f"/{case.number}/", "/999999/")
    assert (await ines.get(other)).status_code == 404
    assert (await ines.send_form(f"{other}/holding")).status_code == 404
    assert (await ines.get(f"{here}/999")).status_code == 404
    assert (await ines.get(f"{other}/time")).status_code == 404


async def test_an_appointment_with_ten_thousand_entries_has_pages_and_filters(
    ines: Browser, here: str, case: Case
) -> None:
    """S1.12: the list of time entries of an appointment shows 50 of 10,000 entries and the total number.

    A list that is filtered by state shows how many entries match.
    """
    page = await planned(ines, here)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, case_id, appointment_id, agent_id, entered_by_id, work_date, actual_minutes, billing,
              billable_minutes, external_comment, description, state, submitted_at, created_at, window_from)
            select $2, $3, $4, 1, 1, $5::date - n % 300, 10, 'not_billable', 0, '', 'x', case when n % 100 = 0 then 'submitted' else 'draft' end,
              $1, $1, $1 from generate_series(1, 10000) n""",
            NOW, case.customer_id, case.id, int(page.rpartition("/")[2]), NOW.date(),
        )  # fmt: skip
    whole, filtered = [(await ines.get(f"{page}/time{query}")).text for query in ("", "?state=submitted")]
    assert ("10,000\u00a0entries" in whole, len(re.findall(r'id="entry-\d+"', whole))) == (True, 50)
    assert "100\u00a0entries" in filtered
