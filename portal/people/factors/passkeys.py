"""Passkeys: key pairs that a phone, a computer or a security key keeps and that sign only for this origin (R10)."""

import importlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from piccolo.columns import BigInt, BigSerial, Bytea, Text, Timestamptz
from piccolo.table import Table

from portal.errors import Conflict, Invalid
from portal.fields import Checked, line
from portal.people.access import sessions
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


class Passkey(Table, tablename="passkey"):
    """One passkey of a person. `handle` is its WebAuthn credential ID, by which browsers know it.

    `sign_count` is the signature counter at the last use. `name` was chosen by the person.
    """

    id = BigSerial(primary_key=True)
    credential_id = BigInt(default=None)
    handle = Bytea(default=None)
    public_key = Bytea(default=None)
    sign_count = BigInt(default=None)
    name = Text(default=None)
    created_at = Timestamptz(default=None)
    last_used_at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class ListedPasskey:
    """One passkey in the list of a person's passkeys. The person chose its `name`, to tell the passkeys apart."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime


def _ceremony() -> Any:
    return importlib.import_module("portal.people.factors.ceremony")


async def options_to_add(
    credential_id: int, email: str, name: str, relying_party: RelyingParty, challenge: bytes
) -> str:
    """Return the JSON options for `navigator.credentials.create`.

    The caller's transaction must run as the sign-in role.

    A device that has one of the person's passkeys already does not create a second one. The device shows `email` and
    `name` for the account.
    """
    known = await _handles(credential_id)
    made: str = _ceremony().options_to_add(
        relying_party.host, challenge, credential_id=credential_id, email=email, name=name, known=known
    )
    return made


async def options_to_use(credential_id: int, relying_party: RelyingParty, challenge: bytes) -> str | None:
    """Return the JSON options for `navigator.credentials.get`.

    The caller's transaction must run as the sign-in role.

    Return None if the person has no passkey.
    """
    known = await _handles(credential_id)
    return _ceremony().options_to_use(relying_party.host, challenge, known=known) if known else None


async def add(
    credential_id: int, name: str, answer: str, relying_party: RelyingParty, challenge: bytes, at: datetime
) -> list[str]:
    """Store a new passkey of a person, and tell the person by mail.

    The caller's transaction must run as the sign-in role.

    `answer` is the browser's registration response as JSON. Raise `Invalid` for a name or response that is not valid,
    `Conflict` for a passkey that is stored already or if the person has 20 passkeys. The credential is locked until the
    transaction ends. Return new recovery codes, or an empty list if the person has some already.
    """
    checked, ceremony = Checked(), _ceremony()
    named = checked("name", line, name)
    checked.done()
    try:
        handle, public_key, count = ceremony.added(answer, relying_party.host, relying_party.origin, challenge)
    except ceremony.CeremonyRefused as error:
        raise Invalid({"": REFUSED}) from error
    await sessions.take_turns(credential_id)
    if await Passkey.count().where(Passkey.credential_id == credential_id) >= MOST:
        raise Conflict(f"You have {MOST} passkeys: remove one that you no longer use.")
    passkey = Passkey(
        credential_id=credential_id, handle=handle, public_key=public_key, sign_count=count, name=named,
        created_at=at, last_used_at=at,
    )  # fmt: skip
    if not await Passkey.insert(passkey).on_conflict(target=Passkey.handle, action="DO NOTHING"):
        raise Conflict("This passkey has been added already.")
    await notices.mail_change(credential_id, "passkey_added", at)
    return await recovery.begin(credential_id)


async def use(credential_id: int, answer: str, relying_party: RelyingParty, challenge: Challenge, at: datetime) -> None:
    """Verify that one of the person's passkeys signed this challenge, and record the use.

    The caller's transaction must run as the sign-in role.

    `answer` is the browser's authentication response as JSON. Raise `Invalid` in three cases: no passkey of the person
    signed the challenge; the challenge was issued before the passkey's last use, because a challenge is valid once; or
    the signature counter is too low, which reveals a copy of the passkey. A row lock lets only one of two simultaneous
    uses of a challenge succeed.
    """
    ceremony = _ceremony()
    try:
        own = (Passkey.handle == ceremony.handle_of(answer)) & (Passkey.credential_id == credential_id)
        passkey = await Passkey.objects().where(own).lock_rows().first()
        if passkey is None or challenge.issued_at <= passkey.last_used_at:
            raise Invalid({"": REFUSED})
        count = ceremony.used(
            answer,
            relying_party.host,
            relying_party.origin,
            challenge.value,
            public_key=passkey.public_key,
            count=passkey.sign_count,
        )
    except ceremony.CeremonyRefused as error:
        raise Invalid({"": REFUSED}) from error
    used_at = max(at, passkey.last_used_at + timedelta(microseconds=1))
    await Passkey.update({Passkey.sign_count: count, Passkey.last_used_at: used_at}).where(Passkey.id == passkey.id)


async def remove(credential_id: int, passkey: int) -> None:
    """Remove one passkey of a person. The caller's transaction must run as the sign-in role."""
    await Passkey.delete().where((Passkey.credential_id == credential_id) & (Passkey.id == passkey))


async def remove_all(credential_id: int) -> None:
    """Remove all passkeys of a person. The caller's transaction must run as the sign-in role."""
    await Passkey.delete().where(Passkey.credential_id == credential_id)


async def _handles(credential_id: int) -> list[bytes]:
    of_person = Passkey.select(Passkey.handle).where(Passkey.credential_id == credential_id).order_by(Passkey.id)
    return await of_person.output(as_list=True)
