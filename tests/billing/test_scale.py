"""Test that documents far larger than real ones take seconds: no step scans a long list for each item of another."""

import time
from typing import Any

import pytest

from portal.billing.simulate import simulate


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

    If a list were scanned for each entry, the documents would take from 20 seconds to minutes.
    """
    document = large(**sizes)
    began = time.process_time()
    result = simulate(document)
    assert time.process_time() - began < 10
    pieces: Any = result["allocations"]
    assert len(pieces) == sizes["entries"]
    expected = "voucher" if "vouchers" in sizes else "charged"
    assert {piece["kind"] for of_entry in pieces.values() for piece in of_entry} == {expected}
