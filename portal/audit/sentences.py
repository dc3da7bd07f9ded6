"""The words for each kind of change in the audit log.

Templates follow the name of who made the change. `{column}` stands for the value of a column, with a link if it refers
to a row, and `{column’s}` for its genitive. A part in square brackets is left out if its column has no value.
"""

from typing import Any

PORTAL = "The portal"
"""The subject of a sentence about a change that a job or a command made."""
ANONYMOUS = "Somebody who was not signed in"
"""The subject of a sentence about a change that a request without a session made."""

VERBS = {"insert": "added", "update": "changed", "delete": "removed", "export": "downloaded"}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_RATE = "the hourly rate[ of {agent_id}][ of {role_id}][ under {service_id}][ for {customer_id}]"
_ENTRY = "[{agent_id’s} ]{entry_id}[ for {customer_id}]"
_ABSENCE = "of {agent_id} from {first_day} to {last_day}"

ACTIONS = {
    "session.insert": "signed in",
    "session.update": "ended a session of {credential_id}",
    "session.update own": "signed out",
    "session.delete": "deleted an old session of {credential_id}",
    "credential.insert": "gave {credential_id} a sign-in",
    "invitation.insert": "sent {credential_id} a link to set a password",
    "invitation.update": "ended a link to set {credential_id’s} password",
    "invitation.delete": "deleted an old link to set {credential_id’s} password",
    "authenticator.insert": "set up an authenticator app for {credential_id’s} sign-in",
    "authenticator.update": "replaced the authenticator app of {credential_id’s} sign-in",
    "authenticator.delete": "removed the authenticator app of {credential_id’s} sign-in",
    "passkey.insert": "added a passkey to {credential_id’s} sign-in",
    "passkey.update": "changed a passkey of {credential_id’s} sign-in",
    "passkey.delete": "removed a passkey of {credential_id’s} sign-in",
    "recovery_code.insert": "made {codes} new recovery codes for {credential_id’s} sign-in",
    "agent.insert": "added the agent {agent_id}",
    "designation.insert": "let {agent_id} approve time of {department_id}",
    "designation.delete": "stopped {agent_id} from approving time of {department_id}",
    "service_designation.insert": "let {agent_id} approve time under {service_id} of {customer_id}",
    "service_designation.delete": "stopped {agent_id} from approving time under {service_id} of {customer_id}",
    "working_hours.insert": "set {agent_id’s} working hours on {weekday} to {minutes}[ from {effective_from} on]",
    "working_hours.delete": "deleted {agent_id’s} working hours on {weekday} from {effective_from} on",
    "absence.insert": f"entered an absence {_ABSENCE}[ with {{deputy_id}} as deputy]",
    "absence.delete": f"deleted the absence {_ABSENCE}",
    "cost_rate.insert": "set {agent_id’s} cost per hour to {hourly_cost} from {effective_from} on",
    "cost_rate.delete": "deleted {agent_id’s} cost per hour of {hourly_cost} from {effective_from} on",
    "customer.insert": "added the customer {customer_id}",
    "contact.insert": "added {contact_id} as a contact of {customer_id}",
    "company.insert": "entered our company",
    "logo.insert": "added our logo",
    "logo.update": "replaced our logo",
    "logo.delete": "removed our logo",
    "role.insert": "added the role {role_id}",
    "rate.insert": f"set {_RATE} to {{hourly_rate}} from {{effective_from}} on",
    "rate.delete": f"deleted {_RATE} of {{hourly_rate}} from {{effective_from}} on",
    "contract.insert": "added the contract {contract_id} for {customer_id}",
    "service.insert": "added the service {service_id} to the contract {contract_id} of {customer_id}",
    "task.insert": "added the task {task_id} to {service_id} of {customer_id}",
    "project.insert": "added the project {project_id} for {customer_id}",
    "project_member.insert": "added {agent_id} to the project {project_id} of {customer_id}",
    "project_member.delete": "removed {agent_id} from the project {project_id} of {customer_id}",
    "general_kind.insert": "added {general_kind_id} as a kind of general time",
    "refused_ending.insert": "added {ending} to the endings of files that are refused",
    "refused_ending.delete": "removed {ending} from the endings of files that are refused",
    "time_rules.insert": "set the rules of time",
    "time_entry.delete": f"deleted {_ENTRY}",
    "billing_run.insert": "ran {run_id}",
    "invoice.update": "issued invoice {invoice_id}",
    "invoice.export": "downloaded invoice {invoice_id} as a {file} file",
    "statement.export": "downloaded a statement of {contract_id} as a {file} file",
    "timesheet.export": "downloaded a timesheet as a {file} file",
    "changes.export": "downloaded these changes as a {file} file",
}
"""What somebody did, by table and verb. A key that ends with ` own` is for what people did to their own session."""

PASSIVE = {
    "credential.update": "{credential_id’s} password was changed by a link in a mail",
    "invitation.insert": "{credential_id} was sent a link to set a password",
    "invitation.update": "A link to set {credential_id’s} password was used or ended",
    "session.update": "A session of {credential_id} was ended",
}
"""The whole sentence if nobody was signed in, by table and verb."""

SUBJECTS = {
    "agent": "{agent_id}",
    "designation": "what {agent_id} approves",
    "service_designation": "what {agent_id} approves",
    "working_hours": "{agent_id’s} working week",
    "absence": "{agent_id’s} absence from {first_day} to {last_day}",
    "cost_rate": "{agent_id’s} cost per hour",
    "credential": "{credential_id}",
    "session": "a session of {credential_id}",
    "customer": "{customer_id}",
    "contact": "{contact_id}",
    "company": "our company",
    "role": "the role {role_id}",
    "rate": _RATE,
    "contract": "the contract {contract_id} of {customer_id}",
    "service": "the service {service_id} of {customer_id}",
    "task": "the task {task_id} of {customer_id}",
    "project": "the project {project_id} of {customer_id}",
    "project_member": "the members of the project {project_id}",
    "general_kind": "{general_kind_id}",
    "time_rules": "the rules of time",
    "time_entry": _ENTRY,
    "billing_run": "{run_id}",
    "invoice": "invoice {invoice_id}",
}
"""How a sentence names the changed row if it has no words of its own for a column, by table."""

_COLUMNS: dict[str, str | tuple[str, str]] = {
    "contact.sees_all_cases": (
        "gave {contact_id} the right to see all cases of {customer_id}",
        "took from {contact_id} the right to see all cases of {customer_id}",
    ),
    "contact.sees_invoices": (
        "gave {contact_id} the right to see invoices",
        "took from {contact_id} the right to see invoices",
    ),
    "contact.manages_contacts": (
        "gave {contact_id} the right to manage the contacts of {customer_id}",
        "took from {contact_id} the right to manage the contacts of {customer_id}",
    ),
    "contact.ended_at": ("ended {contact_id’s} access", "gave {contact_id} access again"),
    "agent.ended_at": ("ended {agent_id’s} access", "gave {agent_id} access again"),
    "customer.ended_at": ("ended the customer {customer_id}", "resumed the customer {customer_id}"),
    "task.ended_at": ("ended the task {task_id} of {customer_id}", "resumed the task {task_id} of {customer_id}"),
    "general_kind.ended_at": (
        "ended {general_kind_id} as a kind of general time",
        "resumed {general_kind_id} as a kind of general time",
    ),
    "credential.password_hash": "changed {credential_id’s} password",
    "credential.email": "changed {credential_id’s} mail address",
    "credential.disabled_at": ("switched off {credential_id’s} sign-in", "switched on {credential_id’s} sign-in"),
    "task.billable": (
        "made the task {task_id} of {customer_id} billable",
        "made the task {task_id} of {customer_id} not billable",
    ),
    "service.taxable": (
        "made the service {service_id} of {customer_id} taxable",
        "made the service {service_id} of {customer_id} free of tax",
    ),
    "working_hours.minutes": "changed {agent_id’s} working hours[ on {weekday}] from {minutes_before} to {minutes}",
}
"""What a change to a column means, by table and column. Of a pair, the second is for a new value that is false or empty."""

_STATES = {
    ("submitted", "approved"): f"approved {_ENTRY}",
    ("submitted", "rejected"): f"rejected {_ENTRY}",
    ("approved", "submitted"): f"withdrew the approval of {_ENTRY}",
    ("rejected", "submitted"): f"submitted {_ENTRY} again",
    ("submitted", "draft"): f"took back {_ENTRY}, which was submitted",
    ("rejected", "draft"): f"took back {_ENTRY}, which was rejected",
    ("approved", "draft"): f"reopened {_ENTRY}, which was approved",
}
"""What somebody did to a time entry, by its old and its new state."""


def of_column(table: str, column: str, old: Any, new: Any) -> str:
    """Return the template for a changed column, or "" if it has none and only its values are named."""
    if (table, column) == ("time_entry", "state"):
        return _STATES.get((old, new), "")
    template = _COLUMNS.get(f"{table}.{column}", "")
    return template if isinstance(template, str) else template[0 if new else 1]


_LABELS = {
    "vat_id": "VAT id",
    "iban": "IBAN",
    "bic": "BIC",
    "bank_name": "bank",
    "city": "town",
    "postcode": "postal code",
    "email": "mail address",
    "vat_rate": "VAT rate",
    "locale": "language",
    "role_id": "role",
    "department_id": "department",
    "service_id": "service",
    "project_id": "project",
    "task_id": "task",
    "case_id": "case",
    "customer_id": "customer",
    "contract_id": "contract",
    "agent_id": "agent",
    "deputy_id": "deputy",
    "general_kind_id": "kind of general time",
    "start_on": "first day",
    "end_on": "end",
    "anchor": "first day of a billing period",
    "cycle": "billing period",
    "effective_start": "first day",
    "effective_from": "first day",
    "payment_days": "days to pay",
    "rollup": "invoice line",
    "rounding_minimum": "minimum time that counts",
    "rounding_increment": "step of rounding",
    "rounding_mode": "rounding",
    "actual_minutes": "time worked",
    "billable_minutes": "time that counts",
    "override_reason": "reason for the time that counts",
    "external_comment": "external comment",
    "description": "internal description",
    "work_date": "work date",
    "started_at": "beginning",
    "ended_at": "end",
    "position": "place in the list",
    "budget_minutes": "hours of the budget",
    "budget_amount": "amount of the budget",
    "sees_all_cases": "sees all cases",
    "sees_invoices": "sees invoices",
    "manages_contacts": "manages contacts",
    "entered_by_id": "person who entered it",
    "time_rules.tracks_time": "Track time",
    "time_rules.on_cases": "Time on cases",
    "time_rules.projects_only": "Only on cases that are connected to a project",
    "time_rules.agents_pick": "choice for whom agents log time",
    "time_rules.managers_pick": "choice for whom managers log time",
    "time_rules.admins_pick": "choice for whom admins log time",
    "time_rules.own_edit_hours": "hours in which authors may change their own time",
    "time_rules.requires_service": "Time needs a service",
    "time_rules.requires_task": "Time needs a task",
    "time_rules.requires_comment": "Time needs an external comment",
    "time_rules.requires_description": "Time needs an internal description",
    "time_rules.locked_through": "last day that is locked",
    "time_rules.lock_time_zone": "time zone of the lock",
    "time_rules.lock_grace_days": "days of grace before the lock",
}
"""The words for columns, by column, or by table and column. Other columns are called by their names."""


def label(table: str, column: str) -> str:
    """Return the words for a column of a table."""
    return _LABELS.get(f"{table}.{column}") or _LABELS.get(column) or column.replace("_", " ")


FORMATS = {
    "work_date": "day",
    "first_day": "day",
    "last_day": "day",
    "until": "day",
    "start_on": "day",
    "end_on": "day",
    "anchor": "day",
    "effective_start": "day",
    "effective_from": "day",
    "locked_through": "day",
    "started_at": "moment",
    "ended_at": "moment",
    "actual_minutes": "minutes",
    "billable_minutes": "minutes",
    "budget_minutes": "minutes",
    "minutes": "minutes",
    "minutes_before": "minutes",
    "rounding_minimum": "minutes",
    "rounding_increment": "minutes",
    "vat_rate": "percent",
    "hourly_rate": "money",
    "hourly_cost": "money",
    "budget_amount": "money",
    "weekday": "weekday",
    "country": "country",
    "settlement": "word",
    "billing": "word",
    "rollup": "word",
    "state": "word",
    "rounding_mode": "word",
    "cycle": "word",
}
"""How the values of a column are formatted, by column. The values of other columns are shown as they are."""

NAMELESS = {"entry_id": "time[ of {work_date}]", "run_id": "billing[ up to {until}]"}
"""Templates that name a row that has no name of its own, by the column that refers to the row."""

_UNSAID = {
    "id", "name_folded", "created_at", "confirmed_at", "last_used_at", "expires_at", "run_at", "run_by_id", "issued_by_id",
    "issued_at", "issue_date", "submitted_at", "submission_id", "rejected_version", "window_from", "version", "address",
    "browser", "token_hash", "credential_id", "series_id", "series_number", "parties", "has_password", "factor", "form_key",
    "number", "due_on", "rate.currency", "cost_rate.currency", "credential.agent_id", "credential.contact_id",
    "credential.customer_id", "billing_run.until", "working_hours.weekday",
}  # fmt: skip
"""Columns, or tables and columns, that pages leave out, because the instant, the person and the sentence say enough."""


def is_unsaid(table: str, column: str) -> bool:
    """Return whether the page leaves out a column of a table."""
    return column in _UNSAID or f"{table}.{column}" in _UNSAID
