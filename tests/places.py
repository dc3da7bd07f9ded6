"""Create one object of every kind with the functions of the product, and build the URLs of all routes to them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from portal import billing, jobs, notices
from portal.contracts.case_types import CaseType, CaseTypeFacts
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.rates import Rate, RateFacts, RoleFacts, create_role
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.desk import Case
from portal.desk.appointments import Appointment, AppointmentFacts
from portal.people import invitations, sessions
from portal.people.agents import Agent, AgentFacts
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer, CustomerFacts
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import SYSTEM
from portal.people.working.absences import Absence, AbsenceFacts
from portal.people.working.costs import CostRate, CostRateFacts
from portal.storage import Storage, new_key
from portal.timekeeping import logged_on
from portal.timekeeping.clock.timers import Timer
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.kinds import GeneralKind, KindName
from portal.timekeeping.states import submit
from portal.words import EntryBilling
from tests.desk.files import upload
from tests.snapshots import once
from tests.world import ACME, ADA, ALAN, CONSULTANT, HELPDESK, INCIDENT, INES, MAX, NOOR, NOW, SUPPORT

SECRET = "internal-marker"
"""A word that every internal text created here contains, so that a test can check that no contact reads one."""

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


@dataclass(frozen=True)
class Places:
    """The objects that `furnished` has created.

    `values` maps the beginning of a route to its path parameters, because a parameter such as `id` means different
    objects on different routes. `entries` are time entries by the name of their state.
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
    """Create one object of every kind in the database, and its files in `storage`; return them with their URL parameters.

    `at` is the present instant. If the objects were created before, write them from a snapshot, which is faster.
    """
    assert storage.folder is not None
    return await once(at, storage.folder, lambda: _create(storage, at))


async def _create(storage: Storage, at: datetime) -> Places:
    case, files = await _dialogue(storage, at)
    async with transaction(ALAN):
        alans = await Case.open(by=ALAN, subject="Second monitor", text="For the desk.", case_type_id=INCIDENT, at=at)
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
    async with transaction(None) as tx:
        await sessions.begin(ADA.credential_id, address="192.0.2.7", browser="Mozilla/5.0 (iPhone) Safari/605", at=at)
        adas = await tx.fetchval("select max(id) from session")
        jonas = await tx.fetchval("select id from credential where email = 'jonas@desk.example'")
        setup["/password-resets/"] = {"token": await invitations.begin_reset(jonas, at)}
    values: dict[str, dict[str, Any]] = {
        "/static/": {"path": "/css/base.css"},
        "/agent/prints/": {"field": "name"},
        "/drafts/files/": {"file": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"},
        "/account/": {"session": adas, "passkey": 1},
        "/notices/": {"notice": told[ADA.credential_id]},
        "/agent/notices/": {"notice": told[NOOR.credential_id]},
        "/cases/": {"number": case.number, "file_id": files["reply"]},
        "/agent/cases/": {"number": case.number, "file": files["note"], "appointment": await _appointment(case, at)},
        "/agent/time/": {"entry": entries["draft"].id},
        "/agent/time/submissions/": {"submission": entries["submitted"].submission_id},
        "/agent/time/{entry}/answer": {"entry": entries["flagged"].id},
        "/agent/flags/": {"flag_id": flag},
        "/agent/timer/": {"timer": await _timers(case, at)},
        "/agent/approvals/": {"entry_id": entries["approved"].id},
        "/agent/approvals/decisions/": {"decision": decision},
        "/agent/timesheets/decisions/": {"decision": decision},
        "/agent/timesheets/files/": {"export_id": export},
        "/agent/drafts/": {"draft_id": run.draft_ids[0], "entry_id": entries["on a draft"].id},
        "/agent/drafts/{draft_id}/deletion": {"draft_id": run.draft_ids[1]},
        "/agent/billing/runs/": {"run_id": run.id},
        "/agent/invoices/": {"number": issued.number},
        "/invoices/": {"number": issued.number},
        "/agent/statements/": {"statement_id": statement},
        "/statements/": {"statement_id": statement},
        **setup,
    }
    return Places(values, case, alans, entries)


async def _told(at: datetime) -> dict[int, int]:
    """Make the notices of everything that was done, and return the id of the newest notice of each credential."""
    while await notices.pass_on(at):
        pass
    rows = await current().fetch("select credential_id, max(id) as id from notice group by credential_id")
    return {row["credential_id"]: row["id"] for row in rows}


async def _dialogue(storage: Storage, at: datetime) -> tuple[Case, dict[str, Any]]:
    """Create a case of Ada with files on each message. Return it and the ids of the files of its `reply` and `note`."""
    opening = [await upload(storage, ADA, "screen.png", PNG, at=at), await upload(storage, ADA, "client.log", at=at)]
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
    return case, {"reply": ids["fix.txt"], "note": ids[f"{SECRET}.txt"]}


async def _time(case: Case, at: datetime) -> dict[str, TimeEntry]:
    """Create a time entry in each state. Return them by the name of their state."""
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
    """Plan a visit of Ines for the day after, and return its id."""
    day = (at + timedelta(days=1)).date().isoformat()
    facts = AppointmentFacts(
        day=day, begins="10:00", ends="11:30", agent_id=str(INES.id), note=f"{SECRET}: bring a switch"
    )
    async with transaction(INES):
        return (await Appointment.plan(case, facts, by=INES, at=at)).id


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
    assert not (await billing.approve([_choice(entries["approved"])], by=MAX, at=at)).refused
    return issued, covered.statement_ids[0], billing.Run(last.id, last.draft_ids + other.draft_ids, ())


def _choice(entry: TimeEntry) -> billing.Choice:
    return billing.Choice(entry.id, entry.version)


async def _exported(storage: Storage, at: datetime) -> int:
    """Create a file of a timesheet that a job made for Max, and return its id."""
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


async def _set_up(at: datetime) -> dict[str, dict[str, Any]]:
    """Create an agent, a customer and more that a test may end without harm to the people of tests/world.py.

    Return the parameters of their URLs by the beginning of the route.
    """
    day, zone = date(2026, 1, 1).isoformat(), "Europe/Berlin"
    customer = await Customer.create(
        CustomerFacts(name="Initech", street="Weg 1", postcode="24103", city="Kiel", country="DE"), at
    )
    contact = await Contact.create(
        customer, ContactFacts(name="Peter Klein", email="peter@initech.example", time_zone=zone), at
    )
    contract = await Contract.create(
        customer, ContractFacts(name="Support", start_on=day, currency="EUR", vat_rate="19"), at
    )
    service = await Service.create(contract, ServiceFacts(name="Remote help"), at)
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
    absence = AbsenceFacts(first_day="2026-12-14", last_day="2026-12-28", note="Leave")
    for person in (agent, await Agent.find(NOOR.id)):
        await Absence.create(person, absence, own=True)
    (away,), (noors,) = [await Absence.of_agent(one, at.date()) for one in (agent.id, NOOR.id)]
    await CostRate.create(agent, CostRateFacts(hourly_cost="58", currency="EUR", effective_from=day), at)
    (cost,) = await CostRate.listed(agent.id)
    token = await invitations.invite((await agent.credential())["id"], at)
    job = await failed_job()
    ids = {"customer": customer.id, "contact": contact.id, "contract": contract.id, "service": service.id}
    return {
        "/invitations/": {"token": token},
        "/agent/customers/": ids,
        "/contacts/": {"contact": ALAN.id},
        "/agent/services/": {"service": service.id},
        "/agent/tasks/": {"task": task.id},
        "/agent/projects/": {"project": project.id},
        "/agent/setup/agents/": {"agent": agent.id, "absence": away.id, "rate": cost.id},
        "/agent/absences/": {"absence": noors.id},
        "/agent/setup/departments/": {"department": department.id},
        "/agent/setup/failed-jobs/": {"job": job},
        "/agent/setup/roles/": {"role": role.id},
        "/agent/setup/rates/": {"rate": rate.id},
        "/agent/setup/case-types/": {"case_type": case_type.id},
        "/agent/setup/general-kinds/": {"kind": kind.id},
        "/agent/setup/files/": {"ending": "iso"},
    }
