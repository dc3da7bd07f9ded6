"""Test the agents' list of cases and the pages of one case."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from portal.agent.arrivals import Seen
from portal.database import transaction
from portal.desk import Case, Listed, Priority, Status
from portal.desk.deadlines.promises import Clock
from portal.desk.lists import Row
from portal.timekeeping.entries import TimeEntry, Work
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import Browser
from tests.desk.held import go_out
from tests.forms import form_of
from tests.queries import counted
from tests.world import ADA, GIL, HELPDESK, INCIDENT, INES, MAX

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"


async def open_case(subject: str, by: object = ADA, priority: int = 2) -> Case:
    async with transaction(by):  # type: ignore[arg-type]
        return await Case.open(by=by, subject=subject, text="text", case_type_id=INCIDENT, priority=priority, at=now())  # type: ignore[arg-type]


async def reload(case: Case) -> Case:
    async with transaction(INES):
        return await Case.find(case.number, INES)


def numbers(html: str) -> list[int]:
    """Return the case numbers of a list, from top to bottom."""
    return [int(number) for number in re.findall(r'<tr[^>]* id="case-(\d+)"', html)]


# ---- the list ----


async def test_the_list_shows_every_open_case_newest_change_first(ines: Browser, case: Case) -> None:
    other = await open_case("Switch fails", by=GIL, priority=4)
    answer = await ines.get("/agent/cases")
    assert numbers(answer.text) == [other.number, case.number]
    assert "2 open cases" in answer.text
    assert "Globex" in answer.text
    assert "Nobody" in answer.text


async def test_views_and_filters_narrow_the_list(ines: Browser, case: Case) -> None:
    mine, urgent = await open_case("Mine"), await open_case("Tunnel down", by=GIL, priority=4)
    async with transaction(INES):
        await mine.take(by=INES, at=now())
        await case.change_status(Status.RESOLVED, by=INES, at=now())
    for query, expected in (
        ("view=mine", [mine]), ("view=unassigned", [urgent]), ("view=closed", [case]), ("priority=4", [urgent]), ("text=tunnel", [urgent]),
        (f"text=%23{mine.number}", [mine]), ("customer=2", [urgent]), ("agent=1", [mine]), ("view=waiting", []),
        ("view=nonsense&page=x", [mine, urgent]),
    ):  # fmt: skip
        answer = await ines.get(f"/agent/cases?{query}")
        assert sorted(numbers(answer.text)) == sorted(found.number for found in expected), query


async def test_an_empty_filter_says_so_and_offers_the_way_back(ines: Browser, case: Case) -> None:
    answer = await ines.get("/agent/cases?priority=1&customer=2")
    assert "No case matches" in answer.text
    assert "Clear filters" in answer.text


async def test_a_search_that_finds_nothing_open_leads_to_the_closed_cases(ines: Browser, case: Case) -> None:
    async with transaction(INES):
        await case.change_status(Status.RESOLVED, by=INES, at=now())
    answer = await ines.get("/agent/cases?text=vpn")
    assert "No open case matches" in answer.text
    leads = re.search(r'href="(/agent/cases[^"]*)">Search closed cases', answer.text)
    assert leads
    assert numbers((await ines.get(html.unescape(leads[1]))).text) == [case.number]
    assert "No case matches" in (await ines.get("/agent/cases?view=closed&text=nothing+like+this")).text


async def test_a_number_that_the_view_does_not_hold_leads_to_its_case(ines: Browser, case: Case) -> None:
    async with transaction(INES):
        await case.change_status(Status.RESOLVED, by=INES, at=now())
    for typed in (f"%23{case.number}", f"{case.number},"):
        answer = await ines.get(f"/agent/cases?view=mine&text={typed}")
        assert f"#{case.number} is not in this view" in answer.text
        assert "Its status is Resolved." in answer.text
        assert re.search(rf'href="/agent/cases/{case.number}">Open #{case.number}<', answer.text)
    other = await open_case(f"As in {case.number}")
    answer = await ines.get(f"/agent/cases?text=%23{case.number}")
    assert numbers(answer.text) == [other.number]
    assert f"#{case.number} is not in this view" in answer.text
    for view in ("mine", "all", "closed"):
        for text in ("%23999999", "999999", "%23999999,"):
            answer = await ines.get(f"/agent/cases?view={view}&text={text}")
            assert "There is no case #999999" in answer.text
            assert "is not in this view" not in answer.text


async def test_the_list_is_paged_and_sorted_by_its_heads(ines: Browser, case: Case) -> None:
    for place in range(26):
        await open_case(f"Case {place:02}")
    first, second = await ines.get("/agent/cases"), await ines.get("/agent/cases?page=2")
    assert (len(numbers(first.text)), len(numbers(second.text))) == (25, 2)
    assert "1 to 25 of 27" in first.text
    assert "Next 2" in first.text
    ascending = await ines.get("/agent/cases?sort=number&turned=yes")
    assert numbers(ascending.text)[0] == case.number


async def test_a_case_without_time_shows_a_dash(ines: Browser, case: Case) -> None:
    """A case without time shows a dash for its time instead of a zero."""
    assert re.search(r'<td class="number"[^>]*>–</td>', (await ines.get("/agent/cases")).text)


async def test_a_case_with_time_shows_the_hours_worked_on_it(ines: Browser, case: Case) -> None:
    async with transaction(INES):
        for minutes in (33, 32):
            await TimeEntry.log(
                INES, Work(minutes=minutes, work_date=now().date(), service_id=HELPDESK), at=now(), case=case
            )
    assert re.search(r'<td class="number"[^>]*>1:05</td>', (await ines.get("/agent/cases")).text)


async def test_the_list_asks_at_most_seven_questions(ines: Browser, case: Case) -> None:
    await open_case("Second")
    with counted() as statements:
        await ines.get("/agent/cases")
    assert len(statements) <= 7, statements


async def test_a_new_case_comes_on_top_without_moving_the_rest(ines: Browser, case: Case) -> None:
    """S3.11: a list that is open in a browser adds a new case at its top, marked "Just in"; older rows do not move."""
    second = await open_case("Second")
    page = await ines.get("/agent/cases?sort=number&turned=yes")
    refresh = re.search(r'id="cases" hx-get="([^"]+)"', page.text)
    assert refresh
    new = await open_case("Printer on fire")
    async with transaction(INES):
        await case.change_status(Status.OPEN, by=INES, at=now())
    refreshed = await ines.get(refresh[1].replace("&amp;", "&"))
    assert numbers(refreshed.text) == [new.number, case.number, second.number]
    assert refreshed.text.count("Just in") == 1
    again = re.search(r'id="cases" hx-get="([^"]+)"', refreshed.text)
    assert again
    assert (await ines.get(again[1].replace("&amp;", "&"))).text.count("Just in") == 1
    assert "Just in" not in (await ines.get("/agent/cases")).text


def row(number: int, at: datetime) -> Row:
    return Row(
        number, number, "x", "Acme", "Ada", Status.NEW, Priority.NORMAL, "Normal", None, at, False, False, Clock()
    )


def test_rows_that_move_up_from_the_next_page_go_to_the_end() -> None:
    opened = datetime(2026, 11, 20, 10, tzinfo=UTC)
    seen = Seen((5, 4, 3), frozenset({5}), opened)
    rows = [row(3, opened), row(9, opened + timedelta(minutes=1)), row(1, opened - timedelta(days=1)), row(5, opened)]
    arranged = seen.arranged(Listed(rows, 4, 1), opened + timedelta(minutes=2))
    assert [shown.number for shown in arranged.rows] == [9, 5, 3, 1]
    assert arranged.new == {9, 5}
    assert arranged.query == f"since={int(opened.timestamp())}&shown=9.5.3.1&new=9.5"


@pytest.mark.parametrize("query", [{}, {"since": "x"}, {"since": "-1"}, {"since": "9" * 20}])
def test_an_address_without_a_past_is_a_page_opened_now(query: dict[str, str]) -> None:
    assert Seen.read(query) == Seen()


# ---- opening ----


async def test_an_agent_opens_a_case_for_a_contact(ines: Browser) -> None:
    """S3.3: an agent creates a case for a contact and attaches a file; the case gets the customer's default service."""
    form = await ines.get("/agent/cases/new?customer=1")
    assert "Ada Lindqvist" in form.text
    assert "Gil Moreau" not in form.text
    fields = {"customer": "1", "contact": "1", "subject": "VPN", "body": "By phone", "case_type": "1", "priority": "3"}
    answer = await ines.send_form("/agent/cases/new", fields, files=[("files", ("a.png", PNG, "image/png"))])
    assert answer.status_code == 303
    page = await ines.get(answer.headers["location"])
    assert "a.png" in page.text
    assert "Helpdesk" in page.text


async def test_a_case_is_not_opened_for_a_contact_of_another_customer_than_the_chosen_one(ines: Browser) -> None:
    """R29: a case for a contact who does not belong to the chosen customer is refused.

    Without JavaScript, the form may still offer the contacts of the customer that was chosen before.
    """
    fields = {"customer": "2", "contact": "1", "subject": "VPN", "body": "By phone", "case_type": "1", "priority": "3"}
    answer = await ines.send_form("/agent/cases/new", fields)
    assert answer.status_code == 422
    assert "Choose who asks." in answer.text
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from cases") == 0


async def test_what_is_missing_in_a_new_case_is_said_at_its_field(ines: Browser) -> None:
    answer = await ines.send_form(
        "/agent/cases/new",
        {"customer": "1", "contact": "", "subject": "", "body": "kept text", "case_type": "1", "priority": "2"},
    )
    assert answer.status_code == 422
    assert "Write a few words" in answer.text
    assert "Choose who asks." in answer.text
    assert "kept text" in answer.text
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from cases") == 0


async def test_the_same_form_sent_twice_opens_one_case(ines: Browser) -> None:
    fields = {
        "customer": "1",
        "contact": "1",
        "subject": "VPN",
        "body": "x",
        "case_type": "1",
        "priority": "2",
        "form_key": "0" * 31 + "1",
    }
    first, second = await ines.send_form("/agent/cases/new", fields), await ines.send_form("/agent/cases/new", fields)
    assert first.headers["location"] == second.headers["location"]


# ---- one case ----


async def test_the_page_tells_everything_about_the_case(ines: Browser, case: Case) -> None:
    answer = await ines.get(f"/agent/cases/{case.number}")
    for words in ("VPN drops every 20 minutes", "<strong>Tuesday</strong>", "Ada Lindqvist", "+49 40 555 0148", "Helpdesk", "High", "Take it",
                  "To Ada Lindqvist",
                  "Send, wait for Ada", "Log time", "Ada Lindqvist opened the case"):  # fmt: skip
        assert words in answer.text, words


async def test_a_case_page_asks_at_most_ten_questions(ines: Browser, case: Case) -> None:
    async with transaction(INES):
        for _ in range(5):
            await case.reply(by=INES, text="answer", at=now())
    with counted() as statements:
        await ines.get(f"/agent/cases/{case.number}")
    assert len(statements) <= 10, statements


async def test_a_case_that_is_not_there_is_404(ines: Browser, case: Case) -> None:
    for address in ("9999", "x", "0x1", "%F0%9F%98%80"):
        assert (await ines.get(f"/agent/cases/{address}")).status_code == 404


async def test_a_reply_goes_to_the_customer(ines: Browser, case: Case) -> None:
    answer = await ines.send_form(
        f"/agent/cases/{case.number}/replies", {"kind": "reply", "body": "We look at **it**", "then": "wait"}
    )
    assert answer.status_code == 303
    assert (await reload(case)).stands is Status.WAITING_FOR_CUSTOMER
    page = await ines.get(f"/agent/cases/{case.number}")
    assert "<strong>it</strong>" in page.text
    assert "We wait for Acme" in page.text


async def test_a_note_is_shown_as_internal_and_never_to_the_customer(ines: Browser, case: Case) -> None:
    """D51: an internal note is shown on the agents' page; a query with the rights of Ada, a contact, finds nothing."""
    assert (
        await ines.send_form(f"/agent/cases/{case.number}/notes", {"kind": "note", "body": "their admin is away"})
    ).status_code == 303
    page = await ines.get(f"/agent/cases/{case.number}")
    assert "Internal note" in page.text
    async with transaction(ADA) as tx:
        assert await tx.fetchval("select count(*) from message where text like '%admin is away%'") == 0


@pytest.mark.parametrize("noun", ["replies", "notes"])
async def test_an_empty_message_comes_back_with_a_sentence(ines: Browser, case: Case, noun: str) -> None:
    answer = await ines.send_form(f"/agent/cases/{case.number}/{noun}", {"kind": noun[:5].rstrip("s"), "body": "  "})
    assert answer.status_code == 422
    assert "Write something first." in answer.text
    assert 'aria-describedby="body-wrong"' in answer.text


async def test_a_program_that_calls_itself_a_picture_is_refused_and_the_text_kept(ines: Browser, case: Case) -> None:
    answer = await ines.send_form(
        f"/agent/cases/{case.number}/replies",
        {"body": "see the picture"},
        files=[("files", ("a.png", b"MZ\x90\x00" + b"\0" * 60, "image/png"))],
    )
    assert answer.status_code == 422
    assert "see the picture" in answer.text
    assert 'id="files-wrong"' in answer.text


async def test_a_file_is_saved_from_its_own_case_only(ines: Browser, case: Case) -> None:
    """R28, R56: Ines downloads a file under the URL of its case, as an attachment; the URL of another case gets 404."""
    await ines.send_form(
        f"/agent/cases/{case.number}/replies",
        {"body": "log"},
        files=[("files", ("naïve.log", b"line one\n", "text/plain"))],
    )
    await go_out()
    other = await open_case("Other", by=GIL)
    page = await ines.get(f"/agent/cases/{case.number}")
    address = re.search(r'href="(/agent/cases/\d+/files/[0-9a-f-]+)"', page.text)
    assert address
    answer = await ines.get(address[1])
    assert answer.content == b"line one\n"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert (await ines.get(address[1].replace(str(case.number), str(other.number), 1))).status_code == 404


async def test_taking_a_case_that_somebody_has_is_a_conflict(ines: Browser, max_: Browser, case: Case) -> None:
    """S3.8: Ines takes a case, and doing so twice is harmless; Max, who then tries it, gets 409 with her name."""
    address = f"/agent/cases/{case.number}/assignment"
    assert (await ines.send_form(address, {"take": "yes"})).status_code == 303
    assert (await ines.send_form(address, {"take": "yes"})).status_code == 303
    late = await max_.send_form(address, {"take": "yes"})
    assert late.status_code == 409
    assert "Ines Okafor has this case already." in late.text
    assert (await reload(case)).agent_id == INES.id


async def test_a_case_is_given_to_a_colleague_and_to_nobody(ines: Browser, case: Case) -> None:
    """S3.9: Ines assigns a case to Max and then to nobody; assigning it to an unknown agent is refused with 422."""
    address = f"/agent/cases/{case.number}/assignment"
    assert "Max Herrmann" in (await ines.get(address)).text
    assert (await ines.send_form(address, {"agent": str(MAX.id)})).status_code == 303
    assert (await reload(case)).agent_id == MAX.id
    assert (await ines.send_form(address, {"agent": ""})).status_code == 303
    assert (await reload(case)).agent_id is None
    refused = await ines.send_form(address, {"agent": "999"})
    assert refused.status_code == 422
    assert "Choose an agent who works here." in refused.text


async def test_a_case_of_a_colleague_is_taken_only_by_a_form_that_names_the_colleague(
    ines: Browser, max_: Browser, case: Case
) -> None:
    """The key M opens a form that names Ines, who has the case; by sending the form, Max takes the case over.

    A form that was loaded before somebody else took the case is refused.
    """
    address = f"/agent/cases/{case.number}/assignment"
    await ines.send_form(address, {"take": "yes"})
    assert f'href="{address}" data-key="m"' in (await max_.get(f"/agent/cases/{case.number}")).text
    assert 'data-key="m"' not in (await ines.get(f"/agent/cases/{case.number}")).text
    page = (await max_.get(address)).text
    assert "Ines Okafor has this case." in page
    assert "Take it over" in page
    assert "Take it over" not in (await ines.get(address)).text
    seen = {"take": "yes", "seen": form_of(page, address).fields["seen"][0]}
    for _ in range(2):
        assert (await max_.send_form(address, seen)).status_code == 303
        assert (await reload(case)).agent_id == MAX.id
    assert (await ines.send_form(address, seen)).status_code == 409
    assert (await reload(case)).agent_id == MAX.id


async def test_several_cases_are_taken_at_once_and_the_rest_reported(ines: Browser, case: Case) -> None:
    """D35: Ines takes three ticked cases: the two free ones become hers, and Max's case is reported and stays his."""
    others = await open_case("Others"), await open_case("Others too")
    async with transaction(MAX):
        await others[0].take(by=MAX, at=now())
    answer = await ines.send_form("/agent/cases/assignment", {"case": [str(found.number) for found in (case, *others)]})
    assert answer.status_code == 409
    assert f"#{others[0].number}: Max Herrmann has this case already." in answer.text
    assert "2\xa0cases taken. 1\xa0case was not:" in answer.text
    assert [(await reload(found)).agent_id for found in (case, *others)] == [INES.id, MAX.id, INES.id]
    again = await ines.send_form("/agent/cases/assignment", {"case": str(case.number)})
    assert (again.status_code, again.headers["location"]) == (303, "/agent/cases?view=mine&taken=1")
    assert "1\xa0case taken." in (await ines.get(again.headers["location"])).text
    assert "taken." not in (await ines.get("/agent/cases?view=mine&taken=nonsense")).text


async def test_the_status_menu_moves_the_case(ines: Browser, case: Case) -> None:
    address = f"/agent/cases/{case.number}/status"
    assert (await ines.send_form(address, {"status": "resolved"})).status_code == 303
    assert (await reload(case)).stands is Status.RESOLVED
    for wrong in ("new", "nonsense", ""):
        assert (await ines.send_form(address, {"status": wrong})).status_code == 422
    assert (await reload(case)).stands is Status.RESOLVED


async def test_the_facts_of_a_case_are_changed(ines: Browser, case: Case) -> None:
    address = f"/agent/cases/{case.number}/facts"
    assert "VPN drops" in (await ines.get(address)).text
    answer = await ines.send_form(
        address, {"subject": "Wireless drops", "case_type": "2", "priority": "4", "service": ""}
    )
    assert answer.status_code == 303
    changed = await reload(case)
    assert (changed.subject, changed.case_type_id, changed.urgency, changed.service_id) == (
        "Wireless drops",
        2,
        Priority.URGENT,
        None,
    )
    page = await ines.get(f"/agent/cases/{case.number}")
    assert "set the priority to Urgent" in page.text
    form = await ines.get(f"/agent/time/new?on=case-{case.number}")
    assert "Set the service of the case" in form.text


async def test_a_service_of_another_customer_is_refused(ines: Browser, case: Case) -> None:
    """R29: a service of another customer is refused with 422, and the case keeps its service."""
    answer = await ines.send_form(
        f"/agent/cases/{case.number}/facts",
        {"subject": "kept words", "case_type": "1", "priority": "3", "service": "2"},
    )
    assert answer.status_code == 422
    assert "kept words" in answer.text
    assert (await reload(case)).service_id == 1


async def test_the_hours_left_of_a_cases_service_are_read_after_the_page(ines: Browser, case: Case) -> None:
    """S2.3: the page of a case shows the hours left of its service, which the browser fetches after the page."""
    here = f"/agent/cases/{case.number}"
    assert f'hx-get="{here}/standing"' in (await ines.get(here)).text
    fragment = (await ines.get(f"{here}/standing")).text
    assert fragment.lstrip().startswith('<div id="standing"')
    assert "in this period" in fragment
    assert ", load" not in fragment


async def test_the_feed_refreshes_with_head_and_panel(ines: Browser, case: Case) -> None:
    page = await ines.get(f"/agent/cases/{case.number}")
    assert f'hx-trigger="case-{case.id} from:body, notices from:body, refetch from:body"' in page.text
    with counted() as statements:
        fragment = await ines.get(f"/agent/cases/{case.number}/feed")
    assert fragment.text.lstrip().startswith('<div class="feed" id="feed"')
    assert 'id="case-head" hx-swap-oob' in fragment.text
    assert 'id="details"' in fragment.text
    assert "<html" not in fragment.text
    assert len(statements) <= 6


async def test_a_kept_draft_stands_in_the_composer(ines: Browser, case: Case) -> None:
    await ines.send_form(
        "/drafts", {"address": f"/agent/cases/{case.number}/replies", "kind": "note", "body": "half a thought"}
    )
    page = await ines.get(f"/agent/cases/{case.number}")
    assert "half a thought" in page.text
    assert re.search(r'value="note"[^>]* checked', page.text)
    await ines.send_form(f"/agent/cases/{case.number}/notes", {"kind": "note", "body": "a whole thought"})
    assert "half a thought" not in (await ines.get(f"/agent/cases/{case.number}")).text


PAGES = ("", "/feed", "/assignment", "/facts", "/time")
VERBS = ("/replies", "/notes", "/assignment", "/status", "/priority", "/facts")


async def test_contacts_find_nothing_here_but_the_way_to_their_own_page(ada: Browser, case: Case) -> None:
    for address in ("/agent/cases", "/agent/cases/new"):
        assert (await ada.get(address)).status_code == 404, address
    for page in PAGES:
        answer = await ada.get(f"/agent/cases/{case.number}{page}")
        assert (answer.status_code, answer.headers.get("location")) == (303, f"/cases/{case.number}"), page
    for address in (
        "/agent/cases/new",
        "/agent/cases/assignment",
        *(f"/agent/cases/{case.number}{verb}" for verb in VERBS),
    ):
        assert (await ada.send_form(address, {"body": "x"})).status_code == 404, address


async def test_nobody_is_asked_to_sign_in(app: Gate, case: Case) -> None:
    async with Browser(app) as nobody:
        answer = await nobody.get(f"/agent/cases/{case.number}")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


async def test_the_list_takes_seven_queries_and_a_case_nine(max_: Browser, case: Case) -> None:
    """The list of cases takes at most seven SQL statements, the page of a case nine, and its feed alone six.

    One statement of each page is for the bell (S3.4).
    """
    for path, most in (
        ("/agent/cases?view=all", 7),
        (f"/agent/cases/{case.number}", 9),
        (f"/agent/cases/{case.number}/feed", 6),
    ):
        await max_.get(path)
        with counted() as statements:
            assert (await max_.get(path)).status_code == 200
        assert len(statements) <= most, (path, statements)
