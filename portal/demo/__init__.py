"""Fill a database with the data of the demo: a company, twelve customers, and five months of work up to yesterday.

Everything in the demo is invented. The functions that the product itself uses write it to the database.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

from portal import notices
from portal.contracts.case_types import CaseType
from portal.contracts.company import Company
from portal.database import current, transaction
from portal.demo import cases, company, creating, entries, months, projects, work, working
from portal.demo.calendar import Calendar
from portal.demo.files import DemoFiles, picture
from portal.demo.scenario import Scenario
from portal.demo.stories import articles, fields, queue
from portal.demo.timeline import Timeline
from portal.people.access import passwords
from portal.people.readers import SYSTEM, ContactReader
from portal.render import documents
from portal.storage import Storage

SEED = 20417

ACCOUNTS = (
    "noor@desk.example",
    "max@desk.example",
    "ines@desk.example",
    "ada@acme.example",
    "alan@acme.example",
    "gil@globex.example",
)
"""The mail addresses of the six people of the demo who have a password and can sign in."""
NOTICE_AGE, UNREAD = timedelta(days=10), 3
"""The maximum age of the notices of the demo, and how many each person has not read yet."""


async def fill(now: datetime, password: str, storage: Storage, say: Callable[[str], None]) -> bool:
    """Fill a migrated database with the demo, and return whether it was empty.

    If the database has a company already, only set the password of the people in `ACCOUNTS`. The demo is written in one
    transaction: if the process is killed, the database stays empty and the next start begins again. Two short
    transactions follow: in the first, a contact asks about time on an invoice; in the second, the notices of this
    question are made. `say` is called with progress messages. `storage` receives the attachments and documents. The
    same `now` always makes the same demo.
    """
    async with transaction(SYSTEM):
        is_empty = await Company.find() is None
        if is_empty:
            try:
                ada = await _write(now, password, storage, say)
            finally:
                documents.stop()
    if not is_empty:
        await _refresh_passwords(password)
        return False
    async with transaction(ada):  # Only contacts may ask about time.
        await months.ask(ada, now - timedelta(minutes=5))
    async with transaction(SYSTEM):
        await _make_notices(now)
    return True


async def _write(now: datetime, password: str, storage: Storage, say: Callable[[str], None]) -> ContactReader:
    """Write the whole demo except one question, which only a contact may ask. Return this contact, Ada Lindqvist."""
    calendar, rng = Calendar(now), Random(SEED)  # noqa: S311 (chance for stories, not for secrets)
    scenario = await _scenario(calendar, rng, DemoFiles(storage, rng))
    await _set_passwords(password)
    say(f"{len(scenario.customers)} customers, {len(scenario.agents)} agents")
    cases.plan(scenario)
    work.plan(scenario)
    entries.plan(scenario)
    working.plan_clock(scenario)
    months.plan(scenario)
    projects.connect(scenario)
    working.plan(scenario)
    working.plan_statuses(scenario)
    await articles.write(scenario.agents, picture(Random(SEED)), now)  # noqa: S311
    await scenario.timeline.run(say)
    await company.create_rules()
    await company.create_canned_replies(scenario.agents["Noor Haddad"])
    await queue.arrange(scenario.agents, now)
    await fields.arrange(scenario.agents, now)
    await _make_notices(now)
    return scenario.customers["Acme"].contacts[0]


async def _scenario(calendar: Calendar, rng: Random, files: DemoFiles) -> Scenario:
    start = date(calendar.first.year, 1, 1)
    third_month = calendar.billed_until[2] if len(calendar.billed_until) > 2 else calendar.last_month
    at = calendar.instant(start, 9 * 60)
    agents, roles = await company.create(start, third_month, at)
    await working.arrange(agents, start, third_month, at)
    customers = await creating.create_customers(start, at)
    await creating.agree_prices(customers, agents, roles, start, at)
    await creating.raise_prices(customers, third_month, at)
    await creating.promise_deadlines(customers)
    types = {kind.name: kind.id for kind in await CaseType.offered()}
    plans = await projects.create(customers, agents, at)
    call_outs = await projects.create_call_outs(customers)
    return Scenario(calendar, Timeline(calendar), rng, files, agents, customers, types, [], plans, call_outs)


async def _make_notices(now: datetime) -> None:
    """Make the notices of what happened in the last ten days, and mark all but the newest three of each person as read.

    None of the notices is ever mailed, because everything in the demo is invented.
    """
    await current().execute("update outbox set passed_on = true where at < $1", now - NOTICE_AGE)
    while await notices.pass_on(now, mails=False):
        pass
    await current().execute(
        "update notice n set read_at = least($1, n.at + interval '20 minutes')"
        " from (select id, row_number() over (partition by credential_id order by at desc, id desc) as place from notice) p"
        " where p.id = n.id and p.place > $2 and n.read_at is null",
        now, UNREAD,
    )  # fmt: skip


async def _set_passwords(password: str) -> None:
    """Set the first password of all `ACCOUNTS`. Its strength is not checked, because this is only a demo."""
    await current().execute(
        "select set_first_password(id, $1) from credential where email = any($2)",
        await passwords.hashed(password),
        list(ACCOUNTS),
    )


async def _refresh_passwords(password: str) -> None:
    """Set `password` for all `ACCOUNTS`. Do nothing if an earlier start has set the same password."""
    async with transaction(None) as tx:
        known = await tx.fetchval("select password_hash from credential where email = $1", ACCOUNTS[0])
        if not passwords.matches(known, password):
            await tx.execute(
                "update credential set password_hash = $1 where email = any($2)",
                await passwords.hashed(password),
                list(ACCOUNTS),
            )
