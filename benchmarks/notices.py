"""`python -m benchmarks.notices`: measure how long notices and their mails take, and compare with plain SQL.

First, each of 10,000 cases gets a reply. Two steps are measured: making the notices of the contacts from the outbox,
and enqueueing the mails about these notices. Then 1,000 people have ten notices each, and each person is to get one
mail about them (a digest). Two more steps are measured: enqueueing the digests, and composing each digest. For
comparison, one statement of plain SQL inserts the same notices, and another one makes the same batches of them and
inserts the same jobs. All runs use the same database, one after the other, and are rolled back. Only the notices of the
digests that are composed are committed. No mail is sent.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg

from benchmarks import data
from benchmarks.server import temporary_server
from portal import database, mail, notices
from portal.database import current, schema, transaction
from portal.notices import mailing
from portal.people.readers import SYSTEM
from portal.settings import Settings

TOLD_IN_A_DIGEST = 10

REPLIES = """
insert into outbox (kind, customer_id, contact_id, contact_may_know, subject_id, actor_id, at, record_id, passed_on)
select 'case.replied', c.customer_id, c.contact_id, true, c.id, (select id from credential where agent_id = 1), now(),
  (select max(m.id) from message m where m.case_id = c.id and m.agent_id is not null), false
from cases c order by c.id limit $1;
"""
PEOPLE = """
with made as (
  insert into contact (customer_id, name, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at)
  select 1 + n % 200, 'Reader ' || n, true, false, false, 'en_GB', 'UTC', now() from generate_series(1, $1::int) n
  returning id, customer_id)
insert into credential (email, customer_id, contact_id, created_at)
select 'reader' || id || '@customer.example', customer_id, id, now() from made;
"""
DIGESTS = """
insert into notice (credential_id, kind, record_id, subject_id, at, in_app, mail, mail_due_at)
select p.id, 'case.replied', m.id, m.case_id, now(), true, 'digest', now()
from credential p
cross join lateral (
  select max(m.id) as id, m.case_id from message m join cases c on c.id = m.case_id
  where c.customer_id = p.customer_id and m.agent_id is not null group by m.case_id order by m.case_id limit $1) m
where p.email like 'reader%';
"""
PLAIN_NOTICES = """
with told as (update outbox set passed_on = true where not passed_on returning *)
insert into notice (credential_id, kind, record_id, subject_id, at, in_app, mail, mail_due_at)
select c.id, 'case.replied', t.record_id, t.subject_id, t.at, true, 'at_once', now() from told t join cases k on k.id = t.subject_id
join credential c on c.contact_id = k.contact_id;
"""
PLAIN_MAILS = """
with batches as (select max(id) as batch, credential_id, subject_id from notice where mail = 'at_once' and mail_batch is null
                 group by credential_id, subject_id),
begun as (update notice n set mail_batch = b.batch, mail_begun_at = now() from batches b
          where n.credential_id = b.credential_id and n.subject_id = b.subject_id and n.mail_batch is null)
insert into pgqueuer (entrypoint, payload, priority, status, created, updated, heartbeat, execute_after)
select 'mail_notices', convert_to(json_build_object('batch', batch)::text, 'utf8'), 0, 'queued', now(), now(), now(), now() from batches;
"""


class _Undone(Exception):
    """Raised to roll back a measured transaction."""


async def timed(*works: Callable[[], Awaitable[object]]) -> list[float]:
    """Run these steps, one after the other, in one transaction that is rolled back; return the milliseconds of each."""
    took = []
    try:
        async with transaction(SYSTEM):
            for work in works:
                began = time.perf_counter()
                await work()
                took.append((time.perf_counter() - began) * 1000)
            raise _Undone
    except _Undone:
        return took


async def fill(owner_url: str, replies: int, people: int) -> None:
    """Migrate the database and fill it with cases, replies that wait in the outbox, and people who get a digest."""
    await schema.migrate(owner_url)
    await data.fill(owner_url, max(replies, data.CUSTOMERS * TOLD_IN_A_DIGEST))
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(REPLIES.strip().rstrip(";"), replies)
        await connection.execute(PEOPLE.strip().rstrip(";"), people)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


async def measured(owner_url: str, settings: Settings, replies: int, people: int, runs: int) -> dict[str, list[float]]:
    """Fill the database, measure each step `runs` times, and return the milliseconds by the name of the step."""
    await fill(owner_url, replies, people)
    await database.start(owner_url, role="portal_app", size=2)
    at = datetime.now(UTC) + timedelta(minutes=1)

    async def pass_on() -> None:
        while await notices.pass_on(at):
            pass
        assert await current().fetchval("select count(*) from notice where mail = 'at_once'") >= replies

    async def begin() -> None:
        assert await mailing.begin_mails(at) >= replies

    async def tell_digests() -> None:
        await current().execute(DIGESTS, TOLD_IN_A_DIGEST)

    async def begin_digests() -> None:
        assert await mailing.begin_mails(at) == people

    async def plain_notices() -> None:
        await current().execute(PLAIN_NOTICES)

    async def plain_mails() -> None:
        await current().execute(PLAIN_MAILS)

    took: dict[str, list[float]] = {}
    try:
        for _ in range(runs):
            for names, works in (
                (("notices", "mails begun"), (pass_on, begin)),
                (("notices, plain SQL", "mails begun, plain SQL"), (plain_notices, plain_mails)),
                (("", "digests begun"), (tell_digests, begin_digests)),
            ):
                for name, value in zip(names, await timed(*works), strict=True):
                    took.setdefault(name, []).append(value)
        took["digests written"] = [await _written(settings, at) for _ in range(runs)]
    finally:
        await database.stop()
    took.pop("")
    return took


async def _written(settings: Settings, at: datetime) -> float:
    """Compose the digest of each person once, and return how many milliseconds that took.

    The first call inserts the notices and batches of the digests, and commits them.
    """
    async with transaction(SYSTEM) as tx:
        if not await tx.fetchval("select exists (select from notice where mail = 'digest')"):
            await tx.execute(DIGESTS, TOLD_IN_A_DIGEST)
            await mailing.begin_mails(at)
        batches = [
            row["batch"]
            for row in await tx.fetch("select distinct mail_batch as batch from notice where mail = 'digest'")
        ]
    began = time.perf_counter()
    for batch in batches:
        message = await mail.told(batch, settings, at)
        assert message is not None
        message.as_bytes()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Measure on an embedded PostgreSQL server, and print the median and the range of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replies", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with temporary_server() as (server, folder):
        settings = Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": f"{folder}/settings"})
        settings = replace(settings, mail_from="Desk <support@desk.example>")
        took = asyncio.run(measured(server.url(), settings, given.replies, given.people, given.runs))
    print(f"{given.replies:,} replies, and a digest of {TOLD_IN_A_DIGEST} notices for {given.people:,} people")
    for name, values in took.items():
        floor = took.get(f"{name}, plain SQL")
        times = f"  {median(values) / median(floor):.1f} times plain SQL" if floor else ""
        print(f"{name:>22}  {median(values):8,.0f} ms ({min(values):,.0f}-{max(values):,.0f}){times}")


if __name__ == "__main__":
    main()
