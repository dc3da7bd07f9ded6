"""Test the contacts' case pages over HTTP without JavaScript: what they can do, what is refused, and what stays hidden."""

import asyncio
import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Case, Status
from portal.errors import TooMany
from portal.storage import open_storage
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import Browser
from tests.desk.files import upload
from tests.queries import counted
from tests.world import ADA, ALAN, GIL, INES, MAX, NOW

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 5000
KEY = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
NEW = {"subject": "VPN drops", "body": "Every **20** minutes.", "case_type": "1", "priority": "3"}
SECRET = "zanzibar-between-us"


async def opened(by: Any = ADA, **more: Any) -> Case:
    async with transaction(by):
        values = {"subject": "VPN drops", "text": "Every **20** minutes.", "case_type_id": 1, "priority": 3, "at": NOW}
        return await Case.open(by=by, **(values | more))


async def rows(sql: str) -> list[Any]:
    async with transaction(INES) as tx:
        return [tuple(row) for row in await tx.fetch(sql)]


async def nothing_changes() -> list[Any]:
    return [
        await rows(f"select * from {table} order by 1")
        for table in ("cases", "message", "attachment", "case_event", "outbox")
    ]


async def test_a_contact_opens_a_case_with_files_and_reads_it(app: Gate) -> None:
    """Ada opens a case with two files and sees it on its page.

    The media type of a file is determined from its content, not from what the browser says.
    """
    async with await Browser.of(app, ADA) as browser:
        form = await browser.get("/cases/new")
        assert form.status_code == 200
        assert 'enctype="multipart/form-data"' in form.text
        answer = await browser.send_form(
            "/cases/new",
            NEW | {"form_key": str(uuid.uuid4())},
            files=[
                ("files", ("vpn-error.png", PNG, "text/html")),
                ("files", ("client.log", b"08:12 started", "image/png")),
            ],
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases/1001")
        shown = await browser.get("/cases/1001")
    for text in (
        "#1001",
        "VPN drops",
        "<strong>20</strong>",
        "vpn-error.png",
        "client.log",
        "Incident",
        "High",
        "Helpdesk",
        "We owe you a reply",
    ):
        assert text in shown.text
    assert await rows("select name, media_type, size from attachment order by position") == [
        ("vpn-error.png", "image/png", len(PNG)),
        ("client.log", "application/octet-stream", 13),
    ]


async def test_the_form_sent_twice_opens_one_case(app: Gate) -> None:
    async with await Browser.of(app, ADA) as browser:
        key = re.search(r'name="form_key" value="([^"]+)"', (await browser.get("/cases/new")).text)
        assert key
        for _ in range(2):
            assert (await browser.send_form("/cases/new", NEW | {"form_key": key[1]})).headers[
                "location"
            ] == "/cases/1001"
    assert len(await rows("select 1 from cases")) == 1


async def test_a_refused_form_comes_back_with_what_was_typed_and_says_everything_at_once(app: Gate) -> None:
    """A refused form of a new case reports all problems at once, and keeps the text and the accepted files."""
    before = await nothing_changes()
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.send_form(
            "/cases/new",
            NEW | {"subject": " ", "body": "It <drops> & drops."},
            files=[
                ("files", ("printer.png", b"MZ\x90\0\3" + b"\0" * 9000, "image/png")),
                ("files", ("fine.log", b"x", "text/plain")),
            ],
        )
    assert answer.status_code == 422
    for text in (
        "Two things to correct", "Write a few words", "“printer.png” is a program, and programs are not taken. Remove it.",
        "It &lt;drops&gt; &amp; drops.", "fine.log", "Remove fine.log", '<option value="3" selected>High',
    ):  # fmt: skip
        assert text in answer.text
    assert await nothing_changes() == before


async def test_nothing_can_be_set_that_the_form_does_not_show(app: Gate) -> None:
    """R30: a request with a field that the form does not have is refused with 400 and changes nothing."""
    case = await opened()
    before = await nothing_changes()
    async with await Browser.of(app, ADA) as browser:
        for field in ("contact", "customer_id", "status", "agent_id", "service_id", "number", "opened_at"):
            for path, fields in (
                ("/cases/new", NEW),
                (f"/cases/{case.number}/replies", {"body": "x"}),
                (f"/cases/{case.number}/closure", {}),
            ):
                assert (await browser.send_form(path, fields | {field: "1"})).status_code == 400, (path, field)
    assert await nothing_changes() == before


async def test_choices_that_are_none_are_refused(app: Gate) -> None:
    """R29: a case type or priority that is not offered is refused with 422, and no case is created."""
    async with await Browser.of(app, ADA) as browser:
        for field, value in (
            ("case_type", "99"),
            ("case_type", "x"),
            ("case_type", ""),
            ("priority", "9"),
            ("priority", "-1"),
            ("priority", "1e309"),
        ):
            answer = await browser.send_form("/cases/new", NEW | {field: value})
            assert (answer.status_code, "Choose one" in answer.text) == (422, True), (field, value)
    assert await rows("select * from cases") == []


async def test_a_type_for_agents_only_is_not_offered_to_contacts_and_refused_from_them(app: Gate) -> None:
    """S3.11: a case type for agents only is neither offered to Ada nor accepted from her; Ines can use it for her.

    The database too refuses a case of this type from Ada.
    """
    async with transaction(INES) as tx:
        await tx.execute("update case_type set for_contacts = false where id = 3")
    before = await nothing_changes()
    async with await Browser.of(app, ADA, at=app.clock()) as browser:
        assert "Our mistake" not in (await browser.get("/cases/new")).text
        answer = await browser.send_form("/cases/new", NEW | {"case_type": "3"})
        assert answer.status_code == 422
        assert "Choose one from the list." in answer.text
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ADA) as tx:
            await tx.execute(
                "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
                " values (1, 1, 'x', 3, 1, 'new', $1, $1)",
                NOW,
            )
    assert await nothing_changes() == before
    assert (await opened(INES, contact_id=ADA.id, case_type_id=3)).case_type_id == 3


async def test_a_contact_answers_and_the_case_is_ours_again(app: Gate) -> None:
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="On a cable too?", at=NOW, then=Status.WAITING_FOR_CUSTOMER)
    async with await Browser.of(app, ADA) as browser:
        shown = await browser.get("/cases/1001")
        assert "It is your turn" in shown.text
        assert "Goes to Halden IT" in shown.text
        answer = await browser.send_form(
            "/cases/1001/replies", {"body": "Only on **wireless**."}, files=[("files", ("a.log", b"x", ""))]
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases/1001")
        shown = await browser.get("/cases/1001")
    assert "<strong>wireless</strong>" in shown.text
    assert "It is our turn" in shown.text
    assert "a.log" in shown.text


async def test_an_empty_answer_and_a_wrong_file_are_refused_at_the_composer(app: Gate) -> None:
    await opened()
    before = await nothing_changes()
    async with await Browser.of(app, ADA) as browser:
        empty = await browser.send_form("/cases/1001/replies", {"body": " "})
        wrong = await browser.send_form(
            "/cases/1001/replies", {"body": "see file"}, files=[("files", ("a.exe", b"text", ""))]
        )
    assert (empty.status_code, "Write something first." in empty.text) == (422, True)
    assert (wrong.status_code, "“a.exe” is a program, and programs are not taken." in wrong.text) == (422, True)
    assert "see file</textarea>" in wrong.text
    assert await nothing_changes() == before


async def test_closing_and_opening_again_work_and_a_repeat_is_harmless(app: Gate) -> None:
    await opened()
    async with await Browser.of(app, ADA) as browser:
        for verb, status, words in (
            ("closure", "closed", "This case is closed"),
            ("closure", "closed", "This case is closed"),
            ("reopening", "open", "It is our turn"),
            ("reopening", "open", "It is our turn"),
        ):
            assert (await browser.send_form(f"/cases/1001/{verb}")).headers["location"] == "/cases/1001"
            assert await rows("select status from cases") == [(status,)]
            assert words in (await browser.get("/cases/1001")).text
    assert await rows("select count(*) from case_event where kind = 'status'") == [(2,)]


async def test_a_file_is_only_ever_a_download(app: Gate, settings: Any) -> None:
    """R56: a file is served only as a download, even an SVG image that contains a script."""
    name = 'Größe "x".svg'
    file = await upload(open_storage(settings.storage_url), ADA, name, b"<svg onload='alert(1)'/>")
    await opened(files=[file])
    async with await Browser.of(app, ADA) as browser:
        address = re.search(r'href="(/cases/1001/files/[^"]+)"', (await browser.get("/cases/1001")).text)
        assert address
        answer = await browser.get(address[1])
    assert (answer.status_code, answer.content) == (200, b"<svg onload='alert(1)'/>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%22x%22.svg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["content-length"] == "24"
    assert "no-store" in answer.headers["cache-control"]


async def every_address(settings: Any) -> list[tuple[str, str]]:
    """Create a case with a file as Ada, and add an internal note with another file as Ines.

    Return method and URL of every route of the case and of both files.
    """
    storage = open_storage(settings.storage_url)
    case = await opened(files=[await upload(storage, ADA)])
    noted = await upload(storage, INES, f"{SECRET}.log")
    async with transaction(INES):
        await case.note(by=INES, text=SECRET, files=[noted], at=NOW)
    ((public,), (internal,)) = await rows("select id from attachment order by message_id")
    return [
        ("GET", "/cases/1001"),
        ("POST", "/cases/1001/replies"),
        ("POST", "/cases/1001/closure"),
        ("POST", "/cases/1001/reopening"),
        ("GET", f"/cases/1001/files/{public}"),
        ("GET", f"/cases/1001/files/{internal}"),
    ]


@pytest.mark.parametrize("stranger", [GIL, ALAN, INES, MAX], ids=["Gil", "Alan", "Ines", "Max"])
async def test_a_strangers_case_is_not_there_at_any_address(app: Gate, settings: Any, stranger: Any) -> None:
    """R25, R57: contacts who may not see a case get 404 for each of its URLs, with the same response as an unknown number.

    A GET request of an agent, who may see the case, is redirected to the page of the case in the agents' area.
    """
    addresses = await every_address(settings)
    before = await nothing_changes()
    async with await Browser.of(app, stranger) as browser:
        for method, path in addresses:
            answers = []
            for address in (path, path.replace("1001", "9999")):
                answer = await (
                    browser.get(address)
                    if method == "GET"
                    else browser.send_form(address, {"body": "x"} if "replies" in path else {})
                )
                answers.append(
                    (
                        answer.status_code,
                        re.sub(
                            r"[0-9a-f]{16}|nonce=\S+|value=\S+|Token\S+ \S+|snapshot=[0-9:,]*", "", answer.text
                        ).replace("1001", "9999"),
                        answer.headers.get("location"),
                    )
                )
            if stranger.is_agent and method == "GET":  # redirected to the agents' area
                assert [(status, there) for status, _, there in answers] == [(303, "/agent/cases/1001"), (404, None)], (
                    path
                )
                continue
            assert answers[0][0] == 404, path
            assert len(answers[0][1]) == len(answers[1][1]), path
    assert await nothing_changes() == before


async def test_nobody_is_asked_to_sign_in(app: Gate, settings: Any) -> None:
    before_paths = await every_address(settings)
    before = await nothing_changes()
    async with Browser(app) as browser:
        for method, path in [
            *before_paths,
            ("GET", "/"),
            ("GET", "/cases"),
            ("GET", "/cases/new"),
            ("POST", "/cases/new"),
        ]:
            answer = await (browser.get(path) if method == "GET" else browser.send_form(path, {"body": "x"}))
            assert (answer.status_code, answer.headers.get("location", "").split("?")[0]) == (303, "/sign-in"), path
    assert await nothing_changes() == before


async def test_a_note_and_its_file_are_nowhere_that_a_contact_can_look(app: Gate, settings: Any) -> None:
    """R27: neither the text of an internal note nor its file is in any response to the contact of the case."""
    addresses = await every_address(settings)
    async with await Browser.of(app, ADA) as browser:
        for path in ["/", "/cases", "/cases?show=all", *(path for method, path in addresses if method == "GET")]:
            answer = await browser.get(path)
            assert SECRET not in answer.text, path
            assert answer.status_code == (404 if path == addresses[-1][1] else 200), path


async def test_ids_of_a_chain_cannot_be_mixed(app: Gate, settings: Any) -> None:
    """R28: Ada gets 404 for a file under the URL of another case of her own."""
    addresses = await every_address(settings)
    await opened(subject="Another one")
    async with await Browser.of(app, ADA) as browser:
        assert (await browser.get(addresses[4][1])).status_code == 200
        assert (await browser.get(addresses[4][1].replace("1001", "1002"))).status_code == 404
        assert (await browser.get("/cases/1001/files/not-an-id")).status_code == 404


async def test_a_number_that_is_none_is_404(app: Gate) -> None:
    """R51: a URL whose case number is malformed or too large gets 404."""
    async with await Browser.of(app, ADA) as browser:
        for number in ("0", "-1", "1e3", "%27", "x", "1001%00", "99999999999999999999"):
            assert (await browser.get(f"/cases/{number}")).status_code == 404, number


async def test_home_says_what_waits_and_leads_agents_to_their_list(app: Gate) -> None:
    case = await opened()
    await opened(subject="Printer")
    await opened(GIL, subject=SECRET)
    async with await Browser.of(app, ADA) as browser:
        assert "Nothing waits for you" in (await browser.get("/")).text
        async with transaction(INES):
            await case.reply(by=INES, text="On a cable too?", at=NOW, then=Status.WAITING_FOR_CUSTOMER)
        home = await browser.get("/")
    for text in (
        "One case waits for you",
        "“On a cable too?”",
        "/cases/1001#body",
        "Printer",
        "All 2\N{NO-BREAK SPACE}cases",
    ):
        assert text in home.text
    assert SECRET not in home.text
    async with await Browser.of(app, GIL) as browser:
        assert ">All cases<" in (await browser.get("/")).text
    async with await Browser.of(app, INES) as browser:
        assert (await browser.get("/")).headers["location"] == "/agent/cases"


async def test_the_list_shows_open_cases_or_all_and_says_when_there_are_none(app: Gate) -> None:
    """R26: Ada lists the open cases or all cases of her own customer only, and an empty list says so.

    Alan, who may see only his own cases, does not see hers.
    """
    async with await Browser.of(app, ADA) as browser:
        assert "No open cases" in (await browser.get("/cases")).text
        assert "No cases yet" in (await browser.get("/cases?show=all")).text
        case = await opened()
        await opened(GIL, subject=SECRET)
        async with transaction(ADA):
            await case.close(by=ADA, at=NOW)
        await opened(ALAN, subject="Printer")
        shown, everything = await browser.get("/cases"), await browser.get("/cases?show=all")
        assert ("Printer" in shown.text, "VPN drops" in shown.text, SECRET in shown.text) == (True, False, False)
        assert ("Printer" in everything.text, "VPN drops" in everything.text, SECRET in everything.text) == (
            True,
            True,
            False,
        )
        for page in ("2", "0", "-1", "x", "99999999999"):
            assert (await browser.get(f"/cases?show=all&page={page}")).status_code == 200
    async with await Browser.of(app, ALAN) as browser:
        assert "VPN drops" not in (await browser.get("/cases?show=all")).text


async def test_a_long_case_is_shown_in_stretches(app: Gate) -> None:
    case = await opened()
    async with transaction(ADA):
        for number in range(55):
            await case.reply(by=ADA, text=f"number {number}.", at=NOW)
    async with await Browser.of(app, ADA) as browser:
        newest = await browser.get("/cases/1001")
        earlier = re.search(r'href="(/cases/1001\?before=[^"]+)"', newest.text)
        assert earlier
        before = await browser.get(earlier[1])
        assert ("number 54." in newest.text, "number 4." in newest.text) == (True, False)
        assert ("number 54." in before.text, "number 4." in before.text) == (False, True)
        assert (await browser.get("/cases/1001?before=';--")).status_code == 200


async def test_what_was_typed_and_never_sent_is_there_again(app: Gate) -> None:
    """Text that Ada typed into a form and did not send is in the form again; once the form is sent, it is gone."""
    await opened()
    async with await Browser.of(app, ADA) as browser:
        for address, shown, field in (
            (f"/cases/new?draft={KEY}", f"/cases/new?draft={KEY}", "subject"),
            ("/cases/1001/replies", "/cases/1001", "body"),
        ):
            await browser.send_form("/drafts", {"address": address, field: "typed before"})
            assert "typed before" in (await browser.get(shown)).text
        await browser.send_form("/cases/1001/replies", {"body": "sent now"})
        assert "typed before" not in (await browser.get("/cases/1001")).text


async def test_pages_cost_few_queries_whatever_they_show(app: Gate, settings: Any) -> None:
    """The page of a case, the list of cases, the home page and the form of a new case take few SQL statements.

    They take 7, 4, 9 and 6 statements, including those for the session and for the count of unread notices.
    """
    await every_address(settings)
    for number in range(8):
        await opened(subject=f"Case {number}")
    async with await Browser.of(app, ADA) as browser:
        costs = {}
        for path in ("/cases/1001", "/cases", "/", "/cases/new"):
            with counted() as statements:
                assert (await browser.get(path)).status_code == 200
            costs[path] = len(statements)
    assert costs == {"/cases/1001": 7, "/cases": 4, "/": 9, "/cases/new": 6}


async def test_a_get_changes_nothing(app: Gate, settings: Any) -> None:
    """R36: a GET request to a page, a case or a file in the contacts' area changes no row."""
    addresses = await every_address(settings)
    before = await nothing_changes()
    async with await Browser.of(app, ADA) as browser:
        for path in ["/", "/cases", "/cases/new", *(path for method, path in addresses if method == "GET")]:
            await browser.get(path)
        for method, path in addresses:
            if method == "POST":
                assert (await browser.get(path)).headers["location"] == "/cases/1001"
    assert await nothing_changes() == before


async def test_a_file_over_the_limit_is_refused_in_the_form_and_nothing_of_it_stays(app: Gate, settings: Any) -> None:
    """R58: a file above 25 MB is refused and deleted; the text and the other two files of the form stay in the form."""
    await opened()
    before = await nothing_changes()
    sizes = [("a.log", 3), ("big.log", 26_300_000), ("b.log", 4)]
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.send_form(
            "/cases/1001/replies", {"body": "see the video"}, files=[("files", (name, b"x" * size, "")) for name, size in sizes],
        )  # fmt: skip
    assert answer.status_code == 422
    for text in (
        "see the video</textarea>",
        "“big.log” has more than 25 MB and is left out.",
        "Remove a.log",
        "Remove b.log",
    ):
        assert text in answer.text
    assert await nothing_changes() == before
    assert sorted(file.stat().st_size for file in stored(settings)) == [3, 4]


def stored(settings: Any) -> list[Path]:
    return list(Path(settings.storage_url.removeprefix("file://")).iterdir())


async def test_a_contact_opens_thirty_cases_an_hour_and_the_text_of_the_next_is_kept(app: Gate) -> None:
    """R83: a contact's thirty-first case within an hour gets 429 with the waiting time, and the typed text is kept.

    Colleagues and agents can still open cases. The contact can open the next case an hour after the first.
    """
    at = now()
    for number in range(30):
        await opened(at=at - timedelta(minutes=59) + timedelta(seconds=number))
    before = await nothing_changes()
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.send_form(
            f"/cases/new?draft={KEY}", NEW | {"subject": "The thirty-first", "form_key": KEY}
        )
        assert (answer.status_code, int(answer.headers["retry-after"]) <= 60) == (429, True)
        assert (
            "You have opened 30 cases within an hour. What you typed is kept: send it again in 1 minute" in answer.text
        )
        assert 'value="The thirty-first"' in answer.text
        assert await nothing_changes() == before
        assert 'value="The thirty-first"' in (await browser.get(f"/cases/new?draft={KEY}")).text
    await opened(by=ALAN, at=at)
    await opened(by=INES, at=at, contact_id=ADA.id)
    await opened(at=at + timedelta(seconds=61))
    with pytest.raises(TooMany):
        await opened(at=at + timedelta(seconds=60))


async def test_of_forty_cases_at_once_thirty_are_opened(app: Gate) -> None:
    """R83: of forty cases that Ada opens at the same moment, thirty are opened and ten are refused."""
    at = now()
    outcomes = await asyncio.gather(*(opened(at=at) for _ in range(40)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(TooMany) == 10
    assert await rows("select count(*) from cases") == [(30,)]
