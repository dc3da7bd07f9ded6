"""Provide the invented readers and rows of the gallery."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

COMPANY = SimpleNamespace(name="Halden IT", time_zone="Europe/Berlin", currency="EUR")
ADA = SimpleNamespace(
    is_contact=True,
    id=1,
    name="Ada Lindqvist",
    customer_id=1,
    customer_name="Acme",
    sees_all_cases=True,
    sees_invoices=True,
    time_zone="Europe/Berlin",
    locale="en_GB",
)
INES = SimpleNamespace(
    is_contact=False,
    id=1,
    name="Ines Okafor",
    is_manager=False,
    is_admin=False,
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
RAIL = {"mine": 12, "unassigned": 5, "waiting": 21, "all": 142, "approvals": 25}


DRAFT = SimpleNamespace(at="/cases/new", key="0", files=[SimpleNamespace(id=1, name="printer.log", size=12_000)])


def context(reader: SimpleNamespace | None, path: str, **more: object) -> dict[str, Any]:
    """Return the values that the portal gives to every template."""
    now = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
    return {
        "reader": reader,
        "company": COMPANY,
        "csrf": "token",
        "path": path,
        "now": now,
        "snapshot": "",
        "draft": DRAFT,
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
    "home": context(ADA, "/"),
    "cases": context(ADA, "/cases"),
    "case form": context(
        ADA,
        "/cases/new",
        errors={
            "subject": "Write a few words, so that everybody recognises the case in a list.",
            "files": "“printer.png” is a program, and programs are not taken. Remove it.",
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


def _message(number: int, author: str, side: str, hour: float, html: str, **more: object) -> SimpleNamespace:
    at = datetime(2026, 11, 19, int(hour), int(hour % 1 * 60), tzinfo=UTC)
    values = {
        "id": number,
        "author": author,
        "ours": "Halden" in side,
        "side": side,
        "at": at,
        "html": html,
        "is_note": False,
        "files": [],
    }
    return SimpleNamespace(**(values | more))


FILES = [
    SimpleNamespace(name="vpn-error.png", size=184_000, address="/files/1"),
    SimpleNamespace(name="client-2026-11-19.log", size=1_210_000, address="/files/2"),
]
MESSAGES = [
    _message(
        1,
        "Ada Lindqvist",
        "Acme",
        7.2,
        "<p>Since the update on Tuesday the VPN disconnects after about 20 minutes. I have to sign in again each time, and copies to the "
        "file server stop half way.</p><p>Windows 11, client <code>5.1.2</code>. The log of one whole morning is attached.</p>",
        files=FILES,
    ),
    _message(
        2,
        "Ines Okafor",
        "Halden IT, reply",
        7.9,
        "<p>Thank you, Ada, the log helps a lot. The client gives up when our gateway renews the keys, every 20 minutes exactly. I have "
        "raised the limit for you and Alan. Please connect once more and tell me whether it now stays up for an hour.</p>",
    ),
    _message(
        3,
        "Ada Lindqvist",
        "Acme",
        14,
        "<p>Better, but <em>not gone</em>: twice since noon.</p><ul><li>first in the meeting room</li><li>then at my desk</li></ul>",
    ),
]
NOTE = _message(
    4,
    "Jonas Brandt",
    "Halden IT",
    10.3,
    "<p>Same access point as #1024. Firmware 8.2 drops clients when two channels overlap. Move it to channel 48 first.</p>",
    is_note=True,
)


def _row(
    number: int,
    subject: str,
    status: str,
    priority: int,
    agent: str | None,
    deadline: dict[str, object] | None,
    **more: object,
) -> SimpleNamespace:
    words = {
        "new": "New",
        "open": "Open",
        "waiting_for_customer": "Waiting for customer",
        "waiting_for_others": "Waiting for others",
        "resolved": "Resolved",
    }
    values = {
        "number": number,
        "subject": subject,
        "customer": "Initech GmbH",
        "status": status,
        "status_word": words[status],
        "priority": priority,
        "priority_word": ["", "Low", "Normal", "High", "Urgent"][priority],
        "agent": agent,
        "minutes": 135,
        "updated_at": datetime(2026, 11, 20 - number % 9, 12, 40, tzinfo=UTC),
        "unread": number % 3 == 0,
        "has_files": number % 4 == 0,
        "just_in": False,
        "deadline": deadline,
    }
    return SimpleNamespace(**(values | more))


CASES = [
    _row(
        1048,
        "Nobody can reach the ERP from Kiel",
        "new",
        4,
        None,
        {"kind": "soon", "words": "Reply in 58 min", "used": 0.02},
        just_in=True,
        unread=True,
    ),
    _row(
        1036,
        "Site-to-site tunnel down since the power cut",
        "open",
        4,
        "Jonas Brandt",
        {"kind": "late", "words": "Solve 35 min over", "used": 1},
    ),
    _row(
        1042,
        "VPN drops every 20 minutes since the Windows update",
        "open",
        3,
        "Ines Okafor",
        {"kind": "soon", "words": "Solve in 42 min", "used": 0.93},
    ),
    _row(
        1038,
        "Backup job failed twice on FS-02",
        "open",
        3,
        "Ines Okafor",
        {"kind": "", "words": "Solve in 1 h 15", "used": 0.8},
    ),
    _row(
        1033,
        "Shared mailbox “orders” asks for a password",
        "open",
        2,
        "Jonas Brandt",
        {"kind": "", "words": "Reply in 4 h 05", "used": 0.4},
    ),
    _row(
        1040,
        "New starter on 1 December: laptop and accounts",
        "waiting_for_customer",
        2,
        "Jonas Brandt",
        {"kind": "paused", "words": "Paused since Wed", "used": 0},
    ),
    _row(
        1029,
        "Firewall firmware before the audit",
        "waiting_for_others",
        4,
        "Ines Okafor",
        {"kind": "paused", "words": "Paused since Tue", "used": 0},
    ),
    _row(1021, "Second monitor for the front desk", "resolved", 1, "Lena Vogt", None),
]
CONTEXTS["cases"] |= {"messages": MESSAGES, "files": FILES}
CONTEXTS["agent cases"] |= {"messages": [*MESSAGES, NOTE], "cases": CASES}
