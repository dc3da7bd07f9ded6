"""`./dev bench`: measure pages and forms, measure the floor of each, and print both in a table.

The floor of a page is the least that a page of this size can cost. It is measured in the same run, with a bare request
handler that reads as many database rows and sends as many bytes as the page (`benchmarks/floor.py`).
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

from benchmarks import approvals, data, flows, timesheets, views
from benchmarks.load import Connection, measure
from benchmarks.server import temporary_server
from benchmarks.site import Site, served
from portal import database
from portal.database import schema, transaction
from portal.embedded import EmbeddedPostgres
from portal.people.access import sessions

FIGURES = "rps p50_ms p99_ms cpu_app_ms cpu_db_ms".split()
"""The figures that are measured in each run, first for a page and then for its floor."""
COLUMNS = ["page", "size", "concurrency", *FIGURES, "sql", "bytes", "wire", "floor"]
Fill = Callable[[str], Awaitable[dict[str, list[str]]]]
"""A function that fills a migrated, empty database, given the URL with which the database's owner connects.

It returns the values to insert into the pages' paths, by the name of the placeholder, such as `case`.
"""
PEOPLE = {"agent": 1, "contact": data.AGENTS + 2}
"""The credential ids of the people who send the requests: the first agent, and the contact of customer 2."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line, with the database sizes and numbers of connections that they imply."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a list of objects instead of a table")
    parser.add_argument("--quick", action="store_true", help="1,000 cases, 16 at once, pages that are read only")
    parser.add_argument(
        "--approvals", action="store_true", help="the approvals page, with 100, 10,000 and 100,000 unbilled entries"
    )
    parser.add_argument(
        "--timesheets",
        action="store_true",
        help="timesheets and other pages of time, with 100 and 100,000 time entries",
    )
    parser.add_argument(
        "--views", action="store_true", help="each view of the list, with 1,000, 100,000 and 1,000,000 cases"
    )
    parser.add_argument("--sizes", type=int, nargs="+", metavar="SIZE", help="numbers of cases, or of unbilled entries")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement (4)")
    parser.add_argument(
        "--runs", type=int, default=3, help="of each measurement: the median and min to max are printed (3)"
    )
    given = parser.parse_args(arguments)
    usual: tuple[int, ...] = (1_000, 10_000, 100_000)
    for is_asked, sizes in (
        (given.approvals, approvals.SIZES),
        (given.timesheets, timesheets.SIZES),
        (given.views, views.SIZES),
    ):
        usual = sizes if is_asked else usual
    given.sizes = given.sizes or [*usual]
    given.concurrency = [1] if given.views else [1, 16]
    if given.quick and not (given.approvals or given.timesheets or given.views):
        given.sizes, given.concurrency, given.seconds = [1_000], [16], 2.0
    return given


async def tokens(owner_url: str) -> dict[str, str]:
    """Begin a session for each kind of person in `PEOPLE`, and return the Cookie headers by kind of person.

    The key "" is for a visitor who is not signed in; its value is "".
    """
    await database.start(owner_url, role="portal_app", size=1)
    try:
        async with transaction(None):
            made = {
                who: await sessions.begin(credential, address="127.0.0.1", browser="benchmark", at=datetime.now(UTC))
                for who, credential in PEOPLE.items()
            }
    finally:
        await database.stop()
    return {"": ""} | {who: f"sid={token}" for who, token in made.items()}


async def prepared(server: EmbeddedPostgres, fill: Fill) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Migrate and fill the database of `server`. Return what `fill` returns and what `tokens` returns, as a pair."""
    await schema.migrate(server.url())
    numbers = await fill(server.url())
    return numbers, await tokens(server.url())


async def figures(
    site: Site, flow: flows.Flow, cookie: str, concurrency: int, seconds: float, most: int
) -> dict[str, float]:
    """Run one flow again and again over `concurrency` simultaneous connections, and return the values of `FIGURES`.

    The measurement ends after `seconds`, or once the flow has run `most` times.
    """
    connections = [Connection(site.port, cookie) for _ in range(concurrency)]
    app, db = site.cpu()
    measured = await measure(flow, connections, seconds=seconds, most=most)
    app, db = (now - before for now, before in zip(site.cpu(), (app, db), strict=True))
    done = len(measured.latencies) + concurrency  # The processor time includes the warm-up request of each connection.
    for connection in connections:
        await connection.close()
    values = (
        measured.rps,
        measured.percentile_ms(0.5),
        measured.percentile_ms(0.99),
        app / done * 1000,
        db / done * 1000,
    )
    return dict(zip(FIGURES, values, strict=True))


def floor_of(rows: int, octets: int) -> flows.Flow:
    """Return a flow that requests the floor page with `rows` database rows and `octets` bytes."""

    async def flow(connection: Connection) -> None:
        answer = await connection.send("GET", f"/floor/{rows}/{octets}")
        assert answer.status == 200

    return flow


async def read(
    site: Site,
    floor: Site,
    page: flows.Page,
    numbers: dict[str, list[str]],
    cookie: str,
    concurrency: int,
    seconds: float,
    runs: int,
) -> dict[str, Any]:
    """Measure a page or form and its floor in turn, `runs` times, so that other load affects both equally.

    Return a row of the table, as a dict by column.
    """
    sizes: list[tuple[int, int]] = []
    flow, most = flows.flow_of(page, numbers, sizes), 400 if page.writes else 100_000
    ours, bare = [], []
    for _ in range(runs):
        ours.append(await figures(site, flow, cookie, concurrency, seconds, most))
        bare.append(await figures(floor, floor_of(page.rows, sizes[-1][0]), "", concurrency, seconds / 2, 100_000))
    octets, wire = sizes[-1]
    return {
        "page": page.name,
        "concurrency": concurrency,
        "bytes": octets,
        "wire": wire,
        **swings(ours),
        "floor": swings(bare),
    }


def swings(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the median, minimum and maximum of each figure over several runs."""
    return {
        name: {"median": round(median(values), 2), "min": round(min(values), 2), "max": round(max(values), 2)}
        for name in FIGURES
        if (values := [run[name] for run in runs])
    }


async def statements(site: Site, page: flows.Page, numbers: dict[str, list[str]], cookies: dict[str, str]) -> int:
    """Return how many SQL statements a page, or opening and sending a form, costs once the caches are filled."""
    connection, sizes = Connection(site.port, cookies[page.who]), list[tuple[int, int]]()
    flow = flows.flow_of(page, numbers, sizes)
    await flow(connection)
    position = site.log.stat().st_size
    await flow(connection)
    await connection.close()
    return site.statements_since(position)


def benchmark(
    size: int, concurrency: Iterable[int], seconds: float, *, runs: int, pages: Sequence[flows.Page], fill: Fill
) -> tuple[list[dict[str, Any]], float]:
    """Measure all pages with a database of one size.

    Return the rows of the table, and the memory of both web workers together in MB, taken after all measurements.
    `size` is a number of cases or, for `--approvals` and `--timesheets`, of time entries.
    """
    rows: list[dict[str, Any]] = []
    with temporary_server() as (server, folder):
        numbers, cookies = asyncio.run(prepared(server, fill))
        with (
            served("portal.app:create_app", server, folder / "data") as site,
            served("benchmarks.floor:create_app", server, folder / "data") as floor,
        ):
            for page in pages:
                for at_once in concurrency:
                    row = asyncio.run(read(site, floor, page, numbers, cookies[page.who], at_once, seconds, runs))
                    rows.append({"size": size} | row)
                    print(f"  {page.name}, size {size:,}, {at_once} at once", file=sys.stderr, flush=True)
            memory = site.memory_mb()
        server._psql("portal", "alter database portal set log_statement = 'all'")
        with served("portal.app:create_app", server, folder / "data", workers=1) as site:
            sql = {page.name: asyncio.run(statements(site, page, numbers, cookies)) for page in pages}
    return [{column: (row | {"sql": sql[row["page"]]})[column] for column in COLUMNS} for row in rows], memory


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a text table.

    Each figure is shown as its median, with the minimum and maximum of the runs in brackets. The next column has the
    same figure of the floor.
    """
    heads = [
        "page",
        "size",
        "at once",
        *(head for name in FIGURES for head in (name, "floor")),
        "sql",
        "bytes",
        "wire",
    ]
    cells = [heads]
    for row in rows:
        measured = [_swing(side[name]) for name in FIGURES for side in (row, row["floor"])]
        cells.append(
            [
                row["page"],
                *(f"{row[name]:,}" for name in ("size", "concurrency")),
                *measured,
                *(f"{row[name]:,}" for name in ("sql", "bytes", "wire")),
            ]
        )
    widths = [max(len(line[place]) for line in cells) for place in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in cells
    )  # fmt: skip


def _swing(figure: dict[str, float]) -> str:
    digits = ",.0f" if figure["max"] >= 100 else ".2f"
    middle, least, largest = (format(figure[name], digits) for name in ("median", "min", "max"))
    return f"{middle} ({least}-{largest})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that the command line asks for, and print the results."""
    given = parse(arguments)
    rows: list[dict[str, Any]] = []
    pages = [page for page in flows.PAGES if not (given.quick and page.writes)]
    for size in given.sizes:
        fill: Fill = partial(data.fill, cases=size)
        if given.approvals:
            pages, fill = [*approvals.PAGES], approvals.filling(size)
        if given.timesheets:
            pages, fill = [*timesheets.PAGES], timesheets.filling(size)
        if given.views:
            pages, fill = [*views.PAGES], views.filling(size)
        measured, memory = benchmark(size, given.concurrency, given.seconds, runs=given.runs, pages=pages, fill=fill)
        rows += measured
        print(f"size {size:,}: two workers use {memory:.0f} MB (PSS)", file=sys.stderr)
    print(json.dumps(rows, indent=1) if given.json else table(rows))
    if given.views and not given.json:
        print(f"\nms of processor time by size, and growth\n{views.growth(rows)}")


if __name__ == "__main__":
    main()
