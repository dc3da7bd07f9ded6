"""Turn approved time into invoices.

The package `engine` computes everything from values, without the database; the other modules load the values and store
the results. Other packages of the portal use only the names below. Every function runs in the caller's transaction. In
every function, `by` is the agent who acts and `at` the present instant. The exceptions are the classes of
`portal.errors`.
"""

from portal.billing.approvals import approve, flag, lift, reject
from portal.billing.approved import decided, feed_with_time, find_entry, list_approved, list_entries, rates_in_use
from portal.billing.changes import change_entry, delete_entry
from portal.billing.chosen import Choice, Outcome, RefusedEntry
from portal.billing.contents import EXPLAINED, Contents, Part, PrintedLine, contents_of, draft_context, part_of
from portal.billing.costs import amounts_of, charged_on_project, charged_on_projects
from portal.billing.deciding.matching import Matching, list_matching
from portal.billing.deciding.oddness import TITLES as ODD
from portal.billing.deciding.undoing import undo
from portal.billing.deciding.waiting import (
    Filters,
    Waiting,
    WaitingEntry,
    list_waiting,
    waiting_count,
)
from portal.billing.detail import DetailRow
from portal.billing.detail import copied as detail_of
from portal.billing.documents import VARIOUS, hand_out
from portal.billing.drafts import delete as delete_draft
from portal.billing.drafts import take_off
from portal.billing.history import PastRun, find_run, past_runs
from portal.billing.invariants import INVARIANTS, violations
from portal.billing.invoices import (
    DocumentPage,
    DraftChoice,
    Invoice,
    draft_names,
    latest,
    list_drafts,
    list_issued,
    record_seen,
    refuse_without_right,
    seen,
)
from portal.billing.issuing import Missing, issue, missing, unprinted
from portal.billing.navigation import counts_shown
from portal.billing.preview import Preview, preview_run
from portal.billing.runs import Run, latest_until, offered, parse_until, run
from portal.billing.sentences import SKIPPED
from portal.billing.statements import Statement, list_statements
from portal.billing.withdrawals import withdraw

__all__ = [
    "EXPLAINED",
    "INVARIANTS",
    "ODD",
    "SKIPPED",
    "VARIOUS",
    "Choice",
    "Contents",
    "DetailRow",
    "DocumentPage",
    "DraftChoice",
    "Filters",
    "Invoice",
    "Matching",
    "Missing",
    "Outcome",
    "Part",
    "PastRun",
    "Preview",
    "PrintedLine",
    "RefusedEntry",
    "Run",
    "Statement",
    "Waiting",
    "WaitingEntry",
    "amounts_of",
    "approve",
    "change_entry",
    "charged_on_project",
    "charged_on_projects",
    "contents_of",
    "counts_shown",
    "decided",
    "delete_draft",
    "delete_entry",
    "detail_of",
    "draft_context",
    "draft_names",
    "feed_with_time",
    "find_entry",
    "find_run",
    "flag",
    "hand_out",
    "issue",
    "latest",
    "latest_until",
    "lift",
    "list_approved",
    "list_drafts",
    "list_entries",
    "list_issued",
    "list_matching",
    "list_statements",
    "list_waiting",
    "missing",
    "offered",
    "parse_until",
    "part_of",
    "past_runs",
    "preview_run",
    "rates_in_use",
    "record_seen",
    "refuse_without_right",
    "reject",
    "run",
    "seen",
    "take_off",
    "undo",
    "unprinted",
    "violations",
    "waiting_count",
    "withdraw",
]
