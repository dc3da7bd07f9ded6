"""Test the page of the audit log: how it describes changes, its filters and pages, and its CSV file."""

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from portal import audit, billing
from portal.audit import sentences
from portal.audit.changes import Change
from portal.audit.log import KINDS
from portal.audit.names import REFERENCES
from portal.contracts.company import Company
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.contracts.rates import Rate, RateFacts
from portal.database import transaction
from portal.desk.leaving import end_contact
from portal.people.access import credentials, invitations
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.people.customers import Customer
from portal.people.departments import designate
from portal.people.readers import SYSTEM
from portal.people.roles import Role, RoleName
from portal.people.working.hours import HoursFacts, WorkingHours
from portal.personal.erasing import erase
from portal.timekeeping.policy.switches import TimeRules
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser, text_of
from tests.faults.verbs import issue, token_of
from tests.people.test_shared_logins import at_globex
from tests.world import ACME, ADA, CONSULTANT, GLOBEX, INES, MAX, NOOR, NOW, PASSWORD, SUPPORT

PATH = "/agent/setup/changes"


async def told(noor: Browser, query: str = "") -> str:
    """Return the text of the table of changes, without tags, or "" if the page has no table.

    `query` is the query of the page's URL and begins with a question mark.
    """
    page = (await noor.get(PATH + query)).text
    body = re.search(r"<tbody.*</tbody>", page, re.DOTALL)
    return re.sub(r" (’s|,|\.)", r"\1", text_of(body[0])) if body else ""


async def rights() -> None:
    contact = await Contact.find(ADA.id, SYSTEM)
    facts = await contact.facts()
    facts.sees_invoices = False
    await contact.change(facts, NOW)
    facts.sees_invoices = True
    await contact.change(facts, NOW)


async def grade() -> None:
    agent = await Agent.find(INES.id)
    facts = await agent.facts()
    facts.grade = "manager"
    await agent.change(facts, NOW)


async def rate() -> None:
    await Rate.create(
        RateFacts(
            hourly_rate="120",
            currency="EUR",
            effective_from="2030-01-01",
            customer_id=str(ACME),
            role_id=str(CONSULTANT),
        ),
        NOW,
    )


async def exact_rate() -> None:
    await Rate.create(
        RateFacts(hourly_rate="99.5555", currency="EUR", effective_from="2030-01-01", customer_id=str(ACME)), NOW
    )


async def approves() -> None:
    await designate(INES.id, [SUPPORT])


async def bank() -> None:
    facts = await (await Company.needed()).facts()
    facts.iban, facts.bic, facts.bank_name = "DE89370400440532013000", "", "Another bank"
    await Company.set_up(facts)


async def hours() -> None:
    await WorkingHours.arrange(INES.id, HoursFacts(effective_from="2026-01-01", monday="8h"))
    await WorkingHours.arrange(INES.id, HoursFacts(effective_from="2026-01-01", monday="6h"))


async def role() -> None:
    await (await Role.find(CONSULTANT, hold=True)).rename(RoleName(name="Adviser").name)


async def rules() -> None:
    for locked in ("", "2026-10-31"):
        facts = (await TimeRules.find()).facts
        facts.requires_comment, facts.locked_through, facts.lock_time_zone = (
            "yes" if locked else "",
            locked,
            "Europe/Berlin",
        )
        await TimeRules.change(facts)


async def links() -> None:
    await invitations.invite(INES.credential_id, NOW)
    await invitations.mail(ADA.credential_id, "reset", NOW)


async def dates() -> None:
    contact = await Contact.find(ADA.id, SYSTEM)
    facts = await contact.facts()
    facts.locale = "de_CH"
    await contact.change(facts, NOW)


async def offer() -> None:
    await ServiceTemplate.create(TemplateFacts(name="Care 20", currency="EUR"))
    template = next(one for one in await ServiceTemplate.listed() if one.name == "Care 20")
    await template.change(TemplateFacts(name="Care 20", currency="EUR", rounding_increment="30"))


WORDS = [
    (offer, "Noor Haddad changed the template of services “Care 20”"),
    (links, "Noor Haddad invited Ines Okafor"),
    (links, "Noor Haddad sent Ada Lindqvist a link for a new password"),
    (dates, "format of dates and numbers of Ada Lindqvist from English (United Kingdom) to German (Switzerland)"),
    (rights, "Noor Haddad gave Ada Lindqvist the right to see invoices"),
    (rights, "Noor Haddad took from Ada Lindqvist the right to see invoices"),
    (grade, "Noor Haddad changed the grade of Ines Okafor from agent to manager"),
    (rate, "Noor Haddad set the hourly rate of Consultant for Acme to €120.00 from 1 Jan 2030 on"),
    (exact_rate, "Noor Haddad set the hourly rate for Acme to 99.5555 EUR from 1 Jan 2030 on"),
    (approves, "Noor Haddad let Ines Okafor approve time of Support"),
    (bank, "Noor Haddad changed the bank, BIC and IBAN of our company"),
    (hours, "Noor Haddad changed Ines Okafor’s working hours on Monday from 8 h to 6 h"),
    (role, "Noor Haddad changed the name of the role Adviser"),
    (rules, "Noor Haddad set the last day that is locked in the rules of time to Sat 31 Oct"),
    (rules, "switched on “Time needs an external comment” in the rules of time"),
]


@pytest.mark.parametrize(("act", "sentence"), WORDS, ids=[words[:60] for _, words in WORDS])
async def test_a_change_is_described_in_a_sentence_with_names(noor: Browser, act: Any, sentence: str) -> None:
    """R89: the audit log says in sentences who did what, and names people and things instead of ids and columns."""
    async with transaction(NOOR):
        await act()
    assert sentence in (await told(noor)).replace("\u00a0", " ")


async def test_a_link_is_described_without_the_columns_of_its_table(noor: Browser) -> None:
    """R89: changes of mailed links, such as invitations, are described without the columns in which they are stored."""
    async with transaction(NOOR):
        await links()
    text = await told(noor)
    assert not [word for word in ("By agent", "Made by", "Kind:", "Mail:", "invitation", "waiting") if word in text]


async def test_the_names_in_a_sentence_link_to_their_pages(noor: Browser) -> None:
    async with transaction(NOOR):
        await rights()
    page = (await noor.get(PATH)).text
    for path, name in (
        (f"/agent/setup/agents/{NOOR.id}", NOOR.name),
        (f"/agent/customers/{ACME}/contacts/{ADA.id}", ADA.name),
    ):
        assert f'<a href="{path}">{name}</a>' in page
        assert (await noor.get(path)).status_code == 200


async def test_a_password_that_a_link_changed_is_described_without_naming_a_column(app: Gate, noor: Browser) -> None:
    """R89: Ada sets a new password by a link, without being signed in: the log names her, but no column of a table."""
    async with transaction(None):
        token = await invitations.begin_reset(ADA.credential_id, app.clock())
    password = "violet kettle under seven bridges"
    async with Browser(app) as browser:
        sent = await browser.send_form(f"/password-resets/{token}", {"password": password, "again": password})
    assert sent.status_code == 303
    text = await told(noor)
    assert "Ada Lindqvist’s password was changed by a link in a mail" in text
    assert "A link to set Ada Lindqvist’s password was used or ended" in text
    assert "hash" not in text


async def test_an_accepted_invitation_is_not_told_as_a_changed_password(app: Gate, noor: Browser) -> None:
    """R89: if Ada accepts a second customer's invitation with her present password, the log shows no new password."""
    async with transaction(NOOR):
        contact = await Contact.create(await Customer.find(GLOBEX, NOOR), at_globex("Ada at Globex"), app.clock())
        token = await contact.invite(app.clock())
    async with Browser(app) as browser:
        assert (await browser.send_form(f"/invitations/{token}", {"password": PASSWORD})).status_code == 303
    text = await told(noor)
    assert "Ada at Globex accepted an invitation" in text
    assert "password was changed" not in text


async def test_an_erasure_is_not_told_as_a_changed_password(app: Gate, noor: Browser) -> None:
    """R89: if Ada is erased at Acme and keeps her access to Globex, the log does not say that her password changed."""
    async with transaction(NOOR):
        contact = await Contact.create(await Customer.find(GLOBEX, NOOR), at_globex("Ada at Globex"), app.clock())
        token = await contact.invite(app.clock())
    await credentials.join(token, PASSWORD, address="192.0.2.1", at=app.clock())
    async with transaction(NOOR):
        await end_contact(await Contact.find(ADA.id, NOOR, hold=True), successor_id=None, by=NOOR, at=app.clock())
    async with transaction(NOOR):
        await erase(await Contact.find(ADA.id, NOOR, hold=True), ADA.name, app.storage, app.clock())
    text = await told(noor)
    assert "Noor Haddad gave Ada at Globex the password of another access of theirs" in text
    assert "changed Ada at Globex’s password" not in text


async def test_a_person_who_changes_their_own_data_is_named_once(noor: Browser) -> None:
    async with transaction(NOOR):
        await WorkingHours.arrange(NOOR.id, HoursFacts(effective_from="2026-01-01", monday="8h"))
    assert "Noor Haddad set their own working hours on Monday to 8" in await told(noor)


async def test_decisions_on_time_name_the_agent_the_day_and_the_customer(noor: Browser) -> None:
    async with transaction(INES):
        entry = await log()
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.withdraw(entry.id, by=MAX, at=NOW)
    text = await told(noor, "?kind=time")
    assert re.search(r"Max Herrmann approved Ines Okafor’s time of .{5,20} for Acme", text)
    assert re.search(r"Max Herrmann withdrew the approval of Ines Okafor’s time of .{5,20} for Acme", text)


async def test_documents_and_downloads_are_named(noor: Browser) -> None:
    prepared = await issue()
    async with transaction(MAX):
        invoice = await billing.issue(int(prepared.about), by=MAX, at=NOW)
        await billing.hand_out("pdf", invoice)
    text = await told(noor, "?kind=documents")
    assert f"Max Herrmann issued invoice {invoice.number}" in text
    assert f"Max Herrmann downloaded invoice {invoice.number} as a pdf file" in text
    assert "ran billing up to" in text


async def test_what_was_deleted_since_is_said_to_be_deleted(noor: Browser) -> None:
    async with transaction(NOOR):
        await rate()
        (made,) = [one for one in await Rate.listed() if one["effective_from"] == date(2030, 1, 1)]
        await (await Rate.find(made["id"])).withdraw()
    text = await told(noor)
    assert "deleted the hourly rate of Consultant for Acme of €120.00 from 1 Jan 2030 on" in text
    assert "set the hourly rate of Consultant for Acme to €120.00" in text


async def test_every_recorded_table_has_words_and_a_kind(dsn: str) -> None:
    """R89: if the changes of a table are recorded, the log has sentences for the table, and the filter has its kind."""
    owner = await asyncpg.connect(dsn)
    rows = await owner.fetch(
        "select distinct tgrelid::regclass::text as name from pg_trigger where tgname like 'recorded%'"
    )
    await owner.close()
    spoken = {key.partition(".")[0] for key in sentences.ACTIONS} | set(sentences.SUBJECTS)
    kinds = {table for _, tables in KINDS.values() for table in tables.split()}
    recorded = {row["name"] for row in rows}
    assert recorded - spoken == set()
    assert recorded - kinds == set()


async def test_every_reference_of_a_recorded_table_is_named_or_left_out(dsn: str) -> None:
    """R89: if the changes of a table are recorded, the log shows each foreign key as a name or not at all."""
    owner = await asyncpg.connect(dsn)
    rows = await owner.fetch(
        "select distinct k.conrelid::regclass::text as recorded, a.attname from pg_constraint k"
        " join pg_trigger g on g.tgrelid = k.conrelid and g.tgname like 'recorded%'"
        " join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey) where k.contype = 'f'"
    )
    await owner.close()
    columns = [(row["recorded"], row["attname"]) for row in rows if row["attname"].endswith("_id")]
    assert ("invitation", "made_by_id") in columns
    assert [one for one in columns if one[1] not in REFERENCES and not sentences.is_unsaid(*one)] == []


async def test_changes_are_filtered_by_person_thing_kind_and_day(noor: Browser) -> None:
    """R89: Noor lists the changes by one person, about one thing, of one kind or of some days.

    If no change matches, the page says so and offers to show all changes.
    """
    async with transaction(NOOR):
        await rights()
        await grade()
    async with transaction(INES):
        entry = await log()
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
    by_max = await told(noor, "?who_typed=max")
    assert "Max Herrmann approved" in by_max
    assert "Noor Haddad" not in by_max
    about_ada = await told(noor, "?thing_typed=lindqvist")
    assert "the right to see invoices" in about_ada
    assert "grade" not in about_ada
    about_ines = await told(noor, "?thing_typed=Ines+Okafor")
    assert "grade of Ines" in about_ines
    assert "approved Ines Okafor’s time" in about_ines
    assert "invoices" not in about_ines
    assert "approved" in await told(noor, "?thing_typed=Acme&kind=time")
    access = await told(noor, "?kind=access")
    assert "grade" in access
    assert "approved" not in access
    async with transaction(SYSTEM) as tx:
        day = (await tx.fetchval("select max(at) from audit")).date()
    assert "approved" in await told(noor, f"?from={day - timedelta(days=1)}&until={day + timedelta(days=1)}")
    for query in (f"?from={day + timedelta(days=3)}", f"?until={day - timedelta(days=3)}", "?thing=2147483647"):
        page = await noor.get(PATH + query)
        assert "No such change" in page.text, query
        assert "Show all changes" in page.text


async def test_a_text_that_means_nothing_or_several_is_answered_with_a_sentence(noor: Browser) -> None:
    assert "There is no person with “nobody” in its name." in (await noor.get(f"{PATH}?who_typed=nobody")).text
    several = (await noor.get(f"{PATH}?thing_typed=e")).text
    assert "choose one" in several
    link = re.search(rf'href="({PATH}\?[^"]*thing=\d+)"', several)
    assert link
    assert (await noor.get(link[1].replace("&amp;", "&"))).status_code == 200
    for nonsense in (
        "?who=x&thing=-1",
        f"?thing={'9' * 18}",
        "?from=0001-01-01&until=9999-12-31",
        "?kind=x&from=x&until=2026-13-01",
    ):
        assert (await noor.get(PATH + nonsense)).status_code == 200, nonsense


async def test_a_further_page_keeps_the_filter(noor: Browser) -> None:
    for _ in range(audit.PAGE + 2):
        await token_of(ADA)
    async with transaction(NOOR):
        await grade()
    page = (await noor.get(f"{PATH}?kind=sessions&who_typed=Ada")).text
    link = re.search(rf'href="({PATH}\?[^"]*before=\d+)" rel="next"', page)
    assert link
    rest = (await noor.get(link[1].replace("&amp;", "&"))).text
    assert rest.count("signed in") == 2
    assert "grade" not in rest
    assert 'rel="next"' not in rest


async def test_the_filtered_changes_are_served_as_csv_and_the_download_is_recorded(noor: Browser) -> None:
    """R89, D55: an admin gets the filtered changes as CSV; the log records the download."""
    async with transaction(NOOR):
        await rights()
        await grade()
    link = re.search(rf'href="({PATH}\.csv\?[^"]*)"', (await noor.get(f"{PATH}?thing_typed=lindqvist")).text)
    assert link
    answer = await noor.get(link[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["At", "Who", "What happened", "Details", "IP address", "Request"]
    assert {row[2] for row in rows[1:]} >= {
        "Noor Haddad gave Ada Lindqvist the right to see invoices",
        "Noor Haddad took from Ada Lindqvist the right to see invoices",
    }
    assert "downloaded these changes as a csv file" in await told(noor, "?kind=documents")


async def test_more_changes_than_a_file_may_have_are_refused_with_a_sentence(
    noor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_IN_A_FILE", 1)
    async with transaction(NOOR):
        await rights()
    page = (await noor.get(PATH)).text
    assert "choose fewer days" in page
    assert f"{PATH}.csv" not in page
    answer = await noor.get(f"{PATH}.csv")
    assert answer.status_code == 422
    assert "A file has at most 1 changes. Choose fewer days." in answer.text
    assert "downloaded" not in await told(noor)


async def test_suggestions_name_people_and_things_for_admins_only(app: Gate, noor: Browser) -> None:
    assert "Ada Lindqvist" in (await noor.get(f"{PATH}/people?text=ada")).text
    found = (await noor.get(f"{PATH}/things?text=acme")).text
    assert "Customer" in found
    async with await Browser.of(app, MAX) as max_:
        for address in ("/people?text=ada", "/things?text=acme", ".csv", ""):
            assert (await max_.get(PATH + address)).status_code == 403


async def test_every_change_of_the_log_is_put_into_words(dsn: str) -> None:
    """R89: after Noor's changes of eight kinds, no sentence of the log contains the name of a column, None or JSON."""
    async with transaction(NOOR):
        for act in (rights, grade, rate, approves, bank, hours, role, rules):
            await act()
    async with transaction(NOOR, readonly=True):
        changes, _ = await audit.latest(audit.Filter("UTC"), most=500)
    assert all(isinstance(change, Change) for change in changes)
    odd = [change.text for change in changes if re.search(r"_id\b|\w_\w|None|\{|\[|→", change.text)]
    assert odd == []
