"""Test what happens if two people save the same value of a unique constraint at the same time."""

import asyncio
import contextvars
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from portal.billing import BillingSchedule, ScheduleFacts, leave_out
from portal.contracts.case_types import CaseType, CaseTypeFacts
from portal.contracts.company import Company, CompanyFacts
from portal.contracts.contracts import Contract
from portal.contracts.price_list.products import Product, ProductFacts, ProductPriceFacts
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.contracts.prices.changes import PriceChange, PriceFacts
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.rates import Rate, RateFacts
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.services.defaults import DefaultService
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.desk import Case
from portal.desk.custom_fields.fields import CaseField, NewField
from portal.desk.deadlines import calendars, recounting
from portal.desk.deadlines.targets import TargetFacts, save_targets
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.desk.help.articles import Article, HelpFacts
from portal.desk.lists.own_views import OwnView, ViewFacts
from portal.desk.tagging.tags import Tag
from portal.desk.workflow.statuses import CaseStatus, NewStatus
from portal.errors import Refusal
from portal.people import customers, departments, roles
from portal.people.agents import Agent, AgentFacts
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, AgentReader
from portal.people.working.absences import Absence, AbsenceFacts
from portal.people.working.costs import CostRate, CostRateFacts
from portal.people.working.hours import HoursFacts, WorkingHours
from portal.reports.files import Export
from portal.reports.questions import Layout, Question
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.kinds import GeneralKind, KindName
from portal.timekeeping.policy.switches import RulesFacts, TimeRules
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN
from tests.billing.work import a_service
from tests.browser import Browser
from tests.world import (
    ACME,
    ACME_CONTRACT,
    ADA,
    GLOBEX,
    HELPDESK,
    INCIDENT,
    INES,
    MAX,
    MOVE,
    NOOR,
    NOW,
    SENIOR,
    SUPPORT,
)

Verb = Callable[[AgentReader], Awaitable[Any]]
KEY = uuid.UUID("00000000-0000-4000-8000-000000000001")

# --- the functions by which two agents save the same value


async def _customer(_: AgentReader) -> None:
    facts = customers.CustomerFacts(
        name="Initech", street="1 Main Street", postcode="75001", city="Paris", country="FR"
    )
    await customers.Customer.create(facts, NOW)


async def _department(_: AgentReader) -> None:
    await departments.Department.create(departments.DepartmentFacts(name="Night shift"))


async def _role(_: AgentReader) -> None:
    await roles.Role.create("Trainee")


async def _case_type(_: AgentReader) -> None:
    await CaseType.create(CaseTypeFacts(name="Wish"))


async def _agent(_: AgentReader) -> None:
    facts = AgentFacts(name="Tom Sand", email="tom@desk.example", department_id=str(SUPPORT), time_zone="Europe/Berlin")
    await Agent.create(facts, NOW)


async def _contact(_: AgentReader) -> None:
    facts = ContactFacts(name="Bea Roth", email="bea@acme.example", time_zone="Europe/Berlin")
    await Contact.create(await Customer.find(ACME, SYSTEM), facts, NOW)


async def _shared_login(by: AgentReader) -> None:
    """Add the person Bea Roth to Acme if `by` is Noor, and otherwise to Globex. Both contacts share one login."""
    facts = ContactFacts(name="Bea Roth", email="bea@acme.example", time_zone="Europe/Berlin")
    await Contact.create(await Customer.find(ACME if by == NOOR else GLOBEX, SYSTEM), facts, NOW)


async def _service(_: AgentReader) -> None:
    await Service.create(await Contract.find(ACME_CONTRACT, SYSTEM), ServiceFacts(name="On-site"), NOW)


async def _task(_: AgentReader) -> None:
    await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Installation"))


async def _project(_: AgentReader) -> None:
    facts = ProjectFacts(name="New office", service_id=str(HELPDESK))
    await Project.create(await customers.Customer.find(ACME, SYSTEM), facts, NOW)


async def _export(by: AgentReader) -> None:
    asked = Question(since=NOW.date(), until=NOW.date())
    await Export.ask(replace(MAX, credential_id=by.credential_id), asked, Layout.PAYROLL, "csv", entries=0, at=NOW)


async def _rate(_: AgentReader) -> None:
    facts = RateFacts(hourly_rate="130", currency="EUR", effective_from="2026-12-01", role_id=str(SENIOR))
    await Rate.create(facts, NOW)


async def _default(_: AgentReader) -> None:
    await DefaultService.choose(ACME, HELPDESK, case_type=INCIDENT)


async def _designation(_: AgentReader) -> None:
    await departments.designate(MAX.id, [SUPPORT, MOVE])


async def _field(_: AgentReader) -> None:
    await CaseField.create(NewField(name="Serial number", kind="text"))


async def _tag(_: AgentReader) -> None:
    await Tag.named("audit", NOW)


async def _own_view(_: AgentReader) -> None:
    await OwnView.save_new(ViewFacts(name="Urgent", query="?view=all"), by=INES, at=NOW)


async def _general_kind(_: AgentReader) -> None:
    await GeneralKind.create(KindName(name="Sales"))


async def _article(by: AgentReader) -> None:
    await Article.write(HelpFacts(title="Set up the VPN", text="Choose it.", audience="everybody"), by=by, at=NOW)


async def _dispatch_rule(_: AgentReader) -> None:
    await DispatchRule.create(RuleFacts(name="Printers", agent_id=str(INES.id)))


async def _status(_: AgentReader) -> None:
    await CaseStatus.create(NewStatus(name="Waiting for the manufacturer", category="waiting_for_others"))


async def _template(_: AgentReader) -> None:
    await ServiceTemplate.create(TemplateFacts(name="Care", currency="EUR"))


async def _product(_: AgentReader) -> None:
    await Product.create(ProductFacts(name="Router"))


async def _product_price(_: AgentReader) -> None:
    await (await Product.find(1)).set_price(ProductPriceFacts(price="49", currency="EUR"))


async def _absence(_: AgentReader) -> None:
    facts = AbsenceFacts(first_day="2026-12-21", last_day="2026-12-31")
    await Absence.create(await Agent.find(INES.id), facts, own=False)


async def _cost_rate(_: AgentReader) -> None:
    facts = CostRateFacts(hourly_cost="62", currency="EUR", effective_from="2026-01-01")
    await CostRate.create(await Agent.find(INES.id), facts, NOW)


async def _prices(_: AgentReader) -> None:
    contract = await Contract.find(ACME_CONTRACT, SYSTEM)
    plan = await current().fetchval("select id from service where name = 'Plan'")
    facts = PriceFacts(effective_from="2027-01-01", fee="95")
    await PriceChange.create(await Service.find(plan, SYSTEM), contract, facts, NOW)


async def _working_hours(_: AgentReader) -> None:
    await WorkingHours.arrange(INES.id, HoursFacts(effective_from="2026-01-01", monday="6h"))


async def _deadlines(_: AgentReader) -> None:
    await recounting.begin()
    await calendars.save_hours(calendars.HoursFacts(hours_monday="9-17", time_zone="Europe/Berlin"))
    await calendars.add_day(calendars.DayFacts(day="2026-12-24", name="Christmas Eve"), since=NOW.date())
    await save_targets(TargetFacts(reply_high="1h"))


async def _schedule(by: AgentReader) -> None:
    await BillingSchedule.change(ScheduleFacts(cycle="weekly"), by=by, at=NOW)


async def _left_out(_: AgentReader) -> None:
    await leave_out(ACME)


async def _time_rules(_: AgentReader) -> None:
    await TimeRules.change(RulesFacts(tracks_time="yes", on_cases="yes"))


async def _time(by: AgentReader) -> None:
    work = Work(minutes=30, work_date=NOW.date(), service_id=None, external_comment="", description=by.name)
    assert (await TimeEntry.log(by, work, at=NOW, form_key=KEY)).entered_by_id == by.id


async def _message(by: AgentReader) -> None:
    case = await Case.open(
        by=by, subject="VPN drops", text=by.name, case_type_id=INCIDENT, at=NOW, contact_id=ADA.id, form_key=KEY
    )
    assert case.opened_by_agent_id == by.id


async def _company(_: AgentReader) -> None:
    await Company.set_up(
        CompanyFacts(
            name="Halden IT", street="Hafenstraße 7", postcode="20457", city="Hamburg", country="DE", vat_id="DE100000008",
            email="office@desk.example", bank_name="Hanse Bank", iban="DE02120300000000202051", currency="EUR",
            time_zone="Europe/Berlin", first_number="2026-0147",
        )
    )  # fmt: skip


REFUSED, BOTH = ["Invalid", "done"], ["done", "done"]
PROVED: dict[str, tuple[Verb, list[str]]] = {
    "customer_name": (_customer, REFUSED),
    "department_name": (_department, REFUSED),
    "role_name": (_role, REFUSED),
    "case_type_name": (_case_type, REFUSED),
    "general_kind_name": (_general_kind, REFUSED),
    "tag_name": (_tag, BOTH),
    "case_field_name": (_field, REFUSED),
    "own_view_name": (_own_view, REFUSED),
    "dispatch_rule_name": (_dispatch_rule, REFUSED),
    "case_status_name": (_status, REFUSED),
    "help_title": (_article, REFUSED),
    "service_template_name": (_template, REFUSED),
    "product_name": (_product, REFUSED),
    "product_price_once": (_product_price, REFUSED),
    "credential_email_of_agent": (_agent, REFUSED),
    "credential_email_of_customer": (_contact, REFUSED),
    "one_login_for_an_address": (_shared_login, BOTH),
    "service_name": (_service, REFUSED),
    "task_name": (_task, REFUSED),
    "project_name": (_project, REFUSED),
    "rate_currency_role_id_agent_id_customer_id_service_id_effec_key": (_rate, REFUSED),
    "default_service_customer_id_case_type_id_key": (_default, BOTH),
    "designation_pkey": (_designation, BOTH),
    "absence_once": (_absence, REFUSED),
    "cost_rate_agent_id_effective_from_key": (_cost_rate, REFUSED),
    "price_change_service_id_effective_from_key": (_prices, REFUSED),
    "working_hours_pkey": (_working_hours, BOTH),
    "time_rules_pkey": (_time_rules, BOTH),
    "business_calendar_pkey": (_deadlines, BOTH),
    "business_day_pkey": (_deadlines, BOTH),
    "business_window_pkey": (_deadlines, BOTH),
    "business_window_int4range_excl": (_deadlines, BOTH),
    "deadline_target_service_id_priority_key": (_deadlines, BOTH),
    "billing_schedule_pkey": (_schedule, BOTH),
    "unscheduled_customer_pkey": (_left_out, BOTH),
    "time_entry_form": (_time, BOTH),
    "export_under_way": (_export, BOTH),
    "message_form": (_message, BOTH),
    "number_series_kind_key": (_company, BOTH),
    "company_pkey": (_company, BOTH),
}
"""For each unique constraint, a function that two people call at once with the same value, and both outcomes.

The second person waits for the first, and is then refused or saves the value as well.
"""

RANDOM = "The portal draws the value: 80 random bits or more."
COUNTED = "A counter row or a sequence gives the value, locked until its transaction ends."
OWN = "It begins with its parent's id, which this very transaction has inserted or has locked."
UPSERT = "The insert says what happens on a conflict."
LIBRARY = "The job queue's own table, which its library alone writes."
REASONED = {
    "allocation_entry_id_part_position_key": OWN,
    "attachment_key_key": RANDOM,
    "billed_fee_once": "A run locks its customers first: test_two_runs_at_once_bill_nothing_twice.",
    "billed_fee_pkey": "A run locks its customers first: test_two_runs_at_once_bill_nothing_twice.",
    "billed_voucher_pkey": "A run locks its customers first: test_two_runs_at_once_bill_nothing_twice.",
    "attachment_message_id_position_key": OWN,
    "attachment_pkey": RANDOM,
    "authenticator_pkey": UPSERT,
    "deadline_pkey": OWN,
    "deadline_recount_pkey": UPSERT,
    "pause_under_way": OWN,
    "appointment_form": "The case is locked first: test_an_appointment_that_is_sent_twice_is_planned_once.",
    "outgoing_reply_form": "The form is locked first: test_a_reply_reaches_the_customer_when_it_goes_out_and_counts_from_then.",
    "canned_reply_name": "A sentence at the field: test_two_canned_replies_of_one_owner_never_have_one_name.",
    "bulk_change_pkey": RANDOM,
    "bulk_change_undoes_key": "The change is locked first: test_chosen_cases_get_the_value_and_their_own_one_back.",
    "bulk_member_pkey": OWN,
    "case_link_pkey": UPSERT,
    "case_field_value_pkey": "The case is locked first: test_two_agents_who_fill_in_the_same_field_wait_for_each_other.",
    "case_priority_name": "The four are locked first, and a sentence says so: test_a_priority_gets_a_name_that_no_other_has.",
    "case_priority_preselected": "The four are locked and written together: test_two_admins_at_once_do_not_silently_undo_each_others_priorities.",
    "case_priority_pkey": "A migration inserted the four, and nobody inserts or deletes one.",
    "case_field_choice_name": "The field is locked first, and a sentence says so: test_a_field_and_a_choice_in_use_stay_and_what_is_unused_goes.",
    "case_look_pkey": UPSERT,
    "case_rating_pkey": "The case is locked first: test_two_people_at_once_do_not_silently_undo_each_others_rating.",
    "case_tag_pkey": UPSERT,
    "case_watcher_pkey": UPSERT,
    "case_words_pkey": "Triggers write it, for a case that is locked by whoever writes to it.",
    "dispatch_turn_pkey": UPSERT,
    "status_move_pkey": UPSERT,
    "follow_up_rule_pkey": UPSERT,
    "cases_number_key": COUNTED,
    "contract_renewal_once": "The contract is locked first: test_two_workers_renew_a_contract_once.",
    "credential_agent_id_key": OWN,
    "credit_line_pkey": OWN,
    "credit_note_form": "The customer is locked first: test_the_same_form_again_makes_no_second_note.",
    "credit_note_number_key": COUNTED,
    "credit_note_series_id_series_number_key": COUNTED,
    "credit_vat_pkey": OWN,
    "credited_time_pkey": OWN,
    "corrected_time_pkey": OWN,
    "statement_form": "The customer is locked first: test_the_same_form_again_makes_no_second_correction.",
    "credential_contact_id_key": OWN,
    "detail_row_place": OWN,
    "document_kind": OWN,
    "draft_pkey": UPSERT,
    "logo_pkey": UPSERT,
    "forgotten_dismissal_pkey": UPSERT,
    "invitation_token_hash_key": RANDOM,
    "invoice_line_invoice_id_position_key": OWN,
    "invoice_mail_receiver": UPSERT,
    "invoice_number_key": COUNTED,
    "invoice_seen_pkey": UPSERT,
    "invoice_series_id_series_number_key": COUNTED,
    "invoice_vat_pkey": OWN,
    "line_allocation_pkey": "A run locks its customers first: test_two_runs_at_once_bill_nothing_twice.",
    "mail_refusal_pkey": UPSERT,
    "mention_pkey": OWN,
    "migration_pkey": "Migrations run one process at a time, under an advisory lock.",
    "notice_choice_pkey": UPSERT,
    "notice_credential_id_kind_record_id_key": UPSERT,
    "one_live_approval": "The entry's state is compared and set first: test_two_managers_at_once_one_gets_a_conflict.",
    "one_open_flag": "The entry is locked and looked at first: test_two_managers_who_flag_at_once.",
    "outgoing_mail_job_id_key": UPSERT,
    "passkey_handle_key": UPSERT,
    "payment_form": "The customer is locked first: test_the_same_form_again_changes_nothing.",
    "pgqueuer_picked_slot_idx": LIBRARY,
    "pgqueuer_pkey": LIBRARY,
    "pgqueuer_schedules_expression_entrypoint_key": LIBRARY,
    "pgqueuer_schedules_pkey": LIBRARY,
    "pgqueuer_statistics_pkey": LIBRARY,
    "pgqueuer_statistics_unique_count": LIBRARY,
    "pgqueuer_unique_dedupe_key": LIBRARY,
    "file_preview_pkey": UPSERT,
    "help_article_slug_key": "The slug is chosen under a lock: test_two_agents_who_write_at_once_get_two_addresses.",
    "help_picture_pkey": OWN,
    "help_reading_pkey": UPSERT,
    "help_text_pkey": OWN,
    "help_views_pkey": UPSERT,
    "project_member_pkey": UPSERT,
    "recovery_code_pkey": RANDOM,
    "reopened_entry_pkey": "Triggers write it, for entries whose customers are locked.",
    "release_pkey": UPSERT,
    "rolled_minutes_pkey": "A run locks its customers first: test_two_runs_at_once_bill_nothing_twice.",
    "service_designation_pkey": UPSERT,
    "session_token_hash_key": RANDOM,
    "settled_entry_pkey": "A run locks its customers first: test_two_runs_at_once_bill_nothing_twice.",
    "refused_ending_pkey": UPSERT,
    "run_customer_pkey": OWN,
    "entry_question_form_key_key": "The key is a random UUID of the page, so only the same form that is sent again has it.",
    "one_open_question": "tests/billing/test_questions.py: the second person gets a conflict, and nothing of the second question is kept.",
    "skipped_entry_pkey": OWN,
    "statement_customer_id_id_key": RANDOM,
    "statement_pkey": RANDOM,
    "timer_form": "The agent's timers are locked first: test_two_tabs_at_once_start_one_timer.",
    "timer_segment_running": "The agent's timers are locked first: test_two_tabs_at_once_start_one_timer.",
    "upload_id_key": RANDOM,
    "upload_pkey": RANDOM,
    "voucher_service_pkey": OWN,
    "warning_kind_service_id_voucher_id_contract_id_day_key": "The worker inserts none twice:"
    " test_two_workers_at_once_and_one_that_is_killed_warn_once.",
    "voucher_service_voucher_id_position_key": OWN,
}
"""Unique constraints that no request can violate, each with the reason."""

UNIQUE = """
select i.indexrelid::regclass::text as name
from pg_index i join pg_class t on t.oid = i.indrelid
where t.relnamespace = 'public'::regnamespace and (i.indisunique or i.indisexclusion)
  -- a generated id in it can be in no second row
  and not exists (select from unnest(i.indkey::int[]) k join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k
                  where a.attidentity <> '')
"""


async def test_every_uniqueness_of_the_database_has_an_answer_for_a_second_person(dsn: str) -> None:
    """Each unique constraint and unique index of the database is listed in `PROVED` or in `REASONED`."""
    async with transaction(SYSTEM) as tx:
        found = {row["name"] for row in await tx.fetch(UNIQUE)}
    assert found == set(PROVED) | set(REASONED)
    assert not set(PROVED) & set(REASONED)


async def outcome(verb: Verb, by: AgentReader) -> str:
    """Call `verb(by)` in a transaction of its own. Return `done`, or the class name of the refusal."""
    try:
        async with transaction(by):
            await verb(by)
    except Refusal as refusal:
        return type(refusal).__name__
    return "done"


@pytest.mark.parametrize("name", PROVED)
async def test_of_two_people_who_save_the_same_at_once_the_second_gets_an_answer(name: str, dsn: str) -> None:
    """If two people save the same value at once, the second is refused with an error message or saves it as well.

    The second begins before the first has committed, so no earlier look-up can have found the value.
    """
    verb, expected = PROVED[name]
    if verb is _company:  # Both create the company for the first time.
        owner = await asyncpg.connect(dsn)
        await owner.execute("delete from number_series; delete from company")
        await owner.close()
    if verb is _prices:
        async with transaction(SYSTEM):
            await a_service(ACME, ACME_CONTRACT, "Plan", **PLAN)
    if verb is _product_price:
        async with transaction(NOOR):
            await _product(NOOR)
    async with transaction(NOOR):
        await verb(NOOR)
        # A transaction belongs to the context that opened it, so each person gets a context.
        second = asyncio.create_task(outcome(verb, MAX), context=contextvars.Context())
        await asyncio.sleep(0.05)
    assert sorted(["done", await second]) == expected


async def test_a_form_key_that_another_agent_has_used_is_free_for_the_next(app: Gate) -> None:
    """Two agents may send forms with the same form key; each agent's form, although sent twice, creates one entry."""
    form = {
        "duration": "30m",
        "work_date": "2026-11-20",
        "on": "general-1",
        "form_key": str(KEY),
    }
    for agent in (INES, MAX, INES, MAX):
        async with await Browser.of(app, agent) as browser:
            answer = await browser.send_form("/agent/time/new", form | {"description": "Tidied"})
            assert answer.status_code == 303, answer.text
    async with transaction(SYSTEM) as tx:
        assert [row[0] for row in await tx.fetch("select agent_id from time_entry order by id")] == [INES.id, MAX.id]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("insert into role (name) values ('Consultant')", "Somebody else has saved the same already"),
        ("delete from department where id = 1", "Something that this belongs to was removed, or is still in use"),
        ("update role set name = ' '", "This cannot be saved as it is"),
    ],
)
async def test_a_constraint_that_the_code_does_not_check_is_answered_as_a_conflict(
    app: Gate, monkeypatch: pytest.MonkeyPatch, statement: str, sentence: str
) -> None:
    """If a form violates a constraint that the portal's code does not check, the response is 409 and nothing is saved.

    In the test, plain SQL statements stand in for such code.
    """

    async def bare(*_: Any) -> None:
        await current().execute("insert into role (name) values ('Saved before it')")
        await current().execute(statement)

    monkeypatch.setattr(roles.Role, "create", bare)
    async with await Browser.of(app, NOOR) as browser:
        answer = await browser.send_form("/agent/setup/roles", {"name": "Anything"})
    assert (answer.status_code, sentence in answer.text) == (409, True), answer.text
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from role where name = 'Saved before it'") == 0
