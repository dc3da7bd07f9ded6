"""Encrypt and sign text with the secret of this installation, or only sign it (R87).

Each purpose has a key of its own, so that text sealed for one purpose is worthless for another.
"""

import base64
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Broken(ValueError):
    """The text was not sealed here for this purpose, was changed, or has expired."""


class Sealer:
    """Seals text with its first secret, and opens text that was sealed with any of its secrets.

    So the secret can be rotated. To seal is to encrypt and sign, or only to sign.
    """

    def __init__(self, *secrets: str) -> None:
        self._secrets = secrets

    def seal(self, purpose: str, text: str, at: datetime) -> str:
        """Return the text encrypted and signed, in characters that are safe in a URL.

        Without the key, only the time of sealing can be read.
        """
        return self._keys(purpose).encrypt_at_time(text.encode(), int(at.timestamp())).decode().rstrip("=")

    def open(self, purpose: str, sealed: str, at: datetime, *, within: timedelta | None = None) -> str:
        """Return the text that `seal` encrypted for this purpose.

        Raise `Broken` if the text was not sealed here for this purpose or was changed. With `within`, also raise
        `Broken` if it was sealed more than `within` before `at`.
        """
        padded = (sealed + "=" * (-len(sealed) % 4)).encode("ascii", "replace")
        keys = self._keys(purpose)
        try:
            if within is None:
                return keys.decrypt(padded).decode()
            return keys.decrypt_at_time(padded, int(within.total_seconds()), int(at.timestamp())).decode()
        except InvalidToken as error:
            raise Broken from error

    def sign(self, purpose: str, text: str) -> str:
        """Return the text with its signature, in characters that are safe in a URL. Anybody can read the text.

        The same text always gives the same result, unlike with `seal`.
        """
        return f"{_encoded(text.encode())}.{_encoded(_signature(self._secrets[0], purpose, text))}"

    def signed(self, purpose: str, signed: str) -> str:
        """Return the text that `sign` signed for this purpose.

        Raise `Broken` if the text was not signed here for this purpose, or was changed.
        """
        encoded, _, signature = signed.partition(".")
        try:
            text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except ValueError as error:
            raise Broken from error
        given = signature.encode("ascii", "replace")
        known = [_encoded(_signature(secret, purpose, text)) for secret in self._secrets]
        if encoded != _encoded(text.encode()) or not any(hmac.compare_digest(given, one.encode()) for one in known):
            raise Broken
        return text

    def _keys(self, purpose: str) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key_of(secret, purpose))) for secret in self._secrets])


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _signature(secret: str, purpose: str, text: str) -> bytes:
    """Return the signature of a text: the first 128 bits of an HMAC, which keep the URL short and cannot be guessed."""
    return hmac.digest(key_of(secret, purpose), text.encode(), sha256)[:16]


def key_of(secret: str, purpose: str) -> bytes:
    """Return the 32-byte key of one purpose, an HMAC of the purpose's name.

    The key reveals neither the secret nor other keys.
    """
    return hmac.digest(secret.encode(), purpose.encode(), sha256)
