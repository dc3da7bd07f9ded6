"""Tries that are counted, so that guessing takes for ever and nobody wears the portal out: in the database, thus the same for all
processes and after a restart (R6, R83)."""

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


class Attempt(Table, tablename="attempt"):
    """One try. What is tried, and by whom, is said by `key`; it holds nothing that somebody typed."""

    id = BigSerial(primary_key=True)
    key = Text(default=None)
    at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries within a time are free; each further one has to wait, twice as long as the one before.

    `what`: how the sentence of a refusal calls them. Older ones than `within`, a day at most, do not count.
    """

    free: int
    first_wait: timedelta = timedelta(minutes=1)
    longest_wait: timedelta = timedelta(minutes=15)
    within: timedelta = HOUR
    what: str = "tries"

    def wait(self, tries: int, last: datetime | None, at: datetime) -> timedelta:
        """How long from `at` until another try is looked at; zero or less: now."""
        if tries < self.free or last is None:
            return timedelta(0)
        doubled = min(tries - self.free, 10)  # longer than the longest by then
        return last + min(self.first_wait * 2**doubled, self.longest_wait) - at


def source(address: str) -> str:
    """What tries from an address are counted under. IPv6 counts by /64: each household has one of its own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return address


async def admit(limits: Mapping[str, Limit], at: datetime) -> dict[str, int]:
    """Count one try under each key and return the rows' ids, or raise `TooMany` and count nothing.

    A refused try does not count, so that a stranger at the same address cannot prolong the wait for ever.
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
    return {
        key: await tx.fetchval("insert into attempt (key, at) values ($1, $2) returning id", key, at) for key in limits
    }


async def forget(key: str) -> None:
    """Count from nothing again: the right password was given."""
    await current().execute("delete from attempt where key = $1", key)


async def withdraw(attempt: int) -> None:
    """This one try was no guess."""
    await current().execute("delete from attempt where id = $1", attempt)
