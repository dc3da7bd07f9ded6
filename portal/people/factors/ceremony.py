"""The WebAuthn ceremonies that register and check passkeys, by the library `webauthn`.

This module is imported when the first passkey is used: it takes 15 MB, which most processes never need.
"""

import webauthn
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

_MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError)
"""What the library raises for an answer that no browser sends."""


class Refused(ValueError):
    """Refuse an answer that does not fit the challenge."""


def options_to_add(
    host: str, challenge: bytes, *, credential_id: int, email: str, name: str, known: list[bytes]
) -> str:
    """Return the JSON options for `navigator.credentials.create`.

    A device that holds a `known` passkey creates no second one.
    """
    return webauthn.options_to_json(
        webauthn.generate_registration_options(
            rp_id=host,
            rp_name="Portal",
            user_id=f"credential {credential_id}".encode(),
            user_name=email,
            user_display_name=name,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=handle) for handle in known],
        )
    )


def options_to_use(host: str, challenge: bytes, *, known: list[bytes]) -> str:
    """Return the JSON options for `navigator.credentials.get` with one of the `known` passkeys."""
    allowed = [PublicKeyCredentialDescriptor(id=handle) for handle in known]
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(rp_id=host, challenge=challenge, allow_credentials=allowed)
    )


def added(answer: str, host: str, origin: str, challenge: bytes) -> tuple[bytes, bytes, int]:
    """Verify the answer to a registration and return the passkey's handle, public key and counter. Raise `Refused`."""
    try:
        made = webauthn.verify_registration_response(
            credential=answer, expected_challenge=challenge, expected_rp_id=host, expected_origin=origin
        )
    except _MALFORMED as error:
        raise Refused from error
    return made.credential_id, made.credential_public_key, made.sign_count


def handle_of(answer: str) -> bytes:
    """Return the handle of the passkey that answers. Raise `Refused` for a malformed answer."""
    try:
        return webauthn.helpers.parse_authentication_credential_json(answer).raw_id
    except _MALFORMED as error:
        raise Refused from error


def used(answer: str, host: str, origin: str, challenge: bytes, *, public_key: bytes, count: int) -> int:
    """Verify a signature and return the passkey's new counter.

    Raise `Refused` for the signature of another key, another challenge or relying party, and a counter that went
    backwards.
    """
    try:
        return webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=public_key,
            credential_current_sign_count=count,
        ).new_sign_count
    except _MALFORMED as error:
        raise Refused from error
