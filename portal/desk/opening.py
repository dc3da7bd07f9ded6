"""Check a new case, find its customer and service, and limit how many cases a contact may open in an hour (R83)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from portal.database import current
from portal.desk.facts import CHOOSE, checked_subject
from portal.desk.messages import Writing
from portal.errors import Invalid, TooMany
from portal.people.contacts import hold_contact
from portal.people.readers import ContactReader

MOST, WITHIN = 30, timedelta(hours=1)
"""A contact may open at most `MOST` cases in any period of the length `WITHIN`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The customer, contact and service of a new case.

    `problems` maps each field that is not valid (`case_type`, `priority`, `contact`) to its error message. If the
    contact is not valid, `customer_id` is None.
    """

    customer_id: int | None
    contact_id: int | None
    service_id: int | None
    problems: dict[str, str]


async def origin_of(
    contact_id: int | None,
    case_type_id: int,
    priority: int,
    customer_id: int | None = None,
    *,
    by_contact: bool = False,
) -> Origin:
    """Return the customer and the service of a new case, which follow from its contact and its type.

    The service is the customer's default for the type, else the customer's default for all types, else None. With
    `customer_id`, the contact must belong to that customer; with `by_contact`, the type and the priority must be
    ones that contacts may choose. `Origin.problems` reports a contact, type or priority that cannot be chosen, is
    unknown or has ended. The contact is locked (`hold_contact`), so that the contact's access cannot end before this
    transaction does.
    """
    if contact_id is not None:
        await hold_contact(contact_id)
    # Row-level security shows a contact only the contact's own customer, so that a contact of another customer is not
    # found (R29).
    row = await current().fetchrow(
        """select o.customer_id, t.id is not null as type_is_offered,
             exists (select from case_priority p where p.id = $5::bigint and (p.for_contacts or not $4)) as priority_is_offered,
             (select d.service_id from default_service d where d.customer_id = o.customer_id and (d.case_type_id = $2 or d.case_type_id is null)
              order by d.case_type_id nulls last limit 1) as service_id
        from (select 1) as one left join contact o on o.id = $1 and o.ended_at is null and o.customer_id = coalesce($3, o.customer_id)
          and not exists (select from customer u where u.id = o.customer_id and u.ended_at is not null)
        left join case_type t on t.id = $2 and t.ended_at is null
          and (t.for_contacts or not $4)""",
        contact_id, case_type_id, customer_id, by_contact, priority,
    )  # fmt: skip
    problems = {} if row["type_is_offered"] else {"case_type": CHOOSE}
    if not row["priority_is_offered"]:
        problems["priority"] = CHOOSE
    if row["customer_id"] is None:
        problems["contact"] = "Choose who asks."
    return Origin(row["customer_id"], contact_id, row["service_id"], problems)


def checked(origin: Origin, subject: str, writing: Writing, also: Mapping[str, str]) -> str:
    """Check the fields of a new case, and return the subject without line breaks and invisible characters.

    Raise `Invalid` with a message for each field that is not valid, including the messages in `origin.problems` and
    `also`.
    """
    checked, problems = checked_subject(subject)
    problems |= writing.problems() | origin.problems | dict(also)
    if problems:
        raise Invalid(problems)
    return checked


async def refuse_too_many(by: ContactReader, at: datetime) -> None:
    """Raise `TooMany` if the contact `by` has opened `MOST` cases in the hour before `at`.

    Cases that agents opened for the contact do not count. An advisory lock makes simultaneous requests of one contact
    wait for each other, so that they cannot exceed the limit together.
    """
    tx = current()
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('opens a case', $1))", by.id)
    # This condition makes PostgreSQL use the index on `updated_at`, which is never before `opened_at`.
    oldest: datetime | None = await tx.fetchval(
        "select opened_at from cases where contact_id = $1 and updated_at > $2 and opened_at > $2 and opened_by_agent_id is null"
        " order by opened_at desc offset $3 limit 1",
        by.id, at - WITHIN, MOST - 1,
    )  # fmt: skip
    if oldest is None:
        return
    seconds = ceil((oldest + WITHIN - at).total_seconds())
    minutes = ceil(seconds / 60)
    raise TooMany(
        f"You have opened {MOST} cases within an hour. What you typed is kept: send it again in"
        f" {minutes} {'minute' if minutes == 1 else 'minutes'}, or add it to a case that is open.",
        retry_after=seconds,
    )
