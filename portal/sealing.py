"""Seal text: encrypt and sign it so that only this installation can read or change it (R87).

Each purpose has a key of its own, so that text sealed for one purpose is worthless for another.
"""

import base64
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Broken(ValueError):
    """Raised if a text was not sealed here for this purpose, was changed, or has expired."""


class Sealer:
    """Seals with the first of its secrets and opens with any of them, so that the secret can be rotated."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = secrets

    def seal(self, purpose: str, text: str, at: datetime) -> str:
        """Return the text encrypted and signed, in characters that are safe in a URL.

        Without the key, only the time of sealing can be read.
        """
        return self._keys(purpose).encrypt_at_time(text.encode(), int(at.timestamp())).decode().rstrip("=")

    def open(self, purpose: str, sealed: str, at: datetime, *, within: timedelta | None = None) -> str:
        """Return the text that `seal` encrypted for this purpose.

        Raise `Broken` if it was not sealed here for this purpose, was changed, or, with `within`, if it was sealed
        longer than that before `at`.
        """
        padded = (sealed + "=" * (-len(sealed) % 4)).encode("ascii", "replace")
        keys = self._keys(purpose)
        try:
            if within is None:
                return keys.decrypt(padded).decode()
            return keys.decrypt_at_time(padded, int(within.total_seconds()), int(at.timestamp())).decode()
        except InvalidToken as error:
            raise Broken from error

    def _keys(self, purpose: str) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key_of(secret, purpose))) for secret in self._secrets])


def key_of(secret: str, purpose: str) -> bytes:
    """Return the 32-byte key of one purpose, an HMAC of the purpose's name.

    It reveals neither the secret nor other keys.
    """
    return hmac.digest(secret.encode(), purpose.encode(), sha256)
