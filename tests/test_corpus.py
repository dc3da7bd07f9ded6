"""Test that a text that a form accepts causes no error anywhere later: type each text of `CORPUS` into each field.

The test finds the forms in the pages, so no form is listed here. It then looks up which columns of the database contain
the text, and fails if a text column neither contains the text nor is listed in `EXEMPT`.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from pypdf import PdfReader

from portal import billing, logs, mail
from portal.database import transaction
from portal.desk.custom_fields import choices
from portal.desk.lists import own_views
from portal.desk.tagging import tags
from portal.desk.workflow import statuses
from portal.people.working.hours import WEEKDAYS
from portal.settings import Settings
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.states import submit
from portal.web.gate import Gate
from portal.words import EntryBilling
from tests.browser import Browser
from tests.corpus import CORPUS, MARK
from tests.examples import turns
from tests.forms import PageForm, forms_of
from tests.pages import MORE, pages_of
from tests.places import Places, furnished
from tests.test_permissions import browser_of
from tests.world import ACME, HELPDESK, INES, MAX, NOW

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clock")]

ACTORS = ("Noor", "Max", "Ines", "Ada")
CAST = (
    "/agent/setup/agents/1", "/agent/setup/roles/1", "/agent/setup/departments/1", "/agent/setup/general-kinds/1", "/agent/customers/1/edit",
    "/agent/customers/1/contacts/1", "/agent/customers/1/contracts/1", "/agent/customers/1/contracts/1/services/1",
)  # fmt: skip
"""Forms that rename the people and things of tests/world.py to the text, because documents copy these names."""

PRIORITIES = ("urgent", "high", "normal", "low")
STRICT = {
    "email": "somebody@initech.example", "phone": "", "vat_id": "DE136695976", "iban": "DE02120300000000202051", "bic": "",
    "first_number": "", "first_credit_number": "", "amount": "10",
    "payment_days": "14", "vat_rate": "19", "rounding_increment": "15", "rounding_minimum": "0",
    "time_zone": "UTC", "hourly_rate": "100", "duration": "35m", "counts": "1h", "on_typed": "Meeting",
    "customer_id_typed": "", "service_id_typed": "",
    "began": "", "ended": "", "begins": "10:00", "ends": "11:00", "code": "123456", "ending": "iso", "budget_minutes": "", "budget_amount": "",
    "own_edit_hours": "24", "lock_grace_days": "0", "lock_time_zone": "UTC", "hourly_cost": "60",
    "notice_days": "30", "renewal_months": "", "voucher_hours": "10h", "voucher_price": "900",
    "fixed_fee": "50", "rollover_periods": "2", "rollover_cap": "5h", "rollover_from": "",
    "windows": "Sat x2", "holidays": "",
    "fee": "500", "included": "10h", "overage_rate": "110", "hours": "10h", "price": "900", **dict.fromkeys(WEEKDAYS, "8h"),
    **{f"hours_{weekday}": "9-17" for weekday in WEEKDAYS}, "region": "",
    **{f"{noun}_{word}": value for noun, value in (("reply", "1h"), ("solve", "9h"), ("goal", "90")) for word in PRIORITIES},
}  # fmt: skip
"""Fields that accept only one pattern, each with a value that is accepted. They must refuse any other text."""

KINDS = "one of a closed set of words, which a check constraint lists"
CODE = "read by a pattern that lets nothing else through"
OURS = "written by the portal itself from its own words"
HASH = "a hash, a key or a count; no text"
EXEMPT = {
    "redaction.what": KINDS,
    "redaction.note": OURS,
    **dict.fromkeys((
        "appointment.kind", "case_field.kind", "case_field_value.kind", "deadline.duty", "pause.cause", "project.state",
        "agent.grade", "allocation.kind", "allocation.rate_source", "approval.rate_source", "cases.status", "contract.cycle",
        "service_template.cycle",
        "dispatch_rule.balance", "case_status.category",
        "document.kind", "invoice_mail.state", "export.format", "export.layout", "entry_version.state", "entry_version.verb",
        "invitation.kind", "invitation.mail", "invoice.state", "credit_line.kind",
        "credit_line.vat_category", "credit_vat.category", "invoice_line.kind", "invoice_line.vat_category", "invoice_vat.category",
        "warning.kind", "notice.kind", "notice.mail", "notice_choice.choices", "outgoing_mail.state",
        "message.kind", "number_series.kind", "service.due", "service.overflow", "service.rollup", "service.rounding_mode",
        "service.rounding_per", "service.settlement", "service.stands_for", "product.unit", "session.factor", "voucher.usable_once",
        "billing_schedule.cycle", "billing_schedule.outcome",
        "skipped_entry.reason", "time_entry.billing", "time_entry.state", "time_rules.admins_pick", "time_rules.agents_pick",
        "time_rules.managers_pick", "time_rules.rounding_mode", "time_sum.billing", "time_sum.scope", "time_sum.state",
        "rejection.former_state", "help_article.audience", "bulk_change.verb", "bulk_change.value", "bulk_member.state",
        "bulk_member.former", "bulk_member.became",
    ), KINDS),
    **dict.fromkeys((
        "agent.locale", "agent.time_zone", "allocation.currency", "business_calendar.country", "business_calendar.region",
        "business_calendar.time_zone", "company.bic", "company.country", "company.currency", "company.email",
        "company.iban", "company.phone", "company.time_zone", "company.vat_id", "contact.locale", "contact.phone", "contact.time_zone",
        "contract.currency", "credential.email", "customer.country", "customer.email", "customer.vat_id", "detail_row.currency", "invoice.currency",
        "invoice.number", "invoice_line.currency", "invoice_vat.currency", "number_series.prefix", "rate.currency", "refused_ending.ending",
        "cost_rate.currency", "help_article.slug", "help_picture.name", "invoice_mail.email",
        "time_rules.lock_time_zone", "mail_refusal.email", "outgoing_mail.email",
        "payment.currency", "credit_line.currency",
        "product_price.currency", "service_template.currency",
        "credit_note.currency", "credit_note.number", "credit_vat.currency", "credited_time.currency", "voucher.currency", "service.windows",
        "service.holidays",
    ), CODE),
    **dict.fromkeys((
        "attachment.media_type", "audit.address", "audit.request", "audit.what", "case_event.kind", "detail_row.covered_by", "draft.address",
        "migration.app_name", "migration.name", "outbox.kind", "pgqueuer.dedupe_key", "pgqueuer.entrypoint", "pgqueuer.headers",
        "pgqueuer_log.entrypoint", "pgqueuer_log.traceback", "pgqueuer_schedules.entrypoint", "pgqueuer_schedules.expression",
        "pgqueuer_statistics.entrypoint", "session.address", "skipped_entry.sentence", "time_entry.time_zone",
        "upload.media_type", "export.filters", "own_view.query", "bulk_change.query", "time_entry.stretches", "detail_row.factors",
        "run_customer.sentence", "bulk_member.reason", "mail_refusal.kind", "outgoing_mail.ids", "outgoing_mail.kind",
        "outgoing_reply.problem", "outgoing_reply.seen_status", "outgoing_reply.then_status",
    ), OURS),
    **dict.fromkeys((
        "attachment.key", "attachment.sha256", "attempt.key", "authenticator.secret", "credential.password_hash", "document.sha256",
        "invitation.token_hash", "passkey.handle", "passkey.public_key", "pgqueuer.payload", "recovery_code.code_hash",
        "export.file_key", "session.token_hash", "upload.key", "upload.sha256",
    ), HASH),
    **dict.fromkeys(("service.time_provider", "service.provider_project", "service.provider_project_value"), "reserved; nothing writes it"),
    **dict.fromkeys(("mail_refusal.reason", "outgoing_mail.reason"), "a mail server's answer, of which the printable part is kept"),
    "case_field.hint": "read by `line` as names are; the only field of the places is a choice, which the form offers nothing else for",
    "case_priority.name": "its form has four, which must differ; tests/agent/test_priorities.py stores every text of the corpus",
    "case_rating.verdict": "good or bad",
    "case_rating.words": "no case of the places is solved; tests/desk/test_ratings.py stores every text of the corpus",
    "document.content": "PDF and CSV, which are read below",
    "invoice_mail.reason": "what a mail server answered, which no form sends",
    **dict.fromkeys(("logo.png", "help_picture.content", "file_preview.content"), "a picture that we drew"),
    "help_text.author_name": "a copy of an agent's name, as `message.author_name` is",
    "logo.sha256": HASH,
    "passkey.name": "read by `line` as a department's name is; a browser with a passkey stands in tests/e2e/test_account.py",
    "service_template.fields": "the fields of a service as JSON; the form of a service sends the same",
    "session.browser": "a header that no form sends; pages show only the known names that are found in it",
}  # fmt: skip
"""Text columns that no form can fill with a text of the corpus, each with the reason."""
SHORTER = {
    "case_field.name": choices.LONGEST, "case_field_choice.name": choices.LONGEST,
    "case_status.customer_name": statuses.LONGEST, "case_status.name": statuses.LONGEST, "own_view.name": own_views.LONGEST_NAME,
    "tag.name": tags.LONGEST,
}  # fmt: skip
"""The maximum length of each text column that is too short for some texts of the corpus."""

TEXT_COLUMNS = """
select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
  and (t.typcategory = 'S' or t.typname in ('bytea', 'json', 'jsonb', 'xml') or t.typelem in (select oid from pg_type where typcategory = 'S'))
order by 1, 2
"""
AS_TYPED = ("draft.fields",)
"""Columns that keep a text exactly as typed: the unsent text of a form, which its author goes on writing."""
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that a person cannot see, or that reverse the order of letters (R54)."""


TYPED = re.compile(r"<textarea.*?</textarea>|<input[^>]*>", re.DOTALL)
"""Matches form fields, which may show the text exactly as typed, because only its author sees them."""


async def texts_of(dsn: str) -> dict[str, list[str]]:
    """Return, for each text column, the stored values that contain `MARK`; an empty list if there are none."""
    owner = await asyncpg.connect(dsn)
    try:
        found = {}
        for table, column in await owner.fetch(TEXT_COLUMNS):
            rows = await owner.fetch(
                f'select "{column}"::text as text from "{table}" where position($1 in "{column}"::text) > 0', MARK
            )
            found[f"{table}.{column}"] = [row["text"] for row in rows]
    finally:
        await owner.close()
    return found


def filled(form: PageForm, text: str) -> dict[str, Any]:
    """Return the form's values with `text` in every text field. Other fields keep their value or get a valid one."""
    strict = {name: form.fields[name] if any(form.fields.get(name, ())) else STRICT[name] for name in STRICT}
    ticked = {name: offered[:1] for name, offered in form.offered.items() if name == "entry"}
    return form.fields | ticked | {name: strict.get(name, text) for name in form.texts}


def _turn(target: str) -> tuple[bool, str]:
    """Return the sort key of a form's URL: in descending order, flags come first, then rejections, then approvals."""
    return target.partition("?")[0] == "/agent/flags", target


async def fill_every_form(app: Gate, places: Places, text: str) -> list[tuple[str, str, int]]:
    """Fill in and send every form of every page with `text`.

    Return the path, fields and status of each form that was neither accepted nor refused with an error message. Forms
    that lift a flag are not sent, so that the author of the flagged time entry can answer the flag later.
    """
    wrong: list[tuple[str, str, int]] = []
    done: set[str] = set()
    for actor in ACTORS:
        async with await browser_of(app, actor) as browser:
            addresses = [places.address(route) for route in pages_of(actor)] + MORE.get(actor, [])
            for address in [*(CAST if actor == "Noor" else ()), *addresses]:
                page = await browser.get(address)
                for form in forms_of(page.text):
                    for target in sorted(form.targets if form.texts else (), key=_turn, reverse=True):
                        if target not in done and target != "/account/authenticator" and "/lifting" not in target:
                            done.add(target)
                            wrong += await _fill(browser, page, form, target, text)
            draft = {"csrf": await browser.csrf(), "address": "/cases/new", "subject": text, "body": text}
            assert (await browser.post("/drafts", data=draft)).status_code == 204
    return wrong


async def _fill(
    browser: Browser, page: httpx.Response, form: PageForm, target: str, text: str
) -> list[tuple[str, str, int]]:
    wrong = []
    # A service that is paid by time spent does not read the fields of prepaid hours.
    settlement = {"settlement": "subscription"} if "settlement" in form.names else {}
    strict = [{**filled(form, text), **settlement, name: text} for name in sorted(form.texts & set(STRICT))]
    whole = filled(form, text) | (
        {"taxable": "no"} if "taxable" in form.names else {}
    )  # With `no`, the reason for it is kept.
    for fields in [*strict, whole]:
        files = {"files": (f"{text}.txt", text.encode())} if "files" in form.names else None
        answer = await browser.post(target, data=fields, files=files, headers={"referer": str(page.url)})
        if answer.status_code not in (200, 303, 409, 422):
            wrong.append((target, str(set(form.texts)), answer.status_code))
    return wrong


async def billed(text: str) -> tuple[billing.Invoice, Any]:
    """Log, approve and bill time with `text` as its comments; return the issued invoice and the id of the statement.

    Also credit a part of the invoice and correct the statement, with `text` as the reason. If the caller has renamed
    the customer, the service and so on to `text` before, the documents also show `text` as these names.
    """
    made = []
    for choice in (EntryBilling.BILLABLE, EntryBilling.NO_CHARGE):
        work = Work(
            minutes=30,
            work_date=NOW.date(),
            service_id=HELPDESK,
            external_comment=text,
            description=text,
            billing=choice,
        )
        async with transaction(INES):
            entry = await TimeEntry.log(INES, work, at=NOW)
            assert not (await submit(INES, [entry.id], at=NOW)).refused
        async with transaction(MAX):
            outcome = await billing.approve([billing.Choice(entry.id, entry.version)], by=MAX, at=NOW)
            assert not outcome.refused
            made.append(await billing.run(NOW.date() + timedelta(days=1), [ACME], by=MAX, at=NOW))
    first, second = made
    assert first
    assert second
    async with transaction(MAX):
        issued = await billing.issue(first.draft_ids[0], by=MAX, at=NOW)
        await billing.issue_credit(
            issued, billing.Chosen(minutes={1: 15}), reason=text[:500], freed=False, by=MAX, at=NOW
        )
        statement = await billing.Statement.find(second.statement_ids[0], MAX)
        await billing.correct_statement(
            statement, billing.Chosen(minutes={1: 15}), reason=text[:500], freed=False, by=MAX, at=NOW
        )
        return issued, statement.id


def cells_of(content: bytes) -> Iterable[str]:
    return [cell for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in row]


@pytest.fixture
def logging_again() -> Iterator[None]:
    """Set up logging again after a test, because the logger would go on writing to that test's closed stderr."""
    yield
    logs.set_up("warning")


CHOSEN = turns(("control", "emoji"))
"""The text that `./dev test` tries today. With `--all`, it tries each text of the corpus."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in CHOSEN else pytest.mark.long) for name in CORPUS]
)
async def test_every_field_takes_or_refuses_a_text_and_every_place_shows_it(
    name: str, app: Gate, dsn: str, settings: Settings, logging_again: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """R54, R62, R64, R75, R91: each field of each form accepts a corpus text or shows an error message.

    Every text column then contains the text, is too short for it or is in `EXEMPT`. Pages, CSV files, the PDF, a mail
    and a log line show the text without invisible characters, and no cell of a CSV file begins like a formula.
    """
    text, places = CORPUS[name], await furnished(app.storage)
    assert await fill_every_form(app, places, text) == []
    invoice, statement = await billed(text)

    stored = await texts_of(dsn)
    reached = {column for column, texts in stored.items() if texts}
    too_long = {column for column, longest in SHORTER.items() if len(text) > longest}
    assert set(stored) - reached - set(EXEMPT) - too_long == set()
    unseen = {
        column: texts for column, texts in stored.items() if any(map(UNSEEN.search, texts)) and column not in AS_TYPED
    }
    assert unseen == {}

    shown = ["/invoices", f"/invoices/{invoice.number}", f"/statements/{statement}", f"/agent/statements/{statement}"]
    bare = []
    for actor in ACTORS:
        async with await browser_of(app, actor) as browser:
            mine = [one for one in shown if actor != "Ines" and one.startswith("/agent") == (actor != "Ada")]
            for address in [*(places.address(route) for route in pages_of(actor)), *MORE.get(actor, []), *mine]:
                page = await browser.get(address)
                assert page.status_code in (200, 404), (actor, address, page.status_code)
                assert not UNSEEN.search(TYPED.sub("", page.text)), (actor, address)
                if address in (
                    "/cases",
                    "/cases/1001",
                    "/agent/cases",
                    "/agent/cases/1001",
                    "/agent/setup/changes",
                    *mine,
                ):
                    bare += [] if MARK in page.text else [(actor, address)]
            for address in (
                [f"/invoices/{invoice.number}/detail.csv", f"/statements/{statement}/detail.csv"]
                if actor == "Ada"
                else []
            ):
                answer = await browser.get(address)
                assert any(MARK in cell for cell in cells_of(answer.content)), address
                assert not [
                    cell for cell in cells_of(answer.content) if re.match(r"[=+\-@\t\r]", cell) and MARK in cell
                ]
    assert bare == []

    async with transaction(MAX):
        kept = await billing.Statement.find(statement, MAX)
        files = [
            await billing.hand_out("pdf", invoice),
            await billing.statement_pdf(await billing.printed_statement(kept, MAX)),
        ]
    for file in files:
        assert MARK in "".join(page.extract_text() for page in PdfReader(io.BytesIO(file)).pages)

    letter = await mail.password_changed(4, NOW, settings, NOW)
    assert letter is not None
    assert MARK in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert letter.as_bytes().isascii()

    capsys.readouterr()
    logs.set_up("info")
    structlog.get_logger("portal.test").info("said", text=text)
    (line,) = [line for line in capsys.readouterr().err.split("\n") if line]
    assert json.loads(line)["text"] == text


async def test_every_exempted_column_exists(dsn: str) -> None:
    assert set(EXEMPT) - set(await texts_of(dsn)) == set()


NO_TEXT = {"NUL": b"zq\x00z", "no UTF-8": b"zq\xffz", "surrogate": b"zq\xed\xa0\x80z"}


async def test_what_is_no_text_is_refused_by_every_form(app: Gate) -> None:
    """Every form refuses bytes that are not valid UTF-8, and the character NUL, with 400."""
    places, wrong, done = await furnished(app.storage), [], set[str]()
    for actor in ACTORS:
        async with await browser_of(app, actor) as browser:
            for route in pages_of(actor):
                page = await browser.get(places.address(route))
                targets = [
                    (form, target)
                    for form in forms_of(page.text)
                    if form.texts
                    for target in form.targets
                    if target not in done
                ]
                done.update(target for _, target in targets)
                for (form, target), (what, raw) in itertools.product(targets, NO_TEXT.items()):
                    body = b"&".join(
                        b"%s=%s" % (name.encode(), raw.hex("%").encode().join([b"%", b""])) for name in form.texts
                    )
                    body += b"&csrf=" + form.fields["csrf"][0].encode()
                    answer = await browser.post(
                        target, content=body, headers={"content-type": "application/x-www-form-urlencoded"}
                    )
                    if answer.status_code != 400:
                        wrong.append((target, what, answer.status_code))
    assert wrong == []
