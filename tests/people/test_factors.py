"""Test second factors in the database: each code is valid once, and row-level security hides them from others."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pyotp
import pytest

from portal.database import transaction
from portal.errors import Conflict, Invalid, TooMany
from portal.people import factors
from portal.people.access import sessions
from portal.people.factors import authenticator, recovery
from portal.sealing import Sealer
from tests.world import ADA, ALAN, GIL, INES, NOOR

NOW = datetime(2026, 11, 27, 12, 0, 10, tzinfo=UTC)
SEALER = Sealer("a secret of the tests, 32 characters at least")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(at: datetime) -> str:
    return pyotp.TOTP(SECRET).at(at)


async def set_up(credential: int = ADA.credential_id) -> list[str]:
    async with transaction(None):
        return await authenticator.set_up(credential, SECRET, code(NOW), SEALER, NOW)


async def is_right(typed: str, at: datetime, credential: int = ADA.credential_id) -> bool:
    try:
        await factors.check_code(credential, typed, SEALER, at)
    except Invalid:
        return False
    return True


STEP = timedelta(seconds=30)


async def test_a_code_counts_one_step_early_or_late_and_once(dsn: str) -> None:
    """R9: a code of the authenticator app is valid once, and up to one time step early or late."""
    await set_up()
    assert not await is_right(code(NOW), NOW)  # This code was used to set up the app.
    later = NOW + 10 * STEP
    for off, right in ((-2, False), (2, False), (-1, True), (-1, False), (0, True), (1, True), (0, False), (1, False)):
        assert await is_right(code(later + off * STEP), later) is right, off


async def test_the_form_that_set_it_up_makes_no_used_code_fresh(dsn: str) -> None:
    """R9: sending the set-up form of the authenticator app twice does not make a used code valid again."""
    await set_up()
    typed = code(NOW + STEP)
    assert await is_right(typed, NOW + STEP)
    await set_up()
    assert not await is_right(typed, NOW + STEP)


async def test_a_code_is_read_as_people_type_it(dsn: str) -> None:
    await set_up()
    typed = code(NOW + STEP)
    assert await is_right(f" {typed[:3]} {typed[3:]} ", NOW + STEP)


async def test_of_four_at_once_with_one_code_one_is_let_in(dsn: str) -> None:
    """R9: of four simultaneous checks of the same code of Ada, only one succeeds.

    Somebody who sees the code over her shoulder thus cannot use it too.
    """
    await set_up()
    results = await asyncio.gather(*(is_right(code(NOW + STEP), NOW + STEP) for _ in range(4)))
    assert sorted(results) == [False, False, False, True]


async def test_after_five_wrong_codes_the_right_one_has_to_wait(dsn: str) -> None:
    """R9: after five wrong codes, from whatever IP addresses, even the right code is refused for a while."""
    await set_up()
    for _ in range(5):
        assert not await is_right("000000", NOW + STEP)
    with pytest.raises(TooMany):
        await is_right(code(NOW + STEP), NOW + STEP)
    later = NOW + timedelta(minutes=2)
    assert await is_right(code(later), later)
    assert not await is_right("000000", later)


async def test_a_recovery_code_lets_in_once_and_only_its_owner(dsn: str) -> None:
    """R9: a recovery code is valid once and only for its owner."""
    codes = await set_up()
    assert len(set(codes)) == recovery.COUNT
    await set_up(GIL.credential_id)
    assert not await is_right(codes[0], NOW, GIL.credential_id)
    assert await is_right(codes[0].upper(), NOW)
    assert not await is_right(codes[0], NOW)
    assert await is_right(codes[1].replace("-", " "), NOW)


async def test_new_recovery_codes_end_the_ones_of_before(dsn: str) -> None:
    codes = await set_up()
    async with transaction(None):
        fresh = await recovery.renew(ADA.credential_id)
    assert not await is_right(codes[0], NOW)
    assert await is_right(fresh[0], NOW)


async def test_a_second_factor_more_makes_no_new_recovery_codes(dsn: str) -> None:
    assert len(await set_up()) == recovery.COUNT
    assert await set_up() == []


async def test_the_database_holds_neither_a_secret_nor_a_code(dsn: str) -> None:
    """R9: secrets and recovery codes are not readable in the database, so nobody can sign in with a copy of it."""
    codes = await set_up()
    async with transaction(None) as tx:
        rows = await tx.fetch("select secret from authenticator")
        hashes = [row["code_hash"] for row in await tx.fetch("select code_hash from recovery_code")]
    assert SECRET not in rows[0]["secret"]
    assert all(code.replace("-", "").encode() not in held for held in hashes for code in codes)


async def test_another_installation_cannot_use_the_secret_and_recovery_codes_are_left(dsn: str) -> None:
    """R87: if the key of the authenticator secrets is lost, the app's codes fail and recovery codes still work."""
    codes = await set_up()
    other = Sealer("quite another secret of an installation")
    with pytest.raises(Invalid):
        await factors.check_code(ADA.credential_id, code(NOW + STEP), other, NOW + STEP)
    assert await factors.check_code(ADA.credential_id, codes[0], other, NOW) == "recovery_code"


async def test_a_replaced_secret_goes_on_by_the_former_one_and_is_sealed_anew(dsn: str) -> None:
    """R87: an authenticator secret encrypted with the former key still works; its first use encrypts it with the new key."""
    await set_up()
    rotated = Sealer("quite another secret of an installation", "a secret of the tests, 32 characters at least")
    assert await factors.check_code(ADA.credential_id, code(NOW + STEP), rotated, NOW + STEP) == "authenticator"
    alone = Sealer("quite another secret of an installation")
    later = NOW + 5 * STEP
    assert await factors.check_code(ADA.credential_id, code(later), alone, later) == "authenticator"


async def test_the_last_factor_stays_where_one_is_needed(dsn: str) -> None:
    """R9: Ines cannot remove her last second factor while she must have one.

    If she need not have one, removing her last second factor deletes her recovery codes too. Removing a factor that
    does not exist has no effect.
    """
    await set_up(INES.credential_id)
    async with transaction(None):
        with pytest.raises(Conflict):
            await factors.remove(INES.credential_id, NOW, passkey=None, keep_one=True)
        assert not await factors.remove(INES.credential_id, NOW, passkey=1, keep_one=True)
        assert (await factors.of(INES.credential_id)).codes == recovery.COUNT
        assert await factors.remove(INES.credential_id, NOW, passkey=None, keep_one=False)
        assert not await factors.are_set_up(INES.credential_id)
        assert (await factors.of(INES.credential_id)).codes == 0


async def test_nobody_sees_the_factors_and_sessions_of_another_customer(dsn: str) -> None:
    """R24: a contact sees neither the second factors nor the sessions of another person; an agent sees both.

    Neither of them can read the secrets.
    """
    await set_up(GIL.credential_id)
    async with transaction(None):
        await sessions.begin(GIL.credential_id, address="192.0.2.1", browser="Firefox", at=NOW)
        await sessions.begin(ALAN.credential_id, address="192.0.2.1", browser="Firefox", at=NOW)
    async with transaction(ADA):
        assert (await factors.of(GIL.credential_id)).count == 0
        assert await sessions.live_ones(GIL.credential_id, is_agent=False, at=NOW) == []
        assert await sessions.live_ones(ALAN.credential_id, is_agent=False, at=NOW) == []
    async with transaction(NOOR):
        assert (await factors.of(GIL.credential_id)).count == 1
        assert len(await sessions.live_ones(GIL.credential_id, is_agent=False, at=NOW)) == 1
    for reader in (GIL, NOOR):
        for column in ("authenticator.secret", "recovery_code.code_hash", "passkey.public_key"):
            table, _, name = column.partition(".")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with transaction(reader) as tx:
                    await tx.fetch(f"select {name} from {table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(GIL) as tx:
            await tx.fetch("select token_hash from session")
