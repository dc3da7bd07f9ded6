"""Test the agents' time pages: logging time on a case, the agent's own list, and the form of one entry."""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from portal import periods
from portal.billing import Choice, approve, reject
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.services import Service, ServiceFacts
from portal.database import transaction
from portal.desk import Case
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.states import submit
from portal.timekeeping.work import Work
from portal.web.visit import now
from tests.browser import Browser
from tests.forms import send
from tests.queries import counted
from tests.world import CONSULTANT, HELPDESK, INES, INTERNAL, MAX


def today() -> date:
    """Return the current date in Ines's time zone."""
    return periods.today(INES.time_zone, now())


def yesterday() -> str:
    """Return yesterday's date as a form field."""
    return (today() - timedelta(days=1)).isoformat()


def typed(**fields: Any) -> dict[str, Any]:
    """Return the fields of a valid time form as a browser sends them; `fields` adds or replaces some.

    The field `on`, which says on which case, project, service or kind of general time the time is logged, is missing.
    """
    return {"duration": "1h 30m", "work_date": today().isoformat(), "service": "1", "billing": "billable",
            "external_comment": "Gateway changed", "description": "see #1024"} | fields  # fmt: skip


NEW = "/agent/time/new"


def on(case: Case, **fields: Any) -> dict[str, Any]:
    """Return the fields of a valid time form for this case; `fields` adds or replaces some."""
    return typed(on=f"case-{case.number}", **fields)


async def logged(case: Case | None = None, *, by: Any = INES, **values: Any) -> TimeEntry:
    """Log a time entry of 50 minutes as `by`, without HTTP, and return it.

    `values` replaces default values of fields of `Work`, or the instant `at`. Time on a case is under the service
    Helpdesk unless `values` names another one.
    """
    at = values.pop("at", now())
    facts: dict[str, Any] = {"minutes": 50, "work_date": today(), "service_id": HELPDESK if case else None} | values
    async with transaction(by):
        return await TimeEntry.log(by, Work(**facts), at=at, case=case)


async def entries() -> list[Any]:
    """Return all rows of the table time_entry, by id."""
    async with transaction(INES) as tx:
        return list(await tx.fetch("select * from time_entry order by id"))


# ---- on a case ----


async def test_time_is_logged_on_a_case_and_stands_in_its_feed(ines: Browser, case: Case) -> None:
    """S1.1, S2.9, S2.18, S2.19: time that Ines logs on a case is stored as a draft and shown in the case's feed."""
    answer = await ines.send_form(NEW, on(case))
    assert answer.status_code == 303
    entry = (await entries())[0]
    assert answer.headers["location"] == f"/agent/cases/{case.number}#entry-{entry['id']}"
    assert (entry["actual_minutes"], entry["billable_minutes"], entry["state"], entry["agent_id"]) == (
        90,
        90,
        "draft",
        INES.id,
    )
    page = await ines.get(f"/agent/cases/{case.number}")
    assert f'id="entry-{entry["id"]}"' in page.text
    assert "Gateway changed" in page.text
    assert "1\u00a0h\u00a030\u00a0min" in page.text
    assert "not submitted" in page.text


async def test_the_form_is_filled_in_as_far_as_it_can_be(ines: Browser, case: Case) -> None:
    """S0.5, S2.10, S2.13, S2.14, S2.16: the form presets today, the case's service and the billing of its case type."""
    address = f"{NEW}?on=case-{case.number}"
    page = (await ines.get(address)).text
    assert '<option value="1" selected>Helpdesk, Support 2026</option>' in page
    assert re.search(r'name="work_date" type="date"\s+value="' + today().isoformat(), page)
    assert re.search(r'value="billable" checked', page)
    async with transaction(INES):
        await case.change_facts(by=INES, at=now(), case_type_id=INTERNAL)
    assert re.search(r'value="not_billable" checked', (await ines.get(address)).text)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("duration", "1h 90m", "Minutes beside hours go up to 59"),
        ("duration", "-5", "Time cannot be negative."),
        ("duration", "25h", "One entry holds at most 24"),
        ("duration", "", "Write how long it took"),
        ("duration", "soon", "Write the time as 1h 30m"),
        ("work_date", "2999-01-01", "This day is still to come"),
        ("work_date", "2020-01-01", "a year back"),
        ("work_date", "someday", "Choose the day"),
        ("service", "2", "Choose a service of this customer."),
        ("service", "x", "Choose one from the list."),
        ("service", "", "Billable time needs a service"),
        ("billing", "free", "Choose one from the list."),
        ("external_comment", "x" * 1001, "at most 1000 characters"),
        ("description", "x" * 4001, "at most 4000 characters"),
    ],
)
async def test_a_wrong_entry_comes_back_with_a_sentence_and_what_was_typed(
    ines: Browser, case: Case, field: str, value: str, sentence: str
) -> None:
    """S0.15: a time form with an invalid field gets 422 with an error message at that field, and stores nothing.

    The form keeps what Ines typed.
    """
    answer = await ines.send_form(NEW, on(case, **{field: value}))
    assert answer.status_code == 422
    assert sentence in answer.text.replace("&#39;", "'")
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    if field not in ("service", "billing"):
        assert f'value="{value}"' in answer.text
    if field != "description":
        assert 'value="see #1024"' in answer.text
    assert await entries() == []


async def test_a_case_without_a_service_says_where_to_set_one(ines: Browser, case: Case) -> None:
    async with transaction(INES):
        await case.change_facts(by=INES, at=now(), service_id=None)
    answer = await ines.send_form(NEW, on(case, service=""))
    assert answer.status_code == 422
    assert f'<a href="/agent/cases/{case.number}/facts">Set the service of the case</a>' in answer.text


async def test_the_same_form_sent_twice_makes_one_entry(ines: Browser, case: Case) -> None:
    fields = on(case, form_key="0" * 31 + "7")
    for _ in range(2):
        assert (await ines.send_form(NEW, fields)).status_code == 303
    assert len(await entries()) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("duration=1h+35m&service=1&billing=billable&external_comment=moved",
         ["1\u00a0h\u00a035\u00a0min, counts 1\u00a0h\u00a045\u00a0min", "Rounded up to 15\u00a0min.", "moved · Senior consultant · 1:45"]),
        ("duration=1h+35m&service=1&billing=no_charge", ["Senior consultant · 1:45 · no charge"]),
        ("duration=1h+35m&service=1&billing=not_billable", ["nothing of it counts", "Acme will not see this."]),
        ("duration=1h+90m", ["Minutes beside hours go up to 59"]),
        ("duration=20m&service=2", ["Choose a service"]),
        ("duration=20m&service=x&billing=x&work_date=x", ["Choose a service"]),
        ("", ["Write how long it took"]),
    ],
)  # fmt: skip
async def test_the_form_says_what_it_understood(ines: Browser, case: Case, query: str, words: list[str]) -> None:
    answer = await ines.get(f"/agent/time/preview?on=case-{case.number}&{query}")
    assert answer.status_code == 200
    for word in words:
        assert word in answer.text


async def test_the_panel_is_answered_with_a_form_that_undoes_what_was_logged(ines: Browser, case: Case) -> None:
    """S2.18: after Ines has logged time in the panel, the panel offers a form that deletes the entry (undo).

    That form redirects to the page over which the panel was opened.
    """
    sent = on(case, back="/agent/customers") | {"csrf": await ines.csrf()}
    answer = await ines.post(NEW, data=sent, headers={"hx-request": "true"})
    assert answer.status_code == 200
    assert f"logged on #{case.number}." in answer.text
    entry = (await entries())[0]
    undone = await send(ines, answer, f"/agent/time/{entry['id']}/deletion")
    assert undone.headers["location"] == f"/agent/customers?gone={entry['actual_minutes']}"
    assert "deleted." in (await ines.get(undone.headers["location"])).text
    assert await entries() == []


async def test_the_service_and_with_it_the_contract_can_be_chosen(ines: Browser, case: Case) -> None:
    """S1.19, S2.17: for time on a case, Ines chooses among services of two contracts, and so between the contracts."""
    async with transaction(SYSTEM):
        customer = await Customer.find(case.customer_id, SYSTEM)
        facts = ContractFacts(name="Projects 2026", start_on="2026-01-01", currency="EUR", vat_rate="19")
        contract = await Contract.create(customer, facts, now())
        service = await Service.create(contract, ServiceFacts(name="On site"), now())
    assert ">On site, Projects 2026</option>" in (await ines.get(f"{NEW}?on=case-{case.number}")).text
    for chosen in (1, service.id):
        assert (await ines.send_form(NEW, on(case, service=str(chosen)))).status_code == 303
    assert [row["service_id"] for row in await entries()] == [1, service.id]


async def test_the_billing_role_can_be_another_than_the_agents_own(ines: Browser, max_: Browser, case: Case) -> None:
    """Ines logs time with another billing role than her own, and Max sees the amount at that role's rate.

    An unknown role is refused with 422.
    """
    assert (await ines.send_form(NEW, on(case, duration="1h", role=str(CONSULTANT)))).status_code == 303
    assert (await ines.send_form(NEW, on(case, duration="1h", role="99"))).status_code == 422
    assert [row["role_id"] for row in await entries()] == [CONSULTANT]
    await ines.send_form("/agent/time/submission", {"entry": str((await entries())[0]["id"])})
    assert "95.00" in (await max_.get("/agent/approvals")).text


async def test_a_change_of_the_clock_times_counts_what_lies_between_them(ines: Browser, case: Case) -> None:
    """D11: the form of an entry shows its clock times; when Ines changes one, the duration is computed again.

    She is redirected to the URL in the field `back`.
    """
    await ines.send_form(NEW, on(case, duration="9-10:45", work_date=yesterday()))
    entry = (await entries())[0]
    page = await ines.get(f"/agent/time/{entry['id']}")
    assert 'type="time" value="09:00"' in page.text
    assert "9:00 to 10:45" in page.text
    answer = await send(ines, page, f"/agent/time/{entry['id']}", ended="11:00", back="/agent/time?state=draft")
    assert answer.headers["location"] == "/agent/time?state=draft"
    changed = (await entries())[0]
    assert (changed["started_at"], changed["actual_minutes"]) == (entry["started_at"], 120)


async def test_only_a_manager_logs_time_for_a_colleague(ines: Browser, max_: Browser, case: Case) -> None:
    """S1.14 to S1.16: Max logs time for Ines; Ines is not offered Max in the form and gets 403 if she names him.

    An unknown agent is refused with 422.
    """
    assert (await ines.send_form(NEW, on(case, agent=MAX.id))).status_code == 403
    assert await entries() == []
    assert "Max Herrmann" not in (await ines.get(NEW)).text
    assert (await ines.send_form(NEW, on(case, agent=INES.id))).status_code == 303
    assert f'<option value="{MAX.id}" selected>Max Herrmann' in (await max_.get(NEW)).text
    assert (await max_.send_form(NEW, on(case, agent=INES.id))).status_code == 303
    assert [(row["agent_id"], row["entered_by_id"]) for row in await entries()] == [(1, 1), (1, 2)]
    refused = await max_.send_form(NEW, on(case, agent="999", duration="2h"))
    assert refused.status_code == 422
    assert "Choose an agent who works here." in refused.text


async def test_the_time_of_a_case_is_listed_and_filtered(ines: Browser, case: Case) -> None:
    """S1.10, S1.18: the time of a case is listed, and filtered by agent and state."""
    mine, theirs = await logged(case), await logged(case, by=MAX, external_comment="by Max")
    address = f"/agent/cases/{case.number}/time"
    page, filtered = await ines.get(address), await ines.get(f"{address}?agent={MAX.id}&state=draft")
    assert f'id="entry-{mine.id}"' in page.text
    assert f'id="entry-{theirs.id}"' in page.text
    assert f'id="entry-{mine.id}"' not in filtered.text
    assert "by Max" in filtered.text
    assert "No entry matches" in (await ines.get(f"{address}?state=approved")).text


@pytest.mark.slow
async def test_ten_thousand_entries_on_a_case_do_not_slow_its_pages(ines: Browser, case: Case) -> None:
    """S1.12: with ten thousand entries, the page of a case and the list of its time have less than 150 kB each.

    Together they take at most 19 SQL statements. Each page has a link to 50 further entries.
    """
    async with transaction(INES) as tx:
        await tx.execute(
            """insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing,
              billable_minutes, external_comment, description, state, created_at, window_from)
            select 1, $1, 1, 1 + n % 3, 1, $3::date - n % 300, 10, 'billable', 15, 'comment', '', 'draft',
              $2::timestamptz + n * interval '1 millisecond', $2 from generate_series(1, 10000) n""",
            case.id, now(), today(),
        )  # fmt: skip
    with counted() as statements:
        page = await ines.get(f"/agent/cases/{case.number}")
        entries_of_case = await ines.get(f"/agent/cases/{case.number}/time")
    assert len(statements) <= 10 + 9
    assert len(page.content) < 150_000
    assert len(entries_of_case.content) < 150_000
    assert "10,000" in page.text
    earlier = re.search(r'href="([^"]+before=[^"]+)"', page.text)
    older = re.search(r'href="([^"]+after=[^"]+)"', entries_of_case.text)
    assert earlier
    assert older
    for link, before in ((earlier[1], page), (older[1], entries_of_case)):
        found = re.findall(r'id="entry-(\d+)"', (await ines.get(link.replace("&amp;", "&"))).text)
        assert len(found) == 50
        assert not set(found) & set(re.findall(r'id="entry-(\d+)"', before.text))
    assert "Edit" in entries_of_case.text


# ---- the own list ----


async def test_general_time_is_logged_under_a_kind_and_says_what_it_was_for(ines: Browser) -> None:
    """S2.38, S2.39: general time that Ines logs under a kind is not billable; without a description she gets 422."""
    fields = {"on": "general-1", "duration": "45m", "work_date": today().isoformat(), "description": "Team meeting"}
    refused = await ines.send_form(NEW, fields | {"description": " "})
    assert refused.status_code == 422
    assert "Say what it was for" in refused.text
    assert (await ines.send_form(NEW, fields)).headers["location"] == "/agent/time"
    row = (await entries())[0]
    assert (row["case_id"], row["customer_id"], row["general_kind_id"]) == (None, None, 1)
    assert (row["billing"], row["billable_minutes"]) == ("not_billable", 0)
    page = await ines.get("/agent/time")
    assert "Team meeting" in page.text
    assert ">Meeting<" in page.text


async def test_a_case_is_found_by_what_is_typed_where_no_script_runs(ines: Browser, case: Case) -> None:
    """S0.2, S0.6: without JavaScript, Ines types a case number; the entry is under the case's service and billable.

    An unknown or missing number is refused with 422.
    """
    fields = {"duration": "45m", "work_date": today().isoformat(), "on_typed": f" #{case.number}"}
    assert (await ines.send_form(NEW, fields)).status_code == 303
    row = (await entries())[0]
    assert (row["case_id"], row["service_id"], row["billing"], row["billable_minutes"]) == (case.id, 1, "billable", 45)
    for wrong, sentence in (("9999", "has “9999” in its number"), ("", "Choose a case, a project, a service")):
        answer = await ines.send_form(NEW, fields | {"on_typed": wrong})
        assert answer.status_code == 422
        assert sentence in answer.text
    assert len(await entries()) == 1


async def test_work_of_a_customer_that_is_on_no_case_is_logged_under_its_service(ines: Browser, case: Case) -> None:
    """S2.40: Ines logs time without a case under a customer's service; this time is billable unless she says otherwise.

    An unknown service is refused with 422, and so is another customer's service for time on a case.
    """
    fields = {"on": "service-1", "duration": "45m", "work_date": today().isoformat(), "external_comment": "Maintenance"}
    assert "Acme, Support 2026" in (await ines.get(f"{NEW}?on=service-1")).text
    assert (await ines.send_form(NEW, fields)).status_code == 303
    assert (await ines.send_form(NEW, fields | {"billing": "no_charge"})).status_code == 303
    found = await entries()
    assert [(row["case_id"], row["service_id"], row["billing"]) for row in found] == [
        (None, 1, "billable"),
        (None, 1, "no_charge"),
    ]
    assert {row["customer_id"] for row in found} == {case.customer_id}
    assert (await ines.send_form(NEW, fields | {"on": "service-999"})).status_code == 422
    answer = await ines.send_form(NEW, on(case, service="2"))
    assert answer.status_code == 422
    assert "Choose a service of this customer." in answer.text
    assert len(await entries()) == 2


async def test_the_own_list_holds_nobody_elses_time(ines: Browser, case: Case) -> None:
    await logged(case, by=MAX, external_comment="by Max")
    page = await ines.get("/agent/time")
    assert "by Max" not in page.text
    assert "No time yet" in page.text


async def test_ticked_entries_are_submitted(ines: Browser, case: Case) -> None:
    """S0.23 to S0.26: Ines submits the entries that she ticked in her list and no others; a repeat changes nothing."""
    ids = [str((await logged(case)).id) for _ in range(2)]
    rest = await logged(case)
    for _ in range(2):
        answer = await ines.send_form("/agent/time/submission", {"entry": ids})
        assert answer.status_code == 303
    assert [row["state"] for row in await entries()] == ["submitted", "submitted", "draft"]
    assert f'id="entry-{rest.id}"' in (await ines.get("/agent/time?state=draft")).text
    assert f'id="entry-{rest.id}"' not in (await ines.get("/agent/time?state=submitted")).text


async def test_what_cannot_be_submitted_is_reported(ines: Browser, case: Case) -> None:
    """D35: if Ines ticks her own entry and Max's, her own entry is submitted, and Max's entry is reported.

    A form with Max's entry alone gets 409.
    """
    own, foreign = await logged(case), await logged(case, by=MAX)
    answer = await ines.send_form("/agent/time/submission", {"entry": [str(own.id), str(foreign.id)]})
    assert answer.status_code == 200
    assert "1\u00a0entry submitted, 1 not" in answer.text
    assert "Only a manager may submit a colleague&#39;s time." in answer.text
    assert [row["state"] for row in await entries()] == ["submitted", "draft"]
    assert (await ines.send_form("/agent/time/submission", {"entry": str(foreign.id)})).status_code == 409


async def test_submitting_nothing_says_what_to_do(ines: Browser) -> None:
    answer = await ines.send_form("/agent/time/submission", {})
    assert answer.status_code == 422
    assert "Tick the entries that you want to submit." in answer.text
    assert (await ines.send_form("/agent/time/submission", {"entry": "x"})).status_code == 422


async def test_a_rejected_entry_shows_the_managers_reason_to_its_author(ines: Browser, case: Case) -> None:
    """S0.31: Ines reads why Max rejected her entry, in her list, on the case and on the entry's page.

    She may submit the entry again.
    """
    entry = await logged(case)
    async with transaction(INES):
        await submit(INES, [entry.id], at=now())
    async with transaction(MAX):
        await reject([Choice(entry.id, 1)], reason="Belongs to the move", by=MAX, at=now())
    for address in ("/agent/time", f"/agent/cases/{case.number}", f"/agent/time/{entry.id}"):
        assert "Rejected: Belongs to the move" in (await ines.get(address)).text, address
    assert (await ines.send_form("/agent/time/submission", {"entry": str(entry.id)})).status_code == 303


# ---- one entry ----


async def test_an_author_changes_an_entry(ines: Browser, case: Case) -> None:
    """S2.21: Ines changes the duration and billing of her own entry, and its version is increased."""
    entry = await logged(case)
    form = await ines.get(f"/agent/time/{entry.id}")
    assert 'value="50\u00a0min"' in form.text
    answer = await ines.send_form(f"/agent/time/{entry.id}", typed(duration="20m", billing="no_charge"))
    assert answer.headers["location"] == f"/agent/cases/{case.number}"
    row = (await entries())[0]
    assert (row["actual_minutes"], row["billable_minutes"], row["billing"], row["version"]) == (20, 30, "no_charge", 2)


async def test_what_counts_is_overridden_with_a_reason(ines: Browser, case: Case) -> None:
    """D8: Ines overrides the billable minutes with a reason; without one she gets 422."""
    entry = await logged(case)
    refused = await ines.send_form(f"/agent/time/{entry.id}", typed(counts="30m"))
    assert refused.status_code == 422
    assert "Say why it counts 30\u00a0min and not 1\u00a0h\u00a030\u00a0min." in refused.text
    answer = await ines.send_form(f"/agent/time/{entry.id}", typed(counts="0", override_reason="agreed by phone"))
    assert answer.status_code == 303
    row = (await entries())[0]
    assert (row["actual_minutes"], row["billable_minutes"], row["override_reason"]) == (90, 0, "agreed by phone")


async def test_the_second_of_two_changes_gets_409_and_keeps_what_was_typed(ines: Browser, case: Case) -> None:
    """If Ines changes her entry, a form of the entry that she loaded before gets 409 with both values.

    That form stores nothing. What she typed there is kept, and is stored if she sends the form again.
    """
    entry = await logged(case)
    here = f"/agent/time/{entry.id}"
    form = await ines.get(here)
    await ines.send_form(here, typed(duration="20m", description=""))
    answer = await send(ines, form, here, duration="3h", external_comment="mine")
    assert answer.status_code == 409
    assert "It is now “20\u00a0min”." in answer.text
    assert 'value="3h"' in answer.text
    assert 'value="mine"' in answer.text
    assert (await entries())[0]["actual_minutes"] == 20
    assert (await send(ines, answer, here)).status_code == 303
    row = (await entries())[0]
    assert (row["actual_minutes"], row["external_comment"], row["version"]) == (180, "mine", 3)


@pytest.mark.parametrize("on", ["general-1", "case-{}"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("work_date", "9999-12-31"),
        ("work_date", "0001-01-01"),
        ("began", "9 o'clock"),
        ("began", "25:00"),
        ("kind", "99"),
    ],
)
async def test_what_no_calendar_or_clock_has_is_refused_with_a_sentence(
    ines: Browser, case: Case, on: str, field: str, value: str
) -> None:
    """R50: an impossible day or clock time gets 422 from the form, and no error from its preview.

    An unknown kind of general time in the field `kind` is ignored, because a new entry takes the case or the kind from
    the field `on`. A clock time with seconds or an offset is accepted.
    """
    fields = typed(
        on=on.format(case.number), duration="", began="09:00", ended="10:00", service="", billing="not_billable"
    )
    assert (
        await ines.get("/agent/time/preview", params=fields | {"duration": "9-10", field: value})
    ).status_code == 200
    assert (await ines.send_form(NEW, fields | {field: value})).status_code == (303 if field == "kind" else 422)
    assert (await ines.send_form(NEW, fields | {"began": "09:00:30", "ended": "10:00+02:00"})).status_code == 303


async def test_time_goes_on_no_kind_that_has_ended(ines: Browser) -> None:
    """S2.38: no new time can be logged on a kind of general time that has ended, in the form or in the week grid.

    Ines can still change an entry that she logged on that kind before.
    """
    entry = await logged(general_kind_id=1, description="Standup")
    other = await logged(general_kind_id=2, description="Course")
    async with transaction(SYSTEM) as tx:
        await tx.execute("update general_kind set ended_at = now() where id = 1")
    more = {"billing": "not_billable", "service": "", "external_comment": ""}
    assert (await ines.send_form(f"/agent/time/{entry.id}", typed(kind="1", duration="20m", **more))).status_code == 303
    refused = await ines.send_form(f"/agent/time/{other.id}", typed(kind="1", **more))
    assert (refused.status_code, "Choose one from the list." in refused.text) == (422, True)
    day = (today() - timedelta(days=7)).isoformat()
    cell = {"from": day, "row": "general-1.0.0", f"general-1.0.0.{day}": "1h", "words.general-1.0.0": "Standup"}
    assert (await ines.send_form("/agent/time/week", cell)).status_code == 422
    assert [row["actual_minutes"] for row in await entries()] == [20, 50]


@pytest.mark.parametrize(("field", "value"), [("duration", "25h"), ("work_date", "2999-01-01"), ("service", "2")])
async def test_a_wrong_change_changes_nothing(ines: Browser, case: Case, field: str, value: str) -> None:
    entry = await logged(case)
    answer = await ines.send_form(f"/agent/time/{entry.id}", typed(**{field: value}))
    assert answer.status_code == 422
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert (await entries())[0]["version"] == 1


async def test_an_author_deletes_an_entry(ines: Browser, case: Case) -> None:
    """S2.22: Ines deletes her entry, and the log of the case records the deletion; a second deletion gets 404."""
    entry = await logged(case)
    answer = await ines.send_form(f"/agent/time/{entry.id}/deletion", {"version": 1})
    assert answer.headers["location"] == f"/agent/cases/{case.number}?gone=50"
    assert "50\u00a0min deleted." in (await ines.get(answer.headers["location"])).text
    assert await entries() == []
    assert "Ines Okafor deleted a time entry of 50" in (await ines.get(f"/agent/cases/{case.number}")).text
    assert (await ines.send_form(f"/agent/time/{entry.id}/deletion", {"version": 1})).status_code == 404


@pytest.mark.parametrize("old", [False, True])
async def test_a_deletion_of_what_was_changed_meanwhile_is_a_conflict(ines: Browser, case: Case, old: bool) -> None:
    entry = await logged(case)
    await ines.send_form(f"/agent/time/{entry.id}", typed(duration="20m"))
    answer = await ines.send_form(f"/agent/time/{entry.id}/deletion", {"version": 1 if old else 2})
    assert answer.status_code == (409 if old else 303)
    assert len(await entries()) == old


async def test_after_24_hours_only_a_manager_changes_it(ines: Browser, max_: Browser, case: Case) -> None:
    """S2.23, S2.25: after 24 hours, Ines may not change or delete her entry (403); Max, a manager, may change it."""
    entry = await logged(case, at=now() - timedelta(hours=24, seconds=5), work_date=today() - timedelta(days=1))
    page = await ines.get(f"/agent/time/{entry.id}")
    assert "Time can be changed for 24 hours." in page.text
    assert "<button" not in page.text.split("<main")[1].split("</main>")[0]
    for address in (f"/agent/time/{entry.id}", f"/agent/time/{entry.id}/deletion"):
        fields = typed() if address.endswith(str(entry.id)) else {"version": 1}
        assert (await ines.send_form(address, fields)).status_code == 403
    assert (await entries())[0]["version"] == 1
    assert (await max_.send_form(f"/agent/time/{entry.id}", typed(duration="5m"))).status_code == 303
    assert (await entries())[0]["actual_minutes"] == 5


async def test_a_colleagues_entry_cannot_be_changed(ines: Browser, case: Case) -> None:
    """S2.24: Ines gets 403 if she changes or deletes Max's entry."""
    entry = await logged(case, by=MAX)
    assert "Only a manager may change a colleague&#39;s time." in (await ines.get(f"/agent/time/{entry.id}")).text
    assert (await ines.send_form(f"/agent/time/{entry.id}", typed())).status_code == 403
    assert (await ines.send_form(f"/agent/time/{entry.id}/deletion", {"version": 1})).status_code == 403


async def test_a_managers_change_of_approved_time_takes_the_approval_back(
    ines: Browser, max_: Browser, case: Case
) -> None:
    """D34, C2: if a manager changes approved time, the approval is withdrawn, and the entry is a draft again.

    A change by Ines, the author of the entry, gets 403.
    """
    entry = await logged(case)
    async with transaction(MAX):
        await approve([Choice(entry.id, 1)], by=MAX, at=now())
    assert (await ines.send_form(f"/agent/time/{entry.id}", typed())).status_code == 403
    assert "A change takes the approval back" in (await max_.get(f"/agent/time/{entry.id}")).text
    assert (await max_.send_form(f"/agent/time/{entry.id}", typed(duration="2h"))).status_code == 303
    row = (await entries())[0]
    assert (row["state"], row["version"], row["actual_minutes"]) == ("draft", 2, 120), "as before the approval"
    assert (await max_.send_form(f"/agent/time/{entry.id}/deletion", {"version": 2})).status_code == 303
    assert await entries() == []


async def test_what_was_typed_into_time_that_was_approved_meanwhile_is_shown(ines: Browser, case: Case) -> None:
    """If Max approves an entry while Ines has its form open, she gets 403, and the page shows what she typed."""
    entry = await logged(case)
    here = f"/agent/time/{entry.id}"
    form = await ines.get(here)
    async with transaction(MAX):
        await approve([Choice(entry.id, 1)], by=MAX, at=now())
    answer = await send(ines, form, here, description="What took me so long to write")
    assert answer.status_code == 403
    assert "What took me so long to write" in answer.text


async def test_contacts_find_no_time(ada: Browser, case: Case) -> None:
    entry = await logged(case)
    for address in ("/agent/time", f"/agent/time/{entry.id}"):
        assert (await ada.get(address)).status_code == 404
    for address in (
        NEW,
        "/agent/time/submission",
        f"/agent/time/{entry.id}",
        f"/agent/time/{entry.id}/deletion",
    ):
        assert (await ada.send_form(address, typed())).status_code == 404
    assert len(await entries()) == 1


async def test_an_entry_that_is_not_there_is_404(ines: Browser) -> None:
    assert (await ines.get("/agent/time/999")).status_code == 404
    assert (await ines.get("/agent/time/x")).status_code == 404
    assert (await ines.send_form("/agent/time/999", typed())).status_code == 404
