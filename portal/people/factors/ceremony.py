"""The WebAuthn ceremonies that register and verify passkeys, with the library `webauthn`.

`passkeys` imports this module only when a passkey is first added or used, because the library takes 15 MB of memory and
most processes never need it.
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
"""The exceptions that the library raises for a malformed or wrong response."""


class CeremonyRefused(ValueError):
    """Raised if a browser's response is malformed or does not fit the challenge."""


def options_to_add(
    host: str, challenge: bytes, *, credential_id: int, email: str, name: str, known: list[bytes]
) -> str:
    """Return the JSON options for `navigator.credentials.create`.

    `host` is the relying party ID. `known` holds the WebAuthn credential IDs of the person's passkeys: a device that
    has one of them does not create a second one.
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
    """Return the JSON options for `navigator.credentials.get`.

    `host` is the relying party ID. Only the passkeys whose WebAuthn credential IDs are in `known` are accepted.
    """
    allowed = [PublicKeyCredentialDescriptor(id=handle) for handle in known]
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(rp_id=host, challenge=challenge, allow_credentials=allowed)
    )


def added(answer: str, host: str, origin: str, challenge: bytes) -> tuple[bytes, bytes, int]:
    """Verify a registration response, the JSON text in `answer`.

    Return the new passkey's WebAuthn credential ID, public key and signature counter. Raise `CeremonyRefused` if the
    response is malformed or does not fit the challenge, `host` or `origin`.
    """
    try:
        made = webauthn.verify_registration_response(
            credential=answer, expected_challenge=challenge, expected_rp_id=host, expected_origin=origin
        )
    except _MALFORMED as error:
        raise CeremonyRefused from error
    return made.credential_id, made.credential_public_key, made.sign_count


def handle_of(answer: str) -> bytes:
    """Return the WebAuthn credential ID of the passkey that made an authentication response, which is a JSON text.

    The signature is not verified. Raise `CeremonyRefused` if the response is malformed.
    """
    try:
        return webauthn.helpers.parse_authentication_credential_json(answer).raw_id
    except _MALFORMED as error:
        raise CeremonyRefused from error


def used(answer: str, host: str, origin: str, challenge: bytes, *, public_key: bytes, count: int) -> int:
    """Verify the signature of an authentication response, a JSON text, and return the passkey's new signature counter.

    Raise `CeremonyRefused` if the response is malformed, was signed by another key, or is for another challenge, `host`
    or `origin`. Raise `CeremonyRefused` also if the new counter is not higher than `count`, the counter stored at the
    last use, because that reveals a copied passkey. Passkeys that do not count always send 0, which is accepted.
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
        raise CeremonyRefused from error
