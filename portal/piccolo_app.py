"""The portal as a Piccolo app: its table classes, which are defined in the packages that use them, and its migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from portal.billing.allocating.allocations import StoredAllocation
from portal.billing.allocating.billed import BilledFee, BilledVoucher
from portal.billing.allocating.ledger import VoucherMove
from portal.billing.allocating.rolling import StoredRolled
from portal.billing.credits.notes import CreditedTime, CreditLine, CreditNote, CreditVat
from portal.billing.credits.questions import EntryQuestion
from portal.billing.credits.statements import CorrectedTime
from portal.billing.deciding.releases import Release
from portal.billing.documents.detail import CopiedRow
from portal.billing.documents.files import StoredDocument
from portal.billing.documents.invoices import (
    Invoice,
    InvoiceLine,
    InvoiceVat,
    LineAllocation,
    SettledEntry,
)
from portal.billing.documents.seen import InvoiceSeen
from portal.billing.documents.statements import Statement
from portal.billing.payments import Payment
from portal.billing.running.runs import BillingRun, RunCustomer
from portal.billing.running.schedule import BillingSchedule, UnscheduledCustomer
from portal.billing.running.skipping import SkippedEntry
from portal.contracts.case_types import CaseType
from portal.contracts.company import Company, NumberSeries
from portal.contracts.contracts import Contract
from portal.contracts.logo import Logo
from portal.contracts.price_list.products import Product, ProductPrice
from portal.contracts.price_list.templates import ServiceTemplate
from portal.contracts.prices.changes import PriceChange
from portal.contracts.projects import Project, ProjectMember
from portal.contracts.rates import Rate
from portal.contracts.renewals import ContractRenewal
from portal.contracts.services import Service
from portal.contracts.services.defaults import DefaultService
from portal.contracts.tasks import Task
from portal.contracts.vouchers import Voucher, VoucherService
from portal.desk.appointments import Appointment
from portal.desk.bulk.changes import BulkChange, BulkMember
from portal.desk.cases import Case
from portal.desk.custom_fields.choices import FieldChoice
from portal.desk.custom_fields.fields import CaseField
from portal.desk.custom_fields.values import CaseFieldValue
from portal.desk.deadlines.calendars import BusinessCalendar, BusinessDay, BusinessWindow
from portal.desk.deadlines.keeping import StoredDeadline, StoredPause
from portal.desk.deadlines.targets import DeadlineTarget
from portal.desk.dispatch.rules import DispatchRule
from portal.desk.events import CaseEvent
from portal.desk.files.attachments import Attachment, Upload
from portal.desk.files.endings import RefusedEnding
from portal.desk.files.showing import FilePreview
from portal.desk.help.articles import Article
from portal.desk.help.pictures import HelpPicture
from portal.desk.lists.own_views import OwnView
from portal.desk.looking import CaseLook
from portal.desk.mentions import Mention
from portal.desk.messages import Message
from portal.desk.replies.canned import CannedReply
from portal.desk.replies.outgoing import OutgoingReply
from portal.desk.tagging.tags import CaseTag, Tag
from portal.desk.verbs.linking import CaseLink
from portal.desk.verbs.rating import CaseRating
from portal.desk.verbs.sharing import CaseWatcher
from portal.desk.workflow.follow_ups import FollowUpRule
from portal.desk.workflow.priorities import CasePriority
from portal.desk.workflow.statuses import CaseStatus, StatusMove
from portal.mail.outgoing import OutgoingMail
from portal.mail.refusals import MailRefusal
from portal.notices.choices import NoticeChoice
from portal.notices.inbox import Notice
from portal.notices.invoice_mails import InvoiceMail
from portal.people.access.attempts import Attempt
from portal.people.access.credentials import Credential
from portal.people.access.invitations import Invitation
from portal.people.access.sessions import SessionRow
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.people.customers import Customer
from portal.people.departments import Department, Designation
from portal.people.factors.authenticator import Authenticator
from portal.people.factors.passkeys import Passkey
from portal.people.factors.recovery import RecoveryCode
from portal.people.roles import Role
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
        Article,
        Attachment,
        Attempt,
        Authenticator,
        BilledFee,
        BilledVoucher,
        BillingRun,
        BusinessCalendar,
        BusinessDay,
        BusinessWindow,
        BillingSchedule,
        Case,
        CaseLink,
        CaseLook,
        CaseWatcher,
        CaseRating,
        CaseEvent,
        CaseField,
        CaseFieldValue,
        CasePriority,
        CaseStatus,
        CaseType,
        Company,
        Contact,
        Contract,
        ContractRenewal,
        CopiedRow,
        CostRate,
        Credential,
        CreditLine,
        CreditNote,
        CreditVat,
        CreditedTime,
        CorrectedTime,
        Customer,
        DeadlineTarget,
        DefaultService,
        Department,
        Designation,
        DispatchRule,
        FieldChoice,
        FilePreview,
        Flag,
        FollowUpRule,
        ForgottenDismissal,
        EntryQuestion,
        Export,
        GeneralKind,
        HelpPicture,
        Invitation,
        Invoice,
        InvoiceLine,
        InvoiceMail,
        InvoiceSeen,
        InvoiceVat,
        KeptDraft,
        LineAllocation,
        Logo,
        MailRefusal,
        OwnView,
        BulkChange,
        BulkMember,
        Tag,
        CaseTag,
        Mention,
        CannedReply,
        Message,
        OutgoingReply,
        Notice,
        NoticeChoice,
        NumberSeries,
        OutgoingMail,
        Passkey,
        Payment,
        PriceChange,
        Product,
        ProductPrice,
        Project,
        ProjectMember,
        Rate,
        RecoveryCode,
        RefusedEnding,
        Release,
        Role,
        RunCustomer,
        Service,
        ServiceTemplate,
        SessionRow,
        SettledEntry,
        SkippedEntry,
        Statement,
        StoredRolled,
        StoredAllocation,
        StoredDeadline,
        StoredDocument,
        StoredPause,
        StatusMove,
        Task,
        TimeEntry,
        Timer,
        TimerSegment,
        TimeRules,
        UnscheduledCustomer,
        Upload,
        Voucher,
        VoucherMove,
        VoucherService,
        WorkingHours,
    ],
    migration_dependencies=[],
    commands=[],
)
