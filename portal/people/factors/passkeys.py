"""Passkeys: key pairs that a phone, a computer or a security key keeps and that sign only for this origin (R10)."""

import importlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.fields import Checked, line
from portal.people.factors import notices, recovery

MOST = 20
REFUSED = "This passkey could not be used here. Try again, or take another way."


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The site that passkeys are bound to: the relying party ID (a host name), and the origin with scheme and port."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """The random bytes that a passkey has to sign, and when they were issued."""

    value: bytes
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey of a person. `name` was chosen by the person, to tell their passkeys apart."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime


def _ceremony() -> Any:
    return importlib.import_module("portal.people.factors.ceremony")


async def options_to_add(
    credential_id: int, email: str, name: str, relying_party: RelyingParty, challenge: bytes
) -> str:
    """Return the JSON options for `navigator.credentials.create`. Run as the sign-in role.

    A device that has one of the person's passkeys already creates no second one.
    """
    known = await _handles(credential_id)
    made: str = _ceremony().options_to_add(
        relying_party.host, challenge, credential_id=credential_id, email=email, name=name, known=known
    )
    return made


async def options_to_use(credential_id: int, relying_party: RelyingParty, challenge: bytes) -> str | None:
    """Return the JSON options for `navigator.credentials.get`. Run as the sign-in role.

    Return None if the person has no passkey.
    """
    known = await _handles(credential_id)
    return _ceremony().options_to_use(relying_party.host, challenge, known=known) if known else None


async def add(
    credential_id: int, name: str, answer: str, relying_party: RelyingParty, challenge: bytes, at: datetime
) -> list[str]:
    """Store a new passkey of a person, and tell them by mail. Run as the sign-in role.

    `answer` is the browser's registration response as JSON. Return new recovery codes, or an empty list if the person
    has some already. Raise `Invalid` for a bad name or response, `Conflict` for a passkey that is stored already or if
    the person has 20 passkeys.
    """
    checked, ceremony = Checked(), _ceremony()
    named = checked("name", line, name)
    checked.done()
    try:
        handle, public_key, count = ceremony.added(answer, relying_party.host, relying_party.origin, challenge)
    except ceremony.Refused as error:
        raise Invalid({"": REFUSED}) from error
    tx = current()
    await tx.fetchval("select id from credential where id = $1 for update", credential_id)
    if await tx.fetchval("select count(*) from passkey where credential_id = $1", credential_id) >= MOST:
        raise Conflict(f"You have {MOST} passkeys: remove one that you no longer use.")
    added = await tx.fetchval(
        "insert into passkey (credential_id, handle, public_key, sign_count, name, created_at, last_used_at)"
        " values ($1, $2, $3, $4, $5, $6, $6) on conflict (handle) do nothing returning id",
        credential_id, handle, public_key, count, named, at,
    )  # fmt: skip
    if added is None:
        raise Conflict("This passkey has been added already.")
    await notices.mail_change(credential_id, "passkey_added", at)
    return await recovery.begin(credential_id)


async def use(credential_id: int, answer: str, relying_party: RelyingParty, challenge: Challenge, at: datetime) -> None:
    """Verify that one of the person's passkeys signed this challenge, and record its use. Run as the sign-in role.

    `answer` is the browser's authentication response as JSON. Raise `Invalid` if no passkey of the person signed it. A
    challenge is valid once: one that was issued before the passkey's last use is refused. So is a copy of the passkey,
    because its signature counter is too low.
    """
    ceremony = _ceremony()
    try:
        row: Any = await current().fetchrow(
            "select id, public_key, sign_count, last_used_at from passkey where handle = $1 and credential_id = $2 for update",
            ceremony.handle_of(answer), credential_id,
        )  # fmt: skip
        if row is None or challenge.issued_at <= row["last_used_at"]:
            raise Invalid({"": REFUSED})
        count = ceremony.used(
            answer,
            relying_party.host,
            relying_party.origin,
            challenge.value,
            public_key=row["public_key"],
            count=row["sign_count"],
        )
    except ceremony.Refused as error:
        raise Invalid({"": REFUSED}) from error
    await current().execute(
        "update passkey set sign_count = $2, last_used_at = $3 where id = $1",
        row["id"],
        count,
        max(at, row["last_used_at"] + timedelta(microseconds=1)),
    )


async def remove(credential_id: int, passkey: int) -> None:
    """Remove one passkey of a person. Run as the sign-in role."""
    await current().execute("delete from passkey where credential_id = $1 and id = $2", credential_id, passkey)


async def _handles(credential_id: int) -> list[bytes]:
    rows = await current().fetch("select handle from passkey where credential_id = $1 order by id", credential_id)
    return [row["handle"] for row in rows]
