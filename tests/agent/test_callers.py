"""Test contacts without a mail address, such as callers who are known by telephone number only."""

import asyncio
import io
import json
import re
import zipfile

import asyncpg
import pytest

from portal import notices
from portal.database import current, transaction
from portal.desk import Case, Status
from portal.desk.workflow import unanswered
from portal.errors import Conflict
from portal.notices.invoice_mails import receivers
from portal.people.access.credentials import USED
from portal.people.contacts import Contact
from portal.people.contacts.calling import NewCaller
from portal.people.customers import Customer, CustomerFacts
from portal.people.readers import SYSTEM
from portal.personal import export
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import Browser, text_of
from tests.checksums import checksums
from tests.customer.test_contacts import stored
from tests.forms import send
from tests.places import Places, furnished
from tests.test_permissions import LED_ON, OK, QUERIES, STREAMS, browser_of, rows
from tests.world import ACME, ADA, ALAN, GIL, INCIDENT, INES, NOOR

BEA = {"contact": "", "new_name": "Bea Roth", "new_phone": "+49 40 555 0199"}
NONE = "no mail address"
NOTHING = re.compile(r'value="None"|\b(as|at|to|·) None\b')
"""Where a page would show Python's None instead of a mail address."""


def call(**more: str) -> dict[str, str]:
    return {
        "customer": str(ACME), "contact": str(ADA.id), "subject": "VPN", "body": "It drops.", "case_type": str(INCIDENT),
        "priority": "2", "to": "me", "called": "yes", "form_key": "0" * 31 + "1",
    } | BEA | more  # fmt: skip


async def a_caller(ines: Browser) -> int:
    """Open case 1001 for Bea, a new contact with a telephone number and no mail address, and return Bea's id."""
    assert (await ines.send_form("/agent/cases/new", call())).status_code == 303
    return int((await stored("select id from contact where name = 'Bea Roth'"))["id"])


async def test_a_case_is_opened_for_a_caller_who_is_known_by_a_number_only(app: Gate, ines: Browser) -> None:
    """S3.3, S3.4: the caller becomes a contact who cannot sign in and gets no mail, and is the author of the message.

    The same form sent again creates nothing. The form gets 422 with an error if the name is missing, if both mail
    address and telephone number are missing, if the mail address for an invitation is missing, or if the mail address
    is not valid. Ada, who sees all cases of Acme, sees this case; Alan does not.
    """
    for wrong, said in [
        ({"new_phone": ""}, "Write a mail address or a telephone number"),
        ({"new_phone": "", "new_name": ""}, "Choose who asks."),
        ({"new_invited": "yes"}, "Write the mail address to which the invitation goes."),
        ({"new_email": "bea"}, "mail address"),
    ]:
        answer = await ines.send_form("/agent/cases/new", call(**wrong))
        assert (answer.status_code, said in answer.text) == (422, True), wrong
    assert (await stored("select count(*) as n from contact where name = 'Bea Roth'"))["n"] == 0
    bea = await a_caller(ines)
    assert await a_caller(ines) == bea
    async with transaction(SYSTEM):
        assert not await current().fetchval("select exists (select from credential where contact_id = $1)", bea)
        assert tuple(await current().fetchrow("select contact_id, author_name from message")) == (bea, "Bea Roth")
        while await notices.pass_on(now()):
            pass
        mailed = "select count(*) from notice n join credential c on c.id = n.credential_id where c.contact_id = $1"
        assert await current().fetchval(mailed, bea) == 0
    page = text_of((await ines.get("/agent/cases/1001")).text)
    assert "Bea Roth has no mail address, and learns of the answer only if told" in page
    assert "Bea Roth, +49 40 555 0199 No mail address" in page
    assert "To Ada Lindqvist. Bea" in page
    async with await Browser.of(app, ADA) as ada, await Browser.of(app, ALAN) as alan:
        assert (await ada.get("/cases/1001")).status_code == 200
        assert (await alan.get("/cases/1001")).status_code == 404
        assert (await ada.send_form("/agent/cases/new", call(form_key="0" * 31 + "3"))).status_code == 404


async def test_a_number_that_a_contact_has_is_offered_and_not_created_twice(ines: Browser) -> None:
    """S3.3: if a contact has the entered telephone number, in any spelling, the form gets 422 and offers this contact.

    Ines can choose the offered contact. Or she can confirm that the caller is another person with the same number: then
    the form creates a new contact. If a contact has the entered mail address, the form gets 422 even if she confirms.
    """
    bea = await a_caller(ines)
    spellings = (
        "040 555 0199",
        "+49 (0)40 5550199",
        "0049 40 5550199",
        "5550199",
        " +49 40\u00a0555\u20110199",
        "\u200e040\u2013555 0199\t",
    )
    for place, typed in enumerate(spellings, 2):
        answer = await ines.send_form("/agent/cases/new", call(new_phone=typed, form_key="0" * 31 + str(place)))
        assert (answer.status_code, "That is Bea Roth." in answer.text) == (422, True), typed
        suggested = (await ines.get("/agent/finders/callers", params={"text": typed})).text
        assert re.findall(r'data-name="([^"]+)"', suggested) == ["Bea Roth"], typed
        (offered,) = re.findall(r'name="instead" value="(\d+)"', answer.text)
        assert int(offered) == bea
    answer = await ines.send_form("/agent/cases/new", call(instead=str(bea), form_key="0" * 31 + "2"))
    assert answer.headers["location"] == "/agent/cases/1002"
    assert (await stored("select contact_id from cases where number = 1002"))["contact_id"] == bea
    beside = call(new_name="Cem Roth", new_beside="yes", form_key="0" * 31 + "3")
    assert (await ines.send_form("/agent/cases/new", beside)).headers["location"] == "/agent/cases/1003"
    assert (await stored("select count(*) as n from contact where phone = '+49 40 555 0199'"))["n"] == 2
    for address in (ADA.email, f" {ADA.email.upper()}\u200b", ADA.email.replace("@", "\uff20")):
        taken = await ines.send_form(
            "/agent/cases/new", call(new_email=address, new_beside="yes", form_key="0" * 31 + "4")
        )
        assert (taken.status_code, f"That is {ADA.name}." in taken.text) == (422, True), address
    elsewhere = await ines.send_form("/agent/cases/new", call(instead=str(GIL.id), form_key="0" * 31 + "5"))
    assert elsewhere.status_code in (404, 422)


async def test_two_agents_who_take_calls_of_one_person_create_them_once(app: Gate, ines: Browser) -> None:
    """S3.3: of two agents who open a case for the same new telephone number at once, the second gets 422.

    The contact and the case are created once.
    """
    async with await Browser.of(app, NOOR, at=app.clock()) as noor:
        await noor.csrf()
        await ines.csrf()
        forms = [call(form_key="0" * 31 + "1"), call(form_key="0" * 31 + "2", new_phone="040 5550199")]
        answers = await asyncio.gather(
            *(who.send_form("/agent/cases/new", form) for who, form in zip((ines, noor), forms, strict=True))
        )
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert (await stored("select count(*) as n from contact where name = 'Bea Roth'"))["n"] == 1
    assert (await stored("select count(*) as n from cases"))["n"] == 1


async def test_a_caller_is_found_by_number_and_stands_in_lists_with_words_for_the_address(
    ines: Browser, noor: Browser
) -> None:
    """S3.3: the search and the finder find a caller by telephone number.

    Pages that show the mail addresses of contacts say that this caller has none.
    """
    bea = await a_caller(ines)
    found = await ines.get("/agent/finders/callers", params={"text": "040 555 0199"})
    assert re.findall(r'data-name="([^"]+)"', found.text) == ["Bea Roth"]
    assert f"Acme · {NONE} · +49 40 555 0199" in text_of((await ines.get("/agent/search?q=%2B49405550199")).text)
    customer = text_of((await noor.get(f"/agent/customers/{ACME}")).text)
    assert "No mail address +49 40 555 0199 own cases No sign-in" in customer
    async with transaction(ADA):
        await Case.open(by=ADA, subject="Printer", text="It is dark.", case_type_id=INCIDENT, at=now())
    assert f"Bea Roth ({NONE})" in text_of((await ines.get("/agent/cases/1002/sharing")).text)
    form = (await ines.get("/agent/cases/1001/facts")).text
    assert re.search(rf'value="{bea}" selected>\s*Bea Roth \({NONE}\)', form)


async def test_an_admin_adds_a_contact_without_a_mail_address_and_gives_them_one_later(
    app: Gate, noor: Browser, ines: Browser
) -> None:
    """S3.4, S3.5, R20: Noor adds a contact without a mail address, who has no access and cannot be invited.

    Once she has saved a mail address, she can invite the contact, but not remove the address again. Sending the form
    again changes nothing. Only admins may send the form: Ines, an agent without that grade, gets 403; Ada, a contact,
    gets 404.
    """
    new = f"/agent/customers/{ACME}/contacts/new"
    fields = {"name": "Bea Roth", "phone": "+49 40 555 0199", "email": ""}
    page = await noor.get(new)
    refused = await send(noor, page, new, **fields | {"phone": ""})
    assert (refused.status_code, "Write a mail address or a telephone number" in refused.text) == (422, True)
    answer = await send(noor, page, new, **fields)
    assert answer.headers["location"] == f"/agent/customers/{ACME}"
    bea = (await stored("select id from contact where name = 'Bea Roth'"))["id"]
    here = f"/agent/customers/{ACME}/contacts/{bea}"
    page = await noor.get(here)
    assert f"{here}/invitations" not in page.text
    for verb, status in (("invitations", 409), ("invitations/revocation", 303), ("sign-out", 404)):
        assert (await noor.send_form(f"{here}/{verb}", {})).status_code == status, verb
    refused = await send(noor, page, here, email="", phone="")
    assert (refused.status_code, "Write a mail address or a telephone number" in refused.text) == (422, True)
    for wrong, sentence in ((ALAN.email, USED), (INES.email, USED), ("bea", "mail address")):
        answer = await send(noor, page, here, email=wrong)
        assert (answer.status_code, sentence in answer.text) == (422, True), wrong
    assert (await stored("select count(*) as n from credential where contact_id = $1", bea))["n"] == 0
    for _ in range(2):
        assert (await send(noor, page, here, email="bea@acme.example")).status_code == 303
    row = await stored("select email, accepted_at, disabled_at from credential where contact_id = $1", bea)
    assert tuple(row) == ("bea@acme.example", None, None)
    page = await noor.get(here)
    assert (await noor.send_form(f"{here}/invitations", {})).status_code in (200, 303)
    kept = await send(noor, page, here, email="")
    assert (kept.status_code, "They sign in with it" in kept.text) == (422, True)
    assert (await ines.send_form(here, fields)).status_code == 403
    async with await Browser.of(app, ADA) as ada:
        assert (await ada.send_form(here, fields)).status_code == 404


async def test_the_first_contact_with_a_mail_address_is_offered_all_rights(noor: Browser) -> None:
    """S3.4: while no contact of the customer has a mail address, the form for a new contact has all rights ticked.

    Once a contact of the customer has a mail address, the form has no right ticked.
    """
    async with transaction(NOOR):
        place = {"street": "Weg 1", "postcode": "24103", "city": "Kiel", "country": "DE"}
        initech = await Customer.create(CustomerFacts(name="Initech", **place), now())
        await NewCaller(new_name="Cem Roth", new_phone="+49 431 555 0101").create(initech.id, by=NOOR, at=now())
    new, ticked = f"/agent/customers/{initech.id}/contacts/new", r'name="(?:sees|manages)_\w+"[^>]* checked'
    assert len(re.findall(ticked, (await noor.get(new)).text)) == 3
    async with transaction(NOOR):
        await NewCaller(new_name="Dov Roth", new_email="dov@initech.example").create(initech.id, by=NOOR, at=now())
    assert re.findall(ticked, (await noor.get(new)).text) == []


async def test_an_address_of_another_customers_contact_may_be_given_to_a_caller(app: Gate, noor: Browser) -> None:
    """S3.15: one person may be a contact of two customers, so the mail address of Gil of Globex is accepted at Acme."""
    async with await Browser.of(app, INES, at=app.clock()) as ines:
        bea = await a_caller(ines)
    here = f"/agent/customers/{ACME}/contacts/{bea}"
    assert (await send(noor, await noor.get(here), here, email=GIL.email)).status_code == 303
    row = await stored("select login_id, accepted_at from credential where contact_id = $1", bea)
    assert tuple(row) == (GIL.credential_id, None)
    assert (await noor.get(here)).status_code == 200


async def test_two_admins_who_add_an_address_at_once_do_not_undo_each_other(app: Gate, noor: Browser) -> None:
    """R30: if two mail addresses are saved for one caller at once, one is stored and the other form gets 409."""
    async with await Browser.of(app, INES, at=app.clock()) as ines:
        bea = await a_caller(ines)
    here = f"/agent/customers/{ACME}/contacts/{bea}"
    pages = [await noor.get(here), await noor.get(here)]
    answers = await asyncio.gather(
        *(send(noor, page, here, email=f"bea{place}@acme.example") for place, page in enumerate(pages))
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert (await stored("select count(*) as n from credential where contact_id = $1", bea))["n"] == 1


async def test_a_caller_ends_comes_back_and_is_erased_and_exported(
    app: Gate, noor: Browser, ines: Browser, dsn: str
) -> None:
    """D58, R89: Noor downloads a caller's data, ends the caller's record and restores it, and erases the caller.

    Sending each form again changes nothing, and Ines, who is not an admin, may not download the data. The page of the
    erasure counts the caller's cases and messages. The case of the erased caller shows "Former contact".
    """
    bea = await a_caller(ines)
    here = f"/agent/customers/{ACME}/contacts/{bea}"
    archive = zipfile.ZipFile(io.BytesIO((await noor.get(f"{here}/data.zip")).content))
    assert json.loads(archive.read("person.json"))[0]["phone"] == "+49 40 555 0199"
    assert "It drops." in archive.read("messages.json").decode()
    assert "sign-in.json" not in archive.namelist()
    changes = text_of((await noor.get("/agent/setup/changes")).text)
    assert "Noor Haddad downloaded what is held about Bea Roth" in changes
    assert "added Bea Roth as a contact of Acme" in changes
    for reader in (INES, ADA):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(reader):
                await export.record_contact(bea)
    assert (await ines.get(f"{here}/data.zip")).status_code == 403
    for verb in ("ending", "resumption", "ending"):
        for _ in range(2):
            assert (await noor.send_form(f"{here}/{verb}", {})).status_code == 303
    page = await noor.get(f"{here}/erasure")
    assert "1 case with 1 message" in text_of(page.text)
    answer = await send(noor, page, f"{here}/erasure", name="Bea Roth")
    assert answer.headers["location"] == f"/agent/customers/{ACME}"
    row = await stored("select name, phone, erased_at is not null as gone from contact where id = $1", bea)
    assert tuple(row) == ("Former contact", None, True)
    before = await checksums(dsn, ())
    assert (await send(noor, page, f"{here}/erasure", name="Bea Roth")).status_code == 404
    assert await checksums(dsn, ()) == before
    assert "Former contact" in (await ines.get("/agent/cases/1001")).text


async def test_the_page_about_sharing_does_not_say_that_a_caller_sees_the_case(app: Gate, ines: Browser) -> None:
    """S3.15: the page about sharing says that, at Acme, only the watchers see a confidential case of a caller.

    The page does not name the caller, because the caller cannot sign in. For a confidential case of Alan, who can sign
    in, the page says that Alan and the watchers see the case.
    """
    await a_caller(ines)
    page = text_of((await ines.get("/agent/cases/1001/sharing")).text)
    assert "If it is confidential, only the watchers do" in page
    async with transaction(ALAN):
        await Case.open(by=ALAN, subject="Monitor", text="Flickers.", case_type_id=INCIDENT, at=now())
    for number in (1001, 1002):
        async with transaction(INES):
            case = await Case.find(number, INES)
            await case.watch(ADA.id, by=INES, at=now())
            await case.set_confidential(True, by=INES, at=now())
    async with await Browser.of(app, ADA) as ada:
        for number, who in ((1001, "the watchers"), (1002, f"{ALAN.name} and the watchers")):
            page = text_of((await ada.get(f"/cases/{number}/sharing")).text)
            assert f"Of Acme, only {who} see this case." in page


async def test_cases_are_given_to_a_caller_and_they_watch(app: Gate, ines: Browser, noor: Browser) -> None:
    """S3.15: Ines makes a caller a watcher of Alan's case, and Alan hands the case over to the caller.

    No mail goes to the caller. Ines can then merge the case into another case of the caller.
    """
    bea = await a_caller(ines)
    async with transaction(ALAN):
        case = await Case.open(by=ALAN, subject="Monitor", text="Flickers.", case_type_id=INCIDENT, at=now())
    assert (await ines.send_form(f"/agent/cases/{case.number}/watchers", {"contact": str(bea)})).status_code == 303
    assert f"Bea Roth ({NONE})" in (await ines.get(f"/agent/cases/{case.number}/sharing")).text
    async with await Browser.of(app, ALAN) as alan:
        page = await alan.get(f"/cases/{case.number}/sharing")
        assert f"Bea Roth ({NONE})" in page.text
        answer = await alan.send_form(f"/cases/{case.number}/handover", {"successor": str(bea), "stays": "yes"})
        assert answer.status_code == 303
        seen = text_of((await alan.get(f"/cases/{case.number}")).text)
        assert "Asked by Bea Roth" in seen
    async with transaction(SYSTEM):
        while await notices.pass_on(now()):
            pass
        mailed = "select count(*) from notice n join credential c on c.id = n.credential_id where c.contact_id = $1"
        assert await current().fetchval(mailed, bea) == 0
    for _ in range(2):
        merged = await ines.send_form("/agent/cases/merging", {"case": ["1001", str(case.number)], "into": "1001"})
        assert merged.status_code == 303
        assert merged.headers["location"].startswith("/agent/cases/1001")
    assert "Flickers." in (await ines.get("/agent/cases/1001")).text


@pytest.mark.parametrize("way", ["watches", "has a merged case", "has the case"])
async def test_nobody_is_reminded_of_a_case_that_only_a_caller_takes_part_in(ines: Browser, way: str) -> None:
    """S3.18: nobody is reminded of a case that waits for a caller without a mail address.

    Once Alan takes part in this case, he is reminded. He takes part as a watcher, as the contact of another case that
    was merged into this case, or as the contact of this case.
    """
    await a_caller(ines)
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update case_status set remind_days = 1, close_days = 2 where category = 'waiting_for_customer'"
        )
    async with transaction(INES):
        await (await Case.find(1001, INES)).wait_for_customer(by=INES, at=now())
    late = now().replace(year=now().year + 1)
    async with transaction(SYSTEM):
        assert await unanswered.remind(late) == 0
    async with transaction(INES):
        case = await Case.find(1001, INES)
        if way == "watches":
            await case.watch(ALAN.id, by=INES, at=now())
        elif way == "has the case":
            await case.change_facts(by=INES, at=now(), contact_id=ALAN.id)
    if way == "has a merged case":
        async with transaction(ALAN):
            other = await Case.open(by=ALAN, subject="Monitor", text="Flickers.", case_type_id=INCIDENT, at=now())
        form = {"case": ["1001", str(other.number)], "into": "1001"}
        assert (await ines.send_form("/agent/cases/merging", form)).status_code == 303
        async with transaction(INES):
            await (await Case.find(1001, INES)).wait_for_customer(by=INES, at=now())
    async with transaction(INES):
        assert (await Case.find(1001, INES)).stands is Status.WAITING_FOR_CUSTOMER
    async with transaction(SYSTEM) as tx:
        assert await unanswered.remind(late) == 1
        while await notices.pass_on(late):
            pass
        told = "select c.contact_id from notice n join credential c on c.id = n.credential_id where n.kind = 'case.reminded'"
        assert [row["contact_id"] for row in await tx.fetch(told)] == [ALAN.id]


async def test_an_invoice_is_not_mailed_to_a_contact_without_a_mail_address(noor: Browser, ines: Browser) -> None:
    """S2.43: no invoice is mailed to a contact who may see invoices but has no mail address.

    Mailing an invitation link to this contact raises `Conflict`.
    """
    bea = await a_caller(ines)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_invoices = true where id = $1", bea)
        assert bea not in [one.contact_id for one in await receivers(ACME)]
        with pytest.raises(Conflict, match="no mail address"):
            await (await Contact.find(bea, SYSTEM)).mail_link(now())


async def test_an_administrator_of_the_customer_changes_a_caller_and_gives_them_an_address(
    app: Gate, ines: Browser
) -> None:
    """S3.15: Ada changes the telephone number of Bea, who has no mail address, and then adds a mail address.

    Only then can Ada invite Bea. A contact whom Ada creates needs a mail address. Gil, of another customer, gets 404
    for Bea's page.
    """
    bea = await a_caller(ines)
    async with await Browser.of(app, ADA, at=app.clock()) as ada:
        assert "No mail address" in (await ada.get("/contacts")).text
        here = f"/contacts/{bea}"
        page = await ada.get(here)
        assert f"{here}/invitations" not in page.text
        assert (await send(ada, page, here, phone="+49 40 555 0200")).status_code == 303
        assert (await stored("select phone from contact where id = $1", bea))["phone"] == "+49 40 555 0200"
        page = await ada.get(here)
        assert (await ada.send_form(f"{here}/invitations", {})).status_code == 409
        assert (await send(ada, page, here, email="bea@acme.example")).status_code == 303
        assert (await ada.send_form(f"{here}/invitations", {})).status_code in (200, 303)
        page = await ada.get("/contacts/new")
        refused = await send(ada, page, "/contacts/new", name="Cem", phone="+49 40 555 0300")
        assert (refused.status_code, "Write a mail address" in refused.text) == (422, True)
    async with await Browser.of(app, GIL) as gil:
        assert (await gil.get(here)).status_code == 404


@pytest.mark.usefixtures("clock")
@pytest.mark.slow
@pytest.mark.parametrize("actor", ["Ines", "Noor", "Ada"])
async def test_every_page_and_form_meets_a_contact_without_a_mail_address(app: Gate, actor: str) -> None:
    """S3.3: if the contact has no mail address, no page or form of a contact or a case fails or shows Python's None."""
    places, caller = await _with_a_caller(app)
    wrong = []
    async with await browser_of(app, actor) as browser:
        for name, method, path, row in [*rows("GET"), *rows("POST")]:
            about = "{contact}" in path or path.startswith(("/cases/{number}", "/agent/cases/{number}"))
            if row.of(actor) != OK or name in STREAMS or not about or name in LED_ON:
                continue
            beginning = places.beginning(path)
            values = places.values[beginning] | {"contact": caller}
            address = path.format(**values | ({"customer": ACME} if "customer" in values else {}))
            if method == "GET":
                answer = await browser.get(address)
                fits = answer.status_code == 200 and not NOTHING.search(answer.text)
            else:
                answer = await browser.post(address + QUERIES.get(name, ""), data={"csrf": await browser.csrf()})
                fits = answer.status_code in {200, 204, 303, 404, 409, 422}
            if not fits:
                wrong.append((name, address, answer.status_code))
    assert wrong == []


async def _with_a_caller(app: Gate) -> tuple[Places, int]:
    """Prepare the data of `furnished`, and make a caller who may see invoices the contact of the case.

    Return the places of `furnished` and the caller's id.
    """
    places = await furnished(app.storage)
    async with transaction(NOOR):
        caller: int = await current().fetchval("select id from contact where name = 'Bea Roth'")
        await current().execute("update contact set sees_invoices = true where id = $1", caller)
        case = await Case.find(str(places.case.number), NOOR, hold=True)
        await case.change_facts(by=NOOR, at=app.clock(), contact_id=caller)
    return places, caller
