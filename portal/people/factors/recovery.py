"""Recovery codes: ten, each good for one sign-in without the other factors. Shown once; only their hashes are kept (R9)."""

import base64
import secrets
from hashlib import sha256

from portal.database import current

COUNT = 10
_BYTES = 10
"""80 random bits are 16 letters, so that a plain hash of one cannot be turned back."""


async def begin(credential_id: int) -> list[str]:
    """Codes for somebody who had none; an empty list where some are left. The row lock makes two at once take turns."""
    tx = current()
    await tx.fetchval("select id from credential where id = $1 for update", credential_id)
    if await tx.fetchval("select exists (select from recovery_code where credential_id = $1)", credential_id):
        return []
    return await renew(credential_id)


async def renew(credential_id: int) -> list[str]:
    """New codes such as `k3vd-…`; the ones of before count no more."""
    await remove(credential_id)
    codes = [base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower() for _ in range(COUNT)]
    await current().execute(
        "insert into recovery_code (code_hash, credential_id) select unnest($1::bytea[]), $2",
        [_hash(credential_id, code) for code in codes],
        credential_id,
    )
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


async def use(credential_id: int, code: str) -> bool:
    """Whether it is one of theirs; it is gone afterwards. `code` in small letters, without hyphens."""
    gone = await current().fetchval(
        "delete from recovery_code where code_hash = $1 and credential_id = $2 returning true",
        _hash(credential_id, code),
        credential_id,
    )
    return gone is not None


async def remove(credential_id: int) -> None:
    """No code counts any more."""
    await current().execute("delete from recovery_code where credential_id = $1", credential_id)


def _hash(credential_id: int, code: str) -> bytes:
    return sha256(f"{credential_id} {code}".encode("utf-8", "surrogatepass")).digest()
