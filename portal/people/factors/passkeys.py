"""Passkeys: a key pair that a phone, a computer or a stick keeps; it signs for this portal's address and for no other (R10)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import webauthn
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.people.factors import recovery
from portal.people.particulars import Checked, line

MOST = 20
REFUSED = "This passkey could not be used here. Try again, or take another way."
_MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError)
"""What the library raises for an answer that no browser gives."""


@dataclass(frozen=True, slots=True)
class Place:
    """The address that passkeys of this portal are bound to: its host name, and the origin with scheme and port."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a passkey signs, and when it was asked to."""

    value: bytes
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Passkey:
    """One of somebody's passkeys, by the name that they gave it."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime


async def options_to_add(credential_id: int, email: str, name: str, place: Place, challenge: bytes) -> str:
    """JSON for the browser's `navigator.credentials.create`; a device that holds one already makes no second. As the sign-in role."""
    return webauthn.options_to_json(
        webauthn.generate_registration_options(
            rp_id=place.host,
            rp_name="Portal",
            user_id=f"credential {credential_id}".encode(),
            user_name=email,
            user_display_name=name,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=await _handles(credential_id),
        )
    )


async def options_to_use(credential_id: int, place: Place, challenge: bytes) -> str | None:
    """JSON for `navigator.credentials.get`, or None for somebody without a passkey. As the sign-in role."""
    handles = await _handles(credential_id)
    if not handles:
        return None
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(rp_id=place.host, challenge=challenge, allow_credentials=handles)
    )


async def add(credential_id: int, name: str, answer: str, place: Place, challenge: bytes, at: datetime) -> list[str]:
    """Begin to accept this passkey. Returns recovery codes where the person had none. Raises `Invalid`, `Conflict`. As the sign-in role."""
    checked = Checked()
    named = checked("name", line, name)
    checked.done()
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
        )
    except _MALFORMED as error:
        raise Invalid({"": REFUSED}) from error
    tx = current()
    await tx.fetchval("select id from credential where id = $1 for update", credential_id)
    if await tx.fetchval("select count(*) from passkey where credential_id = $1", credential_id) >= MOST:
        raise Conflict(f"You have {MOST} passkeys: remove one that you no longer use.")
    added = await tx.fetchval(
        "insert into passkey (credential_id, handle, public_key, sign_count, name, created_at, last_used_at)"
        " values ($1, $2, $3, $4, $5, $6, $6) on conflict (handle) do nothing returning id",
        credential_id, made.credential_id, made.credential_public_key, made.sign_count, named, at,
    )  # fmt: skip
    if added is None:
        raise Conflict("This passkey has been added already.")
    return await recovery.begin(credential_id)


async def use(credential_id: int, answer: str, place: Place, challenge: Challenge, at: datetime) -> None:
    """Raise `Invalid` unless one of the person's passkeys signed this challenge. As the sign-in role.

    A challenge is good for one use of a passkey: one that was issued before the last use is refused, and so is a copy of the key (its counter).
    """
    try:
        handle = webauthn.helpers.parse_authentication_credential_json(answer).raw_id
        row: Any = await current().fetchrow(
            "select id, public_key, sign_count, last_used_at from passkey where handle = $1 and credential_id = $2 for update",
            handle, credential_id,
        )  # fmt: skip
        if row is None or challenge.issued_at <= row["last_used_at"]:
            raise Invalid({"": REFUSED})
        proved = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge.value,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=row["public_key"],
            credential_current_sign_count=row["sign_count"],
        )
    except _MALFORMED as error:
        raise Invalid({"": REFUSED}) from error
    await current().execute(
        "update passkey set sign_count = $2, last_used_at = $3 where id = $1",
        row["id"],
        proved.new_sign_count,
        max(at, row["last_used_at"] + timedelta(microseconds=1)),
    )


async def remove(credential_id: int, passkey: int) -> None:
    """Accept it no more. As the sign-in role."""
    await current().execute("delete from passkey where credential_id = $1 and id = $2", credential_id, passkey)


async def _handles(credential_id: int) -> list[PublicKeyCredentialDescriptor]:
    rows = await current().fetch("select handle from passkey where credential_id = $1 order by id", credential_id)
    return [PublicKeyCredentialDescriptor(id=row["handle"]) for row in rows]
