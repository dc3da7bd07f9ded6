"""The invented readers for whom the gallery renders its pages."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from portal.agent.pages import Rail
from portal.notices import Inbox
from portal.notices.kinds import KINDS
from portal.timekeeping.policy.switches import Rules
from tests.look.mails import told

COMPANY = SimpleNamespace(name="Halden IT", time_zone="Europe/Berlin", currency="EUR", logo="")
ADA = SimpleNamespace(
    is_contact=True,
    id=1,
    name="Ada Lindqvist",
    customer_id=1,
    customer_name="Acme",
    sees_all_cases=True,
    sees_invoices=True,
    sees_hours=True,
    manages_contacts=True,
    time_zone="Europe/Berlin",
    locale="en_GB",
)
MAX = SimpleNamespace(
    is_contact=False,
    id=2,
    name="Max Herrmann",
    is_manager=True,
    is_admin=True,
    time_zone="Europe/Berlin",
    locale="en_GB",
)
RAIL = Rail({"mine": 12, "unassigned": 5, "waiting": 21, "all": 142}, approvals=25)


DRAFT = SimpleNamespace(at="/cases/new", key="0", files=[SimpleNamespace(id=1, name="printer.log", size=12_000)])


def context(reader: SimpleNamespace | None, path: str, **more: object) -> dict[str, Any]:
    """Return the variables that the portal gives to every template, and those in `more`."""
    now = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
    return {
        "reader": reader,
        "company": COMPANY,
        "rules": Rules(),
        "timers": [],
        "unread": 3,
        "csrf": "token",
        "path": path,
        "now": now,
        "snapshot": "",
        "draft": DRAFT,
        "other_customers": (),
        **more,
    }


CONTEXTS = {
    "nobody": context(None, "/sign-in"),
    "nobody refused": context(
        None,
        "/sign-in",
        errors={"password": "This address and password do not belong together."},
        typed={"email": "ada@acme.example"},
    ),
    "gone": context(ADA, "/cases/9", status=404),
    "notices": context(
        ADA,
        "/notices",
        inbox=Inbox([told(kind) for kind in KINDS.values() if kind.for_contacts], newest=1, next_after=1),
        only_unread=False,
        after=None,
        room="",
    ),
    "set-up": context(MAX, "/agent/setup", rail=RAIL),
}
