"""Test the lists of time: filters, pages, editing in the row, submitting by filter, and undoing a submission."""

import re
from datetime import timedelta
from typing import Any

import pytest

from portal.billing import Choice, approve, flag, reject, run
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.states import submit
from portal.timekeeping.work import Work
from portal.web.gate import Gate
from portal.web.visit import now
from portal.words import EntryBilling
from tests.agent.test_time import entries, logged, today
from tests.browser import Browser
from tests.forms import send
from tests.queries import counted
from tests.world import HELPDESK, INES, MAX, NOOR

MANY = 10_000
HTMX = {"hx-request": "true"}


async def many(case: Case, **columns: Any) -> None:
    """Create ten thousand draft entries of Ines on three hundred days, and let PostgreSQL analyze the table.

    The entries are on the case, or on the project if `columns` has a `project_id`. `columns` may also have a `task_id`.
    """
    values = {"task_id": None, "project_id": None} | columns
    async with transaction(INES) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, case_id, service_id, task_id, project_id, agent_id, entered_by_id, work_date, actual_minutes,
              billing, billable_minutes, external_comment, description, state, created_at, window_from)
            select 1, $1, 1, $4, $5, 1, 1, $3::date - n % 300, 10, 'billable', 15, 'entry ' || n, '', 'draft',
              $2::timestamptz + n * interval '1 millisecond', $2 from generate_series(1, $6) n""",
            case.id if not values["project_id"] else None, now(), today(), values["task_id"], values["project_id"], MANY,
        )  # fmt: skip
        await tx.execute("analyze time_entry")


async def row_form(browser: Browser, entry: int, list_: str = "?of=agent") -> Any:
    """Return the response with the row of an entry as the form that htmx puts into a list.

    `list_` is the query that identifies the list.
    """
    return await browser.get(f"/agent/time/{entry}/row{list_}", headers=HTMX)


async def save_row(browser: Browser, entry: int, list_: str = "?of=agent", **typed: str) -> Any:
    """Send the form in an entry's row of a list, as htmx does, with the values `typed` in place of the shown values.

    Return the response. `list_` is the query that identifies the list.
    """
    shown = await row_form(browser, entry, list_)
    form = dict(re.findall(r'name="(\w+)"[^>]*?value="([^"]*)"', shown.text.replace("\n", " ")))
    billing = re.search(r'value="(\w+)" selected', shown.text)
    fields = {name: form[name].replace("&#34;", '"') for name in ("seen", "duration", "work_date")}
    texts = {name: form.get(name, "") for name in ("external_comment", "description")}
    sent = fields | texts | {"billing": billing[1] if billing else "not_billable", "csrf": await browser.csrf()} | typed
    return await browser.post(f"/agent/time/{entry}/row{list_}", data=sent, headers=HTMX)


# ---- many entries ----


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["case", "service", "task", "agent"])
async def test_ten_thousand_entries_stay_filterable_pageable_and_editable_in_the_row(
    ines: Browser, case: Case, scope: str
) -> None:
    """S1.12, D56: a list of 10,000 entries has pages, filters and the totals of all; a row can be changed in its place.

    This holds for the lists of a case, a service, a task and an agent. The list takes at most 150 kB and 13 SQL
    queries. The page of a service takes four more queries, for the hours used and left and for its figures.
    """
    async with transaction(SYSTEM):
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Patching"))
    await many(case, task_id=task.id)
    here = {"case": f"/agent/cases/{case.number}/time", "service": f"/agent/services/{HELPDESK}",
            "task": f"/agent/tasks/{task.id}/time", "agent": "/agent/time"}[scope]  # fmt: skip
    with counted() as statements:
        page = await ines.get(here)
    assert len(statements) <= (17 if scope == "service" else 13)
    assert len(page.content) < 150_000
    assert "10,000\u00a0entries, 1666\u00a0h\u00a040\u00a0min worked, 2500\u00a0h count" in page.text
    assert "Submit all 10,000 that match" in page.text
    first = re.findall(r'id="entry-(\d+)"', page.text)
    older = await ines.get(re.search(r'href="([^"]+after=[^"#]+)[^"]*" ?', page.text)[1].replace("&amp;", "&"))  # type: ignore[index]
    second = re.findall(r'id="entry-(\d+)"', older.text)
    assert len(set(first) & set(second)) == 0
    assert (len(first), len(second)) == (50, 50)
    one_day = await ines.get(f"{here}?from={today() - timedelta(3)}&until={today() - timedelta(3)}&state=draft")
    assert len(re.findall(r'id="entry-\d+"', one_day.text)) == 34
    assert "34\u00a0entries, 5\u00a0h\u00a040\u00a0min worked" in one_day.text
    edit = re.search(rf'hx-get="(/agent/time/{first[7]}/row[^"]+)"', page.text)
    assert edit
    query = edit[1].replace("&amp;", "&").partition("/row")[2]
    saved = await save_row(ines, int(first[7]), query, duration="25m")
    assert saved.status_code == 200
    assert 'id="entry-' + first[7] in saved.text
    assert "10,000\u00a0entries, 1666\u00a0h\u00a055\u00a0min worked" in saved.text


@pytest.mark.slow
async def test_all_that_match_are_submitted_at_once_and_taken_back_at_once(ines: Browser, case: Case) -> None:
    """S1.12, S0.26: one button submits the thousands of entries that match a filter, and Undo makes them drafts again.

    An entry that was logged after the page was shown stays a draft.
    """
    await many(case)
    until = today() - timedelta(4)
    here, there = f"/agent/cases/{case.number}/time", f"?until={until}"
    page = (await ines.get(here + there)).text
    number = re.search(r"Submit all ([\d,]+) that match", page)
    newest = re.search(r'name="newest" value="(\d+)"', page)
    assert number
    assert newest
    late = await logged(case, work_date=until - timedelta(6))
    answer = await ines.send_form(f"{here}/submission{there}", {"newest": newest[1]})
    assert answer.status_code == 303
    matching = {row["id"] for row in await entries() if row["work_date"] <= until} - {late.id}
    assert len(matching) == int(number[1].replace(",", ""))
    assert MANY // 2 < len(matching) < MANY
    assert {row["id"] for row in await entries() if row["state"] == "submitted"} == matching
    told = await ines.get(answer.headers["location"])
    undo = re.search(r'action="(/agent/time/submissions/\d+/withdrawal)"', told.text)
    assert undo
    back = await send(ines, told, undo[1])
    assert back.status_code == 303
    assert {row["state"] for row in await entries()} == {"draft"}


async def test_a_submission_by_filter_takes_what_matches_and_nothing_that_came_later(ines: Browser, case: Case) -> None:
    """S1.12: a submission by filter takes only Ines's own entries that match and existed when her list was shown."""
    async with transaction(MAX):
        await TimeEntry.log(MAX, Work(minutes=5, work_date=today(), service_id=HELPDESK), at=now(), case=case)
    mine = [await logged(case, billing=billing) for billing in (EntryBilling.BILLABLE, EntryBilling.NO_CHARGE)]
    later = await logged(case)
    here = f"/agent/cases/{case.number}/time/submission?billing=billable"
    answer = await ines.send_form(here, {"newest": str(mine[1].id)})
    assert answer.status_code == 303
    assert {row["id"]: row["state"] for row in await entries() if row["agent_id"] == INES.id} == {
        mine[0].id: "submitted", mine[1].id: "draft", later.id: "draft",
    }  # fmt: skip
    assert {row["state"] for row in await entries() if row["agent_id"] == MAX.id} == {"draft"}


async def test_a_task_lists_its_time_where_it_is_submitted(ines: Browser, case: Case) -> None:
    """S1.11: the page of a task lists only the time that was logged on the task, and Ines submits this time there."""
    async with transaction(SYSTEM):
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Patching"))
    on_task, other = await logged(case, task_id=task.id), await logged(case)
    assert f'href="/agent/tasks/{task.id}/time"' in (await ines.get(f"/agent/services/{HELPDESK}")).text
    page = await ines.get(f"/agent/tasks/{task.id}/time")
    assert f'id="entry-{on_task.id}"' in page.text
    assert f'id="entry-{other.id}"' not in page.text
    await send(ines, page, f"/agent/tasks/{task.id}/time/submission", entry=str(on_task.id))
    assert [row["state"] for row in await entries()] == ["submitted", "draft"]
    assert (await ines.get("/agent/tasks/999/time")).status_code == 404


# ---- one row ----


async def test_a_row_is_changed_in_its_place(ines: Browser, case: Case) -> None:
    """S1.12: Ines changes duration, comment and billing in a row; the service, which the row does not show, is kept."""
    entry = await logged(case, began=None, external_comment="Switch", counts=60, override_reason="agreed")
    saved = await save_row(ines, entry.id, duration="1h", external_comment="Router", billing="no_charge")
    assert (saved.status_code, "Router" in saved.text, "<html" in saved.text) == (200, True, False)
    row = (await entries())[0]
    assert (row["actual_minutes"], row["external_comment"], row["billing"], row["version"]) == (
        60,
        "Router",
        "no_charge",
        2,
    )
    assert row["service_id"] == HELPDESK
    shown = await ines.get(f"/agent/time/{entry.id}/row?of=agent&shown=yes", headers=HTMX)
    assert "<form" not in shown.text
    assert shown.text.lstrip().startswith("<tr")


async def test_a_wrong_row_comes_back_with_a_sentence_and_what_was_typed(ines: Browser, case: Case) -> None:
    entry = await logged(case)
    refused = await save_row(ines, entry.id, duration="soon")
    assert refused.status_code == 422
    assert "Write the time as 1h 30m" in refused.text
    assert 'value="soon"' in refused.text
    assert (await entries())[0]["version"] == 1


async def test_a_row_that_somebody_changed_meanwhile_is_compared(ines: Browser, max_: Browser, case: Case) -> None:
    """Max changes the comment in a row that Ines has open: her change to the same field gets 409 with Max's text.

    Her change to another field is saved, and Max's comment stays.
    """
    entry = await logged(case, external_comment="Switch")
    seen = await row_form(ines, entry.id)
    seen_value = re.search(r'name="seen" value="([^"]*)"', seen.text)[1].replace("&#34;", '"')  # type: ignore[index]
    assert (await save_row(max_, entry.id, external_comment="Max’ words")).status_code == 200
    typed = {"duration": "50 min", "work_date": today().isoformat(), "billing": "billable", "description": ""}
    mine = typed | {"seen": seen_value, "external_comment": "My words", "csrf": await ines.csrf()}
    refused = await ines.post(f"/agent/time/{entry.id}/row", data=mine, headers=HTMX)
    assert refused.status_code == 409
    assert "Max’ words" in refused.text
    other = typed | {"seen": seen_value, "external_comment": "Switch", "duration": "20m", "csrf": await ines.csrf()}
    assert (await ines.post(f"/agent/time/{entry.id}/row", data=other, headers=HTMX)).status_code == 200
    row = (await entries())[0]
    assert (row["actual_minutes"], row["external_comment"]) == (20, "Max’ words")


async def test_a_row_whose_entry_is_fixed_says_why(ines: Browser, case: Case) -> None:
    """S2.24, C5: the row of an entry that Ines has submitted is not a form, and her change to the entry gets 403."""
    entry = await logged(case)
    shown = await row_form(ines, entry.id)
    seen = re.search(r'name="seen" value="([^"]*)"', shown.text)[1].replace("&#34;", '"')  # type: ignore[index]
    async with transaction(INES):
        await submit(INES, [entry.id], at=now())
    assert "<form" not in (await row_form(ines, entry.id)).text
    typed = {
        "duration": "9h",
        "work_date": today().isoformat(),
        "billing": "billable",
        "seen": seen,
        "csrf": await ines.csrf(),
    }
    refused = await ines.post(f"/agent/time/{entry.id}/row", data=typed, headers=HTMX)
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    assert (await entries())[0]["actual_minutes"] == 50
    assert (await ines.get("/agent/time/999/row")).status_code == 404


async def test_a_rejected_entry_is_saved_and_submitted_in_one_step(app: Gate, ines: Browser, case: Case) -> None:
    """C5: a button on the page and in the row of a rejected entry saves and submits it; a draft has no such button."""
    first, second, draft = [await logged(case) for _ in range(3)]
    async with transaction(INES):
        await submit(INES, [first.id, second.id], at=now())
    async with transaction(MAX):
        await reject([Choice(id, 1) for id in (first.id, second.id)], reason="Which site?", by=MAX, at=now())
    assert "Save and submit" not in (await ines.get(f"/agent/time/{draft.id}")).text
    page = await ines.get(f"/agent/time/{first.id}")
    assert "Save and submit" in page.text
    await send(ines, page, f"/agent/time/{first.id}", external_comment="Kiel", then="submit")
    assert "Save and submit" in (await row_form(ines, second.id)).text
    await save_row(ines, second.id, external_comment="Hamburg", then="submit")
    found = {row["id"]: (row["state"], row["external_comment"]) for row in await entries()}
    assert found[first.id] == ("submitted", "Kiel")
    assert found[second.id] == ("submitted", "Hamburg")


async def test_saving_and_submitting_in_one_step_is_undone(ines: Browser, case: Case) -> None:
    """C5: if Ines saves and submits a rejected entry in one step, Undo makes it rejected again and keeps her change.

    The message with Undo appears after saving on the page, in the row, and in a row that moves to another day.
    """
    first, second, third = [await logged(case) for _ in range(3)]
    async with transaction(INES):
        await submit(INES, [first.id, second.id, third.id], at=now())
    async with transaction(MAX):
        rejected = [Choice(id, 1) for id in (first.id, second.id, third.id)]
        await reject(rejected, reason="Which site?", by=MAX, at=now())
    page = await ines.get(f"/agent/time/{first.id}")
    answer = await send(ines, page, f"/agent/time/{first.id}", external_comment="Kiel", then="submit")
    shown = (await ines.get(answer.headers["location"])).text
    row = await save_row(ines, second.id, external_comment="Hamburg", then="submit")
    for told in (shown, row.text):
        assert "1\u00a0entry submitted." in told
        undo = re.search(r'action="(/agent/time/submissions/\d+/withdrawal)"', told)
        assert undo
        back = re.search(r'name="back" value="([^"]*)"', told[undo.start() :])
        assert back
        answer = await ines.send_form(undo[1], {"back": back[1]})
        assert "1\u00a0entry taken back." in (await ines.get(answer.headers["location"])).text
    moved = await save_row(ines, third.id, work_date=(today() - timedelta(days=1)).isoformat(), then="submit")
    assert "1\u00a0entry submitted." in (await ines.get(moved.headers["hx-redirect"])).text
    found = {row["id"]: (row["state"], row["external_comment"]) for row in await entries()}
    assert found[first.id] == ("rejected", "Kiel")
    assert found[second.id] == ("rejected", "Hamburg")
    assert found[third.id][0] == "submitted"


# ---- select all, and undo ----


async def test_select_all_takes_new_entries_and_no_rejected_one_that_nobody_changed(ines: Browser, case: Case) -> None:
    """S0.25, S0.31: "select all" and submitting all that match leave out a rejected entry that Ines has not changed.

    She can still tick this entry and submit it.
    """
    draft, unchanged, corrected = [await logged(case) for _ in range(3)]
    async with transaction(INES):
        await submit(INES, [unchanged.id, corrected.id], at=now())
    async with transaction(MAX):
        await reject([Choice(id, 1) for id in (unchanged.id, corrected.id)], reason="Which site?", by=MAX, at=now())
    await save_row(ines, corrected.id, external_comment="Kiel")
    page = await ines.get("/agent/time")
    alone = re.findall(r'name="entry" value="(\d+)" data-alone', page.text)
    assert alone == [str(unchanged.id)]
    answer = await ines.send_form("/agent/time/submission", {"newest": "999"})
    assert {row["id"]: row["state"] for row in await entries()} == {
        draft.id: "submitted", unchanged.id: "rejected", corrected.id: "submitted",
    }  # fmt: skip
    assert (
        "1\u00a0rejected entry left out: nobody has changed them." in (await ines.get(answer.headers["location"])).text
    )
    await ines.send_form("/agent/time/submission", {"entry": str(unchanged.id)})
    assert {row["state"] for row in await entries()} == {"submitted"}


async def test_a_submission_is_taken_back_as_it_was(ines: Browser, max_: Browser, case: Case) -> None:
    """S0.26: if Ines undoes a submission, each entry is again what it was before: a draft, or rejected.

    A third entry that Max has approved since then stays approved. Max gets 404 if he tries to undo her submission, and
    a second attempt of Ines gets 409.
    """
    draft, again, decided = [await logged(case) for _ in range(3)]
    async with transaction(INES):
        await submit(INES, [again.id], at=now())
    async with transaction(MAX):
        await reject([Choice(again.id, 1)], reason="Which site?", by=MAX, at=now())
    await save_row(ines, again.id, external_comment="Kiel")
    page = await ines.get("/agent/time")
    answer = await send(ines, page, "/agent/time/submission", entry=[str(one.id) for one in (draft, again, decided)])
    told = await ines.get(answer.headers["location"])
    assert "3\u00a0entries submitted." in told.text
    assert "Undo <kbd>Z</kbd>" in told.text
    async with transaction(MAX):
        assert not (await approve([Choice(decided.id, 1)], by=MAX, at=now())).refused
    undo = re.search(r'action="(/agent/time/submissions/\d+/withdrawal)"', told.text)[1]  # type: ignore[index]
    assert (await max_.send_form(undo, {})).status_code == 404
    back = await send(ines, told, undo)
    assert (
        "2\u00a0entries taken back. A manager has decided on 1 more." in (await ines.get(back.headers["location"])).text
    )
    assert {row["id"]: row["state"] for row in await entries()} == {
        draft.id: "draft", again.id: "rejected", decided.id: "approved",
    }  # fmt: skip
    assert (await ines.send_form(undo, {})).status_code == 409
    assert (await ines.send_form("/agent/time/submissions/999/withdrawal", {})).status_code == 404


# ---- where time is added and submitted ----


async def test_time_is_added_and_submitted_from_the_page_of_its_service(ines: Browser, case: Case) -> None:
    """S0.3, S0.5, S0.24: from the page of a service, Ines logs three entries, and submits two that she selects."""
    here = f"/agent/services/{HELPDESK}"
    link = re.search(r'href="(/agent/time/new\?on=service-1)"', (await ines.get(here)).text)
    assert link
    form = await ines.get(link[1], headers={"referer": f"http://portal.test{here}"})
    for minutes in ("20m", "30m", "40m"):
        answer = await send(ines, form, "/agent/time/new", duration=minutes, back=here)
        assert answer.headers["location"] == here
        form = await ines.get(link[1])
    page = await ines.get(here)
    made = [row["id"] for row in await entries()]
    assert all(f'id="entry-{id}"' in page.text for id in made)
    chosen = await send(ines, page, f"{here}/submission", entry=[str(made[0]), str(made[2])])
    assert chosen.status_code == 303
    assert [row["state"] for row in await entries()] == ["submitted", "draft", "submitted"]
    assert {row["service_id"] for row in await entries()} == {HELPDESK}


async def test_time_is_added_from_the_navigation(ines: Browser, case: Case) -> None:
    """S0.2: the navigation links to the list of Ines's own time, and the list links to the form that adds an entry.

    The list then shows the entry that she has added.
    """
    home = await ines.get("/agent/customers")
    assert '<a href="/agent/time" data-go="t"' in home.text
    own = await ines.get("/agent/time")
    assert re.search(r'class="button log-button" href="/agent/time/new"', own.text)
    answer = await send(
        ines, await ines.get("/agent/time/new"), "/agent/time/new", on_typed=f"#{case.number}", duration="35m"
    )
    assert answer.status_code == 303
    entry = (await entries())[0]
    assert f'id="entry-{entry["id"]}"' in (await ines.get("/agent/time")).text


async def test_the_time_of_a_case_is_one_step_from_the_case(ines: Browser, case: Case) -> None:
    """S1.9, S1.10: the page of a case links to the list of its entries, which shows each of them."""
    made = [await logged(case), await logged(case, by=MAX)]
    link = re.search(
        rf'<a href="(/agent/cases/{case.number}/time)">2\u00a0entries</a>',
        (await ines.get(f"/agent/cases/{case.number}")).text,
    )
    assert link
    page = await ines.get(link[1])
    assert all(f'id="entry-{entry.id}"' in page.text for entry in made)


async def test_the_form_names_the_person_signed_in_as_who_worked(app: Gate, case: Case) -> None:
    """S1.14: the agent of a new entry is the person signed in; only managers and admins can choose another agent."""
    for reader in (MAX, NOOR, INES):
        async with await Browser.of(app, reader) as browser:
            form = await browser.get(f"/agent/time/new?on=case-{case.number}")
            chosen = re.search(
                r'<option value="(\d+)" selected>[^<]*</option>\s*', form.text[form.text.find('name="agent"') :]
            )
            assert ('name="agent"' in form.text) is reader.is_manager
            if reader.is_manager:
                assert chosen
                assert chosen[1] == str(reader.id)
            await send(browser, form, "/agent/time/new", duration="10m")
    assert [row["agent_id"] for row in await entries()] == [MAX.id, NOOR.id, INES.id]


async def test_time_that_is_not_billable_is_never_invoiced(ines: Browser, case: Case) -> None:
    """S1.5: time that Ines logs as not billable can be approved, but no billing run puts it on an invoice line."""
    form = await ines.get(f"/agent/time/new?on=case-{case.number}")
    day = (today().replace(day=1) - timedelta(days=3)).isoformat()
    for charge, minutes in (("billable", "1h"), ("not_billable", "2h")):
        await send(ines, form, "/agent/time/new", duration=minutes, work_date=day, billing=charge)
        form = await ines.get(f"/agent/time/new?on=case-{case.number}")
    billed, free = await entries()
    assert (billed["billable_minutes"], free["billable_minutes"]) == (60, 0)
    async with transaction(MAX) as tx:
        assert not (await approve([Choice(row["id"], 1) for row in (billed, free)], by=MAX, at=now())).refused
        run_ = await run(today().replace(day=1), [case.customer_id], by=MAX, at=now())
        assert run_
        settled = {row["entry_id"] for row in await tx.fetch("select entry_id from settled_entry")}
        (draft,) = await tx.fetch("select net from invoice")
        again = await run(today().replace(day=1), [case.customer_id], by=MAX, at=now())
    assert billed["id"] in settled
    assert draft["net"] == 120
    assert again is None or again.draft_ids == []
    async with transaction(MAX) as tx:
        on_lines = await tx.fetchval(
            "select count(*) from line_allocation l join allocation a on a.id = l.allocation_id where a.entry_id = $1",
            free["id"],
        )
    assert on_lines == 0


async def test_the_navigation_counts_what_the_own_time_needs(ines: Browser, max_: Browser, case: Case) -> None:
    """S0.31: the navigation counts Ines's rejected entries, flagged entries, and drafts from before this week.

    Max's navigation does not count them.
    """

    async def counted_for(browser: Browser) -> str:
        page = (await browser.get("/agent/customers")).text
        link = page[page.index('href="/agent/time"') :]
        found = re.search(r'<span class="count">([\d,]+)</span>', link[: link.index("</a>")])
        return found[1] if found else ""

    await logged(case)
    assert await counted_for(ines) == ""
    await logged(case, work_date=today() - timedelta(days=today().weekday() + 1))
    rejected = await logged(case)
    async with transaction(INES):
        await submit(INES, [rejected.id], at=now())
    assert await counted_for(ines) == "1"
    async with transaction(MAX):
        await reject([Choice(rejected.id, 1)], reason="Which site?", by=MAX, at=now())
    assert await counted_for(ines) == "2"
    assert await counted_for(max_) == ""
    asked = await logged(case)
    async with transaction(MAX):
        for entry in (asked, rejected):
            await flag([Choice(entry.id, 1)], question="Which switch was it?", by=MAX, at=now())
    assert await counted_for(ines) == "3"


async def test_time_counts_in_the_usage_of_its_contract_at_once(ines: Browser, case: Case) -> None:
    """S2.20: the customer's page shows Ines the billable time of a contract in this month as soon as it is logged.

    The page also says how much is not approved yet. Rejected time and time of last month do not count.
    """
    here, month = f"/agent/customers/{case.customer_id}", f"{today():%B}"

    async def used() -> str:
        page = re.sub(r"\s+", " ", (await ines.get(here)).text)
        found = re.search(rf"([^>]* billable in {month}[^<]*)<", page)
        return found[1] if found else ""

    assert await used() == ""
    approved, rejected = await logged(case, minutes=60), await logged(case, minutes=30)
    await logged(case, minutes=45, work_date=today().replace(day=1) - timedelta(days=1))
    assert await used() == f"1 h 30 min billable in {month}, 1 h 30 min of it not approved yet."
    async with transaction(MAX):
        await approve([Choice(approved.id, 1)], by=MAX, at=now())
        await reject([Choice(rejected.id, 1)], reason="Which site?", by=MAX, at=now())
    assert await used() == f"1 h billable in {month}."


async def test_the_form_draws_what_the_service_has_used(ines: Browser, case: Case) -> None:
    """S2.20: the time form has a meter of the minutes that the service uses in the month of the typed day.

    The meter adds the approved minutes, the minutes not approved yet, and the minutes of the new entry.
    """
    approved = await logged(case, minutes=60)
    await logged(case, minutes=30)
    async with transaction(MAX):
        assert not (await approve([Choice(approved.id, 1)], by=MAX, at=now())).refused
    query = f"on=case-{case.number}&service=1&duration=30m&work_date={today()}"
    shown = (await ines.get(f"/agent/time/preview?{query}")).text
    month = f"{today():%B}"
    assert (
        f"Helpdesk in {month}: 1\u00a0h\u00a030\u00a0min, 30\u00a0min of it not approved yet, then 2\u00a0h." in shown
    )
    widths = re.findall(r'<rect class="(\w+)" x="[\d.]+%" width="([\d.]+)%"', shown)
    assert widths == [("track", "100.00"), ("used", "50.00"), ("pending", "25.00"), ("entry", "25.00")]
