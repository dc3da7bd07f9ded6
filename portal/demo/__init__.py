"""Fill a database with the data of the demo: a company, twelve customers, and five months of work up to yesterday.

Everything in the demo is invented. It is written by the functions that the product itself uses.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

from portal import notices
from portal.contracts.case_types import CaseType
from portal.contracts.company import Company
from portal.database import current, transaction
from portal.demo import cases, creating, entries, months, ours, projects, work, working
from portal.demo.calendar import Calendar
from portal.demo.files import Cabinet
from portal.demo.stage import Stage
from portal.demo.timeline import Timeline
from portal.people import passwords
from portal.people.readers import SYSTEM
from portal.render import documents
from portal.storage import Storage

SEED = 20417

CAST = (
    "noor@desk.example",
    "max@desk.example",
    "ines@desk.example",
    "ada@acme.example",
    "alan@acme.example",
    "gil@globex.example",
)
"""The mail addresses of the six people of the demo who have a password and can sign in."""
TOLD, UNREAD = timedelta(days=10), 3
"""The maximum age of the notices of the demo, and how many each person has not read yet."""


async def fill(now: datetime, password: str, storage: Storage, say: Callable[[str], None]) -> bool:
    """Fill a migrated database with the demo, and return whether it was empty.

    If the database has a company already, only set the password of the people in `CAST`. Everything is written in one
    transaction: if the process is killed, the database stays empty and the next start begins again. `say` is called with
    progress messages. `storage` receives the attachments and documents. The same `now` always makes the same demo.
    """
    async with transaction(SYSTEM):
        is_empty = await Company.find() is None
        if is_empty:
            try:
                await _play(now, password, storage, say)
            finally:
                documents.stop()
    if not is_empty:
        await _keep_in(password)
    return is_empty


async def _play(now: datetime, password: str, storage: Storage, say: Callable[[str], None]) -> None:
    calendar, rng = Calendar(now), Random(SEED)  # noqa: S311 (chance for stories, not for secrets)
    stage = await _stage(calendar, rng, Cabinet(storage, rng))
    await _let_in(password)
    say(f"{len(stage.customers)} customers, {len(stage.agents)} agents")
    cases.plan(stage)
    work.plan(stage)
    entries.plan(stage)
    working.plan_clock(stage)
    months.plan(stage)
    projects.connect(stage)
    working.plan(stage)
    await stage.timeline.play(say)
    await _tell_people(now)


async def _stage(calendar: Calendar, rng: Random, cabinet: Cabinet) -> Stage:
    start = date(calendar.first.year, 1, 1)
    third_month = calendar.billed_until[2] if len(calendar.billed_until) > 2 else calendar.last_month
    at = calendar.instant(start, 9 * 60)
    agents, roles = await ours.found(start, third_month, at)
    await working.arrange(agents, start, third_month, at)
    customers = await creating.create_customers(start, at)
    await creating.agree_prices(customers, agents, roles, start, at)
    types = {kind.name: kind.id for kind in await CaseType.offered()}
    plans = await projects.found(customers, agents, at)
    return Stage(calendar, Timeline(calendar), rng, cabinet, agents, customers, types, [], plans)


async def _tell_people(now: datetime) -> None:
    """Make the notices of the last days; those older than `UNREAD` are marked as read.

    None of them is ever mailed, because everything in the demo is invented.
    """
    await current().execute("update outbox set passed_on = true where at < $1", now - TOLD)
    while await notices.pass_on(now, mails=False):
        pass
    await current().execute(
        "update notice n set read_at = least($1, n.at + interval '20 minutes')"
        " from (select id, row_number() over (partition by credential_id order by at desc, id desc) as place from notice) p"
        " where p.id = n.id and p.place > $2 and n.read_at is null",
        now, UNREAD,
    )  # fmt: skip


async def _let_in(password: str) -> None:
    """Set `password` for every account in `CAST`. Its strength is not checked: whoever starts the demo has chosen it."""
    await current().execute(
        "select set_first_password(id, $1) from credential where email = any($2)",
        await passwords.hashed(password),
        list(CAST),
    )


async def _keep_in(password: str) -> None:
    """Set `password` for the accounts in `CAST` unless it is their password already, as after an earlier start with it."""
    async with transaction(None) as tx:
        known = await tx.fetchval("select password_hash from credential where email = $1", CAST[0])
        if not passwords.matches(known, password):
            await tx.execute(
                "update credential set password_hash = $1 where email = any($2)",
                await passwords.hashed(password),
                list(CAST),
            )
