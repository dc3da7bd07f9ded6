"""Test that the unsent text and files of a form survive a refusal, a reload and a second tab, until they are sent."""

import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from portal.database import transaction
from portal.desk.files import attachments
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.browser import Browser
from tests.desk.files import attached, opened
from tests.desk.held import go_out
from tests.world import ADA, ALAN, INCIDENT, INES

NEW = {"subject": "Printer", "body": "It smokes.", "case_type": str(INCIDENT), "priority": "2"}


def key_of(page: httpx.Response) -> str:
    """Return the form key of the first form in the page's `<main>`, because the bar above it has forms too."""
    found = re.search(r'<main.*?name="form_key" value="([^"]+)"', page.text, re.DOTALL)
    assert found
    return found[1]


def kept(page: httpx.Response) -> list[str]:
    return re.findall(r'aria-label="Remove ([^"]+)"', page.text)


def logs(*names: str) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("files", (name, name.encode(), "text/plain")) for name in names]


def stored(settings: Settings) -> list[bytes]:
    folder = Path(settings.storage_url.removeprefix("file://"))
    return sorted(file.read_bytes() for file in folder.iterdir())


PLACES = [
    (ADA, "/cases/new", "", NEW | {"subject": " "}, NEW),
    (INES, "/agent/cases/new?customer=1", "", NEW | {"subject": " ", "contact": "1", "customer": "1"}, NEW | {"contact": "1", "customer": "1"}),
    (ADA, "/cases/1001", "/cases/1001/replies", {"body": " "}, {"body": "See the files."}),
    (INES, "/agent/cases/1001", "/agent/cases/1001/replies", {"body": " "}, {"body": "See the files."}),
    (INES, "/agent/cases/1001", "/agent/cases/1001/notes", {"body": " "}, {"body": "See the files."}),
]  # fmt: skip
"""Each form that keeps files: reader, page, target, values that are refused, and values that are accepted.

An empty target stands for the URL of the draft.
"""


@pytest.mark.parametrize(("reader", "page", "action", "wrong", "right"), PLACES)
async def test_files_survive_a_refusal_and_a_reload_and_are_sent_with_what_was_corrected(
    app: Gate, settings: Settings, reader: Reader, page: str, action: str, wrong: dict[str, str], right: dict[str, str]
) -> None:
    await opened()
    async with await Browser.of(app, reader) as browser:
        key = key_of(await browser.get(page))
        to = action or f"{page.partition('?')[0]}?draft={key}"
        files = [*logs("one.log"), ("files", ("bad.exe", b"text", "")), *logs("two.log")]
        refused = await browser.send_form(to, {"form_key": key} | wrong, files=files)
        assert refused.status_code == 422
        assert "“bad.exe”" in refused.text
        loaded = await browser.get(to, follow_redirects=True)
        assert loaded.status_code == 200
        assert (kept(refused), kept(loaded), key_of(loaded)) == (["one.log", "two.log"], ["one.log", "two.log"], key)
        answer = await browser.send_form(to, {"form_key": key} | right)
        assert answer.status_code == 303, answer.text
        assert kept(await browser.get(page)) == []
    await go_out()
    assert await attached() == ["one.log", "two.log"]
    assert stored(settings) == [b"one.log", b"two.log"]
    async with transaction(INES, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from upload") == 0


async def test_twelve_files_are_ten_and_a_sentence_for_each_of_the_others(app: Gate) -> None:
    await opened()
    names = [f"{number:02}.log" for number in range(12)]
    async with await Browser.of(app, ADA) as browser:
        answer = await browser.send_form(
            "/cases/1001/replies", {"body": "All of them.", "form_key": str(uuid.uuid4())}, files=logs(*names)
        )
        assert answer.status_code == 422
        assert kept(answer) == names[:10]
        for name in names[10:]:
            assert f"“{name}” is left out: a message has at most 10 files." in answer.text
        assert "All of them.</textarea>" in answer.text
        again = await browser.send_form("/cases/1001/replies", {"body": "All of them.", "form_key": key_of(answer)})
        assert again.status_code == 303
    assert await attached() == names[:10]


async def test_a_file_is_kept_as_it_is_chosen_and_can_be_taken_off(app: Gate, settings: Settings) -> None:
    """R60: a file is stored with the draft as soon as it is chosen. When Ada removes the file, its content is deleted."""
    form = {"form_key": str(uuid.uuid4())}
    async with await Browser.of(app, ADA) as browser:
        for name in ("one.log", "two.log"):
            answer = await browser.send_form("/drafts/files?form=/cases/new", form, files=logs(name), hx_request="true")
            assert answer.status_code == 200
        assert kept(answer) == ["one.log", "two.log"]
        refused = await browser.send_form("/drafts/files?form=/cases/new", form, files=logs("x.exe"), hx_request="true")
        assert (refused.status_code, "“x.exe” is a program" in refused.text, "<html" in refused.text) == (
            422,
            True,
            False,
        )
        removal = re.search(r'formaction="(/drafts/files/[^"]+)"', answer.text)
        assert removal
        for _ in range(2):
            answer = await browser.send_form(removal[1], form, hx_request="true")
            assert (answer.status_code, kept(answer)) == (200, ["two.log"])
    assert stored(settings) == [b"two.log"]


async def test_without_a_script_a_file_is_taken_off_and_the_text_stays(app: Gate) -> None:
    await opened()
    async with await Browser.of(app, ADA) as browser:
        for page, action in (("/cases/new", ""), ("/cases/1001", "/cases/1001/replies")):
            key = key_of(await browser.get(page))
            to = action or f"{page}?draft={key}"
            shown = await browser.send_form(to, {"form_key": key, "body": " "}, files=logs("one.log"))
            removal = re.search(r'formaction="(/drafts/files/[^"]+)"', shown.text)
            assert removal
            typed = {"form_key": key, "body": "Typed in the meantime."}
            answer = await browser.send_form(removal[1].replace("&amp;", "&"), typed)
            assert answer.headers["location"] == (to if not action else page)
            shown = await browser.get(answer.headers["location"])
            assert (kept(shown), "Typed in the meantime.</textarea>" in shown.text, key_of(shown)) == ([], True, key)


async def test_somebody_elses_files_are_out_of_reach_for_a_colleague_who_knows_their_keys(
    app: Gate, settings: Settings
) -> None:
    """R29: a colleague who knows the key of a draft's file can neither see, send nor remove that file."""
    await opened()
    form = {"form_key": str(uuid.uuid4())}
    async with await Browser.of(app, ADA) as ada, await Browser.of(app, ALAN) as alan:
        mine = await ada.send_form("/drafts/files?form=/cases/new", form, files=logs("mine.log"), hx_request="true")
        removal = re.search(r'formaction="(/drafts/files/[^"]+)"', mine.text)
        assert removal
        assert kept(await alan.send_form(removal[1], form, hx_request="true")) == []
        assert (await alan.send_form("/cases/new", NEW | form)).status_code == 303
        assert await attached() == []
        assert kept(await ada.send_form("/drafts/files?form=/cases/new", form, hx_request="true")) == ["mine.log"]
    assert stored(settings) == [b"mine.log"]


async def test_two_new_cases_have_a_draft_each(app: Gate) -> None:
    async with await Browser.of(app, ADA) as browser:
        keys = [key_of(await browser.get("/cases/new")) for _ in range(2)]
        assert keys[0] != keys[1]
        for key, subject in zip(keys, ("Printer", "Scanner"), strict=True):
            form = {"address": f"/cases/new?draft={key}", "form_key": key, "subject": subject}
            assert (await browser.send_form("/drafts", form)).status_code == 204
        for key, subject, other in zip(keys, ("Printer", "Scanner"), ("Scanner", "Printer"), strict=True):
            page = await browser.get(f"/cases/new?draft={key}")
            assert f'value="{subject}"' in page.text
            assert f"“{other}”</a>" in page.text
        fresh = await browser.get("/cases/new")
        assert fresh.text.index("“Scanner”") < fresh.text.index("“Printer”")
        assert (await browser.send_form(f"/cases/new?draft={keys[0]}", NEW | {"form_key": keys[0]})).status_code == 303
        await browser.send_form(f"/drafts/removal?form=/cases/new?draft={keys[1]}")
        fresh = await browser.get("/cases/new")
        assert ("Printer" in fresh.text, "Scanner" in fresh.text) == (False, False)


@pytest.mark.parametrize(("page", "own"), [("/cases/new", True), ("/cases/1001", False)])
async def test_a_draft_that_arrives_after_its_form_was_sent_does_not_come_back(app: Gate, page: str, own: bool) -> None:
    await opened()
    async with await Browser.of(app, ADA) as browser:
        key = key_of(await browser.get(page))
        to = f"{page}?draft={key}" if own else f"{page}/replies"
        late = {"address": to, "form_key": key, "body": "It smo"}
        assert (await browser.send_form("/drafts", late)).status_code == 204
        assert (
            await browser.send_form(to, (NEW if own else {"body": "It smokes."}) | {"form_key": key})
        ).status_code == 303
        answer = await browser.send_form("/drafts", late)
        assert (answer.status_code, "was sent already" in answer.text) == (409, True)
        assert "It smo</textarea>" not in (await browser.get(to, follow_redirects=True)).text
        again = late | {"form_key": key_of(await browser.get(page)), "body": "And now"}
        assert (await browser.send_form("/drafts", again)).status_code == 204
        assert (await browser.send_form("/drafts", late)).status_code == 409
        shown = await browser.get(to, follow_redirects=True)
        assert "And now</textarea>" in shown.text


async def test_what_a_contact_has_not_sent_stands_on_the_home_page_and_in_the_list(app: Gate) -> None:
    """Ada's home page links to her unsent reply and her unsent new case, and her list marks the case with the reply.

    Alan's home page shows neither text. Once Ada has sent the reply, the mark is gone.
    """
    await opened()
    async with await Browser.of(app, ADA) as browser, await Browser.of(app, ALAN) as alan:
        assert "Not sent yet" not in (await browser.get("/")).text
        key = key_of(await browser.get("/cases/new"))
        for address, field in (("/cases/1001/replies", "body"), (f"/cases/new?draft={key}", "subject")):
            await browser.send_form("/drafts", {"address": address, "form_key": key, field: f"Half of a {field}"})
        home = (await browser.get("/")).text
        for link in (
            '<a href="/cases/1001#body">Half of a body</a>',
            f'<a href="/cases/new?draft={key}">Half of a subject</a>',
        ):
            assert link in home
        assert "your answer is not sent yet" in (await browser.get("/cases")).text
        assert "Not sent yet" not in (await alan.get("/")).text
        await browser.send_form("/cases/1001/replies", {"form_key": key, "body": "All of it."})
        assert "your answer is not sent yet" not in (await browser.get("/cases")).text


async def test_a_form_that_was_sent_with_other_words_goes_on_as_another_one_with_its_files(app: Gate) -> None:
    await opened()
    async with await Browser.of(app, ADA) as browser:
        key = key_of(await browser.get("/cases/1001"))
        assert (await browser.send_form("/cases/1001/replies", {"body": "First.", "form_key": key})).status_code == 303
        second = {"body": "Second.", "form_key": key}
        answer = await browser.send_form("/cases/1001/replies", second, files=logs("one.log"))
        assert (answer.status_code, kept(answer), key_of(answer) == key) == (422, ["one.log"], False)
        third = await browser.send_form("/cases/1001/replies", second | {"form_key": key_of(answer)})
        assert third.status_code == 303
    assert await attached() == ["one.log"]


async def test_kept_files_count_against_the_customers_share(app: Gate, settings: Settings, monkeypatch: Any) -> None:
    """R58: the files of drafts count towards the customer's storage quota even before they are sent with a message."""
    monkeypatch.setattr(attachments, "QUOTA", 10)
    form = {"form_key": str(uuid.uuid4())}
    async with await Browser.of(app, ADA) as browser:
        for name, status in (("1234.log", 200), ("5.log", 507)):
            answer = await browser.send_form("/drafts/files?form=/cases/new", form, files=logs(name), hx_request="true")
            assert answer.status_code == status
    assert "fill the 20 GB" in answer.text


async def test_one_person_keeps_a_gigabyte_at_most(app: Gate, monkeypatch: Any) -> None:
    """R58: the draft files of one person are limited to one gigabyte."""
    monkeypatch.setattr(attachments, "MAX_WAITING", attachments.MAX_SIZE + 10)
    form = {"form_key": str(uuid.uuid4())}
    async with await Browser.of(app, ADA) as browser:
        for name, status in (("12345678.log", 200), ("b.log", 429)):
            answer = await browser.send_form("/drafts/files?form=/cases/new", form, files=logs(name), hx_request="true")
            assert answer.status_code == status
    assert "Your unsent drafts hold 1 GB of files." in answer.text


@pytest.mark.usefixtures("app")
async def test_files_that_no_message_took_are_swept_after_a_day(app: Gate, settings: Settings) -> None:
    """R60: draft files that were not sent with a message are deleted after a day."""
    form = {"form_key": str(uuid.uuid4())}
    async with await Browser.of(app, ADA) as browser:
        await browser.send_form("/drafts/files?form=/cases/new", form, files=logs("one.log"))
    async with transaction(INES) as tx:
        began = await tx.fetchval("select started_at from upload")
        for at, left in ((began + timedelta(hours=23), [b"one.log"]), (began + timedelta(hours=25), [])):
            await attachments.sweep_uploads(open_storage(settings.storage_url), at - attachments.KEPT_FOR)
            assert stored(settings) == left


async def test_a_text_is_previewed_as_it_will_be_read_and_nothing_is_saved(app: Gate) -> None:
    """The preview is the sanitized HTML that the message will have; a text that is too long gets an error message.

    Nothing is saved.
    """
    for reader in (ADA, INES):
        async with await Browser.of(app, reader) as browser:
            shown = await browser.send_form(
                "/drafts/preview", {"body": "It is **on** <script>x</script>"}, hx_request="true"
            )
            assert "It is <strong>on</strong>" in shown.text
            assert "<script>" not in shown.text
            assert "prose" not in (await browser.send_form("/drafts/preview", {"body": " "}, hx_request="true")).text
            long = await browser.send_form("/drafts/preview", {"body": "x" * 30_001}, hx_request="true")
            assert (long.status_code, "Use at most 30,000 characters" in long.text) == (422, True)
    async with transaction(INES, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from draft") == 0


async def test_a_case_for_a_customer_that_ended_meanwhile_keeps_its_text_and_says_why(app: Gate) -> None:
    """If an agent opens a case for a customer whose access has just ended, the form gets 422 and its text is kept."""
    async with await Browser.of(app, INES) as browser:
        page = await browser.get("/agent/cases/new?customer=1")
        key = key_of(page)
        async with transaction(SYSTEM) as tx:
            await tx.execute("update customer set ended_at = now() where id = 1")
        sent = NEW | {"contact": "1", "customer": "1", "form_key": key}
        answer = await browser.send_form(f"/agent/cases/new?draft={key}", sent)
        assert (answer.status_code, "to correct, then it can be opened" in answer.text) == (422, True)
        assert f'name="draft" value="{key}"' in answer.text
        page = await browser.get(f"/agent/cases/new?draft={key}&customer=2")
        assert "It smokes.</textarea>" in page.text
