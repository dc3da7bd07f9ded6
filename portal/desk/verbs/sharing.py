"""Share a case inside its customer: who watches it, whether it is confidential, and who its contact is.

The contact of a case and its watchers take part in it. They see it whatever their rights, and get notices about it. On
the customer's side, nobody else sees a confidential case; row-level security decides that (`m0420`).
"""

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from piccolo.columns import BigInt, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk.names import contact_name
from portal.desk.verbs.changing import LogLine, change, finish, lock
from portal.errors import Conflict, Invalid, NotFound
from portal.people.contacts import hold_contact
from portal.people.offered import Offered
from portal.people.readers import ContactReader, Reader

if TYPE_CHECKING:
    from portal.desk.cases import Case

WATCHING = """
(select coalesce(array_agg(x.name order by folded(x.name), x.id), '{}') from case_watcher w join contact x on x.id = w.contact_id
 where w.case_id = c.id and x.id <> c.contact_id and x.ended_at is null)
"""
"""SQL expression for the names of the contacts who watch the case `c`.

The contact of the case, and contacts whose access has ended, are left out.
"""


class CaseWatcher(Table, tablename="case_watcher"):
    """A contact who watches a case. The primary key is the case and the contact."""

    case_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    contact_id = BigInt(default=None)
    added_at = Timestamptz(default=None)


class NewWatcher(Struct, kw_only=True):
    """Form that makes a contact a watcher of a case.

    `contact` is the id of the contact if one was chosen; otherwise `contact_typed` is the text in the search field for
    contacts. `on_case` is true if a contact pressed the button on the page of the case; the response then leads back to
    this page.
    """

    contact: int | None = None
    contact_typed: str = ""
    on_case: bool = False


class Confidentiality(Struct, kw_only=True):
    """Form of the button that makes a case confidential, or ends its confidentiality."""

    confidential: bool = False


def may_choose(case: "Case", by: Reader) -> bool:
    """Return whether `by`, who sees the case, may choose who watches it.

    Agents and the contact of the case may. Unless the case is confidential, contacts who see all cases and
    administrators of the customer may too.
    """
    if not isinstance(by, ContactReader):
        return True
    return owns(case, by) or (not case.confidential and (by.sees_all_cases or by.manages_contacts))


def owns(case: "Case", by: Reader) -> bool:
    """Return whether `by` may make the case confidential: an agent, or the contact of the case."""
    return by.is_agent or case.contact_id == by.id


async def watchers_of(case: "Case") -> list[Offered]:
    """Return the ids and names of the contacts who watch the case, sorted by name.

    Contacts whose access has ended are left out. A contact without a mail address learns nothing of the case by
    watching it, so "(no mail address)" follows the name.
    """
    rows = await current().fetch(
        "select x.id, case when c.id is null then x.name || ' (no mail address)' else x.name end as name"
        " from case_watcher w join contact x on x.id = w.contact_id left join credential c on c.contact_id = x.id"
        " where w.case_id = $1 and x.id <> $2 and x.ended_at is null order by folded(x.name), x.id",
        case.id, case.contact_id,
    )  # fmt: skip
    return [Offered(**row) for row in rows]


async def watch(case: "Case", contact_id: int | None, *, by: Reader, at: datetime) -> None:
    """Make a contact of the case's customer a watcher, and notify them. Do nothing if they watch the case already.

    Raise `Invalid` at the field `contact` if `contact_id` is None, or if the contact is the contact of the case,
    belongs to another customer or has lost access. Raise `NotFound` if `by` may not choose watchers.
    """
    name = await _colleague(case, contact_id)
    await lock(case, by)
    if not may_choose(case, by):
        raise NotFound
    if contact_id == case.contact_id:
        raise Invalid({"contact": f"{name} is the contact of this case and reads it anyway."})
    if await current().fetchval(_WATCH, case.id, case.customer_id, contact_id, at):
        await finish(case, [("watched", {"to": name, "contact": contact_id})], by, at, told_as="case.shared")


async def unwatch(case: "Case", contact_id: int, *, by: Reader, at: datetime) -> None:
    """Remove a contact from the watchers of the case. Do nothing if they do not watch it.

    Raise `NotFound` unless `by` may choose watchers or is this contact.
    """
    await lock(case, by)
    if not (may_choose(case, by) or contact_id == by.id):
        raise NotFound
    if await current().fetchval(_WATCHES, case.id, contact_id):
        # Write the log first: a watcher who leaves a confidential case no longer sees it afterwards.
        line: LogLine = ("unwatched", {"to": await contact_name(contact_id)})
        await finish(case, [line], by, at, told_as="case.changed")
        await current().execute(_UNWATCH, case.id, contact_id)


async def set_confidential(case: "Case", confidential: bool, *, by: Reader, at: datetime) -> None:
    """Hide the case from all contacts who do not take part in it, or show it to them again.

    Do nothing if the case is hidden, or shown, already. Raise `NotFound` for contacts other than the contact of the
    case.
    """
    await lock(case, by)
    if not owns(case, by):
        raise NotFound
    if case.confidential != confidential:
        told_as = "case.hidden" if confidential else "case.changed"
        await change(case, {"confidential": confidential}, [("confidential", {"to": confidential})], by, at, told_as=told_as)  # fmt: skip


async def hand_over(case: "Case", contact_id: int | None, *, stays: bool, by: ContactReader, at: datetime) -> None:
    """Give the case of the contact `by` to a colleague, who becomes its contact and is notified.

    With `stays`, `by` becomes a watcher. Do nothing if `by` has given the case to this colleague already. Raise
    `Invalid` at the field `successor` if the colleague is `by`, belongs to another customer or has lost access. Raise
    `Conflict` if somebody else became the contact meanwhile, and `NotFound` if `by` was not the contact of the loaded
    case.
    """
    name, seen = await _colleague(case, contact_id, "successor"), case.contact_id
    await lock(case, by)
    if case.contact_id == contact_id and await current().fetchval(_HANDED, case.id, by.id, str(contact_id)):
        return
    if case.contact_id != by.id:
        if seen != by.id:
            raise NotFound
        raise Conflict(f"{await contact_name(case.contact_id)} is the contact of this case now.")
    if contact_id == by.id:
        raise Invalid({"successor": "Choose a colleague."})
    # `by` is a watcher until the end, because row-level security shows a confidential case only to those who take part.
    await current().execute(_WATCH, case.id, case.customer_id, by.id, at)
    await current().execute(_UNWATCH, case.id, contact_id)
    line: LogLine = ("handed", {"from": by.name, "to": name, "contact": contact_id, "stays": stays})
    await change(case, {"contact_id": contact_id}, [line], by, at, told_as="case.shared")
    if not stays:
        await current().execute(_UNWATCH, case.id, by.id)


async def _colleague(case: "Case", contact_id: int | None, field: str = "contact") -> str:
    """Lock a contact of the customer of the case, and return the name of the contact.

    Raise `Invalid` at the field named `field` if there is no such contact, or if the contact's access has ended. Call
    this before locking the case, because every transaction locks contacts first.
    """
    if contact_id is not None:
        await hold_contact(contact_id)
    name = await current().fetchval(_NAMED, contact_id, case.customer_id)
    if name is None:
        raise Invalid({field: f"Choose a contact of {await current().fetchval(_CUSTOMER, case.customer_id)}."})
    return str(name)


async def copy_watchers(case: "Case", made: "Case") -> None:
    """Let the watchers of `case` watch the case `made` too, which was split off from `case` or continues it.

    If `case` is confidential, the contact of `case` watches `made` too, unless this contact is also the contact of
    `made`.
    """
    await current().execute(_COPY, case.id, made.id, case.contact_id, made.contact_id, made.opened_at)


async def move_watchers(source_id: int, target_id: int) -> None:
    """Move the watchers of the merged case `source_id` to the case `target_id`."""
    await current().execute(_MOVE, source_id, target_id)
    await current().execute("delete from case_watcher where case_id = $1", source_id)


_HANDED = """
select true from case_event where case_id = $1 and kind = 'handed' and contact_id = $2 and details ->> 'contact' = $3 limit 1
"""
_NAMED = "select name from contact where id = $1 and customer_id = $2 and ended_at is null"
_CUSTOMER = "select name from customer where id = $1"
_WATCHES = "select true from case_watcher where case_id = $1 and contact_id = $2"
_UNWATCH = "delete from case_watcher where case_id = $1 and contact_id = $2"
_WATCH = """
insert into case_watcher (case_id, customer_id, contact_id, added_at) values ($1, $2, $3, $4) on conflict do nothing returning true
"""
_COPY = """
insert into case_watcher (case_id, customer_id, contact_id, added_at)
select c.id, c.customer_id, x.id, $5 from cases c
join contact x on x.customer_id = c.customer_id and x.erased_at is null
  and (x.id = $3 and c.confidential or x.id in (select w.contact_id from case_watcher w where w.case_id = $1))
where c.id = $2 and x.id <> $4
"""
_MOVE = """
insert into case_watcher (case_id, customer_id, contact_id, added_at)
select $2, customer_id, contact_id, added_at from case_watcher where case_id = $1 on conflict do nothing
"""
