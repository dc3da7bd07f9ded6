"""`./dev bench` measures what it says it does; how fast anything is, is no matter of a test."""

import pytest

from benchmarks import __main__ as bench
from benchmarks import flows


def test_quick_is_one_size_at_sixteen_at_once() -> None:
    given = bench.parse(["--quick", "--json"])
    assert (given.sizes, given.concurrency, given.json) == ([1_000], [16], True)


@pytest.mark.slow
@pytest.mark.infra
def test_every_page_and_flow_is_measured_with_all_its_figures() -> None:
    """Each answers as expected, or the run would have ended."""
    rows, memory = bench.benchmark(1_000, [2], 0.2, reads_only=False)
    assert [row["page"] for row in rows] == [page.name for page in flows.PAGES]
    assert all(list(row) == bench.COLUMNS for row in rows)
    assert all(row["rps"] > 0 and row["floor_rps"] > 0 and row["bytes"] > 0 for row in rows)
    assert {row["page"]: row["sql"] for row in rows}["sign-in"] == 0
    assert memory > 0
    assert bench.table(rows).count("\n") == len(rows)
