"""List the names of billing that other packages use. They import these names from `portal.billing`."""

from portal.billing.allocating.allocations import changing_terms, reallocate, remove_voucher
from portal.billing.allocating.ledger import balances, moves_of, reserved_by
from portal.billing.credits.asked import AskedTime, time_in_hours, time_on_invoice, time_on_statement
from portal.billing.credits.choosing import Chosen, Credit, credit
from portal.billing.credits.creditable import Creditable, creditable
from portal.billing.credits.issuing import issue_credit
from portal.billing.credits.notes import CreditNote, contents_of_credit, credits_of, list_credit_notes
from portal.billing.credits.questions import EntryQuestion, open_questions, questions_of
from portal.billing.credits.questions import ask as ask_about_entry
from portal.billing.credits.questions import explain as explain_entry
from portal.billing.credits.statements import correct_statement, correctable, minutes_of
from portal.billing.credits.unused import invoices_past_end
from portal.billing.deciding.approvals import approve, flag, lift, reject
from portal.billing.deciding.approved import (
    decided,
    feed_with_time,
    find_entry,
    list_approved,
    list_entries,
    rates_in_use,
)
from portal.billing.deciding.changes import change_entry, delete_entry
from portal.billing.deciding.chosen import Choice, Outcome, RefusedEntry
from portal.billing.deciding.costs import amounts_of, charged_on_project, charged_on_projects
from portal.billing.deciding.held import Held, HeldEntry, list_held, send_back
from portal.billing.deciding.matching import Matching, list_matching
from portal.billing.deciding.oddness import TITLES as ODD
from portal.billing.deciding.prices import prices_of
from portal.billing.deciding.releases import hold_again, release
from portal.billing.deciding.undoing import undo
from portal.billing.deciding.waiting import (
    Filters,
    Waiting,
    WaitingEntry,
    list_waiting,
    waiting_count,
)
from portal.billing.deciding.withdrawals import withdraw
from portal.billing.documents.contents import (
    EXPLAINED,
    Contents,
    Part,
    PrintedLine,
    contents_of,
    draft_context,
    line_words,
    part_of,
)
from portal.billing.documents.detail import DetailRow, minutes_by_cover
from portal.billing.documents.detail import copied as detail_of
from portal.billing.documents.drafts import delete as delete_draft
from portal.billing.documents.drafts import take_off
from portal.billing.documents.editing import (
    Addable,
    ExtraLineFacts,
    NoteFacts,
    add_line,
    addable,
    asks_for_service,
    change_note,
    note_of,
    put_on,
    remove_line,
    services_of,
)
from portal.billing.documents.editing import hold as hold_draft
from portal.billing.documents.files import hand_out, stored
from portal.billing.documents.invoices import (
    DocumentPage,
    DraftChoice,
    Invoice,
    draft_names,
    latest,
    list_drafts,
    list_issued,
    refuse_without_right,
)
from portal.billing.documents.issuing import Missing, issue, missing, missing_on, unprinted
from portal.billing.documents.seen import record_seen, seen
from portal.billing.documents.statement_pdf import printed_statement, statement_pdf
from portal.billing.documents.statements import Statement, list_statements
from portal.billing.invariants import INVARIANTS, violations
from portal.billing.navigation import counts_shown
from portal.billing.payments import PaymentFacts, payments_of
from portal.billing.payments import record as record_payment
from portal.billing.payments import take_back as take_payment_back
from portal.billing.payments.balances import balance_of, outstanding, unpaid_of
from portal.billing.payments.codes import payment_code
from portal.billing.running.due import UntilDays, until_days
from portal.billing.running.history import PastRun, find_run, past_runs
from portal.billing.running.preview import Preview, preview_run
from portal.billing.running.renewing import renew_contracts
from portal.billing.running.runs import PATIENCE, Ending, Run, run
from portal.billing.running.runs import begin as begin_run
from portal.billing.running.runs import go_on as go_on_with_run
from portal.billing.running.runs import resume as resume_run
from portal.billing.running.schedule import (
    BillingSchedule,
    ScheduleFacts,
    begin_scheduled,
    leave_out,
    left_out,
    stands_still,
    take_in,
)
from portal.billing.sentences import SKIPPED
from portal.billing.trying.comparing import Comparison, compare
from portal.billing.trying.history import History, history_of, last_year
from portal.billing.trying.offers import Offer, TriedTerms, read_offer
from portal.billing.trying.pricing import Answer, TriedWork, price_of
from portal.billing.trying.trial import Trial, tried
from portal.billing.usage.entries import approved_time
from portal.billing.usage.figures import Figures, added, figures_of
from portal.billing.usage.places import PLACE, By, Place, by_currency, cells, grouped
from portal.billing.usage.potential import Potential, potential_of, potential_sheet, record_potential
from portal.billing.usage.standing import FULL, Standing, refuse_without_hours, standing_of, standings

__all__ = [
    "EXPLAINED",
    "FULL",
    "INVARIANTS",
    "ODD",
    "PATIENCE",
    "PLACE",
    "SKIPPED",
    "Addable",
    "Answer",
    "AskedTime",
    "BillingSchedule",
    "By",
    "Choice",
    "Chosen",
    "Comparison",
    "Contents",
    "Credit",
    "CreditNote",
    "Creditable",
    "DetailRow",
    "DocumentPage",
    "DraftChoice",
    "Ending",
    "EntryQuestion",
    "ExtraLineFacts",
    "Figures",
    "Filters",
    "Held",
    "HeldEntry",
    "History",
    "Invoice",
    "Matching",
    "Missing",
    "NoteFacts",
    "Offer",
    "Outcome",
    "Part",
    "PastRun",
    "PaymentFacts",
    "Place",
    "Potential",
    "Preview",
    "PrintedLine",
    "RefusedEntry",
    "Run",
    "ScheduleFacts",
    "Standing",
    "Statement",
    "Trial",
    "TriedTerms",
    "TriedWork",
    "UntilDays",
    "Waiting",
    "WaitingEntry",
    "add_line",
    "addable",
    "added",
    "amounts_of",
    "approve",
    "approved_time",
    "ask_about_entry",
    "asks_for_service",
    "balance_of",
    "balances",
    "begin_run",
    "begin_scheduled",
    "by_currency",
    "cells",
    "change_entry",
    "change_note",
    "changing_terms",
    "charged_on_project",
    "charged_on_projects",
    "compare",
    "contents_of",
    "contents_of_credit",
    "correct_statement",
    "correctable",
    "counts_shown",
    "credit",
    "creditable",
    "credits_of",
    "decided",
    "delete_draft",
    "delete_entry",
    "detail_of",
    "draft_context",
    "draft_names",
    "explain_entry",
    "feed_with_time",
    "figures_of",
    "find_entry",
    "find_run",
    "flag",
    "go_on_with_run",
    "grouped",
    "hand_out",
    "history_of",
    "hold_again",
    "hold_draft",
    "invoices_past_end",
    "issue",
    "issue_credit",
    "last_year",
    "latest",
    "leave_out",
    "left_out",
    "lift",
    "line_words",
    "list_approved",
    "list_credit_notes",
    "list_drafts",
    "list_entries",
    "list_held",
    "list_issued",
    "list_matching",
    "list_statements",
    "list_waiting",
    "minutes_by_cover",
    "minutes_of",
    "missing",
    "missing_on",
    "moves_of",
    "note_of",
    "open_questions",
    "outstanding",
    "part_of",
    "past_runs",
    "payment_code",
    "payments_of",
    "potential_of",
    "potential_sheet",
    "preview_run",
    "price_of",
    "prices_of",
    "printed_statement",
    "put_on",
    "questions_of",
    "rates_in_use",
    "read_offer",
    "reallocate",
    "record_payment",
    "record_potential",
    "record_seen",
    "refuse_without_hours",
    "refuse_without_right",
    "reject",
    "release",
    "remove_line",
    "remove_voucher",
    "renew_contracts",
    "reserved_by",
    "resume_run",
    "run",
    "seen",
    "send_back",
    "services_of",
    "standing_of",
    "standings",
    "stands_still",
    "statement_pdf",
    "stored",
    "take_in",
    "take_off",
    "take_payment_back",
    "time_in_hours",
    "time_on_invoice",
    "time_on_statement",
    "tried",
    "undo",
    "unpaid_of",
    "unprinted",
    "until_days",
    "violations",
    "waiting_count",
    "withdraw",
]
