"""Test writing in a browser: pasting, choosing files, two tabs, and the form after it was refused."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from portal.desk import Case
from portal.desk.workflow import Status
from tests.desk.files import attached, opened
from tests.e2e.conftest import Visitors
from tests.world import ADA, INES, NOW

pytestmark = pytest.mark.slow

COPY = """async (kinds) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 8 + kinds.length; // the same picture twice would be kept once
  canvas.getContext("2d").fillRect(0, 0, 8, 8);
  const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const all = {
    "text/plain": new Blob(["Kiel\\t12"], { type: "text/plain" }),
    "text/html": new Blob(["<table><tr><td>Kiel<td>12</table>"], { type: "text/html" }),
    "image/png": picture,
  };
  await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(kinds.map((kind) => [kind, all[kind]])))]);
}"""
"""A script that copies a table cell to the clipboard in the formats `kinds`. Excel copies text, HTML and an image."""
DRAFT_MS = 2_000
"""The pause in typing after which a page stores its draft, as in static/js/writing.js."""


async def paste(page: Page, *kinds: str) -> None:
    await page.evaluate(COPY, list(kinds))
    await page.locator("[name=body]").focus()
    await page.keyboard.press("Control+V")


@pytest.mark.parametrize(("email", "place"), [(ADA.email, "/cases/new"), (INES.email, "/agent/cases/1001")])
async def test_text_wins_over_its_picture_and_a_picture_alone_is_attached(
    visitors: Visitors, email: str, place: str
) -> None:
    await opened()
    page = await visitors.signed_in(email)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(place)
    await paste(page, "text/plain", "text/html", "image/png")
    await expect(page.locator("[name=body]")).to_have_value("Kiel\t12")
    await expect(page.locator("#draft-files .file, [data-chosen] li")).to_have_count(0)
    await paste(page, "image/png")
    await expect(page.locator("#draft-files .file")).to_contain_text(["image.png"])
    await expect(page.locator("[name=body]")).to_have_value("Kiel\t12")
    await paste(page, "text/html", "image/png")  # This is an image copied from a page.
    await expect(page.locator("#draft-files .file")).to_have_count(2)
    pictures = page.locator("#draft-files .thumb img")
    await expect(pictures).to_have_count(2)
    assert len({await picture.get_attribute("src") for picture in await pictures.all()}) == 2


async def test_what_leads_to_a_text_field_puts_the_cursor_into_it(visitors: Visitors) -> None:
    """The link *Answer* on a contact's home page, and the pages for a new case, put the cursor into a text field."""
    await opened()
    async with transaction(INES):
        await (await Case.find(1001, INES)).reply(by=INES, text="Which one?", at=NOW, then=Status.WAITING_FOR_CUSTOMER)
    page = await visitors.signed_in(ADA.email)
    await page.get_by_role("link", name="Answer #1001").click()
    await expect(page.locator("#body")).to_be_focused()
    await page.goto("/cases/new")
    await expect(page.locator("#subject")).to_be_focused()
    page = await visitors.signed_in(INES.email)
    await page.goto("/agent/cases/new")
    await page.locator("#caller").fill("lindqvist")
    await page.get_by_role("option", name=ADA.name).click()
    await expect(page.locator("#subject")).to_be_focused()
    await expect(page.get_by_label("They called")).to_be_checked()
    await page.goto("/agent/cases/new")
    await page.locator("#caller").fill("Zelda")
    await page.get_by_role("option", name="New contact “Zelda”").click()
    await page.locator("#customer").fill("acme")
    await page.get_by_role("option", name="Acme").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Zelda")
    await expect(page.get_by_label("Mail address")).to_be_focused()


async def test_files_are_kept_as_they_are_chosen_and_survive_a_refusal(visitors: Visitors, tmp_path: Path) -> None:
    names = ("one.log", "two.log", "bad.exe", "empty.log")
    for name in names:
        (tmp_path / name).write_text("" if name == "empty.log" else name)
    page = await visitors.signed_in(ADA.email)
    await page.goto("/cases/new")
    chosen, kept = page.locator("[data-chosen] li"), page.locator("#draft-files .file")
    await page.locator("[name=files]").set_input_files([tmp_path / name for name in names])
    await expect(kept).to_contain_text(["one.log", "two.log"])
    await expect(chosen).to_have_count(2)
    await expect(chosen.filter(has_text="“bad.exe” is a program, and programs are not taken.")).to_be_visible()
    await expect(chosen.filter(has_text="“empty.log” is empty and is left out.")).to_be_visible()
    await kept.filter(has_text="two.log").get_by_role("button", name="Remove two.log").click()
    await expect(kept).to_contain_text(["one.log"])
    await page.get_by_label("What happens").fill("It smokes.")
    await page.get_by_role("button", name="Send case").click()
    await expect(page.locator("#errors")).to_contain_text("Write a few words")
    await expect(kept).to_contain_text(["one.log"])
    await page.goto(page.url)  # This is like Enter in the address bar.
    await expect(page.get_by_label("What happens")).to_have_value("It smokes.")
    await expect(kept).to_contain_text(["one.log"])
    await page.get_by_label("Subject").fill("Printer")
    await page.locator("[name=files]").set_input_files(tmp_path / "two.log")
    await page.get_by_label("Subject").press("Enter")  # The file is still being uploaded.
    await expect(page).to_have_url(re.compile(r"/cases/1001$"))
    assert await attached() == ["one.log", "two.log"]


async def test_the_eleventh_and_twelfth_file_are_left_out_with_a_sentence(visitors: Visitors, tmp_path: Path) -> None:
    await opened()
    for number in range(12):
        (tmp_path / f"{number:02}.log").write_text("words")
    page = await visitors.signed_in(ADA.email)
    await page.goto("/cases/1001")
    await page.locator("[name=files]").set_input_files([tmp_path / f"{number:02}.log" for number in range(12)])
    await expect(page.locator("#draft-files .file")).to_have_count(10)
    await expect(page.locator("[data-chosen] li")).to_contain_text(
        [
            "“10.log” is left out: a message has at most 10 files.",
            "“11.log” is left out: a message has at most 10 files.",
        ]
    )
    await page.locator("#body").fill("All of them.")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".message .file").last).to_contain_text("09.log")
    assert len(await attached()) == 10


async def test_letters_are_drawn_as_they_were_typed(visitors: Visitors) -> None:
    """Typed text is shown unchanged: `->` is not drawn as an arrow by the font Inter, and `1)` keeps its bracket."""
    await opened()
    async with transaction(INES):
        await (await Case.find(1001, INES)).note(by=INES, text="`->` and -> and =>\n\n1) first", at=NOW)
    page = await visitors.signed_in(INES.email)
    await page.goto("/agent/cases/1001")
    widths = await page.evaluate(
        """() => ["->", "-", ">", "=>", "=", "<-", "<"].map((text) => {
          const span = document.querySelector(".prose").appendChild(document.createElement("span"));
          span.textContent = text;
          return span.getBoundingClientRect().width;
        })"""
    )
    arrow, minus, more, double, equal, back, less = widths
    assert arrow == pytest.approx(minus + more, abs=0.1)
    assert double == pytest.approx(equal + more, abs=0.1)
    assert back == pytest.approx(less + minus, abs=0.1)
    style = await page.locator(".prose ol").evaluate("(list) => getComputedStyle(list).listStyleType")
    assert style == "bracketed"


async def test_a_file_that_the_network_lost_is_sent_again(visitors: Visitors, tmp_path: Path) -> None:
    (tmp_path / "one.log").write_text("words")
    page = await visitors.signed_in(ADA.email)
    await page.goto("/cases/new")
    await page.route("**/drafts/files*", lambda route: route.abort())
    await page.locator("[name=files]").set_input_files(tmp_path / "one.log")
    await expect(page.locator("[data-chosen] li")).to_contain_text("“one.log” could not be sent: no connection.")
    visitors.complaints.clear()  # These are complaints about the lost connection.
    await page.unroute("**/drafts/files*")
    await page.get_by_role("button", name="Send one.log again").click()
    await expect(page.locator("#draft-files .file")).to_contain_text(["one.log"])


async def test_two_tabs_with_a_new_case_have_a_draft_each(visitors: Visitors, tmp_path: Path) -> None:
    (tmp_path / "one.log").write_text("words")
    first = await visitors.signed_in(ADA.email)
    second = await first.context.new_page()
    for page, subject in ((first, "Printer"), (second, "Scanner")):
        await page.clock.install()
        await page.goto("/cases/new")
        await page.get_by_label("Subject").fill(subject)
        await page.clock.run_for(DRAFT_MS)
        await expect(page).to_have_url(re.compile("draft="))
    await first.locator("[name=files]").set_input_files(tmp_path / "one.log")
    await expect(first.locator("#draft-files .file")).to_have_count(1)
    for page, subject, files in ((first, "Printer", 1), (second, "Scanner", 0)):
        await page.reload()
        await expect(page.get_by_label("Subject")).to_have_value(subject)
        await expect(page.locator("#draft-files .file")).to_have_count(files)
    await second.get_by_label("What happens").fill("It is slow.")
    await second.get_by_role("button", name="Send case").click()
    await expect(second).to_have_url(re.compile(r"/cases/1001$"))
    await second.goto("/cases/new")
    await expect(second.get_by_label("Subject")).to_have_value("")
    await second.get_by_role("link", name="“Printer”").click()
    await expect(second.locator("#draft-files .file")).to_have_count(1)


async def test_a_refused_reply_is_found_again_at_the_address_that_it_left(visitors: Visitors) -> None:
    await opened()
    page = await visitors.signed_in(ADA.email)
    await page.goto("/cases/1001")
    await page.locator("#body").fill("x" * 30_001)
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator("#body-wrong")).to_contain_text("Use at most 30,000 characters")
    await expect(page).to_have_url(re.compile("/cases/1001/replies$"))
    await page.goto(page.url)
    await expect(page).to_have_url(re.compile("/cases/1001$"))
    await expect(page.locator("#body")).to_have_value("x" * 30_001)
