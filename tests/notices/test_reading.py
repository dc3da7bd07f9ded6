"""Test that the page to which a notice leads marks the notice as read, and which kinds of notice people can choose."""

import pytest

from portal import billing, notices
from portal.database import transaction
from portal.notices.kinds import KINDS, told_to
from portal.people.readers import SYSTEM, Reader
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.forms import form_of
from tests.places import Places, furnished
from tests.world import ACME, ACME_CONTRACT, ADA, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")

_EVENT = "select min(id), case_id from case_event where kind = 'status' group by case_id order by case_id limit 1"
_DAY = "select 20261116, 20261116"
_WARNING = """
insert into warning (customer_id, kind, service_id, voucher_id, contract_id, day, at) values ({acme}, {what}, '2026-11-01', now())
returning id, id as subject_id
"""
RECORDS = {
    "case.opened": "select min(id), case_id from message group by case_id order by case_id limit 1",
    "case.replied": "select max(id), case_id from message where kind = 'reply' group by case_id order by case_id limit 1",
    "case.mentioned": "select max(id), case_id from message where kind = 'note' group by case_id order by case_id limit 1",
    "time.rejected": "select id, entry_id from rejection limit 1",
    "time.flagged": "select id, entry_id from flag limit 1",
    "time.answered": "select id, entry_id from flag limit 1",
    "time.changed": "select id, entry_id from entry_version limit 1",
    "time.waiting": _DAY,
    "time.missing": _DAY,
    "invoice.issued": "select id, id from invoice where number is not null limit 1",
    "invoice.paid": "select id, invoice_id from payment where taken_back_at is null limit 1",
    "statement.corrected": "select told_id, told_id from statement order by corrects_id nulls last limit 1",
    "invoice.asked": "select id, invoice_id from entry_question limit 1",
    "hours.low": _WARNING.format(acme=ACME, what=f"'low', {HELPDESK}, null, null"),
    "hours.expiring": _WARNING.format(acme=ACME, what=f"'expiring', null, (select max(id) from voucher where customer_id = {ACME}), null"),
    "contract.ending": _WARNING.format(acme=ACME, what=f"'ending', null, null, {ACME_CONTRACT}"),
    "contract.renewed": f"""insert into contract_renewal (customer_id, contract_id, old_end, new_end, renewed_at)
        values ({ACME}, {ACME_CONTRACT}, '2026-12-31', '2027-12-31', now()) returning id, contract_id""",
}  # fmt: skip
"""SQL that returns the ids of the record and the subject of a notice, by kind. Other kinds use `_EVENT`."""


async def told(kind: str, reader: Reader) -> int:
    """Replace all notices by one of this kind to the reader, and return its id."""
    async with transaction(SYSTEM) as tx:
        record, subject = await tx.fetchrow(RECORDS.get(kind, _EVENT))
        await tx.execute("delete from notice")
        found: int = await tx.fetchval(
            "insert into notice (credential_id, kind, record_id, subject_id, amount, at, in_app, decision)"
            " values ($1, $2, $3, $4, 60, $5, true, (select decision from rejection where id = $3 and $2 = 'time.rejected')) returning id",
            reader.credential_id, kind, record, subject, NOW,
        )  # fmt: skip
        return found


@pytest.fixture
async def places(app: Gate) -> Places:
    return await furnished(app.storage)


@pytest.mark.parametrize("reader", [ADA, INES, MAX], ids=["a contact", "an agent", "a manager"])
async def test_the_page_to_which_a_notice_leads_reads_it(app: Gate, places: Places, reader: Reader) -> None:
    """S3.4: opening the page to which a notice leads marks the notice as read; the bell of that page does not count it.

    This also holds if the page was opened from a mail or by its URL.
    """
    async with await Browser.of(app, reader, at=NOW) as browser:
        for kind in told_to(reader):
            if (
                kind.name.startswith("time.")
                and reader is MAX
                and kind.about == "time"
                and kind.name != "time.answered"
            ):
                continue  # The entries on the pages of these notices belong to Ines.
            notice = await told(kind.name, reader)
            async with transaction(reader, readonly=True):
                assert await notices.unread(reader) == 1, kind.name
                place = (await notices.find(notice, reader)).place
            answer = await browser.get(place)
            assert answer.status_code == 200, (kind.name, place)
            assert "1 unread" not in answer.text, kind.name
            async with transaction(reader, readonly=True):
                assert await notices.unread(reader) == 0, (kind.name, place)


async def test_another_page_leaves_a_warning_unread(app: Gate, places: Places) -> None:
    await told("hours.low", ADA)
    async with await Browser.of(app, ADA, at=NOW) as browser:
        await browser.get("/")
        await browser.get(f"/hours/services/{HELPDESK}")
    async with transaction(ADA, readonly=True):
        assert await notices.unread(ADA) == 1


async def test_only_what_the_rights_of_a_contact_let_them_be_told_is_offered_and_kept(app: Gate) -> None:
    """S3.4, R26: a contact who may see neither invoices nor hours finds no kinds of notices about these in the settings.

    A forged choice of such a kind changes nothing.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_all_cases = false, sees_invoices = false where id = $1", ADA.id)
    async with await Browser.of(app, ADA, at=NOW) as browser:
        page = (await browser.get("/account/notices")).text
        fields = form_of(page, "/account/notices").fields
        assert {name for name in fields if name.endswith("_mail")} == {
            "case_opened_mail",
            "case_reminded_mail",
            "case_replied_mail",
            "case_shared_mail",
            "case_status_mail",
        }
        answer = await browser.post(
            "/account/notices", data=fields | {"invoice_issued_mail": "never", "time_waiting_mail": "never"}
        )
        assert answer.status_code < 500
    async with transaction(SYSTEM) as tx:
        stored = await tx.fetchval(
            "select choices::text from notice_choice where credential_id = $1", ADA.credential_id
        )
    assert "invoice" not in (stored or "")
    assert "time" not in (stored or "")


async def test_each_kind_for_contacts_about_money_or_hours_needs_a_right() -> None:
    needing = {kind.name for kind in KINDS.values() if kind.for_contacts and kind.right}
    assert needing == {kind.name for kind in KINDS.values() if kind.for_contacts and kind.about != "case"}


async def test_managers_are_notified_of_a_question_about_an_invoice(app: Gate) -> None:
    """S3.4: a manager is notified once of a customer's question about an invoice; an agent is not."""
    async with transaction(MAX):
        entry = await log(60, comment="Router")
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOW.date().replace(day=1), [ACME], by=MAX, at=NOW)
        assert run
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
    async with transaction(ADA):
        await billing.ask_about_entry(await billing.time_on_invoice(invoice, 1), "What was that?", by=ADA, at=NOW)
    async with transaction(SYSTEM):
        await notices.pass_on(NOW)
        await notices.pass_on(NOW)
    async with transaction(MAX, readonly=True):
        [told] = [one for one in (await notices.inbox(MAX)).notices if one.kind.name == "invoice.asked"]
        assert told.words == f"Acme has a question about invoice {invoice.number}"
    async with transaction(INES, readonly=True):
        assert not [one for one in (await notices.inbox(INES)).notices if one.kind.name == "invoice.asked"]


async def test_a_question_about_hours_is_read_on_the_page_of_its_case(app: Gate) -> None:
    """S3.4: a question about time that is on no invoice has a case; opening this case marks the notice as read."""
    async with transaction(MAX):
        entry = await log(60, comment="Router")
        await billing.approve([entry.choice], by=MAX, at=NOW)
    async with transaction(ADA):
        case = await billing.ask_about_entry(await billing.time_in_hours(entry.id, ADA), "Why?", by=ADA, at=NOW)
    async with transaction(SYSTEM):
        await notices.pass_on(NOW)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "1 unread" not in (await browser.get(f"/agent/cases/{case}")).text
    async with transaction(MAX, readonly=True):
        assert await notices.unread(MAX) == 0
