"""Test the way from a case to an invoice, with several people in several windows, beginning with an empty database.

Everything is done through the pages, as people do it. Changes made in one window appear in the others without a reload.
If PORTAL_PICTURES names a folder, each step saves a screenshot there.
"""

import csv
import io
import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect
from pypdf import PdfReader

from portal.database import transaction
from portal.people.agents import create_admin
from portal.people.readers import SYSTEM
from tests.desk.held import go_out
from tests.e2e.conftest import Visitors
from tests.world import PASSWORD

pytestmark = pytest.mark.slow

ZONE = "Europe/Berlin"
SECRET = "internal-marker"
"""A word that every internal text of this test contains. No page or file for contacts may contain this word."""
COMMENT = "Certificate of the gateway renewed"
REASON = f"{SECRET}: say which site it was"
LOG = b"08:12 started\n08:32 no route to host\n"
PDF_TEXTS = [
    "Halden IT GmbH", "Hafenstraße 7", "20457 Hamburg", "DE100000008", "Acme GmbH", "Speicherweg 12", "DE100000016", "4500-7731",
    "DE02 1203 0000 0000 2020 51", "Hanse Bank", "2026-0147", "Helpdesk", "142.50", "27.08", "169.58",
]  # fmt: skip


@pytest.fixture
async def dsn(empty_dsn: str) -> str:
    """Create the admin Noor in an empty database, as `portal admin create` does, and return the URL of its owner role."""
    async with transaction(SYSTEM):
        await create_admin(
            name="Noor Haddad", address="noor@desk.example", password=PASSWORD, zone=ZONE, at=datetime.now(UTC)
        )
    return empty_dsn


async def picture(page: Page, name: str) -> None:
    """Save a screenshot of the whole page, if PORTAL_PICTURES names a folder."""
    if folder := os.environ.get("PORTAL_PICTURES"):
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def fill(page: Page, form: str = "main form", **fields: str | bool) -> None:
    """Fill in form fields by name: text, the value or label of a choice, or True or False for a checkbox."""
    for name, value in fields.items():
        field = page.locator(f"{form} [name={name}]")
        kind = await field.first.evaluate("field => field.type")
        if kind == "radio":
            await page.locator(f"{form} [name={name}][value={value}]").check()
        elif isinstance(value, bool):
            await field.set_checked(value)
        elif kind.startswith("select"):
            await field.select_option(value)
        else:
            await field.fill(value)


async def press(page: Page, button: str, within: str = "main") -> None:
    """Click the first button or link with this label inside the element `within`."""
    place = page.locator(within)
    await place.get_by_role("button", name=button).or_(place.get_by_role("link", name=button)).first.click()


async def sign_in(page: Page, email: str) -> None:
    """Sign in through the sign-in page with this mail address."""
    await page.goto("/sign-in")
    await fill(page, email=email, password=PASSWORD)
    await press(page, "Sign in")
    await expect(page).not_to_have_url(re.compile("sign-in"))


@pytest.fixture
def served_with() -> dict[str, str]:
    """Return the variables of a portal without a mail server, whose pages therefore show invitation links to copy."""
    return {"PORTAL_SMTP_URL": ""}


async def invitation(page: Page) -> str:
    """Return the invitation link from the page, which shows it only once."""
    link = await page.locator("#link").input_value()
    assert "/invitations/" in link
    return link


async def accept(page: Page, link: str) -> None:
    """Open an invitation link and choose a password there, which also signs the person in."""
    await page.goto(link)
    await fill(page, password=PASSWORD, again=PASSWORD)
    await press(page, "Save password and sign in")
    await expect(page).not_to_have_url(re.compile("invitations"))


async def downloaded(page: Page, link: str) -> bytes:
    """Return the content of the file that a link downloads."""
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name=link).first.click()
    return (await (await waiting.value).path()).read_bytes()


async def attached(page: Page, name: str) -> bytes:
    """Open the preview of the first file of this name in a case's feed, download it, and return its content."""
    file = page.locator("#feed .shown-file", has_text=name).first
    await file.locator("summary").click()
    async with page.expect_download() as waiting:
        await file.get_by_role("link", name="Download").click()
    return (await (await waiting.value).path()).read_bytes()


async def set_up_the_portal(page: Page) -> dict[str, str]:
    """Step 0: set up the company, a role with its rate, an agent, a manager and two customers with a contact each.

    Return the invitation links by first name.
    """
    month = (date.today().replace(day=1) - timedelta(days=40)).isoformat()  # noqa: DTZ011 - any day well before today will do
    links = {}
    await page.goto("/agent/setup")
    await expect(page.locator("h1")).to_have_text("What is missing before the first invoice?")
    await press(page, "Set up the company")
    await fill(
        page, name="Halden IT", legal_name="Halden IT GmbH", street="Hafenstraße 7", postcode="20457", city="Hamburg", country="DE",
        vat_id="DE 100 000 008", email="office@desk.example", bank_name="Hanse Bank", iban="DE02 1203 0000 0000 2020 51", bic="BYLADEM1001",
        currency="EUR", time_zone=ZONE, first_number="2026-0147",
    )  # fmt: skip
    await picture(page, "0-company")
    await press(page, "Save company")
    await press(page, "Add a role")
    await fill(page, name="Consultant", hourly_rate="95", effective_from=month)
    await press(page, "Add role")
    await expect(page.locator("main")).to_contain_text("€95.00 an hour")
    for name, email, grade in (
        ("Ines Okafor", "ines@desk.example", "agent"),
        ("Max Herrmann", "max@desk.example", "manager"),
    ):
        await page.goto("/agent/setup/agents/new")
        await fill(page, name=name, email=email, grade=grade, role_id="Consultant", time_zone=ZONE)
        await press(page, "Add agent")
        links[name.split()[0]] = await invitation(page)
    await picture(page, "0-invitation")
    links |= {
        "Ada": await a_customer(page, "Acme", "Ada Lindqvist", month),
        "Gil": await a_customer(page, "Globex", "Gil Moreau", month),
    }
    await page.goto("/agent/setup")
    await expect(page.locator("#first-steps .chip.good")).to_have_count(6)
    await picture(page, "0-set-up")
    return links


async def a_customer(page: Page, name: str, contact: str, start: str) -> str:
    """Create a customer, a contract that begins on `start`, a service and a contact; return the contact's invitation link."""
    await page.goto("/agent/customers/new")
    await fill(
        page, name=name, legal_name=f"{name} GmbH", street="Speicherweg 12", postcode="20457", city="Hamburg", country="DE", vat_id="DE100000016"
    )  # fmt: skip
    await press(page, "Add customer")
    await press(page, "Add a contract")
    await fill(page, name="Support 2026", start_on=start, vat_rate="19", payment_days="14", order_reference="4500-7731")
    await press(page, "Add contract")
    await fill(page, name="Helpdesk", rollup="service", rounding_increment="15", rounding_mode="up")
    await press(page, "Add service")
    await press(page, "Add a contact")
    await fill(
        page, name=contact, email=f"{contact[:3].lower()}@{name.lower()}.example", sees_all_cases=True, sees_invoices=True, time_zone=ZONE
    )  # fmt: skip
    await press(page, "Add contact")
    link = await invitation(page)
    await press(page, "Done")
    await expect(page.locator("main")).to_contain_text("Every type")
    await picture(page, f"0-customer-{name}")
    return link


async def open_a_case(page: Page) -> str:
    """Step 1: a contact opens a case with two files. Return the case's number."""
    await page.goto("/cases/new")
    await fill(
        page,
        subject="VPN drops every 20 minutes",
        body="Since **Tuesday**:\n\n- Kiel\n- Hamburg\n",
        case_type="Incident",
        priority="High",
    )
    screen = await page.screenshot()
    await page.locator("main [name=files]").set_input_files(
        [
            {"name": "screen.png", "mimeType": "image/png", "buffer": screen},
            {"name": "client.log", "mimeType": "text/plain", "buffer": LOG},
        ]
    )
    await expect(page.locator("[data-chosen] .file")).to_have_count(2)
    await picture(page, "1-new-case")
    await press(page, "Send case")
    await expect(page).to_have_url(re.compile(r"/cases/[A-Z0-9-]+$"))
    await expect(page.locator("#feed strong", has_text="Tuesday")).to_be_visible()
    await expect(page.locator("#feed .message .file")).to_have_count(2)
    await picture(page, "1-case")
    return page.url.rsplit("/", 1)[1]


async def work_on_it(page: Page, number: str) -> None:
    """Step 2: the agent takes over the case, reads the files, writes a note and a reply, and logs time twice."""
    await page.get_by_role("link", name="VPN drops every 20 minutes").click()
    await expect(page.locator("#case-head")).to_contain_text("Noor Haddad")  # Assigned by the rules of dispatch.
    await page.goto(f"/agent/cases/{number}/assignment")
    await page.get_by_label("Agent").select_option("Ines Okafor")
    await press(page, "Assign")
    await expect(page.locator("#case-head")).to_contain_text("Ines Okafor")
    assert await attached(page, "client.log") == LOG
    assert (await attached(page, "screen.png")).startswith(b"\x89PNG")
    await page.locator("#composer").get_by_text("Note", exact=False).first.click()
    await fill(page, "#composer", body=f"{SECRET}: their old gateway again.")
    await press(page, "Save note")
    await expect(page.locator("#feed .note")).to_contain_text("their old gateway")
    await fill(page, "#composer", body="We renew the certificate now.")
    await press(page, "Send reply")
    await expect(page.locator("#feed")).to_contain_text("We renew the certificate now.")
    await go_out()
    await page.locator("body").press("l")
    log = page.locator("#log-panel")
    await expect(log.locator("[name=service] option:checked")).to_have_text(re.compile("^Helpdesk, "))
    await expect(log.locator("[name=billing]:checked")).to_have_value("billable")
    await fill(page, "#log-time", duration="1h 30m", external_comment=COMMENT, description=f"{SECRET}: with Jonas")
    await expect(log.locator("#understood")).to_contain_text("1\xa0h\xa030\xa0min")
    await expect(log.locator("#will-see")).to_contain_text(COMMENT)
    await picture(page, "2-case")
    await press(page, "Log time", "#log-time")
    await expect(page.locator("#feed .entry")).to_have_count(1)
    await expect(log).to_be_hidden()  # The feed may show the entry before the panel closes.
    await page.locator("body").press("l")
    await fill(
        page, "#log-time", duration="0:20", billing="not_billable", external_comment=f"{SECRET}: read the manual"
    )
    await press(page, "Log time", "#log-time")
    await expect(page.locator("#feed .entry")).to_have_count(2)
    await expect(page.locator("#feed .entry").first).to_contain_text("1\xa0h\xa030\xa0min · Helpdesk")
    await expect(page.locator("#details")).to_contain_text("not submitted")


async def submit(page: Page) -> None:
    """Step 2, continued: the agent submits both time entries."""
    await page.goto("/agent/time")
    await page.get_by_label("Tick all").check()
    await picture(page, "2-time")
    await press(page, "Submit 2")
    await expect(page).to_have_url(re.compile("state=submitted"))
    await expect(page.locator("main .chip", has_text="Submitted")).to_have_count(2)


async def decide(page: Page) -> None:
    """Step 3: the manager approves the first entry and rejects the second one with a reason."""
    await page.goto("/agent/approvals")
    rows = page.locator("tr[data-row]")
    await expect(rows).to_have_count(2)
    for row, ticked in (("1:30", True), ("0:20", False)):
        await rows.filter(has_text=row).get_by_role("checkbox").set_checked(ticked)
    await picture(page, "3-approvals")
    await press(page, "Approve 1")
    await expect(rows).to_have_count(1)
    await rows.get_by_role("checkbox").check()
    await press(page, "Reject R")
    await page.locator("dialog[open] [name=reason]").fill(REASON)
    await picture(page, "3-reject")
    await page.locator("dialog[open]").get_by_role("button", name="Reject").click()
    await expect(page.locator("main")).to_contain_text("Nothing waits for you")


async def bill(page: Page) -> str:
    """Step 4: the manager previews billing up to tomorrow, drafts the invoice and issues it; return its number."""
    await page.goto("/agent/billing")
    latest = await page.locator("#until").get_attribute("max")
    assert latest == (datetime.now(ZoneInfo(ZONE)).date() + timedelta(days=1)).isoformat()
    await page.locator("#until").fill(latest)
    await press(page, "Change date")
    await expect(page.locator("main")).to_contain_text("€142.50")
    await picture(page, "4-preview")
    await press(page, "Make 1")
    await press(page, "Look at 1")
    await page.locator("#invoices").get_by_role("link", name="Acme").click()
    await expect(page.locator("main")).to_contain_text("Draft for Acme")
    await expect(page.locator("main")).to_contain_text("€169.58")
    await picture(page, "4-draft")
    await press(page, "Issue for")
    await page.locator("dialog[open]").get_by_role("button", name="Issue").click()
    await expect(page).to_have_url(re.compile(r"/agent/invoices/[A-Z0-9-]+$"))
    await picture(page, "4-invoice")
    return page.url.rsplit("/", 1)[1]


async def read_the_invoice(page: Page, number: str) -> None:
    """Step 5: the invoice appears in the contact's open window; the contact reads it and downloads its PDF and CSV."""
    await page.get_by_role("link", name=number).click()
    main = page.locator("main")
    for words in (f"Invoice {number}", "€169.58", "Helpdesk", "19\xa0%", "27.08", "DE02 1203 0000 0000 2020 51"):
        await expect(main).to_contain_text(words)
    lines = page.locator(".invoice-lines > tbody > tr:not(.explained)")
    await expect(lines).to_have_count(1)
    await expect(lines).not_to_contain_text(COMMENT)
    await picture(page, "5-invoice")
    today = datetime.now(ZoneInfo(ZONE)).date()
    pdf = await downloaded(page, "Invoice (PDF)")
    text = " ".join(" ".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(pdf)).pages).split())
    for words in PDF_TEXTS:
        assert words in text, (words, text)
    for day in (today, today + timedelta(days=14)):  # These are the supply period and the due date.
        assert re.search(rf"\b{day.day} {day:%b}\w* {day.year}", text), (day, text)
    assert COMMENT not in text
    assert SECRET not in text
    rows = list(
        csv.DictReader(io.StringIO((await downloaded(page, "Time detail (CSV)")).decode("utf-8-sig"), newline=""))
    )
    assert [(row["Comment"], row["Minutes"], row["Amount"]) for row in rows] == [(COMMENT, "90", "142.50")]


async def nothing_internal_in(page: Page, start: list[str]) -> set[str]:
    """Request, as the contact, the URLs `start` and every URL that is reached from there by links; return all of them.

    Assert that each response is 200 and has neither internal text nor the minutes that are not billable.
    """
    todo, seen = list(start), set(start)
    while todo:
        answer = await page.context.request.get(todo[0])
        body = await answer.body()
        assert answer.status == 200, todo[0]
        assert SECRET.encode() not in body, todo[0]
        assert not re.search(rb"(?<!\d)0:20", body), todo[0]
        if "html" in answer.headers["content-type"]:
            found = {
                href.replace("&amp;", "&").partition("#")[0] for href in re.findall(r'href="(/[^"]*)"', body.decode())
            }
            new = {href for href in found - seen if href and not href.startswith("/static/")}
            seen |= new
            todo += new
        todo.pop(0)
    return seen


async def test_from_a_case_to_an_invoice(visitors: Visitors) -> None:
    """Noor sets the portal up, Ada opens a case, Ines works on it, and Max approves the time and issues an invoice.

    No page or file that Ada can reach shows internal text. Gil, of another customer, gets 404 for Ada's case, files and
    invoice. Neither Ada nor Gil can open a page of the agents' area.
    """
    noor, ines, max_, ada, gil = [await visitors.page() for _ in range(5)]
    await sign_in(noor, "noor@desk.example")
    links = await set_up_the_portal(noor)
    for page, name in ((ines, "Ines"), (max_, "Max"), (ada, "Ada"), (gil, "Gil")):
        await accept(page, links[name])

    await ines.goto("/agent/cases?view=all")
    number = await open_a_case(ada)
    await expect(ines.locator("#cases tr.just-in")).to_contain_text("VPN drops every 20 minutes")
    await picture(ines, "2-list")
    await max_.goto(f"/agent/cases/{number}")
    await work_on_it(ines, number)
    await expect(ada.locator("#feed")).to_contain_text("We renew the certificate now.")
    await expect(ada.locator("#turn")).to_contain_text("Ines Okafor")
    await expect(ada.locator("#readers")).to_contain_text("Goes to Ines Okafor")
    await expect(ada.locator("#feed")).not_to_contain_text(SECRET)
    await expect(max_.locator("#feed .entry")).to_have_count(2)
    await picture(ada, "5-reply")
    await submit(ines)

    await ines.goto(f"/agent/cases/{number}")
    await decide(max_)
    await expect(ines.locator("#feed")).to_contain_text(REASON)
    await expect(ines.locator("#feed .chip", has_text="Approved")).to_have_count(1)
    await picture(ines, "3-reason")

    await ada.goto("/invoices")
    invoice = await bill(max_)
    assert invoice == "2026-0147"
    await read_the_invoice(ada, invoice)
    reached = await nothing_internal_in(ada, ["/", "/cases?show=all", f"/cases/{number}"])
    assert {f"/invoices/{invoice}", f"/invoices/{invoice}/invoice.pdf", f"/invoices/{invoice}/detail.csv"} < reached

    theirs = sorted(one for one in reached if re.search(r"\d", one) and "?" not in one)
    assert sum("/files/" in one for one in theirs) == 4  # Two files, each with its preview.
    for address in theirs:
        assert (await gil.context.request.get(address)).status == 404, address
    agents = [
        "cases",
        f"cases/{number}",
        "time",
        "approvals",
        "billing",
        "invoices",
        f"invoices/{invoice}",
        "customers",
        "setup",
    ]
    for address in agents:
        for page in (ada, gil):
            answer = await page.context.request.get(f"/agent/{address}")
            if page is ada and re.search(r"\d", address):  # Ada is redirected to the customers' page.
                assert answer.url.endswith(f"/{address}"), address
                assert "/agent/" not in answer.url, address
            else:
                assert answer.status == 404, address
    for address in ("approvals", "billing", "invoices", "setup"):
        assert (await ines.context.request.get(f"/agent/{address}")).status == 403, address
    await gil.goto(f"/cases/{number}")
    await expect(gil.locator("h1")).to_have_text("There is nothing here for you")
    await picture(gil, "6-not-there")
    await ines.goto("/agent/billing")
    await picture(ines, "6-forbidden")
