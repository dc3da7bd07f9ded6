"""The child process that writes the file of a timesheet: `python -m portal.reports.child`, started by `making.py`.

The child process reads one `Order` as JSON from standard input and writes to standard output, which must be a file. To
standard error it prints its progress, as lines with the number of time entries read so far, and, if it fails, the error
message. The child process keeps the load off the process that serves requests. It has limits on memory, time and file
size.
"""

import asyncio
import resource
import sys
from typing import IO

import msgspec

from portal import children, database
from portal.database import transaction
from portal.exports import writer_of
from portal.people.readers import AgentReader
from portal.reports.layouts import lay_out
from portal.reports.questions import Layout, Question

EACH = 1_000
"""The number of rows that are fetched at once. The progress is printed after each such number of time entries."""
MOST_MEMORY, MOST_SECONDS, LARGEST_FILE = 2 * 1024**3, 600, 2 * 1024**3


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The message to the child process: which timesheet to write for `reader`, in which layout and file format.

    `url` is the URL of the database. `role` is the database role to use, or None for the role in the URL. `filters` is
    the query string of the timesheet (`Question.query`). `format` is the ending of the file name.
    """

    url: str
    role: str | None
    reader: AgentReader
    filters: str
    layout: Layout
    format: str


async def write(order: Order, file: IO[bytes]) -> None:
    """Write the timesheet that `order` describes to `file`, and print the progress to standard error.

    The function connects to the database, and disconnects at the end. Memory does not grow with the number of rows,
    because a cursor reads them.
    """
    await database.start(order.url, role=order.role, size=1)
    try:
        async with transaction(order.reader, readonly=True) as tx:
            # The parent process limits the total time, so the database may sort for long before it returns a row.
            await tx.execute(f"set local statement_timeout = '{MOST_SECONDS}s'")
            laid = lay_out(order.reader, Question.parse(order.filters), order.layout)
            writer = writer_of(order.format, laid.sheet, file)
            entries = told = 0
            async for row in tx.connection.cursor(laid.sql, *laid.values, prefetch=EACH, timeout=MOST_SECONDS):
                writer.add(laid.cells(row))
                entries += row["entries"]
                if entries - told >= EACH:
                    told = entries
                    print(entries, file=sys.stderr, flush=True)  # noqa: T201 (read by the parent process)
            writer.close()
    finally:
        await database.stop()


def run() -> None:
    """Read an `Order` from standard input, and write its timesheet to standard output.

    First limit the memory, CPU time and file size of this process, and make this process end when its parent ends.
    """
    children.die_with_parent()
    for limit, most in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_CPU, MOST_SECONDS),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
    ):
        resource.setrlimit(limit, (most, most))
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    with open(1, "r+b", closefd=False) as file:  # The parent opened it for reading and writing.
        asyncio.run(write(order, file))


if __name__ == "__main__":
    run()
