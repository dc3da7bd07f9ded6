"""Recovery codes: ten per person, each valid for one sign-in instead of another second factor (R9).

The codes are shown once, and only their hashes are stored.
"""

import base64
import secrets
from hashlib import sha256

from piccolo.columns import BigInt, Bytea
from piccolo.table import Table

from portal.people.access import sessions

COUNT = 10
_BYTES = 10
"""The number of random bytes of one code.

80 bits cannot be guessed from the hash, although that hash is fast to compute.
"""


class RecoveryCode(Table, tablename="recovery_code"):
    """One unused recovery code. Using it deletes the row.

    The code is hashed together with a credential id: `hashed_for` or, if that is None, `credential_id`. `hashed_for` is
    set once the login has moved to another credential, because the credential that held the login was erased.
    """

    code_hash = Bytea(primary_key=True, default=None, secret=True)
    credential_id = BigInt(default=None)
    hashed_for = BigInt(null=True, default=None)


async def begin(credential_id: int) -> list[str]:
    """Store and return ten new recovery codes for a person who has none; return an empty list for one who has some.

    The credential is locked, so that simultaneous calls run one after the other and only one set of codes is made.
    """
    await sessions.take_turns(credential_id)
    if await RecoveryCode.exists().where(RecoveryCode.credential_id == credential_id):
        return []
    return await renew(credential_id)


async def renew(credential_id: int) -> list[str]:
    """Replace the person's recovery codes, and return the new ones, each as four groups such as `k3vd-7qpa-x2mz-hw5t`."""
    await remove(credential_id)
    codes = [base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower() for _ in range(COUNT)]
    hashes = [_hash(credential_id, code) for code in codes]
    await RecoveryCode.insert(*(RecoveryCode(code_hash=hashed, credential_id=credential_id) for hashed in hashes))
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


async def use(credential_id: int, code: str) -> bool:
    """Use up a recovery code of the person, and return whether it was right and unused.

    `code` must be in lower case and without hyphens, because it was hashed in this spelling.
    """
    of_person = RecoveryCode.credential_id == credential_id
    salts = await RecoveryCode.select(RecoveryCode.hashed_for).where(of_person).output(as_list=True)
    hashes = [_hash(salt or credential_id, code) for salt in {*salts, None}]
    used = RecoveryCode.delete().where(of_person, RecoveryCode.code_hash.is_in(hashes))
    return bool(await used.returning(RecoveryCode.credential_id))


async def remove(credential_id: int) -> None:
    """Delete all recovery codes of a person."""
    await RecoveryCode.delete().where(RecoveryCode.credential_id == credential_id)


def _hash(credential_id: int, code: str) -> bytes:
    return sha256(f"{credential_id} {code}".encode("utf-8", "surrogatepass")).digest()
