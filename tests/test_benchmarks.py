"""Test that `./dev bench` measures every page and flow. No test depends on how fast anything is."""

from functools import partial

import pytest

from benchmarks import __main__ as bench
from benchmarks import approvals, data, flows, notices, runs, stalls, timesheets


def test_quick_is_one_size_at_sixteen_at_once() -> None:
    given = bench.parse(["--quick", "--json"])
    assert (given.sizes, given.concurrency, given.json) == ([1_000], [16], True)


@pytest.mark.slow
@pytest.mark.infra
def test_every_page_and_flow_is_measured_with_all_its_figures() -> None:
    """The benchmark measures every page and flow with all figures; it fails if a page has an unexpected response."""
    rows, memory = bench.benchmark(1_000, [2], 0.05, runs=2, pages=flows.PAGES, fill=partial(data.fill, cases=1_000))
    assert [row["page"] for row in rows] == [page.name for page in flows.PAGES]
    assert all(list(row) == bench.COLUMNS for row in rows)
    for row in rows:
        for side in (row, row["floor"]):
            assert all(0 <= side[name]["min"] <= side[name]["median"] <= side[name]["max"] for name in bench.FIGURES)
            assert side["rps"]["min"] > 0
        assert 0 < row["wire"] < row["bytes"]
    assert {row["page"]: row["sql"] for row in rows}["sign-in"] == 0
    assert memory > 0
    assert bench.table(rows).count("\n") == len(rows)


def test_a_figure_is_its_median_with_the_least_and_the_largest_of_the_runs() -> None:
    runs = [dict.fromkeys(bench.FIGURES, value) for value in (3.0, 1.0, 2.0)]
    assert bench.swings(runs)["p50_ms"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    row = {
        "page": "p",
        "size": 1_000,
        "concurrency": 16,
        "sql": 5,
        "bytes": 36_000,
        "wire": 6_000,
        **bench.swings(runs),
    }
    head, line = bench.table([row | {"floor": bench.swings([dict.fromkeys(bench.FIGURES, 1234.5)])}]).splitlines()
    assert head.split().count("floor") == len(bench.FIGURES)
    assert "2.00 (1.00-3.00)" in line
    assert "1,234 (1,234-1,234)" in line


def test_approvals_have_sizes_of_their_own() -> None:
    assert bench.parse(["--approvals"]).sizes == [100, 10_000, 100_000]
    assert bench.parse(["--timesheets"]).sizes == [100, 100_000]
    assert bench.parse(["--sizes", "7"]).sizes == [7]


@pytest.mark.slow
@pytest.mark.infra
def test_timesheets_are_measured_with_logged_time() -> None:
    rows, _ = bench.benchmark(100, [2], 0.05, runs=1, pages=timesheets.PAGES, fill=timesheets.filling(100))
    assert [row["page"] for row in rows] == [page.name for page in timesheets.PAGES]


@pytest.mark.slow
@pytest.mark.infra
def test_each_step_of_billing_is_watched(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["stalls", "--entries", "3"])
    stalls.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines][:3] == ["preview", "billing run", "page of the run"]
    assert len(lines) == 15


@pytest.mark.slow
@pytest.mark.infra
def test_approvals_are_measured_with_unbilled_time() -> None:
    rows, _ = bench.benchmark(100, [2], 0.05, runs=1, pages=approvals.PAGES, fill=approvals.filling(100))
    assert [row["page"] for row in rows] == [page.name for page in approvals.PAGES]
    assert all(row["rps"]["min"] > 0 and row["floor"]["rps"]["min"] > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.infra
def test_notices_and_their_mails_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["notices", "--replies", "30", "--people", "5", "--runs", "1"])
    notices.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip().split("  ")[0] for line in lines[1:]] == [
        "notices", "mails begun", "notices, plain SQL", "mails begun, plain SQL", "digests begun", "digests written"
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.infra
def test_a_billing_run_is_measured_beside_plain_sql(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--customers", "3", "--entries", "30", "--approved", "5"]
    monkeypatch.setattr("sys.argv", ["runs", *sizes])
    runs.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("30 entries, 15 services, 3 customers; load of the machine ")
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "plain SQL",
        "billing run",
        "times as much",
        "issuing",
        "approval",
    ]
