"""Sealed text: what only this installation can read, and nobody can have changed. Each purpose has a key of its own (R87)."""

import base64
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Broken(ValueError):
    """The text was not sealed here for this purpose, was changed, or is too old."""


class Sealer:
    """Seals with the first secret and opens with any of them, so that a secret can be replaced without losing what it sealed."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = secrets

    def seal(self, purpose: str, text: str, at: datetime) -> str:
        """URL-safe text. It says to its reader when it was sealed, and nothing else."""
        return self._keys(purpose).encrypt_at_time(text.encode(), int(at.timestamp())).decode().rstrip("=")

    def open(self, purpose: str, sealed: str, at: datetime, *, within: timedelta | None = None) -> str:
        """Return the text in clear. Raise `Broken` if sealed after `at`, or longer than `within` before it."""
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
    """32 bytes that belong to one purpose: knowing them tells nothing of the secret or of another purpose's (HMAC of its name)."""
    return hmac.digest(secret.encode(), purpose.encode(), sha256)
