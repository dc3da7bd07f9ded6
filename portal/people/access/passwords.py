"""Passwords: how they are hashed (argon2id, R1, R2) and which are refused (R3, R4).

Hashing takes about 43 ms and 19 MiB. It runs in worker threads, so that it does not block the event loop. At most two
passwords are hashed at a time in each process, so that many simultaneous sign-ins do not slow down other requests.
"""

import asyncio
import contextlib
import hashlib
import re
import unicodedata
from asyncio import AbstractEventLoop, Semaphore
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.errors import Invalid, Unavailable

HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
"""The current argon2id parameters. A stored hash with other parameters is renewed when its owner signs in."""

LEAST, MOST = 12, 128
"""The minimum and maximum number of characters. A longer password is refused and never truncated."""

AT_ONCE = 2
"""The maximum number of passwords that are hashed at the same time."""
QUEUE_SECONDS = 10.0
"""The number of seconds a request waits for a hashing slot before it is refused with `Unavailable`."""

_slots: WeakKeyDictionary[AbstractEventLoop, Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Proven:
    """Proof that somebody has just given the right password of this login.

    `mark` identifies the password, so that a change of the password after the proof is noticed. It does not reveal the
    password.
    """

    login_id: int
    mark: str


def mark_of(password_hash: str) -> str:
    """Return the `mark` of `Proven`: the first 32 hex digits of the SHA-256 of a password hash."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]


@contextlib.asynccontextmanager
async def slot() -> AsyncIterator[None]:
    """Hold one of the `AT_ONCE` slots for hashing passwords while the block runs. Each event loop has its own slots.

    Raise `Unavailable` if no slot becomes free within `QUEUE_SECONDS`.
    """
    semaphore = _slots.setdefault(asyncio.get_running_loop(), Semaphore(AT_ONCE))
    try:
        await asyncio.wait_for(semaphore.acquire(), QUEUE_SECONDS)
    except TimeoutError as error:
        raise Unavailable("Too many people sign in at this moment. Try again in a minute.") from error
    try:
        yield
    finally:
        semaphore.release()


async def hashed(password: str) -> str:
    """Return the argon2id hash of a password, which contains the parameters and a random salt.

    Wait for a hashing slot; raise `Unavailable` if none becomes free.
    """
    async with slot():
        return await asyncio.to_thread(HASHER.hash, _plain(password))


async def chosen(password: str, known: Iterable[str]) -> str:
    """Return the hash of a new password. Raise `Invalid` at the field `password` if the password is weak.

    `known` holds texts that an attacker would try first; see `refuse_weak`. Raise `Unavailable` as `hashed` does.
    """
    try:
        refuse_weak(password, known)
    except ValueError as refusal:
        raise Invalid({"password": str(refusal)}) from refusal
    return await hashed(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether the password matches the hash. Call it in a worker thread, inside a `slot()`.

    If the hash is None, a dummy hash is checked and the result is False, so that the response time does not reveal
    whether an account exists (R5). A password of more than `MOST` characters never matches.
    """
    known = password_hash if password_hash else _NOBODYS_HASH
    try:
        fits = HASHER.verify(known, _plain(password))
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None and _length(password) <= MOST


def renewed(password_hash: str, password: str) -> str | None:
    """Return a new hash of the password if `password_hash` has outdated parameters (R1), otherwise None.

    Call it in a worker thread, inside a `slot()`.
    """
    return HASHER.hash(_plain(password)) if HASHER.check_needs_rehash(password_hash) else None


def refuse_weak(password: str, known: Iterable[str]) -> None:
    """Raise `ValueError` with an error message for a password that is too short, too long or easy to guess (R3, R4).

    `known` holds what a stranger would try first for this person, such as their name, their mail address and the names
    of customer and company.
    """
    length = _length(password)
    if length < LEAST:
        raise ValueError(f"Use at least {LEAST} characters.")
    if length > MOST:
        raise ValueError(f"Use at most {MOST} characters.")
    words = {word for text in known for word in re.split(r"[\W_]+", text.lower()) if len(word) >= 3}
    if _unguessed(password, words) < _LEAST_UNGUESSED:
        raise ValueError("This is easy to guess: use several words that do not belong together, or random characters.")


def _length(password: str) -> int:
    """Return the number of characters of the password in Unicode form NFC.

    A letter with an accent counts as one, whether it was typed as one code point or as two.
    """
    return len(unicodedata.normalize("NFC", password))


def _plain(password: str) -> bytes:
    """Return the bytes of the password that are hashed, in Unicode form NFC."""
    # Some keyboards send a letter such as é as one code point, others as two.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


_NOBODYS_HASH = (
    f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${'A' * 22}${'A' * 43}"
)
"""The dummy hash that `matches` checks if there is no account: salt and hash are zeros, which no password yields.

The dummy hash has the current parameters, so that checking it takes as long as checking the hash of an account.
"""

_LEAST_UNGUESSED = 5
"""The minimum number of different characters that must remain after everything that is easy to guess is removed."""

_GUESSED_FIRST = """
password passwort passwd passphrase motdepasse contrasena parola senha wachtwoord haslo secret geheim letmein letmeinnow welcome willkommen
bienvenue admin administrator root user guest gast test testing demo default changeme change login signin access system server manager
master superman batman pokemon starwars football fussball baseball basketball soccer hockey liverpool arsenal chelsea barcelona bayern
dortmund juventus monkey dragon tiger eagle panther mustang ferrari porsche mercedes harley corvette princess prinzessin sunshine sonnenschein
iloveyou ichliebedich love liebe lovely flower butterfly schatz sweetheart angel jesus christ blessed freedom trustno1 shadow killer hunter
ranger soldier whatever nothing something cheese coffee chocolate cookie banana summer sommer winter spring autumn fall herbst fruehling
january february march april june july august september october november december januar februar maerz juni juli oktober dezember
monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag
hello hallo bonjour hola computer internet laptop keyboard google facebook microsoft windows apple linux samsung amazon netflix
michael jennifer jessica ashley daniel thomas andrew joshua matthew anthony charlie jordan robert william george nicole hannah amanda
berlin hamburg muenchen london paris madrid vienna wien zuerich germany deutschland england france america
company firma office support helpdesk service customer portal desk case invoice
qwertz qwerty qwertzuiop qwertyuiop azerty azertyuiop asdfgh asdfghjkl yxcvbnm zxcvbnm 1q2w3e4r5t 1qaz2wsx3edc qazwsxedc
""".split()
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertzuiopü",
    "qwertyuiop",
    "asdfghjklöä",
    "yxcvbnm",
    "zxcvbnm",
    "azertyuiop",
)
_LOOKALIKES = str.maketrans("@4301!|5$7+8", "aaeoiiisstt" + "b")


def _unguessed(password: str, words: set[str]) -> int:
    """Return how many different characters remain once everything is removed that an attacker would guess.

    An attacker would guess common words, `words`, and the other patterns that `_without` removes. The characters are
    counted twice: in the password as typed, and with lookalikes replaced (such as "4" by "a"). The smaller number is
    returned.
    """
    lower = unicodedata.normalize("NFKC", password).lower()
    guessed = sorted({*_GUESSED_FIRST, *words}, key=len, reverse=True)
    return min(len(set(_without(reading, guessed))) for reading in (lower, lower.translate(_LOOKALIKES)))


def _without(text: str, guessed: list[str]) -> str:
    """Return the text without the words `guessed`, years, runs of letters or keys, repetitions and spaces."""
    for word in guessed:
        text = text.replace(word, " ")
    text = re.sub(r"(19|20)\d\d", " ", text)
    for run in _RUNS:
        for way in (run, run[::-1]):
            for length in range(len(way), 2, -1):
                for start in range(len(way) - length + 1):
                    text = text.replace(way[start : start + length], " ")
    return re.sub(r"\s+", "", re.sub(r"(.{1,4})\1{2,}", " ", text))
