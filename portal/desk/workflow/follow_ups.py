"""Store for how many days a contact's reply reopens a case; a later reply opens a new case (S3.18)."""

from datetime import datetime

from msgspec import Struct
from piccolo.columns import SmallInt
from piccolo.table import Table

from portal.database import current
from portal.fields import Checked, optional, whole

LONGEST = 3650


class FollowUpFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field of the rule as typed: the days after which no reply reopens a case; "" if every reply reopens it."""

    reopen_days: str = ""


class FollowUpRule(Table, tablename="follow_up_rule"):
    """The number of days within which a reply reopens a case.

    There is one row, or none if every reply reopens a case.
    """

    id = SmallInt(primary_key=True, default=1)
    reopen_days = SmallInt(default=None)

    @classmethod
    async def facts(cls) -> FollowUpFacts:
        """Return the present number of days as a form field."""
        row = await cls.select(cls.reopen_days).first()
        return FollowUpFacts(reopen_days=str(row["reopen_days"]) if row else "")

    @classmethod
    async def change(cls, facts: FollowUpFacts) -> None:
        """Store the rule. Raise `Invalid` at the field `reopen_days` unless it is a number of days or ""."""
        checked = Checked()
        days = checked("reopen_days", optional(whole(1, LONGEST, "days")), facts.reopen_days)
        checked.done()
        if days is None:
            await current().execute("delete from follow_up_rule")
        else:
            await current().execute(_STORE, days)


def reopens_until_sql(alias: str) -> str:
    """Return the SQL expression for the instant until which a reply reopens the case `alias`.

    It is null for a case that is not done, and if there is no rule.
    """
    done_at = f"coalesce({alias}.closed_at, {alias}.resolved_at)"
    return f"(select {done_at} + r.reopen_days * interval '24 hours' from follow_up_rule r)"  # noqa: S608


async def is_too_late(case_id: int, at: datetime) -> bool:
    """Return whether a contact's reply at `at` no longer reopens this case but opens a new one."""
    return bool(await current().fetchval(_TOO_LATE, case_id, at))


_STORE = """
insert into follow_up_rule (reopen_days) values ($1) on conflict (id) do update set reopen_days = excluded.reopen_days
"""
_TOO_LATE = f"select {reopens_until_sql('c')} < $2 from cases c where c.id = $1"  # noqa: S608
