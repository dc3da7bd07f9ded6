"""Passwords: how they are kept (argon2id, R1, R2) and which are refused (R3, R4).

Hashing takes about 43 ms and 19 MiB. It runs in a thread, at most two at once in a process, so that a crowd at the door stops nobody inside.
"""

import asyncio
import contextlib
import hashlib
import re
import unicodedata
from asyncio import AbstractEventLoop, Semaphore
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import cache
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.errors import Invalid, Unavailable

HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
"""The parameters stand in each hash; one made with others is renewed at the next sign-in."""

LEAST, MOST = 12, 128
"""Length in characters. Nothing is cut off: a longer one is refused when it is chosen and never fits when it is tried."""

AT_ONCE = 2
QUEUE_SECONDS = 10.0
"""How long somebody waits for their turn before the portal says that it is busy."""

_slots: WeakKeyDictionary[AbstractEventLoop, Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Proven:
    """Whose password was typed or chosen. `mark` is another one for each password, and tells nothing of it."""

    credential_id: int
    mark: str


def mark_of(password_hash: str) -> str:
    """See `Proven`."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]


@contextlib.asynccontextmanager
async def slot() -> AsyncIterator[None]:
    """One of the two places at which a password may be worked on. Raises `Unavailable` after `QUEUE_SECONDS`."""
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
    """The argon2id hash to store, with its parameters and its own salt."""
    async with slot():
        return await asyncio.to_thread(HASHER.hash, _plain(password))


async def chosen(password: str, known: Iterable[str]) -> str:
    """The hash of a password that somebody chose. Raises `Invalid` by the field `password` for one that `refuse_weak` refuses."""
    try:
        refuse_weak(password, known)
    except ValueError as refusal:
        raise Invalid({"password": str(refusal)}) from refusal
    return await hashed(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password belongs to the hash. Call it in a thread, inside of a `slot()`.

    Without a hash the same work is done on nobody's, and the answer is no: the time tells nothing (R5).
    """
    known = password_hash if password_hash else _nobodys_hash()
    try:
        fits = HASHER.verify(known, _plain(password))
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None and _length(password) <= MOST


def renewed(password_hash: str, password: str) -> str | None:
    """A new hash of a password that matches, where the stored one has other parameters than today's (R1); else None."""
    return HASHER.hash(_plain(password)) if HASHER.check_needs_rehash(password_hash) else None


def refuse_weak(password: str, known: Iterable[str]) -> None:
    """Raise ValueError with one sentence for a password that is too short, too long or easy to guess (R3, R4).

    `known`: what a stranger would try first for this person, such as their name, their address, the companies' names.
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
    return len(unicodedata.normalize("NFC", password))


def _plain(password: str) -> bytes:
    # The same letter is typed as one character on one keyboard and as two on another.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


@cache
def _nobodys_hash() -> str:
    return HASHER.hash(b"nobody")


_nobodys_hash()  # now, so that the first try of a stranger takes as long as any other

_LEAST_UNGUESSED = 5
"""So many different characters must be left when everything that guessers try first is taken out."""

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
    """How many different characters remain of the password, whichever way it is read, without words and runs that come first to mind."""
    lower = unicodedata.normalize("NFKC", password).lower()
    guessed = sorted({*_GUESSED_FIRST, *words}, key=len, reverse=True)
    return min(len(set(_without(reading, guessed))) for reading in (lower, lower.translate(_LOOKALIKES)))


def _without(text: str, guessed: list[str]) -> str:
    for word in guessed:
        text = text.replace(word, " ")
    text = re.sub(r"(19|20)\d\d", " ", text)
    for run in _RUNS:
        for way in (run, run[::-1]):
            for length in range(len(way), 2, -1):
                for start in range(len(way) - length + 1):
                    text = text.replace(way[start : start + length], " ")
    return re.sub(r"\s+", "", re.sub(r"(.{1,4})\1{2,}", " ", text))
