"""The mails for the gallery: one of each kind of notice, a digest, and each kind of mail about an account."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from portal.mail.accounts import WHAT
from portal.notices.inbox import Told
from portal.notices.kinds import KINDS, Kind
from portal.notices.mailing import Item
from portal.render import render

NOW = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
BASE = "https://support.halden.example"
TEXT = """Good morning,

the certificate of the VPN gateway had expired. We have renewed it, and the tunnel to Kiel is up again. Please check:

  https://vpn.acme.example/status/a-very-long-address-that-has-no-space-in-it-anywhere-and-goes-on-and-on-and-on

Best regards"""
PARTIES = {
    "seller": {"legal_name": "Halden IT GmbH", "email": "office@desk.example"},
    "bank": {"iban_spaced": "DE02 1203 0000 0000 2020 51", "name": "Hausbank"},
    "contract": {"order_reference": "PO-4711"},
}
LONG = "The connection to the branch office in Kiel drops every morning at nine, and the printer with it"


def told(kind: Kind, **more: Any) -> Told:
    """Return a notice of this kind, with everything that its text may need."""
    facts: dict[str, Any] = {
        "id": 1, "kind": kind, "record_id": 7, "subject_id": 7, "at": NOW, "read_at": None, "in_app": True, "zone": ZoneInfo("Europe/Berlin"),
        "for_contact": kind.for_contacts is not None, "actor": "Ines Okafor", "verb": "changed", "minutes": 45,
        "work_date": date(2026, 11, 18), "entry_exists": True, "invoice": "2026-0012", "amount": 95, "day": date(2026, 11, 16),
        "details": {"from": "open", "to": "resolved", "duty": "reply", "due": "2026-11-20T15:20:00+01:00"},
        "paid": Decimal("1250.00"), "currency": "EUR", "warned": "low", "name": "Care for the branch offices", "customer_id": 1,
    }  # fmt: skip
    if kind.about == "case":
        facts |= {"number": 1042, "subject": LONG}
    if kind.name in ("time.rejected", "time.flagged"):
        facts["note"] = "Which switch was that, the one in the cellar or the one in the hall?"
    return Told(**facts | more)


def mail(name: str, subject: str, **context: Any) -> str:
    """Return the HTML part of the mail that the template `mail/<name>.html` makes."""
    reader = SimpleNamespace(
        name="Ada Lindqvist",
        email="ada@acme.example",
        locale="en_GB",
        time_zone="Europe/Berlin",
        is_contact=True,
        customer_name="Acme",
    )
    return render(
        f"mail/{name}.html", reader=reader, company=None, now=NOW, sender="Halden IT", subject=subject, link=f"{BASE}/cases/1042",
        base=BASE, answers_to="office@desk.example", **context,
    )  # fmt: skip


def of_notices(items: list[Item], button: str, rate: str = "") -> str:
    """Return the HTML of the mail that contains these notices."""
    sides = [item.told.kind.side(of_contact=item.told.for_contact) for item in items]
    return mail(
        "told", "What happened", items=items, button=button, rate=rate, stop=f"{BASE}/unsubscriptions/x",
        reasons=list(dict.fromkeys(side.word for side in sides if side)),
    )  # fmt: skip


def mails() -> dict[str, str]:
    """Return the HTML of each mail, by the name with which the file names of its screenshots begin."""
    one = {
        f"mail-{kind.name.replace('.', '-')}": of_notices(
            [Item(told(kind), TEXT if kind.has_message else "")], "Open the case" if kind.about == "case" else "Open it"
        )
        for kind in KINDS.values()
    }
    several = [Item(told(kind), TEXT if kind.has_message else "") for kind in KINDS.values() if kind.for_contacts]
    return one | {
        "mail-digest": of_notices(several, "Open the list"),
        "mail-invoice": mail(
            "invoice",
            "Invoice 2026-0012 from Halden IT",
            has_csv=False,
            stop=f"{BASE}/unsubscriptions/x",
            customer="Acme",
            button="Open the invoice",
            parties=PARTIES,
            invoice=SimpleNamespace(
                number="2026-0012", payable=Decimal("1234.56"), currency="EUR", due_on=date(2026, 12, 4)
            ),
        ),
        "mail-credit-note": mail(
            "credit_note",
            "Credit note C-0003 from Halden IT",
            has_csv=False,
            stop=f"{BASE}/unsubscriptions/x",
            customer="Acme",
            button="Open the credit note",
            parties=PARTIES,
            invoice=SimpleNamespace(number="2026-0012"),
            note=SimpleNamespace(
                number="C-0003",
                gross=Decimal("234.56"),
                payable=Decimal("234.56"),
                currency="EUR",
                reason="Agreed on the phone.",
            ),
        ),
        "mail-invitation": mail(
            "invitation",
            "Your access to the portal of Halden IT",
            house="Halden IT",
            inviter="Noor Haddad",
            joins=False,
            until=NOW + timedelta(hours=72),
        ),
        "mail-password-reset": mail("password_reset", "Choose a new password", until=NOW + timedelta(hours=1)),
        "mail-password-changed": mail("password_changed", "Your password was changed", changed_at=NOW),
        "mail-factor-changed": mail(
            "factor_changed", "Your second factor was changed", changed_at=NOW, what=WHAT["passkey_added"]
        ),
    }
