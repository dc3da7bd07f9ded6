"""What somebody was typing, kept under the address of its form: while typing, and when the session ended before it was sent."""

import json
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency

from portal.database import current, transaction
from portal.errors import BadRequest, Forbidden
from portal.people.readers import Reader

MOST = 50
"""Drafts that are kept for one person; the oldest go first."""
LARGEST = 350_000
"""Bytes that one draft keeps, names of fields included; the table refuses more."""

NEVER = ("csrf", "password", "again", "current_password", "code", "answer", "sealed")
"""Fields that are kept nowhere: passwords, and what proves or becomes a second factor."""
FILES_AGAIN = "files_again"
"""Shown beside the text of a form that had files: they are not kept, and its page says that they have to be chosen again."""


async def keep(
    credential_id: int, address: str, fields: dict[str, list[str]], at: datetime, *, had_files: bool = False
) -> None:
    """Keep the text of a form under its address, instead of what was kept there; a form without text is not kept."""
    texts = {name: values[-1] for name, values in fields.items() if name not in NEVER}
    content = json.dumps(texts | ({FILES_AGAIN: "yes"} if had_files else {}), ensure_ascii=False)
    if not any(text.strip() for text in texts.values()) or len(content.encode()) > LARGEST:
        return
    async with transaction(None) as tx:
        await tx.execute(
            "insert into draft (credential_id, address, fields, kept_at) values ($1, $2, $3, $4)"
            " on conflict (credential_id, address) do update set fields = excluded.fields, kept_at = excluded.kept_at",
            credential_id, address[:500], content, at,
        )  # fmt: skip
        await tx.execute(
            "delete from draft where credential_id = $1 and address in"
            " (select address from draft where credential_id = $1 order by kept_at desc, address offset $2)",
            credential_id, MOST,
        )  # fmt: skip


async def kept(reader: Reader, *addresses: str) -> dict[str, dict[str, str]]:
    """The reader's drafts by the addresses of their forms: `typed` for each. One query; an address without a draft has {}."""
    rows = await current().fetch(
        "select address, fields from draft where credential_id = $1 and address = any($2)",
        reader.credential_id,
        list(addresses),
    )
    found: dict[str, dict[str, str]] = {row["address"]: json.loads(row["fields"]) for row in rows}
    return {address: found.get(address, {}) for address in addresses}


async def done(reader: Reader, address: str) -> None:
    """The form was sent: its draft goes."""
    async with transaction(None):
        await current().execute(
            "delete from draft where credential_id = $1 and address = $2", reader.credential_id, address
        )


@post("/drafts")
async def keep_typed(
    reader: NamedDependency[Any], form: NamedDependency[Any], at: NamedDependency[datetime]
) -> Response[None]:
    """Keep what a page's form holds at the moment; an emptied form is forgotten."""
    if reader is None:
        raise Forbidden
    fields = dict(form.fields)
    address = fields.pop("address", [""])[-1]
    if not address.startswith("/"):
        raise BadRequest
    if any(values[-1].strip() for values in fields.values()):
        await keep(reader.credential_id, address, fields, at)
    else:
        await done(reader, address)
    return Response(None, status_code=204)
