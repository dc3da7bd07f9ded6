"""Test that `portal simulate` reports the first error of a bad document by its path, in one line on standard error."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from portal.billing.simulate import BadDocument, main, simulate
from tests.billing.documents import DOCUMENT, MISSING, changed, document

FROM = {"hourly_rate": "1", "from": "2026-01-01"}
TIME = DOCUMENT["contracts"][0]["services"][2]
CONTRACT = DOCUMENT["contracts"][0] | {"name": "Other", "services": []}
ENTRY, VOUCHER = DOCUMENT["entries"][0], DOCUMENT["vouchers"][0]
S0, S1, S2 = (f"contracts.0.services.{number}" for number in range(3))
P0, P1, P2 = (f"contracts[0].services[{number}]" for number in range(3))

ONE_CHANGE: list[tuple[str, Any, str]] = [
    ("colour", None, "colour"),
    ("currency", MISSING, "currency"),
    ("currency", None, "currency"),
    ("currency", 978, "currency"),
    ("vat", MISSING, "vat"),
    ("vat", [], "vat"),
    ("vat", {}, "vat.category"),
    ("vat.rate", "25 %", "vat.rate"),
    ("vat.rate", "7.00001", "vat.rate"),
    ("vat.rate", "-7", "vat.rate"),
    ("vat.rate", 25, "vat.rate"),
    ("vat.category", "standard", "vat.category"),
    ("vat.note", "x", "vat.note"),
    ("contracts", MISSING, "rates[1].service"),
    ("contracts", {}, "rates[1].service"),
    ("contracts.0", "Support", "rates[1].service"),
    ("contracts.0.name", MISSING, "contracts[0].name"),
    ("contracts.0.services", None, "rates[1].service"),
    ("contracts.0.start", "2026-02-30", "contracts[0].start"),
    ("contracts.0.start", "20260101", "contracts[0].start"),
    ("contracts.0.start", "2026-1-1", "contracts[0].start"),
    ("contracts.0.start", "２026-01-01", "contracts[0].start"),
    ("contracts.0.start", "2026-01-01T00:00:00Z", "contracts[0].start"),
    ("contracts.0.start", "0000-01-01", "contracts[0].start"),
    ("contracts.0.end", "2026-01-01", "contracts[0].end"),
    ("contracts.0.end", "2025-12-31", "contracts[0].end"),
    ("contracts.0.end", False, "contracts[0].end"),
    ("contracts.0.cycle", "weekly", "contracts[0].cycle"),
    ("contracts.0.anchor", "2026-01-29", "contracts[0].anchor"),
    ("contracts.0.colour", 1, "contracts[0].colour"),
    ("contracts.+", CONTRACT | {"name": "Support"}, "contracts[1].name"),
    ("contracts.+", CONTRACT | {"services": [TIME]}, "contracts[1].services[0].name"),
    (f"{S0}.rollup", "task", f"{P0}.rollup"),
    (f"{S0}.taxable", "yes", f"{P0}.taxable"),
    (f"{S0}.taxable", 1, f"{P0}.taxable"),
    (f"{S0}.settlement", "barter", f"{P0}.settlement"),
    (f"{S0}.settlement", None, f"{P0}.settlement"),
    (f"{S0}.rounding", 15, f"{P0}.rounding"),
    (f"{S0}.rounding.increment", 0, f"{P0}.rounding.increment"),
    (f"{S0}.rounding.minimum", -1, f"{P0}.rounding.minimum"),
    (f"{S0}.rounding.mode", "half", f"{P0}.rounding.mode"),
    (f"{S0}.rounding.unit", None, f"{P0}.rounding.unit"),
    (f"{S0}.overflow", "refuse", f"{P0}.overflow"),
    (f"{S0}.overage_rate", "110.00001", f"{P0}.overage_rate"),
    (f"{S0}.fee", "500.001", f"{P0}.fee"),
    (f"{S0}.fee", "1e2", f"{P0}.fee"),
    (f"{S0}.fee", "+1", f"{P0}.fee"),
    (f"{S0}.fee", ".5", f"{P0}.fee"),
    (f"{S0}.fee", "5.", f"{P0}.fee"),
    (f"{S0}.fee", " 5", f"{P0}.fee"),
    (f"{S0}.fee", "5\n", f"{P0}.fee"),
    (f"{S0}.fee", "NaN", f"{P0}.fee"),
    (f"{S0}.fee", "٣", f"{P0}.fee"),
    (f"{S0}.fee", "1,50", f"{P0}.fee"),
    (f"{S0}.fee", "", f"{P0}.fee"),
    (f"{S0}.fee", 500, f"{P0}.fee"),
    (f"{S0}.fee", "-0.01", f"{P0}.fee"),
    (f"{S0}.fee", MISSING, f"{P0}.fee"),
    (f"{S0}.included_minutes", "600", f"{P0}.included_minutes"),
    (f"{S0}.included_minutes", True, f"{P0}.included_minutes"),
    (f"{S0}.included_minutes", -1, f"{P0}.included_minutes"),
    (f"{S0}.due", "later", f"{P0}.due"),
    (f"{S1}.overflow", MISSING, f"{P1}.overflow"),
    (f"{S1}.fee", "1.00", f"{P1}.fee"),
    (f"{S1}.included_minutes", "x", f"{P1}.included_minutes"),
    (f"{S1}.due", "advance", f"{P1}.due"),
    (f"{S2}.overflow", "bill", f"{P2}.overflow"),
    (f"{S2}.overage_rate", "1", f"{P2}.overage_rate"),
    (f"{S1}.name", "Desk", f"{P1}.name"),
    ("rates", {}, "rates"),
    ("rates.0", None, "rates[0]"),
    ("rates.0.from", "yesterday", "rates[0].from"),
    ("rates.0.hourly_rate", "120.12345", "rates[0].hourly_rate"),
    ("rates.0.role", 7, "rates[0].role"),
    ("rates.0.role", None, "rates[0]"),
    ("rates.0.customer", False, "rates[0]"),
    ("rates.0.customer", "yes", "rates[0].customer"),
    ("rates.0.agent", "Ines", "rates[0]"),
    ("rates.0.project", None, "rates[0].project"),
    ("rates.1.service", "Disk", "rates[1].service"),
    ("rates.1.customer", True, "rates[1]"),
    ("rates.+", FROM | {"role": "senior"}, "rates[2]"),
    ("rates.+", FROM | {"agent": "Ines"}, "rates[2]"),
    ("rates.+", FROM, "rates[2]"),
    ("rates.+", FROM | {"customer": False}, "rates[2]"),
    ("rates.+", {"customer": True, "from": "2026-01-01"}, "rates[2].hourly_rate"),
    ("vouchers.0.id", None, "vouchers[0].id"),
    ("vouchers.+", VOUCHER, "vouchers[1].id"),
    ("vouchers.0.services", [], "vouchers[0].services"),
    ("vouchers.0.services", "Desk", "vouchers[0].services"),
    ("vouchers.0.services", ["Desk", "Time"], "vouchers[0].services"),
    ("vouchers.0.services", ["Time"], "vouchers[0].services[0]"),
    ("vouchers.0.services", ["Desk", "Desk"], "vouchers[0].services[1]"),
    ("vouchers.0.services", ["Desk", None], "vouchers[0].services[1]"),
    ("vouchers.0.services", ["Desk", "Disk"], "vouchers[0].services[1]"),
    ("vouchers.0.minutes", 10.0, "vouchers[0].minutes"),
    ("vouchers.0.valid_from", "2026-01-09", "vouchers[0].valid_from"),
    ("vouchers.0.valid_until", "2026-01-10", "vouchers[0].valid_until"),
    ("entries.+", ENTRY, "entries[2].id"),
    ("entries.0.service", "Disk", "entries[0].service"),
    ("entries.0.date", "5 Jan", "entries[0].date"),
    ("entries.0.created", "2026-01-05T10:00:00", "entries[0].created"),
    ("entries.0.created", "2026-01-05", "entries[0].created"),
    ("entries.0.created", "2026-01-05T25:00:00Z", "entries[0].created"),
    ("entries.0.created", "2026-01-05x10:00:00Z", "entries[0].created"),
    ("entries.0.created", 1767607200, "entries[0].created"),
    ("entries.0.actual_minutes", 0, "entries[0].actual_minutes"),
    ("entries.0.billable_minutes", -1, "entries[0].billable_minutes"),
    ("entries.0.billing", "free", "entries[0].billing"),
    ("entries.0.hourly_rate", 12, "entries[0].hourly_rate"),
    ("entries.0.external_comment", ["x"], "entries[0].external_comment"),
    ("entries.0.agent", MISSING, "entries[0].agent"),
    ("steps", "approve", "steps"),
    ("steps.0", "approve", "steps[0]"),
    ("steps.0", {}, "steps[0]"),
    ("steps.0", {"approve": None}, "steps[0]"),
    ("steps.0", {"approve": ["e1"], "release": ["e1"]}, "steps[0]"),
    ("steps.0", {"approve": ["e9"], "bill": {}}, "steps[0]"),
    ("steps.0", {"settle": ["e1"]}, "steps[0].settle"),
    ("steps.0", {"approve": ["e1"], "settle": None}, "steps[0].settle"),
    ("steps.0.approve", "e1", "steps[0].approve"),
    ("steps.0.approve", ["e1", "e9"], "steps[0].approve[1]"),
    ("steps.0.approve", ["e1", "e1"], "steps[0].approve[1]"),
    ("steps.0.approve", ["e1", 1], "steps[0].approve[1]"),
    ("steps.1.bill", "2026-02-01", "steps[1].bill"),
    ("steps.1.bill", {}, "steps[1].bill.until"),
    ("steps.1.bill.until", "soon", "steps[1].bill.until"),
    ("steps.1.bill.for", "x", "steps[1].bill.for"),
]  # fmt: skip


def first_error(of: object) -> str:
    with pytest.raises(BadDocument) as refusal:
        simulate(of)
    return refusal.value.path


@pytest.mark.parametrize(
    ("where", "value", "path"), ONE_CHANGE, ids=lambda value: str(value)[:40].encode("unicode_escape").decode()
)
def test_a_bad_value_is_named_by_its_path(where: str, value: Any, path: str) -> None:
    assert first_error(changed((where, value))) == path


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ([("steps", None), ("entries", None), ("rates", None), ("vouchers", None)], None),
        ([(f"{S2}.fee", None), (f"{S2}.overflow", None), ("steps.0.bill", None)], None),
        ([("contracts.+", CONTRACT)], None),
        ([("rates.0.customer", True), ("rates.+", FROM | {"role": "senior"})], None),
        ([("entries.0.actual_minutes", 10**29)], None),
        ([("entries.0.actual_minutes", 10**30), ("entries.1.date", "x")], "entries[0].actual_minutes"),
        ([("entries.0.actual_minutes", -(10**30))], "entries[0].actual_minutes"),
        ([(f"{S0}.fee", "9" * 28 + ".99")], None),
        ([(f"{S0}.fee", "9" * 29 + ".99"), ("entries.0.date", "x")], f"{P0}.fee"),
        ([("rates.0.hourly_rate", "0" * 200_000)], "rates[0].hourly_rate"),
        ([("vat.rate", "-" + "9" * 200_000)], "vat.rate"),
        ([("entries.0.external_comment", "9" * 200_000)], None),
        ([("vouchers.0.valid_from", "2026-02-01"), ("contracts.0.end", "2026-01-02")], None),
        ([(f"{S0}.fee", "-0.00"), ("vat.rate", "-0")], None),
        ([("entries.0.created", "20260105T100000.1234567+0130"), ("entries.1.created", "2026-01-05T10:00+01")], None),
        ([("entries.0.date", "x"), ("entries.1.date", "y")], "entries[0].date"),
        ([("vat.rate", "x"), ("currency", None)], "vat.rate"),
        ([("currency", None), ("steps.1.bill.until", "x")], "steps[1].bill.until"),
        ([("currency", None), ("vat", None)], "currency"),
        ([("contracts.0.cycle", None), (f"{S2}.colour", 1)], f"{P2}.colour"),
        ([("rates.0.hourly_rate", "x"), ("rates.0.agent", "Ines")], "rates[0]"),
        ([("contracts.0.start", "x"), ("contracts.0.end", "2020-01-01")], "contracts[0].start"),
        ([(f"{S0}.settlement", "x"), (f"{S0}.fee", "x")], f"{P0}.settlement"),
        ([(f"{S0}.name", "Time"), ("rates", None)], f"{P2}.name"),
        ([("entries.0.id", "e2"), ("steps", None)], "entries[1].id"),
    ],
)
def test_of_several_errors_the_first_in_the_document_is_named(changes: list[tuple[str, Any]], path: str | None) -> None:
    if path is None:
        simulate(changed(*changes))
    else:
        assert first_error(changed(*changes)) == path


def test_the_order_is_that_of_the_file_and_not_of_the_specification() -> None:
    keys = ["steps", "entries", "vouchers", "rates", "contracts", "vat", "currency"]
    turned = {key: changed((f"{S0}.fee", "x"), ("vat.rate", "x"), ("entries.0.service", "Disk"))[key] for key in keys}
    assert first_error(turned) == "entries[0].service"
    turned["entries"][0]["service"] = "Desk"
    assert first_error(turned) == f"{P0}.fee"
    simulate({key: document()[key] for key in keys})


def test_a_service_that_cannot_be_read_is_still_defined() -> None:
    """If a service in a document cannot be read, the error at the service is reported, not one at a reference to it."""
    assert first_error(changed((f"{S0}.due", 1), (f"{S2}.settlement", "x"))) == f"{P0}.due"


def test_a_second_definition_is_wrong_whatever_else_is_wrong_with_the_service() -> None:
    twice = changed((f"{S1}.rounding", {"mode": "x"}), (f"{S1}.name", "Desk"))
    assert first_error(twice) == f"{P1}.name"


TEXTS = [
    (b"", "$"),
    (b"{", "$"),
    (b"{} {}", "$"),
    (b"[]", "$"),
    (b"null", "$"),
    (b'{"currency": NaN}', "$"),
    (b'{"currency": -Infinity}', "$"),
    (b'{"currency": "\xff"}', "$"),
    (b'{"currency": "\x01"}', "$"),
    (b"\xfe\xff\x00{\x00}", "$"),
    (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "$"),
    (b'{"currency": "EUR", "currency": "USD"}', "currency"),
    (b'{"currency": "EUR", "vat": {"rate": "1", "rate": "1"}}', "vat.rate"),
    (b'{"": 1}', '""'),
    (b'{"a\\nb": 1}', '"a\\nb"'),
    (b'{"\\ud800": 1}', '"\\ud800"'),
    ('{"é": 1}'.encode(), "é"),
]


@pytest.mark.parametrize(("content", "path"), TEXTS, ids=lambda value: str(value)[:40])
def test_a_file_that_is_no_document_is_refused_on_one_line(
    content: bytes, path: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(content)
    assert main([str(file)]) == 2
    written = capfdbinary.readouterr()
    assert written.out == b""
    assert written.err.decode().startswith(f"{path}: ")
    assert written.err.count(b"\n") == 1


@pytest.mark.parametrize("literal", ["600.0", "6e2", "6E+2", "600.", "0600", "true", '"600"', "1e309", "NaN"])
def test_an_integer_is_written_as_an_integer(literal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document()).replace('"included_minutes": 600', f'"included_minutes": {literal}'))
    assert main([str(file)]) == 2
    expected = "$" if literal in ("600.", "0600", "NaN") else f"{P0}.included_minutes"
    assert capsys.readouterr().err.partition(": ")[0] == expected


@pytest.mark.parametrize("literal", ["-0", "0", "9" * 30])
def test_an_integer_may_have_thirty_digits(literal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "document.json"
    content = json.dumps(document()).replace('"included_minutes": 600', f'"included_minutes": {literal}')
    file.write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert main([str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["invoices"]


@pytest.mark.parametrize("literal", ["9" * 31, "-" + "9" * 31, "9" * 200_000])
def test_an_integer_of_more_digits_is_refused_by_its_path_and_not_converted(
    literal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An integer of too many digits is refused before it is converted, because converting takes quadratic time."""
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document()).replace('"included_minutes": 600', f'"included_minutes": {literal}'))
    began = time.perf_counter()
    assert main([str(file)]) == 2
    assert time.perf_counter() - began < 1
    assert capsys.readouterr().err == f"{P0}.included_minutes: more than 30 digits\n"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err == "$: the file cannot be read (No such file or directory)\n"
    assert main([]) == 2


@pytest.mark.slow
def test_the_command_ends_with_its_status(tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(changed(("entries.1.date", "not yet"))))
    ran = subprocess.run([sys.executable, "-m", "portal.billing.simulate", str(file)], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, b"", b"entries[1].date: not a date\n")
