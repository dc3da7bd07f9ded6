"""Keep the text of unsent forms as drafts: while it is typed, after a refusal, and if the session ends before sending.

A draft is stored under its `address`: the URL path that its form is sent to. A form with `?draft=<key>` in its URL has
a draft of its own, so that two tabs with a new case do not share a draft. All other forms have one draft per path.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from piccolo.columns import JSONB, UUID, BigInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current, transaction
from portal.desk.files import draft_files
from portal.desk.files.draft_files import DraftFile
from portal.people.readers import Reader
from portal.visible import visible
from portal.web.visit import Web, page_of

MOST = 50
"""How many drafts are kept for one person; the oldest are deleted first."""
LARGEST = 350_000
"""How many bytes one draft may have, including its field names; the database table enforces the same limit."""
KEPT_FOR = timedelta(days=30)
LATE = timedelta(hours=1)
"""For how long the key of a sent form is remembered, so that a delayed request cannot save its draft again."""

NEVER = ("csrf", "password", "again", "current_password", "code", "answer", "sealed")
"""Fields that no draft contains: passwords, and values that prove or create a second factor."""
FILES_AGAIN = "files_again"
"""The field of a draft which records that the form's files were lost with the session and must be chosen again."""


class KeptDraft(Table, tablename="draft"):
    """The texts of one form that a person has not sent, by field name. `kept_at` is when they were last saved.

    `fields` is {} once the form was sent or the draft discarded. `sent_form` is the key of the form that was last sent
    to this address, or None. The credential and the address are together the primary key, which Piccolo cannot express.
    """

    credential_id = BigInt(primary_key=True, default=None)
    address = Text(default=None)
    fields = JSONB(default=None)
    kept_at = Timestamptz(default=None)
    sent_form = UUID(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Draft:
    """The values with which a page fills in a form, and the files of the form.

    `at` is the path under which the form's draft is stored, and `key` identifies the form. `typed` maps field names to
    texts, and `files` are the files already uploaded for the form.
    """

    at: str
    key: uuid.UUID
    typed: dict[str, str]
    files: list[DraftFile]


@dataclass(frozen=True, slots=True)
class Unsent:
    """A draft that the reader may continue. `at` is the path and query of the page with its form.

    `title` is the subject or, without one, the beginning of the text. For a reply, `number` is the number of the case;
    for a new case, it is None.
    """

    at: str
    title: str
    kept_at: datetime
    number: int | None = None


def address_of(request: Web, form_key: uuid.UUID | None = None) -> str:
    """Return the path under which the draft of this request is stored.

    If the URL of the request has the query string `?draft=<key>`, the result ends with this query string. `form_key`,
    if given, replaces the key.
    """
    path, key = request.scope["path"], _key(request.query_params.get("draft", ""))
    return f"{path}?draft={form_key or key}" if key else path


def page_to_go_on(request: Web) -> str:
    """Return the path and query of the page that shows the form of this request again."""
    address = address_of(request)
    return address if "?" in address else page_of(request)


async def keep(
    credential_id: int, address: str, fields: dict[str, list[str]], at: datetime, *, had_files: bool = False
) -> bool:
    """Save these fields as the draft of the person under `address`, in a transaction of its own.

    Return False if this form has been sent already, because the request came late and the draft must not reappear.
    Otherwise return True. A form without text or with more than `LARGEST` bytes is not saved, and True is returned.
    `had_files` says that the form's files were lost; the draft records this too.
    """
    texts = {name: values[-1] for name, values in fields.items() if name not in NEVER}
    texts |= {FILES_AGAIN: "yes"} if had_files else {}
    if not any(text.strip() for text in texts.values()) or _is_too_large(texts):
        return True
    async with transaction(None):
        return await store(credential_id, address, texts, at)


async def store(credential_id: int, address: str, texts: dict[str, str], at: datetime) -> bool:
    """Save a draft in place of the one with the same address, in the caller's transaction. Return whether it is saved.

    A draft is not saved if its form has been sent already, or if it has more than `LARGEST` bytes. If the person then
    has more than `MOST` drafts, delete the oldest ones.
    """
    if _is_too_large(texts):
        return False
    tx = current()
    kept = await tx.fetchval(
        "insert into draft (credential_id, address, fields, kept_at) values ($1, $2, $3, $4)"
        " on conflict (credential_id, address) do update set fields = excluded.fields, kept_at = excluded.kept_at"
        " where $5::uuid is null or draft.sent_form is distinct from $5 returning true",
        credential_id, address[:500], json.dumps(texts, ensure_ascii=False), at, _key(texts.get("form_key", "")),
    )  # fmt: skip
    await tx.execute(
        "delete from draft where credential_id = $1 and address in (select address from draft"
        " where credential_id = $1 and fields <> '{}' order by kept_at desc, address offset $2)",
        credential_id, MOST,
    )  # fmt: skip
    return bool(kept)


def _is_too_large(texts: dict[str, str]) -> bool:
    return len(json.dumps(texts, ensure_ascii=False).encode()) > LARGEST


async def all_of(credential_id: int) -> list[str]:
    """Return the drafts of a person as JSON texts with the keys `address`, `fields` and `kept_at`.

    The caller's transaction must run as the sign-in role.
    """
    rows = await current().fetch(
        "select jsonb_build_object('address', address, 'fields', fields, 'kept_at', kept_at)::text as draft from draft"
        " where credential_id = $1 and fields <> '{}' order by address",
        credential_id,
    )
    return [row["draft"] for row in rows]


async def hold(reader: Reader, address: str) -> None:
    """Lock a draft of the reader, which need not exist yet, until the transaction ends.

    Another call of `hold` for the same draft waits; other reads and writes of the draft do not.
    """
    name = f"draft {reader.credential_id} {address}"
    await current().execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", name)


async def kept(reader: Reader, *addresses: str) -> dict[str, dict[str, str]]:
    """Return the texts of the reader's drafts under these addresses, newest draft first; {} where there is no draft."""
    # Each page of a case runs this query. Raw SQL takes a third of the time of a Piccolo query.
    rows = await current().fetch(
        "select address, fields from draft where credential_id = $1 and address = any($2) order by kept_at desc, address desc",
        reader.credential_id, list(addresses),
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {row["address"]: json.loads(row["fields"]) for row in rows}
    return found | {address: {} for address in addresses if address not in found}


async def first_kept(reader: Reader, *addresses: str) -> tuple[str, dict[str, str]]:
    """Return the address and the texts of the newest of the reader's drafts under these addresses.

    If there is none, return one of the addresses and {}. When a case is merged, the drafts of that case keep their
    addresses. So a page of a case passes the address of this case and of every case that was merged into it.
    """
    return newest(await kept(reader, *addresses))


def newest(texts: dict[str, dict[str, str]]) -> tuple[str, dict[str, str]]:
    """Return the address and the texts of the first draft that is not empty, from a result of `kept`.

    If all drafts are empty, return the first address and {}.
    """
    return next((pair for pair in texts.items() if pair[1]), next(iter(texts.items())))


async def begun(reader: Reader, address: str, typed: dict[str, str]) -> Draft:
    """Return the `Draft` with which to fill in a form.

    `typed` are the texts of a refused form or of a stored draft. Their entry `form_key` says which uploaded files
    belong to the form.
    """
    key = _key(typed.get("form_key", ""))
    files = await draft_files.of_form(key, reader) if key else []
    return Draft(address, key or uuid.uuid4(), typed, files)


async def begun_here(request: Web, reader: Reader, typed: dict[str, str] | None) -> Draft:
    """Return the `Draft` with which to fill in a form whose address ends with `?draft=<key>`.

    `typed` are the texts of a form that was just refused. If `typed` is None, the page is only loaded. Then return the
    draft stored under the key in the URL, or an empty draft with a new key if the URL has no key.
    """
    path, asked = request.scope["path"], _key(request.query_params.get("draft", ""))
    if typed is None and asked is None:
        key = uuid.uuid4()
        return Draft(f"{path}?draft={key}", key, {}, [])
    if typed is None:
        address = f"{path}?draft={asked}"
        typed = (await kept(reader, address))[address]
    draft = await begun(reader, "", {"form_key": str(asked or "")} | typed)
    return Draft(f"{path}?draft={draft.key}", draft.key, typed, draft.files)


async def unsent(reader: Reader, path: str) -> list[Unsent]:
    """Return the reader's drafts under `<path>?draft=<key>` that have a subject or a text, newest first."""
    rows = await current().fetch(
        "select address, fields, kept_at from draft where credential_id = $1 and starts_with(address, $2)"
        " and btrim(coalesce(fields->>'subject', '') || coalesce(fields->>'body', '')) <> '' order by kept_at desc, address",
        reader.credential_id, f"{path}?draft=",
    )  # fmt: skip
    typed = [(row, json.loads(row["fields"])) for row in rows]
    return [Unsent(row["address"], _title(fields), row["kept_at"]) for row, fields in typed]


async def unsent_of_contact(reader: Reader) -> list[Unsent]:
    """Return a contact's drafts of new cases and of replies that have a subject or a text, newest first."""
    rows = await current().fetch(_OF_CONTACT, reader.credential_id)
    typed = [(row, json.loads(row["fields"])) for row in rows]
    return [
        Unsent(
            f"/cases/{row['number']}#body" if row["number"] else row["address"],
            _title(fields),
            row["kept_at"],
            row["number"],
        )
        for row, fields in typed
    ]


_OF_CONTACT = r"""
select address, fields, kept_at, substring(address from '^/cases/(\d{1,9})/replies$')::int as number from draft
where credential_id = $1 and (address ~ '^/cases/\d{1,9}/replies$' or starts_with(address, '/cases/new?draft='))
  and btrim(coalesce(fields->>'subject', '') || coalesce(fields->>'body', '')) <> '' order by kept_at desc, address
"""


def _title(fields: dict[str, str]) -> str:
    """Return the first 80 characters of the typed subject or, without one, of the text; without both, “No subject”.

    Invisible characters are left out (R54).
    """
    texts = (visible(fields.get(name, "")).strip() for name in ("subject", "body"))
    return next(filter(None, texts), "No subject")[:80]


async def done(reader: Reader, address: str, form_key: uuid.UUID | None, at: datetime) -> None:
    """Empty the draft of a form that was sent, in a transaction of its own.

    The draft of another form under the same address stays, such as a note that was begun while a reply was being sent.
    The sent form's key is remembered for `LATE`, so that a delayed request cannot restore the draft; older keys of the
    reader are deleted. If the form has no key (None), empty any draft under the address.
    """
    async with transaction(None) as tx:
        if form_key is None:
            await forget(reader, address)
            return
        await tx.execute(
            "insert into draft (credential_id, address, fields, kept_at, sent_form) values ($1, $2, '{}', $3, $4)"
            " on conflict (credential_id, address) do update set kept_at = excluded.kept_at, sent_form = excluded.sent_form,"
            " fields = case when draft.fields ->> 'form_key' <> excluded.sent_form::text then draft.fields else '{}' end",
            reader.credential_id, address, at, form_key,
        )  # fmt: skip
        # The form was begun under another address if its case was merged since.
        await tx.execute(
            "update draft set fields = '{}' where credential_id = $1 and fields ->> 'form_key' = $2",
            reader.credential_id, str(form_key),
        )  # fmt: skip
        sent = (KeptDraft.credential_id == reader.credential_id) & (KeptDraft.fields == "{}")
        await KeptDraft.delete().where(sent, KeptDraft.kept_at < at - LATE)


async def delete_old(at: datetime) -> None:
    """Delete drafts that were last saved more than `KEPT_FOR` ago.

    The caller's transaction must run as the sign-in role.
    """
    await KeptDraft.delete().where(KeptDraft.kept_at < at - KEPT_FOR)


async def forget(reader: Reader, address: str) -> None:
    """Empty the reader's draft stored under this address, so that forms no longer show it.

    The row itself stays, because it may hold the key of a form that was sent.
    """
    async with transaction(None):
        own = (KeptDraft.credential_id == reader.credential_id) & (KeptDraft.address == address)
        await KeptDraft.update({KeptDraft.fields: "{}"}).where(own)


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
