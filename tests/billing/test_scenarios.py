"""Test whole input documents against their whole output: our own, checked by hand, and those of the specification."""

import json
from pathlib import Path
from typing import Any

import pytest

from portal.billing.simulate import main

OURS = Path(__file__).parent / "scenarios"
GIVEN = Path(__file__).parents[2].parent / "shared/data/scenarios"
DOCUMENTS = sorted(OURS.glob("*.in.json")) + sorted(GIVEN.glob("*.in.json"))


def output_of(path: Path) -> Any:
    return json.loads(path.with_name(path.name.replace(".in.json", ".out.json")).read_text("utf-8"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name.removesuffix(".in.json"))
def test_a_document_gives_its_output(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each input document gives exactly its expected output."""
    assert main([str(path)]) == 0
    written = capsys.readouterr()
    assert json.loads(written.out) == output_of(path)
    assert written.err == ""


def test_our_documents_are_there() -> None:
    assert len(list(OURS.glob("*.in.json"))) >= 12


def covered() -> set[object]:
    """Return every kind, rate source, reason, settlement and rollup that occurs in our documents.

    The kinds are those of allocations and of invoice lines.
    """
    found: set[object] = set()
    for path in OURS.glob("*.out.json"):
        out = output_of(path)
        found |= {piece["kind"] for pieces in out["allocations"].values() for piece in pieces}
        found |= {piece["rate_source"] for pieces in out["allocations"].values() for piece in pieces}
        found |= {row["reason"] for row in out["skipped"] + out["refused"]}
        found |= {line["kind"] for invoice in out["invoices"] for line in invoice["lines"]}
    for path in OURS.glob("*.in.json"):
        services = [service for one in json.loads(path.read_text("utf-8"))["contracts"] for service in one["services"]]
        found |= {service["rollup"] for service in services} | {service["settlement"] for service in services}
    return found


def test_our_documents_meet_every_settlement_rollup_kind_reason_and_rate() -> None:
    assert covered() >= {
        "time_spent", "voucher", "subscription", "none", "resource", "role", "service", "included", "charged", "held",
        "no_charge", "fee", "time", "not_approved", "before_service_start", "after_contract_end", "no_rate", "settled",
        "entry", "overage", "service+agent", "service+role", "customer+role", "customer", "beyond_prepaid",
    }  # fmt: skip
