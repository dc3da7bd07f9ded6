"""The portal as a Piccolo app: its table classes, which are defined in the packages that use them, and its migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from portal.billing.allocations import StoredAllocation
from portal.billing.detail import CopiedRow
from portal.billing.documents import StoredDocument
from portal.billing.invoices import Invoice, InvoiceLine, InvoiceSeen, InvoiceVat, LineAllocation, SettledEntry
from portal.billing.runs import BillingRun, SkippedEntry
from portal.billing.statements import Statement
from portal.contracts.case_types import CaseType
from portal.contracts.company import Company, NumberSeries
from portal.contracts.contracts import Contract
from portal.contracts.logo import Logo
from portal.contracts.projects import Project, ProjectMember
from portal.contracts.rates import Rate
from portal.contracts.services import DefaultService, Service
from portal.contracts.tasks import Task
from portal.desk.appointments import Appointment
from portal.desk.cases import Case
from portal.desk.events import CaseEvent
from portal.desk.files.attachments import Attachment, Upload
from portal.desk.files.endings import RefusedEnding
from portal.desk.mentions import Mention
from portal.desk.messages import Message
from portal.notices.choices import NoticeChoice
from portal.notices.inbox import Notice
from portal.people.agents import Agent
from portal.people.attempts import Attempt
from portal.people.contacts import Contact
from portal.people.credentials import Credential
from portal.people.customers import Customer
from portal.people.departments import Department, Designation
from portal.people.factors.authenticator import Authenticator
from portal.people.factors.passkeys import Passkey
from portal.people.factors.recovery import RecoveryCode
from portal.people.invitations import Invitation
from portal.people.roles import Role
from portal.people.sessions import SessionRow
from portal.people.working.absences import Absence
from portal.people.working.costs import CostRate
from portal.people.working.hours import WorkingHours
from portal.reports.files import Export
from portal.timekeeping.clock.forgotten import ForgottenDismissal
from portal.timekeeping.clock.timers import Timer, TimerSegment
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.flags import Flag
from portal.timekeeping.kinds import GeneralKind
from portal.timekeeping.policy.switches import TimeRules
from portal.web.drafts import KeptDraft

_here = Path(__file__).parent
_migrations = _here / "migrations"

APP_CONFIG = AppConfig(
    app_name="portal",
    # In the wheel the folder is inside the package, in the repository beside it.
    migrations_folder_path=str(_migrations if _migrations.is_dir() else _here.parent / "migrations"),
    table_classes=[
        Absence,
        Agent,
        Appointment,
        Attachment,
        Attempt,
        Authenticator,
        BillingRun,
        Case,
        CaseEvent,
        CaseType,
        Company,
        Contact,
        Contract,
        CopiedRow,
        CostRate,
        Credential,
        Customer,
        DefaultService,
        Department,
        Designation,
        Flag,
        ForgottenDismissal,
        Export,
        GeneralKind,
        Invitation,
        Invoice,
        InvoiceLine,
        InvoiceSeen,
        InvoiceVat,
        KeptDraft,
        LineAllocation,
        Logo,
        Mention,
        Message,
        Notice,
        NoticeChoice,
        NumberSeries,
        Passkey,
        Project,
        ProjectMember,
        Rate,
        RecoveryCode,
        RefusedEnding,
        Role,
        Service,
        SessionRow,
        SettledEntry,
        SkippedEntry,
        Statement,
        StoredAllocation,
        StoredDocument,
        Task,
        TimeEntry,
        Timer,
        TimerSegment,
        TimeRules,
        Upload,
        WorkingHours,
    ],
    migration_dependencies=[],
    commands=[],
)
