"""`python -m benchmarks.exports [--entries 100000]`: measure the export of many time entries, and two floors.

The product makes each file in a child process. The two floors, the least that an export can cost, also run in a child
process, and read the same rows with the same query by a cursor. The floor `sql` discards the rows, and the floor `csv`
writes them with Python's csv module. The memory is the peak of the child process (VmHWM, its largest resident set).
"""

import argparse
import asyncio
import json
import sys
import tempfile
from time import perf_counter
from typing import Any

import msgspec

from benchmarks import timesheets
from benchmarks.server import temporary_server
from portal.database import schema
from portal.people.readers import AgentReader
from portal.reports.child import Order
from portal.reports.questions import Layout

MANAGER = AgentReader(
    id=1, credential_id=1, name="Agent 1", email="one@desk.example", grade="manager", locale="en_GB", time_zone="Europe/Berlin",
)  # fmt: skip
EVERYTHING = f"{timesheets.ALWAYS}&until=2100-01-01"
CHILD = """
import sys
import tempfile
{body}
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", peak.split()[1], file=sys.stderr)
"""
OURS = CHILD.format(body="from portal.reports.child import run\nrun()")
FLOOR = CHILD.format(
    body="""
import asyncio, csv, io
import msgspec
from portal import database
from portal.database import transaction
from portal.reports.child import Order
from portal.reports.layouts import lay_out
from portal.reports.questions import Question

async def main():
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    await database.start(order.url, role=order.role, size=1)
    async with transaction(order.reader, readonly=True) as tx:
        laid = lay_out(order.reader, Question.parse(order.filters), order.layout)
        writer = csv.writer(io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8"))
        async for row in tx.connection.cursor(laid.sql, *laid.values, prefetch=1000):
            if {writes}:
                writer.writerow(row.values())
    await database.stop()

asyncio.run(main())
"""
)
PROGRAMS = {
    "sql": FLOOR.replace("{writes}", "False"),
    "csv": FLOOR.replace("{writes}", "True"),
}


def measured(code: str, order: Order) -> dict[str, float]:
    """Run the code as a child process; return its seconds, its peak memory in MB and the size of the file in MB."""
    import subprocess

    with tempfile.TemporaryFile() as file:
        began = perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=msgspec.json.encode(order),
            stdout=file,
            stderr=subprocess.PIPE,
            check=True,
        )
        seconds = perf_counter() - began
        peak = next(line for line in done.stderr.decode().splitlines() if line.startswith("peak"))
        size = file.seek(0, 2)
    return {
        "seconds": round(seconds, 2),
        "peak_mb": round(int(peak.split()[1]) / 1024, 1),
        "file_mb": round(size / 1e6, 2),
    }


def main() -> None:
    """Print one line for each layout and format and for each floor, with 1,000 entries and then with all entries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for entries in (1_000, given.entries):
        with temporary_server() as (server, _):
            asyncio.run(schema.migrate(server.url()))
            asyncio.run(timesheets.filling(entries)(server.url()))
            for layout in Layout:
                for name, code, format in (
                    *((floor, code, "csv") for floor, code in PROGRAMS.items()),
                    *((f"our {format}", OURS, format) for format in ("csv", "xlsx", "xml")),
                ):
                    order = Order(
                        url=server.url(), role="portal_app", reader=MANAGER, filters=EVERYTHING, layout=layout, format=format
                    )  # fmt: skip
                    rows.append({"entries": entries, "layout": layout.value, "file": name} | measured(code, order))
                    print(json.dumps(rows[-1]), flush=True)


if __name__ == "__main__":
    main()
