"""The invented readers of the gallery."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

COMPANY = SimpleNamespace(name="Halden IT", time_zone="Europe/Berlin", currency="EUR")
ADA = SimpleNamespace(
    id=1, name="Ada Lindqvist", customer_id=1, customer_name="Acme", sees_all_cases=True, sees_invoices=True, time_zone="Europe/Berlin", locale="en_GB"
)
INES = SimpleNamespace(id=1, name="Ines Okafor", is_manager=False, is_admin=False, time_zone="Europe/Berlin", locale="en_GB")
MAX = SimpleNamespace(id=2, name="Max Herrmann", is_manager=True, is_admin=True, time_zone="Europe/Berlin", locale="en_GB")
RAIL = {"mine": 12, "unassigned": 5, "waiting": 21, "all": 142, "approvals": 25}


def context(reader: SimpleNamespace | None, path: str, **more: object) -> dict[str, Any]:
    """What the middleware gives to every page."""
    now = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
    return {"reader": reader, "company": COMPANY, "csrf": "token", "path": path, "now": now, **more}


CONTEXTS = {
    "nobody": context(None, "/sign-in"),
    "nobody refused": context(
        None, "/sign-in", errors={"password": "This address and password do not belong together."}, typed={"email": "ada@acme.example"}
    ),
    "home": context(ADA, "/"),
    "cases": context(ADA, "/cases"),
    "case form": context(
        ADA,
        "/cases/new",
        errors={
            "subject": "Write a few words, so that everybody recognises the case in a list.",
            "files": "“printer.png” is a program, not an image. Remove it or attach a real picture.",
        },
        typed={
            "subject": "",
            "description": "The label printer in the warehouse prints every second label empty since this morning. We changed the roll twice.",
            "priority": "2",
        },
    ),
    "invoices": context(ADA, "/invoices"),
    "gone": context(ADA, "/cases/9", status=404),
    "agent cases": context(INES, "/agent/cases", rail=RAIL),
    "approvals": context(MAX, "/agent/approvals", rail=RAIL),
    "billing": context(MAX, "/agent/billing", rail=RAIL),
    "set-up": context(MAX, "/agent/setup", rail=RAIL),
}
