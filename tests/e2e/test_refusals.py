"""Test bad input over HTTP and in a browser: each form shows a clear error message and nothing is changed.

Other refusals are tested elsewhere: two managers who approve at once (tests/agent/test_approvals.py), 413 during an
upload (tests/e2e/test_served.py), changes made in the meantime (tests/agent/test_time.py), refused passwords
(tests/web/test_invitations.py).
"""

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from portal.database import transaction
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings
from portal.storage import open_storage
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.states import submit
from portal.web.gate import Gate
from tests.browser import Browser
from tests.checksums import checksums
from tests.e2e.conftest import Visitors
from tests.forms import form_of, send
from tests.places import PNG, Places, furnished
from tests.world import ADA, HELPDESK, INES, MAX, NOOR, NOW, PASSWORD

NOT_LOOKED_AT = ("session.last_used_at", "attempt", "draft", "upload")
"""Tables that a refusal may change: counted attempts, drafts, and uploaded files that belong to no message yet."""
LIMIT = 25 * 1024 * 1024
NEW_TIME = "/agent/time/new"
PROGRAM = b"MZ\x90\x00" + b"\x00" * 60


async def of_max(service: int | None = HELPDESK) -> TimeEntry:
    """Create a submitted time entry of Max and return it."""
    async with transaction(MAX):
        entry = await TimeEntry.log(MAX, Work(minutes=30, work_date=NOW.date(), service_id=service), at=NOW)
        await submit(MAX, [entry.id], at=NOW)
    return entry


def refused(
    places: Places, own: TimeEntry, draft: int
) -> list[tuple[Reader | None, str, str, dict[str, Any], int, str]]:
    """Return forms that must be refused: reader, page, target, typed values, expected status and error message.

    An empty page means that the form is sent without loading its page, as from a page that was loaded long before.
    """
    here, waits = f"/agent/cases/{places.case.number}", places.entries["submitted"]
    log = f"{NEW_TIME}?on=case-{places.case.number}"
    new: dict[str, Any] = {"subject": "Printer", "body": "It smokes."}
    time: dict[str, Any] = {"duration": "1h", "billing": "billable"}
    late = "This day is still to come: time is logged once it was worked."
    big, program = ("big.log", b"a" * (LIMIT + 1024 * 1024), "text/plain"), ("screen.png", PROGRAM, "image/png")
    return [
        (None, "/sign-in", "/sign-in", {"email": ADA.email, "password": "wrong"}, 422, "is not right"),
        (None, "/sign-in", "/sign-in", {"email": "nobody@acme.example", "password": PASSWORD}, 422, "is not right"),
        (ADA, "/cases/new", "/cases/new", new | {"subject": "  "}, 422, "Write a few words"),
        (ADA, "/cases/new", "/cases/new", new | {"files": [("files", big)]}, 422, "“big.log” has more than 25 MB and is left out."),
        (ADA, "/cases/new", "/cases/new", new | {"files": [("files", program)]}, 422, "is a program, and programs are not taken"),
        (INES, here, f"{here}/notes", {"body": " "}, 422, "Write something first."),
        (INES, log, NEW_TIME, time | {"duration": "1h 90m"}, 422, "Minutes beside hours go up to 59"),
        (INES, log, NEW_TIME, time | {"duration": "-5"}, 422, "Time cannot be negative."),
        (INES, log, NEW_TIME, time | {"duration": "25h"}, 422, "One entry holds at most 24"),
        (INES, log, NEW_TIME, time | {"work_date": str(NOW.date() + timedelta(days=1))}, 422, late),
        (INES, log, NEW_TIME, {"duration": "soon"}, 422, "Write the time as 1h 30m"),
        (MAX, "/agent/approvals", "/agent/approvals", {"entry": f"{own.id}:1"}, 403, "This is your own time."),
        (MAX, "/agent/approvals", "/agent/approvals", {"entry": f"{waits.id}:1"}, 422, "There is no rate for Ines Okafor under “Helpdesk”"),
        (MAX, "/agent/approvals", "/agent/rejections", {"entry": f"{waits.id}:1", "reason": ""}, 422, "Say why"),
        (MAX, "", "/agent/billing/runs", {"until": "2027-01-01", "customer": "1"}, 422, "Billing goes up to tomorrow at most."),
        (MAX, "", f"/agent/drafts/{draft}/issue", {}, 409, "It is issued already, as 2026-0147."),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("clock")
async def test_each_refusal_is_a_sentence_and_changes_nothing(app: Gate, dsn: str) -> None:
    places, own = await furnished(app.storage), await of_max()
    async with transaction(SYSTEM) as tx:
        await tx.execute("insert into role (name) values ('Without a rate')")
        await tx.execute("update agent set role_id = (select max(id) from role) where id = $1", INES.id)
        draft = await tx.fetchval("select id from invoice where number = '2026-0147'")
    wrong = []
    browsers = {None: Browser(app), **{reader: await Browser.of(app, reader, at=NOW) for reader in (ADA, INES, MAX)}}
    before = await checksums(dsn, NOT_LOOKED_AT)
    for reader, address, action, typed, status, sentence in refused(places, own, draft):
        browser = browsers[reader]
        answer = await (
            send(browser, await browser.get(address), action, **typed) if address else browser.send_form(action, typed)
        )
        said = html.unescape(answer.text)
        kept = [
            value
            for name, value in typed.items()
            if name in ("subject", "body", "duration", "email") and value.strip() and status == 422
        ]
        if (answer.status_code, sentence in said, all(value in said for value in kept)) != (status, True, True):
            wrong.append(
                (
                    action,
                    {name: str(value)[:40] for name, value in typed.items()},
                    answer.status_code,
                    said[said.find("<main") :],
                )
            )
        if await checksums(dsn, NOT_LOOKED_AT) != before:
            wrong.append((action, typed, "something changed", ""))
            before = await checksums(dsn, NOT_LOOKED_AT)
    for browser in browsers.values():
        await browser.aclose()
    assert wrong == []


FORMS = [
    (ADA, "/cases/new", "/cases/new", {"subject": "Printer", "body": "It smokes.", "priority": "4"}),
    (ADA, "/cases/{number}", "/cases/{number}/replies", {"body": "It smokes again."}),
    (INES, "/agent/cases/{number}", "/agent/cases/{number}/replies", {"body": "Is it on fire?"}),
    (INES, "/agent/cases/{number}", "/agent/cases/{number}/notes", {"kind": "note", "body": "It is on fire."}),
    (INES, "/agent/time/new?on=case-{number}", NEW_TIME, {"duration": "1h 30m", "external_comment": "Put out", "billing": "no_charge"}),
    (INES, "/agent/time/new?on=general-1", NEW_TIME, {"duration": "0:45", "description": "Fire drill"}),
    (INES, "/agent/cases/new?customer=1", "/agent/cases/new", {"subject": "Sprinkler", "body": "Wet."}),
    (NOOR, "/agent/customers/new", "/agent/customers/new", {"name": "Umbrella", "city": "Bonn"}),
]  # fmt: skip
"""Forms sent after the session ended: the reader, the page, the target and the typed values."""


@pytest.mark.slow
@pytest.mark.usefixtures("clock")
async def test_what_was_typed_when_the_session_ended_is_there_after_signing_in(app: Gate, dsn: str) -> None:
    """A form that is sent after the session has ended is kept as the sender's unsent text, and shown after sign-in.

    The files of the form must be chosen again, and nothing else is stored.
    """
    places = await furnished(app.storage)
    before = await checksums(dsn, (*NOT_LOOKED_AT, "session", "audit", "notice", "outbox"))
    for reader, page, action, typed in FORMS:
        where, to = page.format(number=places.case.number), action.format(number=places.case.number)
        async with await Browser.of(app, reader, at=NOW) as browser:
            shown = await browser.get(where)
            async with transaction(None) as tx:
                await tx.execute("update session set last_used_at = last_used_at - interval '2 hours'")
            files = [("files", ("screen.png", PNG, "image/png"))] if "files" in form_of(shown.text, to).names else None
            answer = await send(browser, shown, to, files=files, **typed)
            assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?"), to
            door = await browser.get(answer.headers["location"])
            answer = await send(browser, door, "/sign-in", email=reader.email, password=PASSWORD)
            again = await browser.get(answer.headers["location"])
            fields = form_of(again.text, to).fields
            assert again.url.path == where.partition("?")[0]
            assert {name: fields[name][-1] for name in typed} == typed, to
            assert ("Your files have to be chosen again." in again.text) is bool(files), to
            async with transaction(None) as tx:
                await tx.execute("delete from draft")
    assert await checksums(dsn, (*NOT_LOOKED_AT, "session", "audit", "notice", "outbox")) == before


@pytest.mark.slow
async def test_a_browser_shows_each_kind_of_refusal_and_loses_no_word(
    visitors: Visitors, settings: Settings, tmp_path: Path
) -> None:
    """A browser keeps all typed text if a renamed program is refused, a file is left out, or the session has ended."""
    big, empty, program = tmp_path / "big.log", tmp_path / "empty.log", tmp_path / "screen.png"
    empty.touch()
    big.write_bytes(b"a" * (LIMIT + 1024 * 1024))
    program.write_bytes(PROGRAM)
    places = await furnished(open_storage(settings.storage_url), datetime.now(UTC))
    ada = await visitors.signed_in(ADA.email)
    await ada.goto("/cases/new")
    await ada.get_by_label("Subject").fill("Printer")
    await ada.get_by_label("What happens").fill("It smokes.")
    await ada.locator("[name=files]").set_input_files(program)
    chosen, kept = ada.locator("[data-chosen] li"), ada.locator("#draft-files .file")
    await expect(chosen).to_contain_text("is a program, and programs are not taken")
    await ada.get_by_label("Subject").fill(" ")
    await ada.get_by_role("button", name="Send case").click()
    await expect(ada.locator("#errors")).to_contain_text("Write a few words")
    await expect(ada.locator("#errors")).to_be_focused()
    await expect(ada.get_by_label("What happens")).to_have_value("It smokes.")
    good = tmp_path / "good.log"
    good.write_text("all is well")
    await ada.locator("[name=files]").set_input_files([big, empty, good])
    await expect(chosen).to_contain_text(
        ["“big.log” has more than 25\u00a0MB and is left out.", "“empty.log” is empty and is left out."]
    )
    await expect(kept).to_contain_text(["good.log"])
    await expect(ada.get_by_label("What happens")).to_have_value("It smokes.")

    ines = await visitors.signed_in(INES.email)
    await ines.goto(places.address("/agent/cases/{number}"))
    await ines.locator("#composer").get_by_text("Note").first.click()
    await ines.locator("#body").fill("It is on fire.")
    async with transaction(None) as tx:
        await tx.execute("update session set ended_at = now()")
    await ines.get_by_role("button", name="Save note").click()
    await expect(ines).to_have_url(re.compile("/sign-in"))
    await ines.locator("[name=email]").fill(INES.email)
    await ines.locator("[name=password]").fill(PASSWORD)
    await ines.get_by_role("button", name="Sign in").click()
    await expect(ines.locator("#body")).to_have_value("It is on fire.")
    await expect(ines.get_by_role("button", name="Save note")).to_be_visible()
    await expect(ines.locator("#feed .note")).to_have_count(1)
