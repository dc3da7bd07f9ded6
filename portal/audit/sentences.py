"""Define the words for each kind of change in the audit log.

A template is the part of the sentence that follows the name of the person who made the change. `{column}` is replaced
by the value of a column, with a link if the value refers to a row. `{column’s}` is replaced by the genitive of the
value. A part in square brackets is left out if its column has no value.
"""

from typing import Any

PORTAL = "The portal"
"""The subject of a sentence about a change that a job or a command made."""
ANONYMOUS = "Somebody who was not signed in"
"""The subject of a sentence about a change that a request without a session made."""

VERBS = {"insert": "added", "update": "changed", "delete": "removed", "export": "downloaded"}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_RATE = "the hourly rate[ of {agent_id}][ of {role_id}][ under {service_id}][ for {customer_id}]"
_PRICES = "the prices of {service_id} of {customer_id}"
_ENTRY = "[{agent_id’s} ]{entry_id}[ for {customer_id}]"
_ABSENCE = "of {agent_id} from {first_day} to {last_day}"

ACTIONS = {
    "session.insert": "signed in",
    "session.update": "ended a session of {credential_id}",
    "session.update own": "signed out",
    "session.delete": "deleted an old session of {credential_id}",
    "credential.insert": "gave {credential_id} a sign-in",
    "invitation.insert": "invited {credential_id}",
    "invitation.insert reset": "sent {credential_id} a link for a new password",
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
    "redaction.insert": "redacted a part of a case of {customer_id}: {what}",
    "case_status.insert": "added the status {status_id} of cases",
    "tag.delete": "deleted the tag “{name}”[, whose cases got {merged_into_id}]",
    "case_field.insert": "added the field {field_id} of cases",
    "case_field.delete": "deleted the field “{name}” of cases",
    "case_field_choice.insert": "added the choice “{name}” of {field_id}",
    "case_field_choice.delete": "deleted the choice “{name}” of {field_id}",
    "follow_up_rule.insert": "limited for how many days a reply opens a case again",
    "follow_up_rule.delete": "let every reply open a case again",
    "status_move.insert": "let agents set {to_status_id} after {from_status_id}",
    "status_move.delete": "stopped agents from setting {to_status_id} after {from_status_id}",
    "product.insert": "added the product {product_id} to the price list",
    "service_template.insert": "added the template of services “{name}”",
    "product_price.insert": "set the price of {product_id} to {price}",
    "product_price.delete": "removed the price {price} of {product_id}",
    "contract.insert": "added the contract {contract_id} for {customer_id}",
    "service.insert": "added the service {service_id} to the contract {contract_id} of {customer_id}",
    "price_change.insert": f"set {_PRICES} from {{effective_from}} on",
    "price_change.delete": f"deleted {_PRICES} from {{effective_from}} on",
    "voucher.insert": "added the voucher[ “{label}”] of {minutes} for {customer_id}",
    "voucher.delete": "deleted the voucher[ “{label}”] of {minutes} of {customer_id}",
    "task.insert": "added the task {task_id} to {service_id} of {customer_id}",
    "project.insert": "added the project {project_id} for {customer_id}",
    "project_member.insert": "added {agent_id} to the project {project_id} of {customer_id}",
    "project_member.delete": "removed {agent_id} from the project {project_id} of {customer_id}",
    "general_kind.insert": "added {general_kind_id} as a kind of general time",
    "help_article.insert": "wrote the article {article_id}",
    "help_article.delete": "deleted the article “{title}”",
    "refused_ending.insert": "added {ending} to the endings of files that are refused",
    "refused_ending.delete": "removed {ending} from the endings of files that are refused",
    "time_rules.insert": "set the rules of time",
    "billing_schedule.insert": "set the schedule of billing",
    "unscheduled_customer.insert": "left {customer_id} out of billing on schedule",
    "unscheduled_customer.delete": "took {customer_id} back into billing on schedule",
    "time_entry.delete": f"deleted {_ENTRY}",
    "billing_run.insert": "ran {run_id}",
    "invoice.update": "issued invoice {invoice_id}",
    "payment.insert": "recorded a payment of {amount} for invoice {invoice_id} of {customer_id}",
    "credit_note.insert": "credited {gross} of invoice {invoice_id} of {customer_id}",
    "credit_note.export": "downloaded a credit note for invoice {invoice_id} as a {file} file",
    "invoice.export": "downloaded invoice {invoice_id} as a {file} file",
    "statement.insert": "corrected a statement of {contract_id}",
    "statement.export": "downloaded a statement of {contract_id} as a {file} file",
    "timesheet.export": "downloaded a timesheet as a {file} file",
    "potential.export": "downloaded the invoicing potential as a {file} file",
    "earnings.export": "downloaded revenue and profit as a {file} file",
    "person.export": "downloaded what is held about {credential_id}",
    "contact.export": "downloaded what is held about {contact_id}",
    "case.export": "downloaded a case or its log as a {file} file",
    "cases.export": "downloaded a list of cases as a {file} file",
    "changes.export": "downloaded these changes as a {file} file",
}
"""Templates of what somebody did, by table and verb.

A key that ends with ` own` is for a change that people make to their own session. A key that ends with another word is
for rows whose column `kind` has this value.
"""

PASSIVE = {
    "credential.accepted_at": "{credential_id} accepted an invitation",
    "credential.update": "{credential_id’s} password was changed by a link in a mail",
    "invitation.insert reset": "{credential_id} was sent a link for a new password",
    "invitation.update": "A link to set {credential_id’s} password was used or ended",
    "session.update": "A session of {credential_id} was ended",
}
"""Whole sentences for changes without a signed-in person, by table and changed column, or by table and verb."""

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
    "service_template": "the template of services “{name}”",
    "product": "the product {product_id}",
    "contract": "the contract {contract_id} of {customer_id}",
    "service": "the service {service_id} of {customer_id}",
    "voucher": "the voucher[ “{label}”] of {customer_id}",
    "task": "the task {task_id} of {customer_id}",
    "project": "the project {project_id} of {customer_id}",
    "project_member": "the members of the project {project_id}",
    "general_kind": "{general_kind_id}",
    "case_status": "the status {status_id}",
    "tag": "the tag {tag_id}",
    "case_priority": "the priority {priority_id}",
    "case_field": "the field {field_id}",
    "case_field_choice": "the choice “{name}” of {field_id}",
    "follow_up_rule": "replies to cases that are done",
    "help_article": "the article {article_id}",
    "time_rules": "the rules of time",
    "billing_schedule": "the schedule of billing",
    "time_entry": _ENTRY,
    "billing_run": "{run_id}",
    "invoice": "invoice {invoice_id}",
    "payment": "the payment of {amount} for invoice {invoice_id}",
}
"""Templates that name the changed row, for sentences about a column that has no template, by table."""

_COLUMNS: dict[str, str | tuple[str, str]] = {
    "company.steps_dismissed_at": ("hid the first steps", "showed the first steps again"),
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
    "contact.erased_at": "erased {contact_id}, who was a contact of {customer_id}",
    "contact.ended_at": ("ended {contact_id’s} access", "gave {contact_id} access again"),
    "agent.ended_at": ("ended {agent_id’s} access", "gave {agent_id} access again"),
    "payment.taken_back_at": "took back the payment of {amount} for invoice {invoice_id} of {customer_id}",
    "customer.email": "changed the accounts address of {customer_id}",
    "customer.invoices_by_mail": (
        "let the contacts of {customer_id} get invoices by mail",
        "stopped the mails of invoices to the contacts of {customer_id}",
    ),
    "customer.invoices_with_csv": (
        "added the time detail to the mails of {customer_id’s} invoices",
        "took the time detail off the mails of {customer_id’s} invoices",
    ),
    "product.ended_at": ("stopped offering the product {product_id}", "offered the product {product_id} again"),
    "service_template.ended_at": (
        "stopped offering the template of services “{name}”",
        "offered the template of services “{name}” again",
    ),
    "product.taxable": ("made the product {product_id} taxable", "made the product {product_id} free of tax"),
    "customer.ended_at": ("ended the customer {customer_id}", "resumed the customer {customer_id}"),
    "task.ended_at": ("ended the task {task_id} of {customer_id}", "resumed the task {task_id} of {customer_id}"),
    "help_article.published_at": ("published the article {article_id}", "withdrew the article {article_id}"),
    "help_article.edition": "changed the text of the article {article_id}",
    "case_status.ended_at": ("stopped offering the status {status_id}", "offered the status {status_id} again"),
    "case_status.pauses": (
        "let the clock of cases stand in the status {status_id}",
        "let the clock of cases run in the status {status_id}",
    ),
    "case_status.moves_freely": (
        "let agents set every other status after {status_id}",
        "limited which statuses agents may set after {status_id}",
    ),
    "case_priority.for_contacts": (
        "let customers choose the priority {priority_id}",
        "stopped customers from choosing the priority {priority_id}",
    ),
    "case_priority.is_preselected": (
        "made {priority_id} the priority that forms preselect",
        "let forms no longer preselect the priority {priority_id}",
    ),
    "case_field.ended_at": ("stopped offering the field {field_id}", "offered the field {field_id} again"),
    "case_field.for_contacts": ("showed the field {field_id} to customers", "hid the field {field_id} from customers"),
    "case_field.required_to_open": (
        "let nobody of a customer open a case without {field_id}",
        "let customers open cases without {field_id}",
    ),
    "case_field.required_to_resolve": (
        "let nobody resolve a case without {field_id}",
        "let agents resolve cases without {field_id}",
    ),
    "case_field.case_type_ids": "changed which types of cases have the field {field_id}",
    "case_field_choice.ended_at": (
        "stopped offering the choice “{name}” of {field_id}",
        "offered the choice “{name}” of {field_id} again",
    ),
    "general_kind.ended_at": (
        "ended {general_kind_id} as a kind of general time",
        "resumed {general_kind_id} as a kind of general time",
    ),
    "credential.password_hash": "changed {credential_id’s} password",
    "credential.accepted_at": (
        "accepted the invitation of {credential_id}",
        "separated {credential_id} from a password, so that they have to be invited again",
    ),
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
"""Templates by table and column. The second template of a pair is for a new value that is false or null."""

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
    """Return the template for a changed column, or "" if there is none.

    Without a template, the sentence states the old and the new value.
    """
    if (table, column) == ("time_entry", "state"):
        return _STATES.get((old, new), "")
    template = _COLUMNS.get(f"{table}.{column}", "")
    return template if isinstance(template, str) else template[0 if new else 1]


NAMELESS = {"entry_id": "time[ of {work_date}]", "run_id": "billing[ up to {until}]"}
"""Templates for rows without a name, by the column that refers to the row."""

_UNSAID = {
    "id", "name_folded", "created_at", "confirmed_at", "last_used_at", "expires_at", "run_at", "run_by_id", "issued_by_id",
    "issued_at", "issue_date", "submitted_at", "submission_id", "rejected_version", "window_from", "version", "address",
    "browser", "token_hash", "credential_id", "series_id", "series_number", "parties", "has_password", "factor", "form_key",
    "number", "due_on", "rate.currency", "cost_rate.currency", "credential.agent_id", "credential.contact_id",
    "credential.customer_id", "credential.login_id", "billing_run.until", "voucher.currency", "working_hours.weekday", "payment.taken_back_by_id",
    "rounded_by_day", "help_article.slug", "author_id", "updated_at", "billing_schedule.set_by_id", "billing_schedule.last_day",
    "invitation.by_agent", "invitation.kind", "invitation.mail", "invitation.mailed_at", "invitation.made_by_id",
    "service_template.fields", "payment.recorded_by_id", "appointment_id", "settled_on_id",
    "stretches", "payable", "invoice.cash_rounding", "statement.corrects_id", "statement.made_by_id",
    "redaction.message_id", "redaction.redacted_by_id",
}  # fmt: skip
"""The columns that sentences and details never mention, because the rest says enough.

A column is listed as `column` if this applies to all tables, or as `table.column` if it applies to one table.
"""


UNTOLD = {"credential": "gave {credential_id} the password of another access of theirs"}
"""By table, the template for a change of a row in which only columns changed that pages never show.

For other tables, the sentence only says that the row was changed.
"""


def is_unsaid(table: str, column: str) -> bool:
    """Return whether pages leave out this column of a table."""
    return column in _UNSAID or f"{table}.{column}" in _UNSAID
