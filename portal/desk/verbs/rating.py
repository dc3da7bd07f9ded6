"""Rate how a case was solved. Contacts may do this for `WITHIN` after the case was resolved or closed."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from msgspec import Struct
from piccolo.columns import BigInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk.verbs.changing import finish, lock
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import ContactReader, Reader
from portal.visible import visible

if TYPE_CHECKING:
    from portal.desk.cases import Case

WITHIN = timedelta(days=14)
LONGEST = 1000
VERDICTS = {"good": "Good", "bad": "Not good"}
"""The words that people read, by the stored verdict."""


class CaseRating(Table, tablename="case_rating"):
    """The rating of one case. `verdict` is a key of `VERDICTS`, `words` an optional comment.

    `contact_id` is the contact who gave the rating or was the last to change it.
    """

    case_id = BigInt(primary_key=True)
    customer_id = BigInt(default=None)
    contact_id = BigInt(default=None)
    verdict = Text(default=None)
    words = Text(default=None)
    rated_at = Timestamptz(default=None)


class Rated(Struct, frozen=True, kw_only=True):
    """Form fields of a rating. `verdict` is a key of `VERDICTS`, or "" if the case has no rating yet."""

    verdict: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating as pages show it. `by` is the name of the contact who gave it or was the last to change it."""

    verdict: str
    words: str
    by: str
    at: datetime

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Return the rating from the JSON that the SQL expression `RATING` yields; None for a case without a rating."""
        if text is None:
            return None
        values = json.loads(text)
        return cls(**values | {"at": datetime.fromisoformat(values["at"])})

    @property
    def word(self) -> str:
        return VERDICTS[self.verdict]


RATING = """
(select json_build_object('verdict', r.verdict, 'words', r.words, 'by', o.name, 'at', r.rated_at)
 from case_rating r join contact o on o.id = r.contact_id where r.case_id = c.id)::text
"""
"""SQL expression for the rating of the case `c`, as JSON that `Rating.read` reads."""


def rated_until(case: "Case") -> datetime | None:
    """Return until when the case may be rated and its rating changed; None for a case that is not solved."""
    solved: datetime | None = case.closed_at or case.resolved_at
    return solved + WITHIN if case.stands.is_done and solved else None


def may_rate(case: "Case", at: datetime) -> bool:
    """Return whether the case may be rated at the instant `at`."""
    until = rated_until(case)
    return until is not None and at < until


async def rating_of(case: "Case") -> Rated:
    """Return the present rating of a case as form fields; `Rated()` if it has no rating."""
    row = await current().fetchrow("select verdict, words from case_rating where case_id = $1", case.id)
    return Rated(**dict(row)) if row else Rated()


async def rate(case: "Case", rated: Rated, *, by: Reader, at: datetime) -> None:
    """Store or change the rating of a case; do nothing if it has this rating already.

    Raise `NotFound` for an agent, and `Conflict` if the case is not solved or was solved longer than `WITHIN` ago.
    Raise `Invalid` if the verdict is no key of `VERDICTS` or the comment is too long.
    """
    if not isinstance(by, ContactReader):
        raise NotFound
    words = visible(rated.words).strip()
    wrong = {"verdict": "Choose one of the two."} if rated.verdict not in VERDICTS else {}
    wrong |= {"words": f"Use at most {LONGEST} characters."} if len(words) > LONGEST else {}
    if wrong:
        raise Invalid(wrong)
    await lock(case, by)
    if not may_rate(case, at):
        raise Conflict(why_not_rated(case))
    before = await rating_of(case)
    if before == Rated(verdict=rated.verdict, words=words):
        return
    store = _CHANGE if before.verdict else _INSERT
    await current().execute(store, case.id, case.customer_id, by.id, rated.verdict, words, at)
    await finish(case, [("rated", {"to": rated.verdict})], by, at, told_as="case.changed")


def why_not_rated(case: "Case") -> str:
    """Return the message that refuses a rating of this case."""
    if not case.stands.is_done:
        return "You can rate a case once it is solved."
    return f"A case can be rated for {WITHIN.days} days after it was solved."


async def move_rating(source_id: int, target_id: int) -> None:
    """Move the rating of a case to the case into which it is merged; delete it if that case has a rating already."""
    await current().execute(_DROP, source_id, target_id)
    await current().execute("update case_rating set case_id = $2 where case_id = $1", source_id, target_id)


_INSERT = """
insert into case_rating (case_id, customer_id, contact_id, verdict, words, rated_at) values ($1, $2, $3, $4, $5, $6)
"""
_CHANGE = """
update case_rating set contact_id = $3, verdict = $4, words = $5, rated_at = $6 where case_id = $1 and customer_id = $2
"""
_DROP = "delete from case_rating where case_id = $1 and exists (select from case_rating o where o.case_id = $2)"
