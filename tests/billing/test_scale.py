"""Test that documents far larger than real ones take seconds only, as no step takes quadratic time."""

import time
from typing import Any

import pytest

from portal.billing.simulate import simulate
from tests.billing.documents import a_contract, a_plan, an_entry, extended


def large(*, rates: int = 1, entries: int = 1, contracts: int = 1, vouchers: int = 0) -> dict[str, Any]:
    """Return a document of these sizes, in which entry i belongs to the service of contract i modulo `contracts`."""
    return {
        "currency": "EUR",
        "vat": {"category": "S", "rate": "25"},
        "rates": [
            {"role": f"r{number % 100}", "hourly_rate": "60", "from": f"{1000 + number // 100}-01-01"}
            for number in range(rates)
        ],
        "contracts": [
            {
                "name": f"C{number}", "start": "2026-01-01", "cycle": "monthly", "anchor": "2026-01-01",
                "services": [{"name": f"S{number}", "settlement": "voucher", "rollup": "none", "overflow": "bill"}],
            }
            for number in range(contracts)
        ],
        "vouchers": [
            {
                "id": f"V{number}", "services": ["S0"], "minutes": 60, "price": "1", "sold": "2026-01-01",
                "valid_from": "2026-01-01", "valid_until": "2026-07-01",
            }
            for number in range(vouchers)
        ],
        "entries": [
            {
                "id": f"e{number}", "service": f"S{number % contracts}", "agent": "Ines", "role": f"r{number % min(rates, 100)}",
                "date": "2026-01-05", "created": "2026-01-05T10:00:00Z", "actual_minutes": 60, "billing": "billable",
            }
            for number in range(entries)
        ],
        "steps": [{"approve": [f"e{number}" for number in range(entries)]}, {"bill": {"until": "2026-02-01"}}],
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [
        {"rates": 10_000, "entries": 1_000},
        {"contracts": 5_000, "entries": 5_000},
        {"vouchers": 5_000, "entries": 5_000},
    ],
    ids=str,
)
def test_a_large_document_takes_seconds(sizes: dict[str, int]) -> None:
    """A large document is billed within ten seconds of processor time.

    If a list were scanned for each entry, billing it would take from 20 seconds to minutes.
    """
    document = large(**sizes)
    began = time.process_time()
    result = simulate(document)
    assert time.process_time() - began < 10
    pieces: Any = result["allocations"]
    assert len(pieces) == sizes["entries"]
    expected = "voucher" if "vouchers" in sizes else "charged"
    assert {piece["kind"] for of_entry in pieces.values() for piece in of_entry} == {expected}


N = 2_000
IDS = [f"e{number}" for number in range(N)]
JULY = {"bill": {"until": "2026-07-01"}}


def worked(**keys: Any) -> list[dict[str, Any]]:
    """Return `N` entries of an hour each, on 28 days of six months; `keys` adds or replaces keys of every entry."""
    return [an_entry(id, f"2026-0{1 + n % 6}-{1 + n % 28:02}", 60, **keys) for n, id in enumerate(IDS)]


def extended_ones() -> dict[str, dict[str, Any]]:
    """Return large extended documents. Each would be slow if one of the rules took time for every pair of items."""
    window = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "18:00", "to": "02:00", "factor": "1.5"}
    schedule = {"name": "S", "zone": "Europe/Vienna", "windows": [window] * 20}
    changes = [{"from": f"{1000 + n // 12}-{1 + n % 12:02}-01", "fee": str(n)} for n in range(12_000)]
    approved = [{"approve": IDS}, JULY]
    by_minutes = {"credit": {"invoice": 0, "minutes": dict.fromkeys(IDS, 30)}}
    blocking = a_plan(overflow="block", included_minutes=5 * N, rollover={"periods": 1})
    late_first = [{"approve": [id for id in IDS if int(id[1:]) % 6 == month]} for month in (5, 4, 3, 2, 1, 0)]

    def one(plan: dict[str, Any], steps: list[Any], entries: list[Any], **keys: Any) -> dict[str, Any]:
        return extended(contracts=[a_contract(plan)], entries=entries, steps=steps, **keys)

    return {
        "schedule": one(a_plan(schedule="S"), approved, worked(started="2026-01-05T17:00:00Z"), schedules=[schedule]),
        "changes": one(a_plan(changes=changes), approved, worked()),
        "day": one(a_plan(rounding={"increment": 7, "per": "day"}), approved, worked()),
        "credits": one(a_plan(), [*approved, by_minutes, JULY, {"credit": {"invoice": 0}}, JULY], worked()),
        "blocked": one(blocking, [*late_first, JULY], worked()),
    }


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["schedule", "changes", "day", "credits", "blocked"])
def test_a_large_extended_document_takes_seconds(rule: str) -> None:
    """2,000 entries take less than ten seconds of processor time, even if each could compete with all others."""
    document = extended_ones()[rule]
    began = time.process_time()
    assert simulate(document)["invoices"]
    assert time.process_time() - began < 10
