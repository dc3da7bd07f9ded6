"""Create one object of every kind with the functions of the product, and build the URLs of all routes to them."""

import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from PIL import Image

from portal import billing, jobs, notices
from portal.contracts.case_types import CaseType, CaseTypeFacts
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.price_list.products import Product, ProductFacts, ProductPrice, ProductPriceFacts
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.contracts.prices.changes import PriceChange, PriceFacts
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.rates import Rate, RateFacts, RoleFacts, create_role
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.database import current, transaction
from portal.desk import Case, Question
from portal.desk.appointments import Appointment, AppointmentFacts
from portal.desk.bulk.changes import BulkChange
from portal.desk.bulk.verbs import Verb
from portal.desk.custom_fields.choices import FieldChoice
from portal.desk.custom_fields.fields import CaseField, NewField
from portal.desk.custom_fields.offered import offered
from portal.desk.custom_fields.values import change_values
from portal.desk.deadlines.calendars import DayFacts, add_day
from portal.desk.deadlines.targets import TargetFacts, save_targets
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.desk.help import pictures
from portal.desk.help.articles import Article, HelpFacts
from portal.desk.lists.own_views import OwnView, ViewFacts
from portal.desk.messages import Writing
from portal.desk.replies import outgoing as outgoing_replies
from portal.desk.replies.canned import CannedFacts, CannedReply
from portal.desk.tagging.tags import Tag, add_tag
from portal.desk.verbs.linking import link
from portal.desk.verbs.rating import WITHIN
from portal.desk.verbs.rating_link import RatingLink
from portal.desk.workflow.statuses import CaseStatus, NewStatus
from portal.mail import Ids, outgoing
from portal.mail.delivery import NO_SERVER
from portal.mail.outgoing import Addressee
from portal.notices.unsubscribing import Unsubscription
from portal.people.access import invitations, sessions
from portal.people.agents import Agent, AgentFacts
from portal.people.contacts import Contact, ContactFacts
from portal.people.contacts.calling import NewCaller
from portal.people.customers import Customer, CustomerFacts, DeliveryFacts
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import SYSTEM
from portal.people.working.absences import Absence, AbsenceFacts
from portal.people.working.costs import CostRate, CostRateFacts
from portal.previews import Drawing
from portal.sealing import Sealer
from portal.storage import Storage, new_key
from portal.timekeeping import logged_on
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.kinds import GeneralKind, KindName
from portal.timekeeping.states import submit
from portal.words import EntryBilling, MailState
from tests.desk.files import upload
from tests.snapshots import once
from tests.world import (
    ACME,
    ACME_CONTRACT,
    ADA,
    ALAN,
    CONSULTANT,
    HELPDESK,
    INCIDENT,
    INES,
    MAX,
    NOOR,
    NOW,
    SUPPORT,
    TEST_SECRET,
)

SECRET = "internal-marker"
"""A word that every internal text created here contains, so that a test can check that no contact reads such a text."""

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


def a_picture() -> bytes:
    """Return a small grey PNG picture."""
    made = io.BytesIO()
    Image.new("RGB", (40, 20), "grey").save(made, "PNG")
    return made.getvalue()


@dataclass(frozen=True)
class Places:
    """The objects that `furnished` has created.

    `values` maps the beginning of a route to its path parameters, because a parameter such as `id` means different
    objects on different routes. `entries` maps the name of a state to a time entry in that state.
    """

    values: dict[str, dict[str, Any]]
    case: Case
    alans_case: Case
    entries: dict[str, TimeEntry]

    def address(self, route: str) -> str:
        """Return the URL of a route such as `/cases/{number}` for the objects that were created."""
        if "{" not in route:
            return route
        return route.format(**self.values[self.beginning(route)])

    def beginning(self, route: str) -> str:
        """Return the longest key of `values` with which the route begins."""
        return max((one for one in self.values if route.startswith(one)), key=len)


async def furnished(storage: Storage, at: datetime = NOW) -> Places:
    """Create one object of every kind in the database, and its files in `storage`; return the objects with their URLs.

    `at` is the present instant. If an earlier call has created the objects, they are written from a snapshot, which is
    faster.
    """
    assert storage.folder is not None
    return await once(at, storage.folder, lambda: _create(storage, at))


async def _create(storage: Storage, at: datetime) -> Places:
    async with transaction(SYSTEM):
        await _promise()
    case, files = await _dialogue(storage, at)
    async with transaction(ALAN):
        alans = await Case.open(by=ALAN, subject="Second monitor", text="For the desk.", case_type_id=INCIDENT, at=at)
    async with transaction(
        INES
    ):  # She is known by her number only, so that every page meets a contact without a mail address.
        caller = await NewCaller(new_name="Bea Roth", new_phone="+49 40 555 0177").create(ACME, by=INES, at=at)
        await case.watch(caller.id, by=INES, at=at)
    entries = await _time(case, at)
    async with transaction(MAX):
        issued, statement, run = await _billed(entries, at)
    async with transaction(SYSTEM):
        setup = await _set_up(at)
        export = await _exported(storage, at)
        decision = await current().fetchval(
            "select decision from approval where entry_id = $1 and withdrawn_at is null", entries["approved"].id
        )
        flag = await current().fetchval("select id from flag where entry_id = $1", entries["flagged"].id)
        told = await _told(at)
        mail = await _mailed(at)
    async with transaction(None) as tx:
        await sessions.begin(ADA.credential_id, address="192.0.2.7", browser="Mozilla/5.0 (iPhone) Safari/605", at=at)
        adas = await tx.fetchval("select max(id) from session")
        second = await tx.fetchval(
            "update credential set accepted_at = $1 where email = $2 and accepted_at is null returning id",
            at,
            ADA.email,
        )
        jonas = await tx.fetchval("select id from credential where email = 'jonas@desk.example'")
        setup["/password-resets/"] = {"token": await invitations.begin_reset(jonas, at)}
    fields = await _fields(case, at)
    values: dict[str, dict[str, Any]] = {
        "/static/": {"path": "/css/base.css"},
        "/agent/prints/": {"field": "name"},
        "/unsubscriptions/": {"token": Unsubscription.of(ALAN, ["case.replied"]).token(Sealer(TEST_SECRET))},
        "/ratings/": {"token": RatingLink(ADA.credential_id, case.number, at + WITHIN).token(Sealer(TEST_SECRET))},
        "/drafts/files/": {"file": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"},
        "/account/": {"session": adas, "passkey": 1, "credential": second},
        "/notices/": {"notice": told[ADA.credential_id]},
        "/agent/notices/": {"notice": told[NOOR.credential_id]},
        "/agent/setup/outbox/": {"mail": mail},
        "/cases/": {"number": case.number, "file_id": files["reply"], "contact": ALAN.id},
        "/cases/{number}/files/{file_id}/picture.webp": {"number": case.number, "file_id": files["picture"]},
        "/agent/cases/{number}/files/{file}/picture.webp": {"number": case.number, "file": files["picture"]},
        "/agent/cases/": {
            "number": case.number,
            "file": files["note"],
            "contact": ALAN.id,
            "appointment": await _appointment(case, at),
            "other": await _linked(case, alans, at),
            "reply": await _held(case, at),
            "tag": await _tagged(case, at),
            "field": fields["field"],
        },
        "/agent/cases/changes/": {"change": await _change(case, at)},
        "/agent/finders/cases/": {"number": case.number},
        "/agent/finders/contacts/": {"number": case.number},
        "/agent/finders/customers/": {"customer": ACME},
        "/agent/setup/fields/": fields,
        "/agent/canned-replies/": {"canned": await _canned()},
        "/agent/time/": {"entry": entries["draft"].id},
        "/agent/time/submissions/": {"submission": entries["submitted"].submission_id},
        "/agent/time/{entry}/answer": {"entry": entries["flagged"].id},
        "/agent/flags/": {"flag_id": flag},
        "/agent/timer/": {"timer": await _timers(case, at)},
        "/agent/approvals/": {"entry_id": entries["approved"].id},
        "/agent/approvals/decisions/": {"decision": decision},
        "/agent/timesheets/decisions/": {"decision": decision},
        "/agent/timesheets/files/": {"export_id": export},
        "/agent/drafts/": {"draft_id": run.draft_ids[0], "entry_id": entries["on a draft"].id, "position": 1},
        "/agent/drafts/{draft_id}/deletion": {"draft_id": run.draft_ids[1]},
        "/agent/billing/runs/": {"run_id": run.id},
        "/agent/invoices/": {
            "number": issued.number,
            "payment_id": await _payment(issued, at),
        },
        "/agent/questions/": {"question_id": await _question(issued, at)},
        "/invoices/": {"number": issued.number, "position": 1},
        "/credit-notes/": {"number": "C-0001"},
        "/agent/credit-notes/": {"number": "C-0001"},
        "/agent/statements/": {"statement_id": statement},
        "/statements/": {"statement_id": statement, "position": 1},
        "/hours/entries/": {"entry": entries["approved"].id},
        "/hours/services/": {"service": HELPDESK},
        "/hours/vouchers/": {"voucher": await _prepaid(at)},
        **await _helped(at),
        **setup,
    }
    return Places(values, case, alans, entries)


async def _prepaid(at: datetime) -> int:
    """Sell a voucher to Acme for a new service, and return its id."""
    async with transaction(SYSTEM):
        acme = await Customer.find(ACME, SYSTEM)
        service = await Service.create(
            await Contract.find(ACME_CONTRACT, SYSTEM), ServiceFacts(name="Training", settlement="voucher"), at
        )
        sale = VoucherFacts(
            services=[str(service.id)], hours="5h", price="500", sold_on="2026-09-01", valid_until="2026-10-31"
        )
        return (await Voucher.sell(acme, sale, at)).id


async def _helped(at: datetime) -> dict[str, dict[str, Any]]:
    """Write three help articles: a published one with an image, which everybody may read, and two drafts.

    Return the parameters of their URLs by the beginning of the route.
    """
    written = []
    async with transaction(INES):
        for title in ("Set up the VPN", "Move a mailbox", "Replace a token"):
            facts = HelpFacts(title=title, text="## First\n\nOpen the **menu**.\n\n![The menu](menu.webp)")
            written.append(await Article.write(facts, by=INES, at=at))
        shown, first, second = written
        await shown.publish(at)
        name = await pictures.add(shown, "menu.png", Drawing(b"RIFF0000WEBP", 1, 1, 1), at)
    return {
        "/help/": {"slug": shown.slug, "name": name},
        "/agent/help/": {"article": shown.id, "name": name},
        "/agent/help/{article}/publication": {"article": first.id},
        "/agent/help/{article}/deletion": {"article": second.id},
    }


async def _told(at: datetime) -> dict[int, int]:
    """Make the notices of everything done so far, and return the id of the newest notice by credential."""
    while await notices.pass_on(at):
        pass
    rows = await current().fetch("select credential_id, max(id) as id from notice group by credential_id")
    return {row["credential_id"]: row["id"] for row in rows}


async def _mailed(at: datetime) -> int:
    """Record a mail to Ada that was held back (state `kept`) for want of a mail server; return the id of the record."""
    ids: Ids = {"credential": ADA.credential_id, "at": at.isoformat()}
    await outgoing.record(
        1, "mail_password_changed", ids, Addressee(ADA.email, ADA.credential_id), MailState.KEPT, NO_SERVER, at
    )
    return int(await current().fetchval("select max(id) from outgoing_mail"))


async def _dialogue(storage: Storage, at: datetime) -> tuple[Case, dict[str, Any]]:
    """Create a case of Ada with files on each message.

    Return the case and the ids of three files by the keys `picture`, `reply` and `note`.
    """
    opening = [
        await upload(storage, ADA, "screen.png", PNG, at=at),
        await upload(storage, ADA, "client.log", at=at),
        await upload(storage, ADA, "menu.png", a_picture(), at=at),
    ]
    async with transaction(ADA):
        case = await Case.open(
            by=ADA, subject="VPN drops every 20 minutes", text="Since **Tuesday**:\n\n- Kiel\n- Hamburg\n\n```\nno route to host\n```",
            case_type_id=INCIDENT, priority=3, files=opening, at=at - timedelta(hours=2),
        )  # fmt: skip
    reply, note = await upload(storage, INES, "fix.txt", at=at), await upload(storage, INES, f"{SECRET}.txt", at=at)
    async with transaction(INES) as tx:
        await case.take(by=INES, at=at - timedelta(minutes=90))
        await case.note(
            by=INES, text=f"{SECRET}: their firewall is ours to blame.", files=[note], at=at - timedelta(hours=1)
        )
        await case.reply(by=INES, text="We look into it.", files=[reply], at=at - timedelta(minutes=50))
        rows = await tx.fetch(
            "select a.id, a.name from attachment a join message m on m.id = a.message_id where m.case_id = $1", case.id
        )
    ids = {row["name"]: row["id"] for row in rows}
    return case, {"picture": ids["menu.png"], "reply": ids["fix.txt"], "note": ids[f"{SECRET}.txt"]}


async def _time(case: Case, at: datetime) -> dict[str, TimeEntry]:
    """Create a time entry in each state, and return the entries by the name of their state."""
    last_month = (at.date().replace(day=1) - timedelta(days=1)).replace(day=6)
    made = {}
    async with transaction(INES):
        for name, day, about in (
            ("draft", at.date(), {}), ("submitted", at.date(), {}), ("rejected", at.date(), {}), ("approved", at.date(), {}),
            ("issued", last_month, {}), ("on a draft", last_month, {}), ("also on the draft", last_month, {}),
            ("covered", last_month, {"billing": EntryBilling.NO_CHARGE}), ("on another draft", last_month, {}), ("flagged", last_month, {}),
        ):  # fmt: skip
            work = Work(
                minutes=35, work_date=day, service_id=HELPDESK, external_comment=f"{name} work", description=f"{SECRET}: {name}", **about  # type: ignore[arg-type]
            )  # fmt: skip
            made[name] = await TimeEntry.log(INES, work, at=at - timedelta(hours=1), case=case)
        assert not (await submit(INES, [entry.id for name, entry in made.items() if name != "draft"], at=at)).refused
        made["submitted"] = await TimeEntry.find(made["submitted"].id, INES)
    async with transaction(MAX):
        reason = f"{SECRET}: which site was it?"
        assert not (await billing.reject([_choice(made["rejected"])], reason=reason, by=MAX, at=at)).refused
        question = f"{SECRET}: whom did it help?"
        assert not (await billing.flag([_choice(made["flagged"])], question=question, by=MAX, at=at)).refused
    return made


async def _appointment(case: Case, at: datetime) -> int:
    """Plan a visit of Ines for the next day, and return its id."""
    day = (at + timedelta(days=1)).date().isoformat()
    facts = AppointmentFacts(
        day=day, begins="10:00", ends="11:30", agent_id=str(INES.id), note=f"{SECRET}: bring a switch"
    )
    async with transaction(INES):
        return (await Appointment.plan(case, facts, by=INES, at=at)).id


async def _canned() -> int:
    """Create a canned reply for everybody, and return its id."""
    async with transaction(NOOR):
        await CannedReply.create(
            CannedFacts(name="Restart", text="Hello {first name}, restart it.", shared="yes"), NOOR
        )
        return (await CannedReply.listed(NOOR))[0]["id"]


async def _held(case: Case, at: datetime) -> uuid.UUID:
    """Send a reply of Ines to the case, and return the key of its form while it is still held back."""
    key = uuid.uuid4()
    async with transaction(INES):
        await outgoing_replies.send(case, Writing("It is held.", (), key), by=INES, at=at)
    return key


async def _linked(case: Case, other: Case, at: datetime) -> int:
    """Link two cases, and return the number of the second."""
    async with transaction(INES):
        await link(case, other, by=INES, at=at)
    return int(other.number)


async def _timers(case: Case, at: datetime) -> int:
    """Create a paused and a running timer of Noor, and return the id of the running one."""
    async with transaction(NOOR):
        await Timer.start(NOOR, at=at - timedelta(minutes=50), note=f"{SECRET}: called back")
        on = await logged_on.named(f"case-{case.number}")
        timer = await Timer.start(NOOR, at=at - timedelta(minutes=20), on=on, note=f"{SECRET}: on the phone")
    return timer.id


async def _billed(entries: dict[str, TimeEntry], at: datetime) -> tuple[billing.Invoice, Any, Any]:
    """Approve and bill entries. Return an issued invoice, the id of a statement, and a `Run` with the ids of two drafts."""
    until, runs = at.date().replace(day=1), []
    for names in (["issued"], ["covered"], ["on another draft"], ["on a draft", "also on the draft"]):
        outcome = await billing.approve([_choice(entries[name]) for name in names], by=MAX, at=at)
        assert not outcome.refused, outcome
        runs.append(await billing.run(until, [ACME], by=MAX, at=at))
    first, covered, other, last = (run for run in runs if run)
    issued = await billing.issue(first.draft_ids[0], by=MAX, at=at)
    await billing.issue_credit(
        issued, billing.Chosen(minutes={1: 5}), reason="Agreed on the phone.", freed=False, by=MAX, at=at
    )
    assert not (await billing.approve([_choice(entries["approved"])], by=MAX, at=at)).refused
    return issued, covered.statement_ids[0], billing.Run(last.id, last.draft_ids + other.draft_ids, ())


async def _fields(case: Case, at: datetime) -> dict[str, Any]:
    """Add a custom field of cases that customers see and one that only agents see, and fill in both on the case.

    Return the ids of the first field and of its chosen value by the keys `field` and `choice`.
    """
    async with transaction(SYSTEM):
        site = await CaseField.create(NewField(name="Site", kind="choice", choices="Hamburg\nBerlin"))
        warranty = await CaseField.create(NewField(name=f"{SECRET} warranty", kind="text", for_contacts="no"))
        hamburg = (await FieldChoice.listed(site.id))[0].id
    async with transaction(INES):
        await change_values(case, await offered(INES), {site.id: hamburg, warranty.id: SECRET}, by=INES, at=at)
    return {"field": site.id, "choice": hamburg}


async def _tagged(case: Case, at: datetime) -> int:
    """Let Ines put a tag on the case, and return the id of the tag."""
    async with transaction(INES):
        tag = await Tag.named(f"{SECRET} audit", at)
        await add_tag(case, tag, by=INES, at=at)
    return int(tag.id)


async def _change(case: Case, at: datetime) -> uuid.UUID:
    """Let Noor prepare a bulk change of the priority of the case, and return the id of the bulk change."""
    async with transaction(NOOR):
        change = await BulkChange.prepare(Verb.PRIORITY, Question(at=at), [str(case.number)], by=NOOR, at=at)
    return uuid.UUID(str(change.id))


async def _question(invoice: billing.Invoice, at: datetime) -> int:
    """Let Ada ask about the first row of the invoice, and return the id of the question."""
    async with transaction(ADA):
        await billing.ask_about_entry(await billing.time_on_invoice(invoice, 1), "What was that?", by=ADA, at=at)
        [question] = await billing.questions_of(invoice)
    question_id: int = question["id"]
    return question_id


async def _payment(invoice: billing.Invoice, at: datetime) -> int:
    """Record a payment of a part of the invoice, and return the id of the payment."""
    async with transaction(MAX):
        facts = billing.PaymentFacts(amount="10", paid_on=at.date().isoformat(), reference=f"{SECRET}: statement 7")
        await billing.record_payment(invoice, facts, by=MAX, at=at)
        [payment] = await billing.payments_of(invoice, MAX)
    payment_id: int = payment["id"]
    return payment_id


def _choice(entry: TimeEntry) -> billing.Choice:
    return billing.Choice(entry.id, entry.version)


async def _exported(storage: Storage, at: datetime) -> int:
    """Create the finished file of a timesheet for Max, as a job would, and return its id."""
    key = new_key()

    async def content() -> AsyncIterator[bytes]:
        yield b"Agent,Day"

    await storage.store(key, content(), limit=100)
    made: int = await current().fetchval(
        "insert into export (agent_id, layout, format, filters, entries, asked_at, read_entries, ended_at, file_key, size)"
        " values ($1, 'payroll', 'csv', 'kind=all&from=2026-11-01&until=2026-11-20', 1, $2, 1, $2, $3, 9) returning id",
        MAX.id, at, key,
    )  # fmt: skip
    return made


async def failed_job() -> int:
    """Create a job that has failed, as the worker would record it, and return its id."""
    await jobs.enqueue("mail_password_changed", credential=0, at="2026-11-20T08:00:00+00:00")
    tx = current()
    job: int = await tx.fetchval("update pgqueuer set status = 'failed' returning id")
    await tx.execute(
        "insert into pgqueuer_log (job_id, status, priority, entrypoint, traceback) values ($1, 'failed', 0, 'mail_password_changed', $2)",
        job,
        '{"exception_type": "NotSent"}',
    )
    return job


async def _promise(service_id: int | None = None) -> None:
    """Set targets for the reply and the solution of cases of every priority, and add a public holiday.

    The targets hold for cases of this service, or for all cases if `service_id` is None.
    """
    words = ("urgent", "high", "normal", "low")
    fields = {
        f"{noun}_{word}": value for word in words for noun, value in (("reply", "1h"), ("solve", "20h"), ("goal", "95"))
    }
    await save_targets(TargetFacts(**fields), service_id)
    await add_day(DayFacts(day="2026-12-24", name="Christmas Eve"), since=NOW.date())


async def _set_up(at: datetime) -> dict[str, dict[str, Any]]:
    """Create an agent, a customer and more, which a test may end without harm to the people of tests/world.py.

    Return the parameters of their URLs by the beginning of the route.
    """
    day, zone = date(2026, 1, 1).isoformat(), "Europe/Berlin"
    customer = await Customer.create(
        CustomerFacts(name="Initech", street="Weg 1", postcode="24103", city="Kiel", country="DE"), at
    )
    await customer.deliver(DeliveryFacts(invoices_by_mail=True, email="accounts@initech.example"))
    contact = await Contact.create(
        customer, ContactFacts(name="Peter Klein", email="peter@initech.example", time_zone=zone), at
    )
    for one in (contact, await Contact.find(ALAN.id, SYSTEM)):
        await one.invite(at)
    await Contact.create(customer, ContactFacts(name=ADA.name, email=ADA.email, time_zone=zone), at)
    contract = await Contract.create(
        customer, ContractFacts(name="Support", start_on=day, currency="EUR", vat_rate="19"), at
    )
    service = await Service.create(contract, ServiceFacts(name="Remote help"), at)
    prepaid = await Service.create(contract, ServiceFacts(name="Prepaid help", settlement="voucher"), at)
    plan = await Service.create(contract, ServiceFacts(name="Plan", settlement="subscription", fee="90"), at)
    await PriceChange.create(plan, contract, PriceFacts(effective_from="2027-01-01", fee="95"), at)
    [change] = await PriceChange.of(plan.id)
    sale = VoucherFacts(services=[str(prepaid.id)], hours="10h", price="900", sold_on=day)
    voucher = await Voucher.sell(customer, sale, at)
    project = await Project.create(customer, ProjectFacts(name="New office", service_id=str(service.id)), at)
    task = await Task.create(service, TaskFacts(name="Installation"))
    agent = await Agent.create(
        AgentFacts(name="Jonas Brandt", email="jonas@desk.example", department_id=str(SUPPORT), role_id=str(CONSULTANT), time_zone=zone), at
    )  # fmt: skip
    department = await Department.create(DepartmentFacts(name="Networks", parent_id=str(SUPPORT)))
    role = await create_role(RoleFacts(name="Trainee", hourly_rate="60", effective_from=day), at)
    rate = await Rate.create(
        RateFacts(hourly_rate="110", currency="EUR", effective_from=day, customer_id=str(customer.id)), at
    )
    case_type = await CaseType.create(CaseTypeFacts(name="Training"))
    kind = await GeneralKind.create(KindName(name="Sales"))
    urgent = ViewFacts(name="Urgent", query="?view=all&priority=4", is_shared="yes")
    view = await OwnView.save_new(urgent, by=INES, at=at)
    # These rules match none of the cases created above.
    chosen = {"agent_id": str(INES.id), "department_id": str(SUPPORT)}
    await DispatchRule.create(RuleFacts(name="Ink", words="toner", **chosen))
    status = await CaseStatus.create(NewStatus(name="Waiting for the manufacturer", category="waiting_for_others"))
    rule = await DispatchRule.create(RuleFacts(name="Toner", words="toner", **chosen))
    product = await Product.create(ProductFacts(name="Managed workstation", unit="month"))
    await product.set_price(ProductPriceFacts(price="49", currency="EUR"))
    (price,) = (await ProductPrice.of([product.id]))[product.id]
    template = await ServiceTemplate.create(TemplateFacts(name="Care", settlement="voucher", currency="EUR"))
    absence = AbsenceFacts(first_day="2026-12-14", last_day="2026-12-28", note="Leave")
    for person in (agent, await Agent.find(NOOR.id)):
        await Absence.create(person, absence, own=True)
    (away,), (noors,) = [await Absence.of_agent(one, at.date()) for one in (agent.id, NOOR.id)]
    await CostRate.create(agent, CostRateFacts(hourly_cost="58", currency="EUR", effective_from=day), at)
    (cost,) = await CostRate.listed(agent.id)
    token = await invitations.invite((await agent.credential())["id"], at)
    job = await failed_job()
    await _promise(service.id)
    ids = {
        "customer": customer.id,
        "contact": contact.id,
        "contract": contract.id,
        "service": plan.id,
        "change": change.id,
        "voucher": voucher.id,
    }
    return {
        "/invitations/": {"token": token},
        "/agent/customers/": ids,
        "/contacts/": {"contact": ALAN.id},
        "/agent/contracts/": {"contract": contract.id},
        "/agent/services/": {"service": service.id},
        "/agent/tasks/": {"task": task.id},
        "/agent/projects/": {"project": project.id},
        "/agent/setup/agents/": {"agent": agent.id, "absence": away.id, "rate": cost.id},
        "/agent/absences/": {"absence": noors.id},
        "/agent/handovers/": {"agent": agent.id},
        "/agent/setup/departments/": {"department": department.id},
        "/agent/setup/failed-jobs/": {"job": job},
        "/agent/setup/roles/": {"role": role.id},
        "/agent/setup/rates/": {"rate": rate.id},
        "/agent/setup/dispatch/": {"rule": rule.id},
        "/agent/setup/workflow/": {"status": status.id},
        "/agent/setup/case-types/": {"case_type": case_type.id},
        "/agent/setup/general-kinds/": {"kind": kind.id},
        "/agent/cases/views/": {"view": view.id},
        "/agent/setup/tags/": {"tag": (await Tag.named("vpn", at)).id},
        "/agent/setup/billing/": {"customer_id": ACME},
        "/agent/setup/service-templates/": {"template": template.id},
        "/agent/setup/products/": {"product": product.id, "price": price.id},
        "/agent/setup/files/": {"ending": "iso"},
        "/agent/setup/deadlines/services/": {"service": service.id},
        "/agent/setup/deadlines/days/": {"day": "2026-12-24"},
    }
