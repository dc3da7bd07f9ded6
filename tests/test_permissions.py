"""Test the response of every route to every person against one matrix that lists exactly the app's routes (R22)."""

import re
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from litestar.routes import HTTPRoute

from portal.people.readers import Reader
from portal.web.gate import Gate
from tests.browser import HOST, Browser
from tests.checksums import checksums
from tests.examples import ALL, TURN, turns
from tests.places import Places, furnished
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, GLOBEX, HELPDESK, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

ACTORS: dict[str, Reader | None] = {
    "nobody": None, "Alan": ALAN, "Ada": ADA, "Gil": GIL, "Ines": INES, "Max": MAX, "Noor": NOOR,
}  # fmt: skip

IN = 303
"""Expected answer: the person is redirected to the sign-in page."""
LED = 1
"""Expected answer: the person is redirected to the page of the same case, invoice or statement in their own area."""
OK = 0
"""Expected answer: the person may use the route.

A GET answers 200. A POST, sent without fields here, succeeds or is refused for its fields, never for the person.
"""


@dataclass(frozen=True)
class Row:
    """The expected response of one route to each person of `ACTORS`: an HTTP status, or a constant (IN, LED or OK)."""

    nobody: int
    alan: int
    ada: int
    gil: int
    ines: int
    max: int
    noor: int

    def of(self, actor: str) -> int:
        answer: int = getattr(self, actor.lower())
        return answer


NOBODY = Row(404, 404, 404, 404, 404, 404, 404)
"""For the metrics, which answer 404 without their token. tests/web/test_metrics.py requests them with the token."""
NO_LOGO = Row(404, 404, 404, 404, 404, 404, 404)
"""For the logo, which the company here does not have. tests/agent/test_logo.py shows that everybody can load one."""
EVERYBODY = Row(OK, OK, OK, OK, OK, OK, OK)
NO_PASSWORD_YET = Row(IN, IN, IN, IN, IN, IN, IN)
"""For the second step of signing in, which redirects whoever has not typed a password to the first step."""
SIGNED_IN = Row(IN, OK, OK, OK, OK, OK, OK)
INVITED = Row(OK, 409, 409, 409, 409, 409, 409)
"""For links of invitations and password resets: whoever is signed in gets 409, so no browser acts as two people."""
CONTACTS = Row(IN, OK, OK, OK, 404, 404, 404)
ADMINISTRATORS = Row(IN, 404, OK, OK, 404, 404, 404)
"""For the list of contacts, which Ada and Gil manage for their own customers and Alan does not."""
INVOICE_READERS = Row(IN, 404, OK, OK, 404, 404, 404)
"""For the pages of invoices and hours, which Alan may not see because he sees neither invoices nor all cases."""
ADAS = Row(IN, 404, OK, 404, 404, 404, 404)
"""For Ada's case and Acme's invoice: Alan sees only his own cases and no invoices; Gil is a contact of Globex."""
ADAS_CASE = Row(IN, 404, OK, 404, LED, LED, LED)
ADAS_DOCUMENT = Row(IN, 404, OK, 404, 404, LED, LED)
"""For a GET of Acme's documents: agents who may see the document are redirected to its page in the agents' area."""
AGENTS = Row(IN, 404, 404, 404, OK, OK, OK)
AGENTS_CASE = Row(IN, 404, LED, 404, OK, OK, OK)
ADMINS_CASE = Row(IN, 404, LED, 404, 403, 403, OK)
MANAGERS = Row(IN, 404, 404, 404, 403, OK, OK)
MANAGERS_DOCUMENT = Row(IN, 404, LED, 404, 403, OK, OK)
ADMINS = Row(IN, 404, 404, 404, 403, 403, OK)
SUBMITTED_BY_INES = Row(IN, 404, 404, 404, OK, 404, 404)
"""For undoing a submission or a reply of Ines, which only she may do."""
NOORS = Row(IN, 404, 404, 404, 404, 404, OK)
"""For Noor's timer, absence, notice and bulk change, which nobody else may see or change, not even a manager."""
WHO_DECIDED = Row(IN, 404, 404, 404, 403, OK, 404)
"""For undoing a decision on several entries, which only the manager who made it may do; here that is Max."""
WHO_WORKED = Row(IN, 404, 404, 404, OK, 403, 403)
"""For answering the question of a flag, which only Ines may, because the flagged time is hers."""
OWN_FILES = Row(IN, 404, 404, 404, 403, OK, 404)
"""For a file that a job made for Max, which nobody else may fetch."""

MATRIX: dict[str, Row] = {
    "GET /health": EVERYBODY,
    "GET /metrics": NOBODY,
    "GET /static/{path}": EVERYBODY,
    "GET /logo.png": NO_LOGO,
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "POST /sign-out": EVERYBODY,
    "GET /sign-in/second-factor": NO_PASSWORD_YET,
    "POST /sign-in/second-factor": NO_PASSWORD_YET,
    "GET /invitations/{token}": INVITED,
    "POST /invitations/{token}": INVITED,
    "GET /password-resets": EVERYBODY,
    "POST /password-resets": EVERYBODY,
    "GET /password-resets/{token}": INVITED,
    "POST /password-resets/{token}": INVITED,
    "GET /unsubscriptions/{token}": EVERYBODY,
    "POST /unsubscriptions/{token}": EVERYBODY,
    "GET /ratings/{token}": EVERYBODY,
    "POST /ratings/{token}": EVERYBODY,
    "GET /help": EVERYBODY,
    "GET /help/{slug}": EVERYBODY,
    "GET /help/{slug}/pictures/{name}": EVERYBODY,
    "POST /drafts": SIGNED_IN,
    "POST /drafts/files": SIGNED_IN,
    "POST /drafts/files/{file}/removal": SIGNED_IN,
    "POST /drafts/preview": SIGNED_IN,
    "POST /drafts/removal": SIGNED_IN,
    # the reader's own account
    "GET /account": SIGNED_IN,
    "POST /account/mail-refusal/removal": SIGNED_IN,
    "GET /account/notices": SIGNED_IN,
    "POST /account/notices": SIGNED_IN,
    "GET /account/customers": CONTACTS,
    "GET /account/data.zip": SIGNED_IN,
    "POST /account/customers/{credential}": ADAS,
    "GET /account/password": SIGNED_IN,
    "POST /account/password": SIGNED_IN,
    "GET /account/confirmation": SIGNED_IN,
    "POST /account/confirmation": SIGNED_IN,
    "GET /account/second-factor": SIGNED_IN,
    "GET /account/authenticator": SIGNED_IN,
    "POST /account/authenticator": SIGNED_IN,
    "POST /account/authenticator/removal": SIGNED_IN,
    "GET /account/passkeys/new": SIGNED_IN,
    "POST /account/passkeys/new": SIGNED_IN,
    "POST /account/passkeys/{passkey}/removal": SIGNED_IN,
    "POST /account/recovery-codes": SIGNED_IN,
    "POST /account/other-sessions/ending": SIGNED_IN,
    "POST /account/sessions/{session}/ending": ADAS,
    "POST /account/sessions/ending": SIGNED_IN,
    # the pages of customers
    "GET /": SIGNED_IN,
    "GET /live": CONTACTS,
    "GET /notices": CONTACTS,
    "GET /notices/bell": CONTACTS,
    "GET /notices/{notice}": ADAS,
    "POST /notices/reading": CONTACTS,
    "POST /notices/reading/removal": CONTACTS,
    "GET /cases": CONTACTS,
    "GET /search": CONTACTS,
    "GET /search/suggestions": CONTACTS,
    "GET /finders/colleagues": CONTACTS,
    "GET /cases/new": CONTACTS,
    "POST /cases/new": CONTACTS,
    "GET /cases/new/suggestions": CONTACTS,
    "GET /cases/{number}": ADAS_CASE,
    "GET /cases/{number}/files/{file_id}": ADAS_CASE,
    "GET /cases/{number}/files/{file_id}/picture.webp": ADAS_CASE,
    "GET /cases/{number}/files/{file_id}/preview": ADAS_CASE,
    "POST /cases/{number}/replies": ADAS,
    "POST /cases/{number}/closure": ADAS,
    "GET /cases/{number}/case.zip": ADAS_CASE,
    "GET /cases/{number}/sharing": ADAS_CASE,
    "POST /cases/{number}/watchers": ADAS,
    "POST /cases/{number}/watchers/{contact}/removal": ADAS,
    "POST /cases/{number}/confidentiality": ADAS,
    "POST /cases/{number}/handover": ADAS,
    "GET /cases/{number}/rating": ADAS_CASE,
    "POST /cases/{number}/rating": ADAS,
    "POST /cases/{number}/reopening": ADAS,
    "GET /contacts": ADMINISTRATORS,
    "GET /contacts/new": ADMINISTRATORS,
    "POST /contacts/new": ADMINISTRATORS,
    "GET /contacts/invoice-delivery": ADMINISTRATORS,
    "POST /contacts/invoice-delivery": ADMINISTRATORS,
    "GET /contacts/{contact}": ADAS,
    "POST /contacts/{contact}": ADAS,
    "POST /contacts/{contact}/invitations": ADAS,
    "POST /contacts/{contact}/invitations/revocation": ADAS,
    "GET /contacts/{contact}/ending": ADAS,
    "POST /contacts/{contact}/ending": ADAS,
    "POST /contacts/{contact}/resumption": ADAS,
    "POST /contacts/{contact}/mail-refusal/removal": ADAS,
    "GET /hours": INVOICE_READERS,
    "GET /hours/services/{service}": ADAS,
    "GET /hours/vouchers/{voucher}": ADAS,
    "GET /invoices": INVOICE_READERS,
    "GET /invoices/{number}": ADAS_DOCUMENT,
    "GET /invoices/{number}/questions/{position}": ADAS_DOCUMENT,
    "POST /invoices/{number}/questions/{position}": ADAS,
    "GET /statements/{statement_id}/questions/{position}": ADAS_DOCUMENT,
    "POST /statements/{statement_id}/questions/{position}": ADAS,
    "GET /hours/entries/{entry}/question": ADAS,
    "POST /hours/entries/{entry}/question": ADAS,
    "GET /credit-notes/{number}": ADAS_DOCUMENT,
    "GET /credit-notes/{number}/credit-note.pdf": ADAS_DOCUMENT,
    "GET /credit-notes/{number}/detail.csv": ADAS_DOCUMENT,
    "GET /invoices/{number}/detail.csv": ADAS_DOCUMENT,
    "GET /invoices/{number}/invoice.pdf": ADAS_DOCUMENT,
    "GET /statements/{statement_id}": ADAS_DOCUMENT,
    "GET /statements/{statement_id}/detail.csv": ADAS_DOCUMENT,
    "GET /statements/{statement_id}/statement.pdf": ADAS_DOCUMENT,
    # the cases in the agents' area
    "GET /agent/live": AGENTS,
    "GET /agent/cases": AGENTS,
    "GET /agent/help": AGENTS,
    "GET /agent/help/new": AGENTS,
    "POST /agent/help/new": AGENTS,
    "GET /agent/help/{article}": AGENTS,
    "GET /agent/help/{article}/edit": AGENTS,
    "POST /agent/help/{article}/edit": AGENTS,
    "POST /agent/help/{article}/publication": AGENTS,
    "POST /agent/help/{article}/withdrawal": AGENTS,
    "POST /agent/help/{article}/deletion": AGENTS,
    "POST /agent/help/{article}/pictures": AGENTS,
    "POST /agent/help/{article}/pictures/{name}/removal": AGENTS,
    "GET /agent/search": AGENTS,
    "GET /agent/search/suggestions": AGENTS,
    "GET /agent/finders/agents": AGENTS,
    "GET /agent/finders/callers": AGENTS,
    "GET /agent/finders/managers": AGENTS,
    "GET /agent/finders/customers": AGENTS,
    "GET /agent/finders/contacts/{number}": AGENTS,
    "GET /agent/finders/customers/{customer}/contacts": AGENTS,
    "GET /agent/finders/contracts": AGENTS,
    "GET /agent/finders/services": AGENTS,
    "GET /agent/finders/projects": AGENTS,
    "GET /agent/finders/tasks": AGENTS,
    "POST /agent/cases/assignment": AGENTS,
    "GET /agent/cases/filters": AGENTS,
    "GET /agent/cases/export.csv": AGENTS,
    "POST /agent/cases/changes": AGENTS,
    "GET /agent/cases/changes/{change}": NOORS,
    "POST /agent/cases/changes/{change}/beginning": NOORS,
    "POST /agent/cases/changes/{change}/undoing": NOORS,
    "GET /agent/cases/{number}/fields": AGENTS_CASE,
    "GET /agent/cases/{number}/fields/{field}": AGENTS_CASE,
    "POST /agent/cases/{number}/fields": AGENTS,
    "GET /agent/cases/{number}/tags": AGENTS_CASE,
    "POST /agent/cases/{number}/tags": AGENTS,
    "POST /agent/cases/{number}/tags/{tag}/removal": AGENTS,
    "GET /agent/finders/tags": AGENTS,
    "GET /agent/finders/cases": AGENTS,
    "GET /agent/finders/cases/{number}": AGENTS,
    "GET /agent/finders/cases/{number}/links": AGENTS,
    "GET /agent/setup/tags": ADMINS,
    "GET /agent/setup/tags/{tag}": ADMINS,
    "POST /agent/setup/tags/{tag}": ADMINS,
    "POST /agent/setup/tags/{tag}/merging": ADMINS,
    "POST /agent/setup/tags/{tag}/deletion": ADMINS,
    "GET /agent/cases/views": AGENTS,
    "GET /agent/cases/views/counts": AGENTS,
    "GET /agent/cases/views/new": AGENTS,
    "POST /agent/cases/views/new": AGENTS,
    "GET /agent/cases/views/{view}": AGENTS,
    "POST /agent/cases/views/{view}": AGENTS,
    "POST /agent/cases/views/{view}/deletion": AGENTS,
    "POST /agent/cases/views/{view}/restoration": AGENTS,
    "GET /agent/cases/new": AGENTS,
    "POST /agent/cases/new": AGENTS,
    "GET /agent/cases/{number}": AGENTS_CASE,
    "GET /agent/cases/{number}/assignment": AGENTS_CASE,
    "POST /agent/cases/{number}/assignment": AGENTS,
    "GET /agent/cases/{number}/facts": AGENTS_CASE,
    "POST /agent/cases/{number}/facts": AGENTS,
    "GET /agent/cases/{number}/appointments": AGENTS_CASE,
    "GET /agent/cases/{number}/appointments/new": AGENTS_CASE,
    "POST /agent/cases/{number}/appointments/new": AGENTS,
    "GET /agent/cases/{number}/appointments/{appointment}": AGENTS_CASE,
    "POST /agent/cases/{number}/appointments/{appointment}": AGENTS,
    "POST /agent/cases/{number}/appointments/{appointment}/holding": AGENTS,
    "POST /agent/cases/{number}/appointments/{appointment}/cancellation": AGENTS,
    "POST /agent/cases/{number}/appointments/{appointment}/resumption": AGENTS,
    "GET /agent/cases/{number}/appointments/{appointment}/time": AGENTS_CASE,
    "POST /agent/cases/{number}/appointments/{appointment}/time/submission": AGENTS,
    "GET /agent/cases/{number}/feed": AGENTS_CASE,
    "GET /agent/cases/{number}/standing": AGENTS_CASE,
    "GET /agent/cases/{number}/redaction": ADMINS_CASE,
    "POST /agent/cases/{number}/redaction": ADMINS,
    "GET /agent/cases/{number}/log": AGENTS_CASE,
    "GET /agent/cases/{number}/log.csv": AGENTS_CASE,
    "GET /agent/cases/{number}/case.zip": AGENTS_CASE,
    "GET /agent/cases/{number}/sharing": AGENTS_CASE,
    "POST /agent/cases/{number}/watchers": AGENTS,
    "POST /agent/cases/{number}/watchers/{contact}/removal": AGENTS,
    "POST /agent/cases/{number}/confidentiality": AGENTS,
    "GET /agent/cases/{number}/links": AGENTS_CASE,
    "POST /agent/cases/{number}/links": AGENTS,
    "POST /agent/cases/{number}/links/{other}/removal": AGENTS,
    "GET /agent/cases/{number}/splitting": AGENTS_CASE,
    "POST /agent/cases/{number}/splitting": AGENTS,
    "GET /agent/cases/merging": AGENTS,
    "POST /agent/cases/merging": AGENTS,
    "POST /agent/cases/merging/choice": AGENTS,
    "GET /agent/cases/{number}/files/{file}": AGENTS_CASE,
    "GET /agent/cases/{number}/files/{file}/picture.webp": AGENTS_CASE,
    "GET /agent/cases/{number}/files/{file}/preview": AGENTS_CASE,
    "POST /agent/cases/{number}/notes": AGENTS,
    "POST /agent/cases/{number}/replies": AGENTS,
    "GET /agent/cases/{number}/canned-replies": AGENTS_CASE,
    "GET /agent/cases/{number}/presence": AGENTS_CASE,
    "POST /agent/cases/{number}/presence": AGENTS,
    "GET /agent/canned-replies": AGENTS,
    "POST /agent/canned-replies": AGENTS,
    "GET /agent/canned-replies/{canned}": MANAGERS,
    "POST /agent/canned-replies/{canned}": MANAGERS,
    "POST /agent/canned-replies/{canned}/removal": MANAGERS,
    "POST /agent/cases/{number}/replies/{reply}/withdrawal": SUBMITTED_BY_INES,
    "POST /agent/cases/{number}/status": AGENTS,
    "POST /agent/cases/{number}/priority": AGENTS,
    # time
    "GET /agent/cases/{number}/time": AGENTS_CASE,
    "POST /agent/cases/{number}/time/submission": AGENTS,
    "GET /agent/tasks/{task}/time": AGENTS,
    "POST /agent/tasks/{task}/time/submission": AGENTS,
    "GET /agent/notices": AGENTS,
    "GET /agent/notices/bell": AGENTS,
    "GET /agent/notices/{notice}": NOORS,
    "POST /agent/notices/reading": AGENTS,
    "POST /agent/notices/reading/removal": AGENTS,
    "GET /agent/time": AGENTS,
    "GET /agent/time/week": AGENTS,
    "POST /agent/time/week": AGENTS,
    "GET /agent/time/week/row": AGENTS,
    "POST /agent/time/week/sums": AGENTS,
    "GET /agent/time/day": AGENTS,
    "GET /agent/time/preview": AGENTS,
    "GET /agent/time/new": AGENTS,
    "POST /agent/time/new": AGENTS,
    "GET /agent/finders/work": AGENTS,
    "GET /agent/finders/colleagues": AGENTS,
    "GET /agent/finders/departments": AGENTS,
    "POST /agent/time/submission": AGENTS,
    "GET /agent/time/{entry}": AGENTS,
    "POST /agent/time/{entry}": AGENTS,
    "POST /agent/time/{entry}/deletion": AGENTS,
    "GET /agent/time/{entry}/row": AGENTS,
    "POST /agent/time/{entry}/row": AGENTS,
    "POST /agent/time/submissions/{submission}/withdrawal": SUBMITTED_BY_INES,
    "POST /agent/time/{entry}/answer": WHO_WORKED,
    "GET /agent/time/forgotten": AGENTS,
    "POST /agent/time/forgotten/entries": AGENTS,
    "POST /agent/time/forgotten/dismissals": AGENTS,
    "POST /agent/time/forgotten/resumptions": AGENTS,
    "GET /agent/prints/{field}": AGENTS,
    # timers
    "GET /agent/timer": AGENTS,
    "GET /agent/timer/bar": AGENTS,
    "POST /agent/timer": AGENTS,
    "GET /agent/timer/{timer}": NOORS,
    "POST /agent/timer/{timer}": NOORS,
    "POST /agent/timer/{timer}/place": NOORS,
    "POST /agent/timer/{timer}/pause": NOORS,
    "POST /agent/timer/{timer}/resumption": NOORS,
    "POST /agent/timer/{timer}/stop": NOORS,
    "POST /agent/timer/{timer}/trimming": NOORS,
    "POST /agent/timer/{timer}/confirmation": NOORS,
    "POST /agent/timer/{timer}/discarding": NOORS,
    "POST /agent/timer/{timer}/restoration": NOORS,
    # absences, which each agent enters for themselves
    "GET /agent/appointments": AGENTS,
    "GET /agent/absences": AGENTS,
    "POST /agent/absences": AGENTS,
    "GET /agent/handovers": MANAGERS,
    "POST /agent/handovers/{agent}": MANAGERS,
    "GET /agent/absences/{absence}": NOORS,
    "POST /agent/absences/{absence}": NOORS,
    "POST /agent/absences/{absence}/removal": NOORS,
    # pages of managers
    "GET /agent/time/left": MANAGERS,
    "POST /agent/time/left/submission": MANAGERS,
    "GET /agent/timesheets": MANAGERS,
    "GET /agent/timesheets/sums": MANAGERS,
    "GET /agent/performance": MANAGERS,
    "GET /agent/potential": AGENTS,
    "GET /agent/potential.csv": MANAGERS,
    "GET /agent/earnings": MANAGERS,
    "GET /agent/earnings.csv": MANAGERS,
    "GET /agent/projects/costs": MANAGERS,
    "GET /agent/timesheets.csv": MANAGERS,
    "GET /agent/timesheets.xlsx": MANAGERS,
    "GET /agent/timesheets.xml": MANAGERS,
    "GET /agent/timesheets/deleted": MANAGERS,
    "GET /agent/timesheets/files": MANAGERS,
    "GET /agent/timesheets/files/ready": MANAGERS,
    "POST /agent/timesheets/files": MANAGERS,
    "GET /agent/timesheets/files/{export_id}": OWN_FILES,
    "GET /agent/timesheets/files/{export_id}/download": OWN_FILES,
    "POST /agent/timesheets/approval": MANAGERS,
    "POST /agent/timesheets/rejection": MANAGERS,
    "POST /agent/timesheets/flags": MANAGERS,
    "GET /agent/timesheets/everything": MANAGERS,
    "POST /agent/timesheets/decisions/{decision}/withdrawal": WHO_DECIDED,
    "GET /agent/held": MANAGERS,
    "POST /agent/held/releases": MANAGERS,
    "POST /agent/held/holds": MANAGERS,
    "POST /agent/held/rejections": MANAGERS,
    "GET /agent/approvals": MANAGERS,
    "POST /agent/approvals": MANAGERS,
    "GET /agent/approvals/everything": MANAGERS,
    "POST /agent/rejections": MANAGERS,
    "POST /agent/flags": MANAGERS,
    "POST /agent/flags/{flag_id}/lifting": MANAGERS,
    "POST /agent/approvals/{entry_id}/withdrawal": MANAGERS,
    "POST /agent/approvals/decisions/{decision}/withdrawal": WHO_DECIDED,
    "GET /agent/billing": MANAGERS,
    "POST /agent/billing/runs": MANAGERS,
    "GET /agent/billing/runs/{run_id}": MANAGERS,
    "POST /agent/questions/{question_id}/ending": MANAGERS,
    "GET /agent/drafts/{draft_id}": MANAGERS,
    "POST /agent/drafts/{draft_id}/entries/{entry_id}/removal": MANAGERS,
    "POST /agent/drafts/{draft_id}/entries/{entry_id}/return": MANAGERS,
    "GET /agent/drafts/{draft_id}/lines": MANAGERS,
    "POST /agent/drafts/{draft_id}/lines": MANAGERS,
    "POST /agent/drafts/{draft_id}/lines/{position}/removal": MANAGERS,
    "GET /agent/drafts/{draft_id}/note": MANAGERS,
    "POST /agent/drafts/{draft_id}/note": MANAGERS,
    "POST /agent/drafts/{draft_id}/issue": MANAGERS,
    "POST /agent/drafts/issue": MANAGERS,
    "POST /agent/drafts/{draft_id}/deletion": MANAGERS,
    "GET /agent/invoices": MANAGERS,
    "GET /agent/invoices/{number}": MANAGERS_DOCUMENT,
    "POST /agent/invoices/{number}/payments": MANAGERS,
    "GET /agent/invoices/{number}/credit": MANAGERS_DOCUMENT,
    "POST /agent/invoices/{number}/credit": MANAGERS,
    "GET /agent/credit-notes/{number}": MANAGERS_DOCUMENT,
    "GET /agent/credit-notes/{number}/credit-note.pdf": MANAGERS_DOCUMENT,
    "GET /agent/credit-notes/{number}/detail.csv": MANAGERS_DOCUMENT,
    "POST /agent/invoices/{number}/payments/{payment_id}/removal": MANAGERS,
    "GET /agent/invoices/{number}/detail.csv": MANAGERS_DOCUMENT,
    "GET /agent/invoices/{number}/invoice.pdf": MANAGERS_DOCUMENT,
    "POST /agent/invoices/{number}/mails": MANAGERS,
    "GET /agent/statements/{statement_id}": MANAGERS_DOCUMENT,
    "GET /agent/statements/{statement_id}/detail.csv": MANAGERS_DOCUMENT,
    "GET /agent/statements/{statement_id}/statement.pdf": MANAGERS_DOCUMENT,
    "GET /agent/statements/{statement_id}/correction": MANAGERS_DOCUMENT,
    "POST /agent/statements/{statement_id}/correction": MANAGERS,
    # customers, which agents may see and admins may change
    "GET /agent/customers": AGENTS,
    "GET /agent/customers/{customer}": AGENTS,
    "GET /agent/customers/new": ADMINS,
    "POST /agent/customers/new": ADMINS,
    "GET /agent/customers/{customer}/edit": ADMINS,
    "POST /agent/customers/{customer}/edit": ADMINS,
    "POST /agent/customers/{customer}/default-service": ADMINS,
    "GET /agent/customers/{customer}/invoice-delivery": ADMINS,
    "POST /agent/customers/{customer}/invoice-delivery": ADMINS,
    "GET /agent/customers/{customer}/contacts/new": ADMINS,
    "POST /agent/customers/{customer}/contacts/new": ADMINS,
    "GET /agent/customers/{customer}/contacts/{contact}": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/invitations": ADMINS,
    "GET /agent/customers/{customer}/contacts/{contact}/data.zip": ADMINS,
    "GET /agent/customers/{customer}/contacts/{contact}/erasure": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/erasure": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/invitations/revocation": ADMINS,
    "GET /agent/customers/{customer}/contacts/{contact}/ending": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/ending": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/resumption": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/sign-out": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/second-factor/removal": ADMINS,
    "POST /agent/customers/{customer}/contacts/{contact}/mail-refusal/removal": ADMINS,
    "GET /agent/customers/{customer}/contracts/new": ADMINS,
    "POST /agent/customers/{customer}/contracts/new": ADMINS,
    "GET /agent/customers/{customer}/contracts/{contract}": ADMINS,
    "POST /agent/customers/{customer}/contracts/{contract}": ADMINS,
    "GET /agent/customers/{customer}/contracts/{contract}/services/new": ADMINS,
    "POST /agent/customers/{customer}/contracts/{contract}/services/new": ADMINS,
    "GET /agent/customers/{customer}/contracts/{contract}/services/{service}": ADMINS,
    "POST /agent/customers/{customer}/contracts/{contract}/services/{service}": ADMINS,
    "GET /agent/customers/{customer}/contracts/{contract}/services/{service}/prices": ADMINS,
    "POST /agent/customers/{customer}/contracts/{contract}/services/{service}/prices": ADMINS,
    "POST /agent/customers/{customer}/contracts/{contract}/services/{service}/prices/{change}/removal": ADMINS,
    "GET /agent/customers/{customer}/vouchers": MANAGERS,
    "GET /agent/customers/{customer}/vouchers/new": MANAGERS,
    "POST /agent/customers/{customer}/vouchers/new": MANAGERS,
    "GET /agent/customers/{customer}/vouchers/{voucher}": MANAGERS,
    "POST /agent/customers/{customer}/vouchers/{voucher}": MANAGERS,
    "POST /agent/customers/{customer}/vouchers/{voucher}/removal": MANAGERS,
    "POST /agent/customers/{customer}/ending": ADMINS,
    "POST /agent/customers/{customer}/resumption": ADMINS,
    # services and their tasks
    "GET /agent/contracts/{contract}": AGENTS,
    "GET /agent/contracts/{contract}/price": MANAGERS,
    "GET /agent/contracts/{contract}/trial": MANAGERS,
    "GET /agent/services/{service}": AGENTS,
    "POST /agent/services/{service}/tasks": MANAGERS,
    "POST /agent/services/{service}/submission": AGENTS,
    # projects, which managers plan
    "GET /agent/projects": AGENTS,
    "GET /agent/projects/new": MANAGERS,
    "POST /agent/projects/new": MANAGERS,
    "GET /agent/projects/{project}": AGENTS,
    "GET /agent/projects/{project}/edit": MANAGERS,
    "POST /agent/projects/{project}/edit": MANAGERS,
    "POST /agent/projects/{project}/tasks": MANAGERS,
    "POST /agent/projects/{project}/submission": AGENTS,
    "GET /agent/tasks/{task}": MANAGERS,
    "POST /agent/tasks/{task}": MANAGERS,
    "POST /agent/tasks/{task}/ending": MANAGERS,
    "POST /agent/tasks/{task}/resumption": MANAGERS,
    # set-up
    "GET /agent/setup": ADMINS,
    "POST /agent/setup/first-steps/dismissal": ADMINS,
    "POST /agent/setup/first-steps/return": ADMINS,
    "GET /agent/setup/system": ADMINS,
    "GET /agent/setup/outbox": ADMINS,
    "GET /agent/setup/outbox/people": ADMINS,
    "GET /agent/setup/outbox/{mail}": ADMINS,
    "GET /agent/setup/outbox/{mail}/html": ADMINS,
    "POST /agent/setup/outbox/{mail}/sending": ADMINS,
    "GET /agent/setup/changes": ADMINS,
    "GET /agent/setup/changes.csv": ADMINS,
    "GET /agent/setup/changes/people": ADMINS,
    "GET /agent/setup/changes/things": ADMINS,
    "POST /agent/setup/failed-jobs/{job}/retry": ADMINS,
    "POST /agent/setup/failed-jobs/{job}/removal": ADMINS,
    "GET /agent/setup/company": ADMINS,
    "POST /agent/setup/company": ADMINS,
    "POST /agent/setup/company/logo": ADMINS,
    "POST /agent/setup/company/logo/removal": ADMINS,
    "GET /agent/setup/departments": ADMINS,
    "POST /agent/setup/departments": ADMINS,
    "GET /agent/setup/departments/{department}": ADMINS,
    "POST /agent/setup/departments/{department}": ADMINS,
    "GET /agent/setup/agents": ADMINS,
    "GET /agent/setup/agents/new": ADMINS,
    "POST /agent/setup/agents/new": ADMINS,
    "GET /agent/setup/agents/{agent}": ADMINS,
    "POST /agent/setup/agents/{agent}": ADMINS,
    "POST /agent/setup/agents/{agent}/invitations": ADMINS,
    "GET /agent/setup/agents/{agent}/data.zip": ADMINS,
    "POST /agent/setup/agents/{agent}/invitations/revocation": ADMINS,
    "GET /agent/setup/agents/{agent}/ending": ADMINS,
    "POST /agent/setup/agents/{agent}/ending": ADMINS,
    "POST /agent/setup/agents/{agent}/resumption": ADMINS,
    "POST /agent/setup/agents/{agent}/sign-out": ADMINS,
    "POST /agent/setup/agents/{agent}/second-factor/removal": ADMINS,
    "POST /agent/setup/agents/{agent}/mail-refusal/removal": ADMINS,
    "GET /agent/setup/roles": ADMINS,
    "POST /agent/setup/roles": ADMINS,
    "GET /agent/setup/roles/{role}": ADMINS,
    "POST /agent/setup/roles/{role}": ADMINS,
    "GET /agent/setup/rates": ADMINS,
    "POST /agent/setup/rates": ADMINS,
    "POST /agent/setup/rates/{rate}/withdrawal": ADMINS,
    "GET /agent/setup/products": ADMINS,
    "POST /agent/setup/products": ADMINS,
    "GET /agent/setup/products/{product}": ADMINS,
    "POST /agent/setup/products/{product}": ADMINS,
    "POST /agent/setup/products/{product}/prices": ADMINS,
    "POST /agent/setup/products/{product}/prices/{price}/removal": ADMINS,
    "POST /agent/setup/products/{product}/ending": ADMINS,
    "POST /agent/setup/products/{product}/resumption": ADMINS,
    "GET /agent/setup/service-templates": ADMINS,
    "GET /agent/setup/service-templates/new": ADMINS,
    "POST /agent/setup/service-templates/new": ADMINS,
    "GET /agent/setup/service-templates/{template}": ADMINS,
    "POST /agent/setup/service-templates/{template}": ADMINS,
    "POST /agent/setup/service-templates/{template}/ending": ADMINS,
    "POST /agent/setup/service-templates/{template}/resumption": ADMINS,
    "GET /agent/customers/{customer}/comparison": MANAGERS,
    "GET /agent/setup/general-kinds": ADMINS,
    "POST /agent/setup/general-kinds": ADMINS,
    "GET /agent/setup/general-kinds/{kind}": ADMINS,
    "POST /agent/setup/general-kinds/{kind}": ADMINS,
    "POST /agent/setup/general-kinds/{kind}/ending": ADMINS,
    "POST /agent/setup/general-kinds/{kind}/resumption": ADMINS,
    "GET /agent/setup/time": ADMINS,
    "POST /agent/setup/time": ADMINS,
    "GET /agent/setup/agents/{agent}/hours": ADMINS,
    "POST /agent/setup/agents/{agent}/hours": ADMINS,
    "GET /agent/setup/agents/{agent}/absences": ADMINS,
    "POST /agent/setup/agents/{agent}/absences": ADMINS,
    "GET /agent/setup/agents/{agent}/absences/{absence}": ADMINS,
    "POST /agent/setup/agents/{agent}/absences/{absence}": ADMINS,
    "POST /agent/setup/agents/{agent}/absences/{absence}/removal": ADMINS,
    "GET /agent/setup/agents/{agent}/cost-rates": ADMINS,
    "POST /agent/setup/agents/{agent}/cost-rates": ADMINS,
    "POST /agent/setup/agents/{agent}/cost-rates/{rate}/withdrawal": ADMINS,
    "GET /agent/setup/case-types": ADMINS,
    "POST /agent/setup/case-types": ADMINS,
    "GET /agent/setup/case-types/{case_type}": ADMINS,
    "GET /agent/setup/priorities": ADMINS,
    "POST /agent/setup/priorities": ADMINS,
    "POST /agent/setup/case-types/{case_type}": ADMINS,
    "POST /agent/setup/case-types/{case_type}/ending": ADMINS,
    "POST /agent/setup/case-types/{case_type}/resumption": ADMINS,
    "GET /agent/setup/billing": ADMINS,
    "POST /agent/setup/billing": ADMINS,
    "POST /agent/setup/billing/customers": ADMINS,
    "POST /agent/setup/billing/customers/{customer_id}/removal": ADMINS,
    "GET /agent/cases/{number}/snooze": AGENTS_CASE,
    "POST /agent/cases/{number}/snooze": AGENTS,
    "POST /agent/cases/{number}/snooze/ending": AGENTS,
    "GET /agent/setup/fields": ADMINS,
    "POST /agent/setup/fields": ADMINS,
    "POST /agent/setup/fields/order": ADMINS,
    "GET /agent/setup/fields/{field}": ADMINS,
    "POST /agent/setup/fields/{field}": ADMINS,
    "POST /agent/setup/fields/{field}/ending": ADMINS,
    "POST /agent/setup/fields/{field}/resumption": ADMINS,
    "POST /agent/setup/fields/{field}/choices": ADMINS,
    "GET /agent/setup/fields/{field}/choices/{choice}": ADMINS,
    "POST /agent/setup/fields/{field}/choices/{choice}": ADMINS,
    "POST /agent/setup/fields/{field}/choices/{choice}/ending": ADMINS,
    "POST /agent/setup/fields/{field}/choices/{choice}/resumption": ADMINS,
    "POST /agent/setup/fields/{field}/choices/{choice}/deletion": ADMINS,
    "POST /agent/setup/fields/{field}/deletion": ADMINS,
    "GET /agent/setup/workflow": ADMINS,
    "POST /agent/setup/workflow": ADMINS,
    "GET /agent/setup/workflow/{status}": ADMINS,
    "POST /agent/setup/workflow/{status}": ADMINS,
    "POST /agent/setup/workflow/order": ADMINS,
    "GET /agent/setup/workflow/follow-ups": ADMINS,
    "POST /agent/setup/workflow/follow-ups": ADMINS,
    "POST /agent/setup/workflow/{status}/ending": ADMINS,
    "POST /agent/setup/workflow/{status}/resumption": ADMINS,
    "GET /agent/setup/dispatch": ADMINS,
    "POST /agent/setup/dispatch": ADMINS,
    "GET /agent/setup/dispatch/{rule}": ADMINS,
    "POST /agent/setup/dispatch/{rule}": ADMINS,
    "POST /agent/setup/dispatch/order": ADMINS,
    "POST /agent/setup/dispatch/{rule}/removal": ADMINS,
    "GET /agent/setup/deadlines": ADMINS,
    "GET /agent/setup/deadlines/hours": ADMINS,
    "POST /agent/setup/deadlines/hours": ADMINS,
    "GET /agent/setup/deadlines/targets": ADMINS,
    "POST /agent/setup/deadlines/targets": ADMINS,
    "GET /agent/setup/deadlines/services": ADMINS,
    "GET /agent/setup/deadlines/services/{service}": ADMINS,
    "POST /agent/setup/deadlines/services/{service}": ADMINS,
    "POST /agent/setup/deadlines/services/{service}/removal": ADMINS,
    "POST /agent/setup/deadlines/days": ADMINS,
    "POST /agent/setup/deadlines/days/{day}/removal": ADMINS,
    "GET /agent/setup/files": ADMINS,
    "POST /agent/setup/files": ADMINS,
    "POST /agent/setup/files/{ending}/removal": ADMINS,
}

STREAMS = ("GET /live", "GET /agent/live")
"""Routes that answer a server-sent event stream, which never ends; tests/web/test_live.py tests allowed readers."""
_ALL = ("Alan", "Ada", "Gil", "Ines", "Max", "Noor")
LED_ON = {
    "GET /": ("Ines", "Max", "Noor"),
    "GET /sign-in": _ALL,
    "GET /account/confirmation": _ALL,
    "GET /notices/{notice}": ("Ada",),
    "GET /agent/notices/{notice}": ("Noor",),
}
"""GET routes that redirect some people although these may use them; the value names these people.

Agents are redirected from the contacts' home page to the list of cases, and signed-in people away from the sign-in
page. People who have just typed their password are redirected away from the page that asks for it again. Whoever opens
a notice is redirected to the page that the notice is about.
"""
SIGNING_OUT = ("/sign-out", "/account/sessions/ending", "/account/customers/{credential}")
READING = (
    "session.last_used_at", "invoice_seen", "export.fetched_at", "notice.read_at", "outbox where kind = 'notice.changed'", "attempt",
    "help_reading", "help_views", "file_preview", "case_look",
)  # fmt: skip
"""What a GET may write: the last use of the session, a rate limit (R83), and that the person has opened something.

Opening is recorded for invoices, files, notices, articles and cases. After a notice was opened, a row of the outbox
updates the other pages that the person has open.
"""
ONE_CLICK = ("POST /unsubscriptions/{token}",)
"""The only form that needs no CSRF token (R37), because mail programs send it without a session (RFC 8058)."""
TEXTS = {"POST /drafts": {"address": "/cases/new"}}
"""The form fields without which a route refuses a request as malformed."""
QUERIES = dict.fromkeys(
    ("POST /drafts/files", "POST /drafts/files/{file}/removal", "POST /drafts/removal"), "?form=/cases/new"
)
"""The query string that each of these routes needs. `form` is the URL of the form whose unsent text is kept."""


async def browser_of(app: Gate, actor: str) -> Browser:
    """Return a browser that is signed in as this person of `ACTORS`."""
    reader = ACTORS[actor]
    return await Browser.of(app, reader, at=NOW) if reader else Browser(app)


def routes_of(app: Gate) -> set[str]:
    """Return every `METHOD /path` that the app serves."""
    found = set()
    for route in app.inner.routes:
        if isinstance(route, HTTPRoute):
            found |= {f"{method} {route.path_format}" for method in route.methods if method not in ("HEAD", "OPTIONS")}
    return found


def rows(method: str = "") -> list[tuple[str, str, str, Row]]:
    """Return name, HTTP method, path and expected answers of the matrix's rows, or only of those with this method."""
    return [(name, *name.split(" "), row) for name, row in MATRIX.items() if name.startswith(method)]  # type: ignore[misc]


async def test_every_route_is_in_the_matrix(app: Gate) -> None:
    """R22: the matrix lists every route of the app and no other."""
    assert routes_of(app) == set(MATRIX)


@pytest.mark.slow
@pytest.mark.parametrize("actor", ACTORS)
async def test_each_actor_gets_what_the_matrix_says(app: Gate, dsn: str, actor: str) -> None:
    """R22, D52: each route gives each person the response in the matrix, such as 404 for what the person may not see.

    The routes that refuse the person are requested first, and must change nothing in the database.
    """
    places = await furnished(app.storage)
    async with await browser_of(app, actor) as browser:
        token = await browser.csrf()
        wrong = [await _wrong(browser, token, places, one, actor) for one in rows("POST") if one[-1].of(actor) == IN]
        before = await checksums(dsn, READING)
        for one in rows():
            if one[-1].of(actor) != OK:
                wrong.append(await _wrong(browser, token, places, one, actor))
        assert await checksums(dsn, READING) == before
        for one in [*rows("GET"), *rows("POST")]:
            if one[-1].of(actor) == OK and one[0] not in STREAMS:
                wrong.append(await _wrong(browser, token, places, one, actor))
                if one[2] in SIGNING_OUT:
                    await browser.aclose()
                    browser = await browser_of(app, actor)  # noqa: PLW2901
                    token = await browser.csrf()
    assert list(filter(None, wrong)) == []


async def _wrong(browser: Browser, token: str, places: Places, row: tuple[str, str, str, Row], actor: str) -> Any:
    """Request one route as the person `actor`.

    Return a description of the response if the matrix expects another one, and None otherwise.
    """
    name, method, path, expected = row
    address = places.address(path)
    if method == "POST":
        answer = await browser.post(address + QUERIES.get(name, ""), data={"csrf": token} | TEXTS.get(name, {}))
    else:
        answer = await browser.get(address)
    leads, want = answer.headers.get("location", ""), expected.of(actor)
    if want == IN:
        fits = answer.status_code == 303 and leads.startswith("/sign-in")
    elif want == LED:
        fits = answer.status_code == 303 and leads == own_page(address, actor)
    elif want != OK:
        fits = answer.status_code == want
    elif method == "GET":
        fits = answer.status_code == (303 if actor in LED_ON.get(name, ()) else 200)
    else:
        fits = answer.status_code in {200, 204, 303, 409, 422} and (
            not leads.startswith("/sign-in") or path in SIGNING_OUT
        )
    return None if fits else (name, address, answer.status_code, want, leads)


def own_page(address: str, actor: str) -> str:
    """Return the URL, in the person's own area, of the case or document to which `address` belongs."""
    _, noun, number, *_ = address.removeprefix("/agent").split("/")
    reader = ACTORS[actor]
    return f"{'/agent' if reader and reader.is_agent else ''}/{noun}/{number}"


def variants(path: str) -> list[str]:
    """Return other spellings of a path, which some servers treat as the same path."""
    head, _, last = path.rpartition("/")
    return [
        path + "/", "/" + path, f"{head}//{last}", f"{head}/%2f{last}",
        "/" + path[1:].replace("/", "%2f"), f"{head}/%2e/{last}", path + ".json", path + "%00", path + "?_method=GET",
        path.upper(), path + "/..;/", path + ";x=1", path + "%ff",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["nobody", "Alan", "Ines"])
async def test_no_other_spelling_and_no_other_method_gives_more(app: Gate, actor: str) -> None:
    """R34: a GET that is refused is also refused in every spelling of its path and with every other HTTP method.

    OPTIONS may succeed if its response is empty. The spelling is resolved before the route is chosen, so one other
    spelling or method proves enough for each route, a different one each day; `./dev test --all` tries all of them.
    """
    places, wrong, turn = await furnished(app.storage), [], TURN
    async with await browser_of(app, actor) as browser:
        for name, _, path, row in rows("GET"):
            if row.of(actor) == OK:
                continue
            address = places.address(path)
            others = [
                *(("GET", other) for other in variants(address)), ("OPTIONS", address), ("PUT", address), ("PATCH", address),
                ("DELETE", address),
            ]  # fmt: skip
            turn += 1
            for method, other in others if ALL else [others[turn % len(others)]]:
                answer = await browser.request(
                    method, f"http://{HOST}{other}", headers={"x-http-method-override": "GET"}
                )
                if answer.status_code not in {303, 400, 403, 404, 405, 409} and (method != "OPTIONS" or answer.content):
                    wrong.append((name, method, other, answer.status_code))
                where = answer.headers.get("location", "/sign-in")
                if not where.startswith("/sign-in") and where != own_page(address, actor):
                    wrong.append((name, method, other, where))
    assert wrong == []


TYPES = (
    "text/html; charset=utf-8", "text/plain; charset=utf-8", "text/css; charset=utf-8", "text/csv; charset=utf-8", "application/pdf",
    "application/octet-stream", "application/xml", "image/webp",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/zip")  # fmt: skip
ALIKE = ("content-type", "content-disposition", "location", "cache-control", "retry-after")


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["nobody", "Ada", pytest.param("Max", marks=pytest.mark.long), "Noor"])
async def test_reading_changes_nothing_and_head_is_get_without_its_body(app: Gate, dsn: str, actor: str) -> None:
    """R34, R36: HEAD responds as GET does but without a body, and GET, HEAD and OPTIONS change nothing but `READING`.

    Event streams do not support HEAD, and HEAD of a ZIP file has no content length, because the length is not known
    before the file is written. Litestar answers OPTIONS for all routes alike, so the test sends OPTIONS to a fifth of
    the routes each day, and with `./dev test --all` to all of them.
    """
    places, wrong = await furnished(app.storage), []
    asked = turns(rows("GET"), len(rows("GET")) // 5)
    async with await browser_of(app, actor) as browser:
        before, audited = await checksums(dsn, (*READING, "audit")), await not_of_exports(dsn)
        for name, _, path, row in rows("GET"):
            address = places.address(path)
            head = await browser.request("HEAD", address)
            if (name, "GET", path, row) in asked:
                await browser.request("OPTIONS", address)
            if name in STREAMS:
                assert head.status_code in {303, 404, 405}, name
                if row.of(actor) != OK:  # A stream that is allowed would never end.
                    await browser.get(address)
                continue
            whole = await browser.get(address)
            told = [(one.status_code, [one.headers.get(header) for header in ALIKE]) for one in (head, whole)]
            fits = whole.status_code in {303, 405} or whole.headers["content-type"] in TYPES
            if (
                head.content
                or told[0] != told[1]
                or not fits
                or ("content-length" not in head.headers and not path.endswith(".zip"))
            ):
                wrong.append((name, row.of(actor), told))
        assert await checksums(dsn, (*READING, "audit")) == before
        assert await not_of_exports(dsn) == audited
    assert wrong == []


async def not_of_exports(dsn: str) -> int:
    """Return the number of audit lines that do not record a downloaded document (R89)."""
    owner = await asyncpg.connect(dsn)
    try:
        count: int = await owner.fetchval("select count(*) from audit where what not like '%.export'")
    finally:
        await owner.close()
    return count


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["Ada", "Noor"])
async def test_no_form_counts_without_the_token_of_its_session(app: Gate, dsn: str, actor: str) -> None:
    """R37: every form is refused without a CSRF token, with the token of another session, from another site or as text.

    The same code checks all forms before their handlers run. So the test sends each form without a token and in one of
    the other ways, a different one each day; `./dev test --all` sends each form in all ways.
    """
    places = await furnished(app.storage)
    async with await browser_of(app, actor) as browser, await browser_of(app, "Gil") as gil:
        token, gils = await browser.csrf(), await gil.csrf()
        before = await checksums(dsn, READING)
        ways: list[dict[str, Any]] = [
            {"data": {"csrf": gils}},
            {"data": {"csrf": token}, "headers": {"origin": "null"}},
            {"data": {"csrf": token}, "headers": {"sec-fetch-site": "cross-site"}},
            {"content": f"csrf={token}", "headers": {"content-type": "text/plain"}},
        ]
        for number, (name, _, path, row) in enumerate(rows("POST")):
            if name in ONE_CLICK:
                continue
            address, refused = places.address(path), {403} if row.of(actor) == OK else {403, row.of(actor)}
            for way in [{}, *(ways if ALL else [ways[(TURN + number) % len(ways)]])]:
                answer = await browser.post(address, **way)
                allowed = {400, *(refused - {403})} if "content" in way else refused
                assert answer.status_code in allowed, (name, way)
        assert await checksums(dsn, READING) == before


DIFFERENT = ("content-security-policy", "x-request-id", "content-length")
"""Headers that differ on every answer; `content-length` does because the live-update snapshot varies in length."""


def stripped(answer: httpx.Response, address: str) -> str:
    """Return the body without what differs each time: tokens, request id, live-update snapshot and requested URL."""
    text = re.sub(r"[0-9a-f]{16}\.[0-9a-f]{64}|nonce=\"[^\"]+\"|[0-9a-f]{16}|snapshot=[0-9:,]*", "", answer.text)
    return text.replace(address, "")


def missing(path: str, places: Places) -> str:
    """Return the URL of the route `path` for objects that do not exist."""
    values = places.values[places.beginning(path)]
    return path.format(**{name: _other_than(value) for name, value in values.items()})


def _other_than(value: Any) -> str:
    text = str(value)
    if re.fullmatch(r"\d+", text):
        return "987654"
    return "".join(chr(ord(sign) ^ 1) if sign.isdigit() else sign for sign in text)


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["Alan", "Gil", "Ada"])
async def test_what_is_foreign_looks_as_if_it_were_missing(app: Gate, actor: str) -> None:
    """R25: an object that a person may not see gets the same response as a missing one, except for the request id."""
    places, compared = await furnished(app.storage), 0
    async with await browser_of(app, actor) as browser:
        token = await browser.csrf()
        for name, method, path, row in rows():
            if row.of(actor) != 404 or "{" not in path:
                continue
            there, not_there = places.address(path), missing(path, places)
            answers = [
                await browser.request(method, address, data={"csrf": token} if method == "POST" else None)
                for address in (there, not_there)
            ]
            assert stripped(answers[0], there) == stripped(answers[1], not_there), name
            heads = [
                [(key, value) for key, value in answer.headers.items() if key not in DIFFERENT] for answer in answers
            ]
            assert heads[0] == heads[1], name
            assert [answer.status_code for answer in answers] == [404, 404], name
            compared += 1
    assert compared > 20


@pytest.mark.slow
async def test_an_id_counts_only_below_what_it_belongs_to(app: Gate, dsn: str) -> None:
    """R28: an object is found only under its own parent: with another parent in the URL, the response is 404."""
    places = await furnished(app.storage)
    case, alans = places.case.number, places.alans_case.number
    reply, note = places.values["/cases/"]["file_id"], places.values["/agent/cases/"]["file"]
    entry, draft = (
        places.values["/agent/drafts/"]["entry_id"],
        places.values["/agent/drafts/{draft_id}/deletion"]["draft_id"],
    )
    swapped = {
        "Ada": [f"/cases/{alans}/files/{reply}", f"/cases/{case}/files/{note}"],
        "Alan": [f"/cases/{alans}/files/{reply}", f"/cases/{alans}/files/{note}"],
        "Ines": [f"/agent/cases/{alans}/files/{reply}"],
        "Noor": [
            f"/agent/customers/{GLOBEX}/contacts/{ADA.id}",
            f"/agent/customers/{GLOBEX}/contracts/{ACME_CONTRACT}",
            f"/agent/customers/{GLOBEX}/contracts/{ACME_CONTRACT}/services/new",
            f"/agent/customers/{GLOBEX}/contracts/{ACME_CONTRACT}/services/{HELPDESK}",
            f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}/services/{places.values['/agent/customers/']['service']}",
        ],
    }
    for actor, addresses in swapped.items():
        async with await browser_of(app, actor) as browser:
            for address in addresses:
                assert (await browser.get(address)).status_code == 404, (actor, address)
    async with await browser_of(app, "Noor") as browser:
        before = await checksums(dsn, READING)
        for verb in ("", "/invitations", "/invitations/revocation", "/ending", "/resumption"):
            assert (await browser.send_form(f"/agent/customers/{GLOBEX}/contacts/{ADA.id}{verb}")).status_code == 404, (
                verb
            )
        assert (await browser.send_form(f"/agent/drafts/{draft}/entries/{entry}/removal")).status_code in {404, 409}
        assert await checksums(dsn, READING) == before
