"""Test forms that are sent many times at once, and server clocks that jump."""

import asyncio
from datetime import datetime, timedelta

import pytest

from portal.billing import violations
from portal.database import transaction
from portal.people.access import sessions
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.faults.children import Children
from tests.faults.verbs import VERBS, approved, issue, log_time, token_of
from tests.forms import form_of
from tests.world import ADA, NOW

pytestmark = [pytest.mark.slow, pytest.mark.infra]

MANY = 20


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.usefixtures("clock")
async def test_a_form_that_is_sent_twenty_times_at_once_counts_once(app: Gate, verb: str) -> None:
    """R94: a form sent twenty times at once is carried out once; the other requests are refused or redirected."""
    prepared = await VERBS[verb]()
    form = prepared.form
    async with Browser(app, cookies={"sid": form.token} if form.token else {}) as browser:
        page = await browser.get(form.page)
        fields = form_of(page.text, form.action).fields | form.typed
        files = [("files", (name, content)) for name, content in form.files] or None
        answers = await asyncio.gather(*(browser.post(form.action, data=fields, files=files) for _ in range(MANY)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 303
    # The tests' connection pool has four connections; a request that waits too long for one is answered 503.
    assert set(statuses) <= {303, 404, 409, 503}, statuses
    assert await prepared.done() == 1
    async with transaction(SYSTEM):
        assert await violations() == {}


async def everybody_came(at: datetime) -> None:
    """Set the beginning of all sessions to `at`, so that they are still valid when the clock shows `at`."""
    async with transaction(None) as tx:
        await tx.execute("update session set created_at = $1, last_used_at = $1, confirmed_at = $1", at)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=400)])
async def test_numbers_and_days_of_invoices_rise_together_whatever_the_clock_says(
    children: Children, jump: timedelta
) -> None:
    """R94: an invoice never has an earlier instant or day of issue than the invoice with the number before.

    If the clock was set back, the second invoice has the same instant of issue as the first.
    """
    assert children.send(await issue())["status"] == 303
    second = await issue()
    await everybody_came(NOW + jump)
    assert children.send(second, at=NOW + jump)["status"] == 303
    async with transaction(SYSTEM) as tx:
        issued = await tx.fetch(
            "select series_number, issued_at, issue_date from invoice where number is not null order by 1"
        )
    assert [row["series_number"] for row in issued] == sorted(row["series_number"] for row in issued)
    assert issued[1]["issued_at"] == NOW + max(jump, timedelta(0))
    assert issued[1]["issue_date"] >= issued[0]["issue_date"]
    async with transaction(SYSTEM):
        assert await violations() == {}


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(minutes=29)])
async def test_time_is_logged_once_and_on_its_own_day_whatever_the_clock_says(
    children: Children, jump: timedelta
) -> None:
    prepared = await log_time()
    typed = prepared.form.typed
    typed["work_date"] = (NOW - timedelta(days=3)).date().isoformat()
    assert children.send(prepared, at=NOW + jump)["status"] == 303
    assert children.send(prepared, at=NOW)["status"] == 303
    assert await prepared.done() == 1
    async with transaction(SYSTEM) as tx:
        day = await tx.fetchval(
            "select work_date::text from time_entry where external_comment = $1", typed["external_comment"]
        )
    assert day == typed["work_date"]


async def test_a_clock_that_is_set_back_keeps_people_in_and_one_set_forward_lets_nobody_stay(dsn: str) -> None:
    """R16: Ada's session stays valid if the clock is set back, and ends if it is set forward past the idle time.

    For a clock that was set back, the session began in the future.
    """
    token = await token_of(ADA)
    for at, live in (
        (NOW - timedelta(days=1), True), (NOW, True), (NOW + timedelta(minutes=59), True), (NOW + timedelta(hours=1), False),
        (NOW + timedelta(days=400), False),
    ):  # fmt: skip
        async with transaction(None):
            found = await sessions.find(token, at)
        assert found is not None
        assert found[0].live is live, at


async def test_a_billing_run_by_a_clock_of_last_month_takes_nothing_of_this_one(children: Children) -> None:
    """R94: if the clock is 40 days behind, a run up to 1 November, still in the future by this clock, bills nothing."""
    entry = await approved()
    prepared = await VERBS["run the billing"]()
    early = NOW - timedelta(days=40)
    await everybody_came(early)
    told = children.send(prepared, at=early)
    assert told["status"] in {303, 422}, told
    async with transaction(SYSTEM):
        assert await violations() == {}
    async with transaction(SYSTEM) as tx:
        count = await tx.fetchval("select count(*) from settled_entry where entry_id = $1", entry)
    assert count == 0
