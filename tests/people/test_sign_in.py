"""Test how a mail address and a password are checked at sign-in."""

import asyncio
import time
import unicodedata
from datetime import timedelta

import asyncpg
import pytest

from portal.database import transaction
from portal.errors import Invalid, TooMany
from portal.mailboxes import canonical, for_mail
from portal.people.access import attempts, credentials, passwords
from portal.people.readers import SYSTEM
from tests.world import ADA, ALAN, INES, NOW, PASSWORD

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"

pytestmark = [pytest.mark.usefixtures("dsn"), pytest.mark.slow]


async def wrong(email: str = ADA.email, address: str = HERE, at=NOW, password: str = "wrong") -> str:
    with pytest.raises(Invalid) as refusal:
        await credentials.verify(email, password, address=address, at=at)
    return refusal.value.fields[""]


async def test_the_right_password_gives_the_credential() -> None:
    assert (await credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW)).login_id == ADA.credential_id
    assert (
        await credentials.verify(f" {INES.email.upper()} ", PASSWORD, address=HERE, at=NOW)
    ).login_id == INES.credential_id


async def test_a_hash_with_other_parameters_is_renewed_at_sign_in() -> None:
    """R1: a hash with outdated parameters is renewed at sign-in."""
    old = passwords.PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1).hash(PASSWORD)
    async with transaction(None) as tx:
        await tx.execute("update credential set password_hash = $1 where id = $2", old, ADA.credential_id)
    await credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW)
    async with transaction(None) as tx:
        kept = await tx.fetchval("select password_hash from credential where id = $1", ADA.credential_id)
    assert "m=19456,t=2,p=1" in kept
    assert (await credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW)).login_id == ADA.credential_id


async def test_two_sign_ins_at_once_that_renew_a_hash_both_count() -> None:
    """R1: two simultaneous sign-ins that both renew an outdated password hash both succeed."""
    old = passwords.PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1).hash(PASSWORD)
    async with transaction(None) as tx:
        await tx.execute("update credential set password_hash = $1 where id = $2", old, ADA.credential_id)
    both = await asyncio.gather(*(credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW) for _ in range(2)))
    for proven in both:
        async with transaction(None):
            await credentials.hold(proven)


async def test_unknown_ended_disabled_and_without_a_password_are_answered_alike() -> None:
    """R5: unknown, ended and disabled accounts, and accounts without a password, get the same error message.

    This is the same error message as for a wrong password.
    """
    async with transaction(None) as tx:
        await tx.execute("update credential set password_hash = null where id = $1", ALAN.credential_id)
    async with transaction(SYSTEM) as tx:
        await tx.execute("update customer set ended_at = $1 where id = 2", NOW)
        await tx.execute("update credential set disabled_at = $1 where id = $2", NOW, INES.credential_id)
    said = {
        await wrong(email, password=password)
        for email in (
            ADA.email,
            ALAN.email,
            "gil@globex.example",
            INES.email,
            "nobody@nowhere.example",
            "",
            "a\0b",
            "x" * 999,
        )
        for password in ("wrong", "", "x" * 5000) + ((PASSWORD,) if email != ADA.email else ())
    }
    assert said == {credentials.WRONG}


@pytest.mark.slow
async def test_the_time_does_not_tell_whether_an_address_is_known() -> None:
    """R5: a sign-in takes the same processor time, within 8 ms, for a known, a disabled and an unknown mail address.

    Skipping the hashing of a password would save about 20 ms. Processor time is compared, because other programs of the
    machine do not lengthen it.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update credential set disabled_at = $1 where id = $2", NOW, INES.credential_id)
    spent: dict[str, list[float]] = {ADA.email: [], INES.email: [], "nobody@nowhere.example": []}
    for turn in range(30):
        for email, times in spent.items():
            begun = time.process_time()
            await wrong(email, address=f"2001:db8:{turn:x}::1")
            times.append(time.process_time() - begun)
        quickest = [min(times) for times in spent.values()]
        if turn >= 4 and max(quickest) - min(quickest) < 0.008:
            break
    assert max(quickest) - min(quickest) < 0.008


async def test_ten_wrong_ones_then_each_waits_longer() -> None:
    """R6: after ten wrong passwords each further attempt has to wait longer, up to 15 minutes."""
    for _ in range(10):
        await wrong()
    at, waits = NOW, []
    for _ in range(6):
        with pytest.raises(TooMany) as refusal:
            await credentials.verify(ADA.email, PASSWORD, address=HERE, at=at)
        waits.append(refusal.value.retry_after)
        at += timedelta(seconds=refusal.value.retry_after)
        await wrong(at=at)
    assert waits == [60, 120, 240, 480, 900, 900]
    assert refusal.value.sentence == "Too many tries. Wait 15 minutes, then try again."


async def test_a_hundred_wrong_ones_do_not_lock_the_owner_out() -> None:
    """R6: a hundred wrong passwords from other IP addresses do not lock the owner of the account out."""
    refused = 0
    for _ in range(100):
        try:
            await credentials.verify(ADA.email, "wrong", address=HERE, at=NOW)
        except TooMany:
            refused += 1
        except Invalid:
            pass
    assert refused == 90
    assert (await credentials.verify(ADA.email, PASSWORD, address=ELSEWHERE, at=NOW)).login_id == ADA.credential_id
    assert (
        await credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW + attempts.HOUR)
    ).login_id == ADA.credential_id


async def test_the_right_password_begins_to_count_anew() -> None:
    """R6: the right password resets the count of wrong passwords."""
    for _ in range(9):
        await wrong()
    await credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW)
    for _ in range(10):
        await wrong()


async def test_an_ip_address_that_tries_many_accounts_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """R6: an IP address that has tried wrong passwords for five accounts, the limit in this test, must wait.

    IPv6 addresses of one /64 network count as one.
    """
    monkeypatch.setattr(credentials, "PER_ADDRESS", attempts.Limit(free=5))
    for n in range(5):
        await wrong(f"person{n}@acme.example", address=f"2001:db8::{n:x}")
    with pytest.raises(TooMany):
        await credentials.verify(ADA.email, PASSWORD, address="2001:db8::77", at=NOW)
    await credentials.verify(ADA.email, PASSWORD, address="2001:db8:0:1::77", at=NOW)


async def test_tries_at_the_same_moment_are_all_counted() -> None:
    """R6: simultaneous wrong passwords are all counted."""
    answers = await asyncio.gather(
        *(credentials.verify(ADA.email, "wrong", address=HERE, at=NOW) for _ in range(25)), return_exceptions=True
    )
    assert sum(isinstance(answer, TooMany) for answer in answers) == 15


async def test_many_may_sign_in_at_the_same_moment() -> None:
    """R2: many people may sign in at the same moment; each waits for a hashing slot and none is refused."""
    answers = await asyncio.gather(*(credentials.verify(ADA.email, PASSWORD, address=HERE, at=NOW) for _ in range(25)))
    assert {answer.login_id for answer in answers} == {ADA.credential_id}


async def test_what_is_kept_of_a_try_holds_nothing_typed() -> None:
    await wrong("secret-typed-into-the-wrong-field")
    async with transaction(None) as tx:
        assert "secret" not in str(await tx.fetch("select key from attempt"))


@pytest.mark.parametrize(
    "spelling",
    ["INES@Desk.Example", "ines@desk.example\u200b", "\u202eines@desk.example", "in\u00ades@desk.example", "ines\u0001@desk.example",
     "ines@desk\uff0eexample", "\uff49nes@desk.example", " ines@desk.example\t"],
)  # fmt: skip
async def test_every_spelling_of_an_address_signs_in_and_is_counted_as_the_same(
    monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """R6: all spellings of a mail address sign in to the same account and share one count of wrong passwords."""
    proven = await credentials.verify(spelling, PASSWORD, address=HERE, at=NOW)
    assert proven.login_id == INES.credential_id
    monkeypatch.setattr(credentials, "PER_ACCOUNT", attempts.Limit(free=1))
    await wrong(INES.email)
    with pytest.raises(TooMany):
        await credentials.verify(spelling, PASSWORD, address=HERE, at=NOW)


async def test_what_the_database_takes_for_lower_case_is_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """R6: a mail address with the dotted capital İ differs from the one with i, although PostgreSQL lowers İ to i."""
    monkeypatch.setattr(credentials, "PER_ACCOUNT", attempts.Limit(free=1))
    await wrong(INES.email)
    assert await wrong(INES.email.replace("i", "\u0130", 1), password=PASSWORD) == credentials.WRONG


@pytest.mark.parametrize(
    "address",
    ["\u0130nes.\u03a3@desk.example", "uwe@gr\u00fcn.example", "uwe@xn--grn-ioa.example", "uwe@gru\u0308n.example"],
)
async def test_a_person_signs_in_with_each_spelling_of_their_address(address: str) -> None:
    """R6: a person signs in with every spelling of their mail address, although it is stored in canonical spelling."""
    async with transaction(SYSTEM):
        await credentials.change_email(INES.credential_id, canonical(address), NOW)
    for spelling in (address, canonical(address), unicodedata.normalize("NFD", address), for_mail(canonical(address))):
        proven = await credentials.verify(spelling, PASSWORD, address=HERE, at=NOW)
        assert proven.login_id == INES.credential_id


@pytest.mark.parametrize(
    "address",
    ["Zoe@acme.example", "zoe@acme.example\u200b", "zoe@acme\uff0eexample", "uwe@xn--grn-ioa.example", "uwe@gru\u0308n.example", "z oe@acme.example",
     "zo\u00ade@acme.example", "zoe@x@acme.example", "zoe\u0001@acme.example"],
)  # fmt: skip
async def test_the_database_holds_no_other_spelling(address: str) -> None:
    for table in ("credential", "company"):
        with pytest.raises(asyncpg.CheckViolationError, match="canonical"):
            async with transaction(SYSTEM) as tx:
                await tx.execute(f"update {table} set email = $1 where id = 1", address)
