"""Encrypt and sign text so that only this installation can read or change it; each purpose has its own key (R87)."""

import base64
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Broken(ValueError):
    """Raised for a text that was not sealed here for this purpose, was changed, or has expired."""


class Sealer:
    """Seals with the first secret and opens with any of them, so that the secret can be rotated."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = secrets

    def seal(self, purpose: str, text: str, at: datetime) -> str:
        """Return the text encrypted and URL-safe. Only the time of sealing can be read without the key."""
        return self._keys(purpose).encrypt_at_time(text.encode(), int(at.timestamp())).decode().rstrip("=")

    def open(self, purpose: str, sealed: str, at: datetime, *, within: timedelta | None = None) -> str:
        """Return the decrypted text. Raise `Broken` if it was sealed after `at`, or more than `within` before `at`."""
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
    """Return the 32-byte key of one purpose (an HMAC of its name), which reveals neither the secret nor other keys."""
    return hmac.digest(secret.encode(), purpose.encode(), sha256)
