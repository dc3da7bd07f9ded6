"""Store how people are notified of each kind of notice: in the app, by mail at once, in the daily digest, or not at all."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from piccolo.columns import JSONB, BigInt, SmallInt
from piccolo.table import Table

from portal.database import current
from portal.errors import Invalid
from portal.people.readers import Reader

if TYPE_CHECKING:
    from portal.notices.kinds import Kind

DIGEST_HOUR = 8
"""The hour of the day at which the digest is mailed to people who have not chosen another one."""


class Mail(StrEnum):
    """When a notice is mailed: at once, in the daily digest, or never."""

    AT_ONCE = "at_once"
    DIGEST = "digest"
    NEVER = "never"

    @property
    def word(self) -> str:
        """Return the text that people read on the page of choices, such as `Mail at once`."""
        return {"at_once": "Mail at once", "digest": "In the daily digest", "never": "No mail"}[self.value]


class Choice(NamedTuple):
    """How a person is notified of one kind of notice: whether the app shows it, and how it is mailed."""

    in_app: bool
    mail: Mail

    @property
    def is_told(self) -> bool:
        """Return whether the person is notified at all, in the app or by mail."""
        return self.in_app or self.mail is not Mail.NEVER


class NoticeChoice(Table, tablename="notice_choice"):
    """How one person wants to be notified: a choice for each kind of notice, the hour of the digest, and quiet hours.

    The hours are in the person's time zone. A person without a row has the defaults.
    """

    credential_id = BigInt(primary_key=True, default=None)
    choices = JSONB(default=None)
    digest_hour = SmallInt(default=None)
    quiet_from = SmallInt(null=True, default=None)
    quiet_to = SmallInt(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of one person.

    `of_contact` says whether the person is a contact. `kinds` maps the names of kinds to the choices that the person
    has made; other kinds have their defaults. `digest_hour`, `quiet_from` and `quiet_to` are hours of the day in the
    person's time zone `zone`. During the quiet hours, no mail is sent at once; they may span midnight, as from 22 to 7.
    `quiet_from` and `quiet_to` are None if there are no quiet hours.
    """

    of_contact: bool
    zone: ZoneInfo
    kinds: Mapping[str, Choice]
    digest_hour: int = DIGEST_HOUR
    quiet_from: int | None = None
    quiet_to: int | None = None

    @classmethod
    def read(cls, row: Any) -> Self:
        """Return the choices from a row of `_OF`: the defaults if the column `choices` is null."""
        of_contact, zone = row["of_contact"], ZoneInfo(row["time_zone"])
        if row["choices"] is None:
            return cls(of_contact, zone, {})
        kinds = {kind: Choice(bool(in_app), Mail(mail)) for kind, (in_app, mail) in json.loads(row["choices"]).items()}
        return cls(of_contact, zone, kinds, row["digest_hour"], row["quiet_from"], row["quiet_to"])

    def of(self, kind: "Kind") -> Choice | None:
        """Return how the person is notified of a kind of notice.

        Return None if the person is a contact and the kind is not for contacts, or if the person is an agent and the
        kind is not for agents.
        """
        side = kind.side(of_contact=self.of_contact)
        return self.kinds.get(kind.name, side.usual) if side else None

    def mail_due(self, mail: Mail, at: datetime) -> datetime | None:
        """Return the earliest instant at which a notice made at `at` may be mailed, or None if it is never mailed.

        A mail that is due at once waits until the quiet hours are over. The digest is mailed at `digest_hour` of the
        same day, or of the next day if this hour has begun.
        """
        if mail is Mail.NEVER:
            return None
        if mail is Mail.DIGEST:
            return self._next(self.digest_hour, at)
        return (
            self._next(self.quiet_to, at)
            if self.quiet_to is not None and self._is_quiet(at.astimezone(self.zone).hour)
            else at
        )

    def problems(self) -> dict[str, str]:
        """Return an error message by field name if the quiet hours are not valid or include the hour of the digest.

        Only the first problem is returned; {} if there is none.
        """
        if (self.quiet_from is None) != (self.quiet_to is None):
            return {"quiet_to": "Choose both ends of the quiet hours, or neither."}
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            return {"quiet_to": "Choose another hour than the one at which the quiet hours begin."}
        if self._is_quiet(self.digest_hour):
            return {"digest_hour": "Choose an hour outside of your quiet hours."}
        return {}

    def _is_quiet(self, hour: int) -> bool:
        """Return whether an hour of the day lies in the quiet hours."""
        if self.quiet_from is None or self.quiet_to is None:
            return False
        return (hour - self.quiet_from) % 24 < (self.quiet_to - self.quiet_from) % 24

    def _next(self, hour: int, at: datetime) -> datetime:
        """Return the next instant after `at` at which the hour `hour` begins in the person's time zone."""
        local = at.astimezone(self.zone)
        for days in (0, 1):
            begins = datetime.combine(local.date() + timedelta(days=days), time(hour), self.zone).astimezone(at.tzinfo)
            if begins > at:
                return begins
        raise AssertionError("the hour of the next day lies in the future")


_OF = """
select c.id, c.contact_id is not null as of_contact, coalesce(a.time_zone, t.time_zone) as time_zone,
  n.choices, n.digest_hour, n.quiet_from, n.quiet_to
from credential c
left join agent a on a.id = c.agent_id and a.ended_at is null
left join contact t on t.id = c.contact_id and t.ended_at is null
  and not exists (select from customer u where u.id = t.customer_id and u.ended_at is not null)
left join notice_choice n on n.credential_id = c.id
where c.id = any($1) and c.disabled_at is null and coalesce(a.id, t.id) is not null
"""


async def choices_of(credential_ids: Iterable[int]) -> dict[int, Choices]:
    """Return the choices of these people by credential id, read by one query. People without access are left out."""
    return {row["id"]: Choices.read(row) for row in await current().fetch(_OF, list(credential_ids))}


async def own_choices(reader: Reader, *, hold: bool = False) -> Choices:
    """Return the reader's choices.

    With `hold`, lock the choices until the transaction ends: another call with `hold` for the same person waits.
    """
    if hold:
        await current().execute(
            "select pg_advisory_xact_lock(hashtextextended('notice choices', $1))", reader.credential_id
        )
    row = await current().fetchrow(_OWN, reader.credential_id)
    return Choices.read(dict(row) | {"of_contact": reader.is_contact, "time_zone": reader.time_zone})


_OWN = """
select n.choices, n.digest_hour, n.quiet_from, n.quiet_to
from (select) as one left join notice_choice n on n.credential_id = $1
"""


async def save(reader: Reader, choices: Choices) -> None:
    """Store the reader's choices. They apply to notices that are made afterwards.

    Raise `Invalid` at the field `quiet_to` if only one end of the quiet hours is set, or if both ends are equal. Raise
    it at the field `digest_hour` if the hour of the digest is in the quiet hours.
    """
    if problems := choices.problems():
        raise Invalid(problems)
    kinds = {name: [choice.in_app, choice.mail.value] for name, choice in choices.kinds.items()}
    await current().execute(
        "insert into notice_choice (credential_id, choices, digest_hour, quiet_from, quiet_to) values ($1, $2, $3, $4, $5)"
        " on conflict (credential_id) do update set choices = excluded.choices, digest_hour = excluded.digest_hour,"
        " quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to",
        reader.credential_id, json.dumps(kinds), choices.digest_hour, choices.quiet_from, choices.quiet_to,
    )  # fmt: skip
