"""Rate limits: count attempts such as wrong passwords, and make the next attempt wait longer and longer (R6, R83).

The counts are stored in the database, so that all processes share them and a restart does not reset them.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from piccolo.columns import BigSerial, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.errors import TooMany

HOUR = timedelta(hours=1)
LONGEST = timedelta(days=1)
"""The longest time for which an attempt may count."""


class Attempt(Table, tablename="attempt"):
    """One counted attempt, such as a wrong password.

    `key` is the rate-limit key; it contains nothing that a person typed.
    """

    id = BigSerial(primary_key=True)
    key = Text(default=None)
    at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: after `free` attempts, each further one has to wait twice as long as the one before.

    The waiting time starts at `first_wait` and never exceeds `longest_wait`. Attempts older than `within` (at most
    `LONGEST`) do not count. `what` is the word for the attempts in the error message.
    """

    free: int
    first_wait: timedelta = timedelta(minutes=1)
    longest_wait: timedelta = timedelta(minutes=15)
    within: timedelta = HOUR
    what: str = "tries"

    def wait(self, tries: int, last: datetime | None, at: datetime) -> timedelta:
        """Return how long after `at` the next attempt is allowed. Zero or less means that it is allowed now.

        `tries` is the number of counted attempts and `last` the instant of the latest, or None if there is none.
        """
        if tries < self.free or last is None:
            return timedelta(0)
        doubled = min(tries - self.free, 10)  # Ten doublings exceed every `longest_wait`.
        return last + min(self.first_wait * 2**doubled, self.longest_wait) - at


def source(address: str) -> str:
    """Return the part of a rate-limit key that stands for an IP address.

    All IPv6 addresses of one /64 network give the same key, because a household has a whole /64 network. An IPv4
    address that is written as an IPv6 address (`::ffff:192.0.2.1`) gives the key of the IPv4 address. Text that is not
    an IP address gives "unknown".
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return address


async def admit(limits: Mapping[str, Limit], at: datetime) -> dict[str, int]:
    """Count one attempt under each of these rate-limit keys, and return the id of the new row for each key.

    Raise `TooMany` with the longest waiting time if the limit of any key is reached. Refused attempts are not counted:
    if they were, a stranger behind the same IP address could keep others waiting for ever. An advisory lock on each
    key, held until the transaction ends, makes simultaneous attempts count one after the other.
    """
    tx, longest, what = current(), timedelta(0), ""
    for key in sorted(limits):
        await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 6))", key)
        seen = await tx.fetchrow(
            "select count(*) as tries, max(at) as last from attempt where key = $1 and at > $2",
            key,
            at - limits[key].within,
        )
        wait = limits[key].wait(seen["tries"], seen["last"], at)
        if wait > longest:
            longest, what = wait, limits[key].what
    if longest > timedelta(0):
        seconds = ceil(longest.total_seconds())
        minutes = ceil(seconds / 60)
        raise TooMany(
            f"Too many {what}. Wait {minutes} {'minute' if minutes == 1 else 'minutes'}, then try again.",
            retry_after=seconds,
        )
    added = await Attempt.insert(*(Attempt(key=key, at=at) for key in limits))
    return {key: row["id"] for key, row in zip(limits, added, strict=True)}


async def forget(key: str) -> None:
    """Delete all attempts under this rate-limit key, because the right password or code was given."""
    await Attempt.delete().where(Attempt.key == key)


async def delete_old(at: datetime) -> None:
    """Delete attempts that are older than the longest time for which any limit counts them."""
    await Attempt.delete().where(Attempt.at < at - LONGEST)


async def withdraw(attempt: int) -> None:
    """Delete the attempt with this id, which `admit` returned, because the password or code turned out to be right."""
    await Attempt.delete().where(Attempt.id == attempt)
