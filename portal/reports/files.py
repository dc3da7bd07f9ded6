"""Long timesheets as files. A job makes each file for the agent who asked for it."""

import asyncio
from datetime import datetime, timedelta
from time import monotonic

from piccolo.columns import BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal import jobs, outbox
from portal.database import current, transaction
from portal.database.batches import all_or_report
from portal.database.counting import Counting
from portal.errors import NotFound, Refusal, TooMany
from portal.fields import in_range
from portal.people.agents import reader_of_agent
from portal.people.readers import SYSTEM, AgentReader
from portal.reports import making
from portal.reports.child import LARGEST_FILE, Order
from portal.reports.questions import Layout, Question
from portal.settings import Settings
from portal.storage import Storage, new_key

MOST_AT_ONCE = 20_000
"""The maximum number of time entries in a file that is made while the request waits; a job makes larger files."""
KEPT_FOR = timedelta(days=7)
"""The time for which a file is kept."""
MOST_KEPT = 20
"""The maximum number of files that are kept for one agent; the oldest ones are deleted first."""
MOST_UNDER_WAY = 5
"""The maximum number of files of one agent that wait for their job or are being made at the same time."""
WITHIN = 1800.0
"""The timeout of a job in seconds."""
TOLD_EACH = 0.5
"""The minimum number of seconds between two updates of the progress in the database."""


class Export(Table, tablename="export"):
    """The file of a timesheet that an agent asked for.

    The file is ready once `size`, in bytes, is set; making it has failed if `ended_at` is set without `size`. `layout`
    is a member of `Layout`, and `format` the ending of the file name. `filters` is the query string of the timesheet
    (`Question.query`). `entries` is the number of time entries in the timesheet; `read_entries` of them have been read
    so far. `file_key` is the key of the file in the storage. `fetched_at` is when the agent first downloaded the file,
    or None.
    """

    id: BigSerial = BigSerial(primary_key=True)
    agent_id = BigInt(default=None)
    layout = Text(default=None)
    format = Text(default=None)
    filters = Text(default=None)
    entries = Integer(default=None)
    asked_at = Timestamptz(default=None)
    read_entries = Integer(default=0)
    ended_at = Timestamptz(null=True, default=None)
    file_key = Text(null=True, default=None)
    size = BigInt(null=True, default=None)
    fetched_at = Timestamptz(null=True, default=None)

    @property
    def name(self) -> str:
        """Return the file name under which a browser saves the file."""
        values = Question.parse(self.filters)
        return file_name(values, Layout(self.layout), self.format)

    @property
    def share(self) -> int:
        """Return how many per cent of the entries have been read; 100 only once the file is ready."""
        return 100 if self.size else min(99, self.read_entries * 100 // max(self.entries, 1))

    @classmethod
    async def ask(
        cls, reader: AgentReader, question: Question, layout: Layout, format: str, *, entries: int, at: datetime
    ) -> int:
        """Insert an export, enqueue the job that makes its file, and return the id of the export.

        `entries` is the number of time entries, for the progress. If the reader already has an unfinished export of the
        same file, only return the id of that export. Raise `Forbidden` if the reader is not a manager (S2.28), and
        `TooMany` if the reader already has `MOST_UNDER_WAY` unfinished exports.
        """
        question.conditions(reader, [])
        tx, values = current(), (reader.id, layout.value, format, question.query)
        made: int | None = await tx.fetchval(
            "insert into export (agent_id, layout, format, filters, entries, asked_at) values ($1, $2, $3, $4, $5, $6)"
            " on conflict (agent_id, layout, format, filters) where ended_at is null do nothing returning id",
            *values, entries, at,
        )  # fmt: skip
        if made is not None:
            if await cls.count().where((cls.agent_id == reader.id) & cls.ended_at.is_null()) > MOST_UNDER_WAY:
                raise TooMany("Some of your files are still being made. Wait for one of them.", retry_after=60)
            await jobs.enqueue("make_export", export=made)
            return made
        known: int = await tx.fetchval(
            "select id from export where agent_id = $1 and layout = $2 and format = $3 and filters = $4 and ended_at is null", *values
        )  # fmt: skip
        return known

    @classmethod
    async def find(cls, export_id: int, reader: AgentReader) -> "Export":
        """Return the reader's own export with this id. Raise `NotFound` if the reader has no such export."""
        found = await cls.objects().where((cls.id == in_range(export_id)) & (cls.agent_id == reader.id)).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def own(cls, reader: AgentReader) -> list["Export"]:
        """Return the reader's own exports, the latest first."""
        return await cls.objects().where(cls.agent_id == reader.id).order_by(cls.id, ascending=False)

    @classmethod
    async def waiting(cls, reader: AgentReader) -> list["Export"]:
        """Return the reader's exports whose file is ready and has not been downloaded yet, the oldest first."""
        ready = (cls.agent_id == reader.id) & cls.size.is_not_null() & cls.fetched_at.is_null()
        return await cls.objects().where(ready).order_by(cls.id)

    @staticmethod
    def counting_waiting(reader: AgentReader) -> Counting:
        """Return the query that counts the exports that `waiting` returns. The navigation shows this number."""
        sql = "select count(*) from export where agent_id = $1 and size is not null and fetched_at is null"
        return Counting(sql, (reader.id,))

    async def hand_out(self, storage: Storage, at: datetime) -> str:
        """Record when the file was first downloaded, and return its key in the storage.

        Raise `NotFound` if the file is not ready, or is missing in the storage. The check comes before the response
        begins, because a response that has begun cannot become an error.
        """
        if self.size is None or not await storage.exists(str(self.file_key)):
            raise NotFound("This file is not there. Have it made again.")
        await Export.update({Export.fetched_at: at}).where((Export.id == self.id) & Export.fetched_at.is_null())
        return str(self.file_key)


def file_name(question: Question, layout: Layout, format: str) -> str:
    """Return the name of an exported file, such as `timesheet-payroll-2026-11-01-2026-11-30.csv`."""
    return f"timesheet-{layout.value}-{question.since.isoformat()}-{question.until.isoformat()}.{format}"


async def record(reader: AgentReader, format: str) -> None:
    """Record in the audit log that the reader downloaded a timesheet in this file format (R89)."""
    await current().execute("select record_export('timesheet', $1, $2)", reader.id, format)


async def make(export_id: int, settings: Settings, storage: Storage, at: datetime) -> None:
    """Make and store a file that an agent asked for, and mark it as ready.

    This runs as a job. If the agent has left or an error occurs, mark the file as failed; raise the error unless it is a
    `Refusal`. When the file is ready or has failed, the agent's open pages are updated, and further runs of the job
    change nothing. If a worker is stopped before that, the next worker makes the file.
    """
    async with transaction(SYSTEM):
        export = await Export.objects().where((Export.id == export_id) & Export.ended_at.is_null()).first()
        reader = await reader_of_agent(export.agent_id) if export else None
    if export is None:
        return
    try:
        size = await _store(export, reader, settings, storage) if reader else None
    except Refusal:  # The error is logged where it arose; the page says that the file could not be made.
        size = None
    except Exception:
        await _end(export, None, at)
        raise
    await _end(export, size, at)


async def _end(export: Export, size: int | None, at: datetime) -> None:
    """Mark the file as ready, with its size in bytes, or as failed if `size` is None. Write an outbox row."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update export set size = $2, ended_at = $3 where id = $1", export.id, size, at)
        await outbox.tell(
            kind="export.ready", subject_id=export.agent_id, customer_id=None, contact_may_know=False, actor=None, at=at
        )  # fmt: skip


async def _store(export: Export, reader: AgentReader, settings: Settings, storage: Storage) -> int:
    """Make the file, store it, and return its size in bytes. Write the storage key and the progress to `export`.

    Wait first while this process is making the maximum number of files.
    """
    told = monotonic()

    async def tell(entries: int) -> None:
        nonlocal told
        if monotonic() - told > TOLD_EACH:
            told = monotonic()
            async with transaction(SYSTEM) as tx:
                await tx.execute("update export set read_entries = $2 where id = $1", export.id, entries)

    order = order_of(settings, reader, Question.parse(export.filters), Layout(export.layout), export.format)
    while making.is_busy():  # noqa: ASYNC110 (two files at once; the next one waits its turn)
        await asyncio.sleep(1)
    file = await making.make(order, within=WITHIN, progress=tell)
    key = export.file_key or new_key()  # A run that was killed may have stored a part of the file under its key.
    async with transaction(SYSTEM) as tx:
        await tx.execute("update export set file_key = $2, read_entries = entries where id = $1", export.id, key)
    return (await storage.store(key, making.chunks(file), limit=LARGEST_FILE)).size


def order_of(settings: Settings, reader: AgentReader, question: Question, layout: Layout, format: str) -> Order:
    """Return the message to the child process that writes this timesheet."""
    return Order(
        url=settings.app_url or "", role=settings.app_role, reader=reader, filters=question.query, layout=layout, format=format
    )  # fmt: skip


_OLD = """
select x.id, x.file_key from (
  select id, file_key, asked_at, ended_at, row_number() over (partition by agent_id order by id desc) as place from export
) x where x.asked_at < $1 or (x.place > $2 and x.ended_at is not null) limit 100
"""


async def sweep(storage: Storage, at: datetime) -> int:
    """Delete up to 100 files with their rows, and return the number of deleted files.

    A file is deleted `KEPT_FOR` after the agent asked for it. A file that is ready or has failed is also deleted if the
    agent has asked for `MOST_KEPT` or more further files since. The file is deleted before its row, so that a failed
    deletion is repeated next time.
    """
    tx = current()
    keys = {row["id"]: row["file_key"] for row in await tx.fetch(_OLD, at - KEPT_FOR, MOST_KEPT)}

    async def remove(export_id: int) -> None:
        if keys[export_id]:
            await storage.delete(keys[export_id])
        await tx.execute("delete from export where id = $1", export_id)

    return len((await all_or_report(list(keys), remove, reader=tx.reader)).done)
