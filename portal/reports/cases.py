"""Write a case with its files as a ZIP file that contains only what its reader may see (S3.17)."""

import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from portal.database import current, transaction
from portal.desk import Details
from portal.exports import Column, Kind, Sheet
from portal.exports.zips import Sink, member_name, write_file
from portal.people.readers import AgentReader, Reader
from portal.render.formats import own_value, reading
from portal.storage import Storage

PAGE = 200
"""The number of messages that are read at once."""


async def time_of(details: Details, reader: Reader) -> Sheet | None:
    """Return a sheet with the time logged on a case, or None for a contact without the right to see hours.

    For an agent, the sheet has all time; for a contact, only approved time.
    """
    if isinstance(reader, AgentReader):
        rows = await current().fetch(_TIME, details.case.id)
        return Sheet("Time", _TIME_COLUMNS, [tuple(row) for row in rows])
    if not reader.sees_hours:
        return None
    rows = await current().fetch(_APPROVED, [details.case.number, *details.merged])
    return Sheet("Time", _APPROVED_COLUMNS, [tuple(row) for row in rows])


async def write_zip(
    details: Details, reader: Reader, storage: Storage, tables: Sequence[tuple[str, bytes]]
) -> AsyncIterator[bytes]:
    """Yield a ZIP file in chunks: facts and messages of a case as Markdown, its files, and the CSV files in `tables`.

    `tables` are pairs of a file name and the content of that file.

    Call this function outside a transaction. Each page of messages is read in a short transaction of its own, with the
    rights that `reader` has at that moment. A slow download therefore occupies no database connection.
    """
    sink: Any = Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        files: list[tuple[str, str]] = []
        with archive.open("case.md", "w") as out:
            out.write(_head(details, reader).encode())
            async for row in _messages(details.case.id, reader):
                out.write(_as_markdown(row, reader, files).encode())
                yield sink.take()
        for name, content in tables:
            archive.writestr(name, content)
        for name, key in files:
            async with aclosing(write_file(archive, sink, f"files/{name}", key, storage.read(key))) as written:
                async for chunk in written:
                    yield chunk
    yield sink.take()


def _head(details: Details, reader: Reader) -> str:
    case = details.case
    facts = {
        "Customer": details.customer_name, "Contact": details.contact_name, "Status": details.status_word, "Priority": details.priority_word,
        "Type": details.type_name, "Service": details.service_name, "Handled by": details.agent_name,
        "Opened": f"{case.opened_at.astimezone(reader.zone):%Y-%m-%d %H:%M}",
        "Includes": ", ".join(f"#{number}" for number in details.merged),
    }  # fmt: skip
    with reading(reader, None, None):  # A custom field may have the name of a fact.
        own = [(one.name, own_value(one.value)) for one in details.own if one.text is not None]
    lines = "".join(f"- {name}: {value}\n" for name, value in [*facts.items(), *own] if value)
    return f"# #{case.number} {case.subject}\n\n{lines}- All times in {reader.time_zone}\n"


def _as_markdown(row: Any, reader: Reader, files: list[tuple[str, str]]) -> str:
    """Return a message as Markdown. Append the name in the ZIP file and the storage key of each file to `files`."""
    note = ", internal note" if row["kind"] == "note" else ""
    text = f"\n## {row['author_name']}, {row['at'].astimezone(reader.zone):%Y-%m-%d %H:%M}{note}\n\n{_quoted(row['text'])}\n"
    for name, key in zip(row["names"], row["keys"], strict=True):
        files.append((member_name(len(files) + 1, name), key))
        text += f"\n- File: files/{files[-1][0]}\n"
    return text + "".join(f"\n- File: {gone}\n" for gone in row["redacted"])


def _quoted(text: str) -> str:
    """Return a text as a quotation in Markdown, so that nothing in it looks like the heading of another message."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


async def _messages(case_id: int, reader: Reader) -> AsyncIterator[Any]:
    """Yield the messages of a case with their files, oldest first; row-level security hides notes from contacts."""
    place: tuple[Any, Any] = (None, None)
    while True:
        rows = await _page(case_id, reader, place)
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        place = (rows[-1]["at"], rows[-1]["id"])


async def _page(case_id: int, reader: Reader, place: tuple[Any, Any]) -> list[Any]:
    """Return the first `PAGE` messages after `place`, the instant and the id of a message.

    Both are None for the first page. The messages are read in a transaction that ends here, so that no transaction
    stays open during a slow download.
    """
    async with transaction(reader, readonly=True) as tx:
        rows: list[Any] = await tx.fetch(_MESSAGES, case_id, *place, PAGE)
    return rows


_MESSAGES = """
select m.id, m.at, m.kind, m.author_name, m.text,
  array(select a.name from attachment a where a.message_id = m.id order by a.position) as names,
  array(select a.key from attachment a where a.message_id = m.id order by a.position) as keys,
  array(select r.note from redaction r where r.message_id = m.id and r.what = 'file' order by r.id) as redacted
from message m where m.case_id = $1 and ($2::timestamptz is null or (m.at, m.id) > ($2, $3::bigint)) order by m.at, m.id limit $4
"""
_TIME = """
select e.work_date, g.name, s.name, e.actual_minutes, e.billable_minutes, e.billing, e.state, e.external_comment, e.description
from time_entry e join agent g on g.id = e.agent_id left join service s on s.id = e.service_id
where e.case_id = $1 order by e.work_date, e.id
"""
_TIME_COLUMNS = (
    Column("Work date", Kind.DATE), Column("Agent"), Column("Service"), Column("Worked", Kind.MINUTES), Column("Counts", Kind.MINUTES),
    Column("Billing"), Column("State"), Column("External comment"), Column("Internal description"),
)  # fmt: skip
_APPROVED = """
select t.work_date, t.service_name, t.minutes, t.external_comment from approved_time t
where t.case_number = any($1) order by t.work_date, t.id
"""
_APPROVED_COLUMNS = (
    Column("Work date", Kind.DATE), Column("Service"), Column("Minutes", Kind.MINUTES), Column("Comment"),
)  # fmt: skip
