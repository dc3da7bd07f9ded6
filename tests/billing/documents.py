"""Input documents of `portal simulate`: a small valid one, which tests change, and the parts of extended documents."""

import copy
import enum
from typing import Any

DOCUMENT: dict[str, Any] = {
    "currency": "EUR",
    "vat": {"category": "S", "rate": "25"},
    "rates": [
        {"role": "senior", "hourly_rate": "120.00", "from": "2026-01-01"},
        {"service": "Desk", "hourly_rate": "100.00", "from": "2026-03-01"},
    ],
    "contracts": [
        {
            "name": "Support",
            "start": "2026-01-01",
            "end": None,
            "cycle": "monthly",
            "anchor": "2026-01-01",
            "services": [
                {
                    "name": "Desk",
                    "settlement": "subscription",
                    "rollup": "service",
                    "taxable": True,
                    "effective_start": "2026-01-01",
                    "rounding": {"minimum": 0, "increment": 15, "mode": "up"},
                    "overflow": "bill",
                    "overage_rate": "110.00",
                    "fee": "500.00",
                    "included_minutes": 600,
                    "due": "advance",
                },
                {"name": "Hours", "settlement": "voucher", "rollup": "none", "overflow": "hold"},
                {"name": "Time", "settlement": "time_spent", "rollup": "none", "taxable": False},
            ],
        }
    ],
    "vouchers": [
        {
            "id": "V1",
            "services": ["Desk", "Hours"],
            "minutes": 600,
            "price": "900.00",
            "sold": "2026-01-10",
            "valid_from": "2026-01-10",
            "valid_until": "2026-07-01",
        }
    ],
    "entries": [
        {
            "id": id,
            "service": service,
            "agent": "Ines",
            "role": "senior",
            "date": "2026-01-05",
            "created": "2026-01-05T10:00:00Z",
            "actual_minutes": 50,
            "billing": "billable",
            "billable_minutes": None,
            "hourly_rate": None,
            "external_comment": "VPN restored",
        }
        for id, service in (("e1", "Desk"), ("e2", "Time"))
    ],
    "steps": [{"approve": ["e1", "e2"]}, {"bill": {"until": "2026-02-01"}}],
}

MISSING = enum.Enum("Missing", "MISSING").MISSING  # pytest-xdist needs the same name in every process.


def document() -> dict[str, Any]:
    """Return a new copy of the input document."""
    return copy.deepcopy(DOCUMENT)


def extended(**keys: Any) -> dict[str, Any]:
    """Return an extended document in EUR with 25 % VAT and a rate of 60.00 an hour; `keys` adds or replaces keys."""
    plain = {"currency": "EUR", "vat": {"category": "S", "rate": "25"}, "extended": True}
    return plain | {"rates": [{"customer": True, "hourly_rate": "60.00", "from": "2020-01-01"}]} | copy.deepcopy(keys)


def a_contract(*services: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Return a monthly contract from 1 January 2026 with these services; `keys` adds or replaces its keys."""
    plain = {"name": "Support", "start": "2026-01-01", "cycle": "monthly", "anchor": "2026-01-01"}
    return plain | {"services": list(services)} | keys


def a_plan(**keys: Any) -> dict[str, Any]:
    """Return a subscription of 60 minutes a month for 100.00 in advance; `keys` adds or replaces its keys."""
    return {
        "name": "Desk", "settlement": "subscription", "rollup": "service", "overflow": "bill", "fee": "100.00",
        "included_minutes": 60, "due": "advance",
    } | keys  # fmt: skip


def an_entry(id: str, date: str, minutes: int, **keys: Any) -> dict[str, Any]:
    """Return a billable entry under the service `Desk`; `keys` adds or replaces its keys."""
    return {
        "id": id, "service": "Desk", "agent": "Ines", "role": "senior", "date": date, "created": f"{date}T09:00:00Z",
        "actual_minutes": minutes, "billing": "billable",
    } | keys  # fmt: skip


def paid_by(output: dict[str, Any], id: str) -> list[tuple[str, int, str | None]]:
    """Return kind, minutes and source of each allocation of an entry in an output document."""
    return [(piece["kind"], piece["minutes"], piece["source"]) for piece in output["allocations"].get(id, [])]


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return a copy of the input document in which the value at each path (`contracts.0.name`) is replaced.

    The new value `MISSING` deletes the key or item, and a path that ends in `+` appends to a list.
    """
    result = document()
    for path, value in changes:
        *way, last = path.split(".")
        at: Any = result
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at[step]
        if last == "+":
            at.append(copy.deepcopy(value))
        elif value is MISSING:
            del at[last]
        else:
            at[int(last) if isinstance(at, list) else last] = copy.deepcopy(value)
    return result
