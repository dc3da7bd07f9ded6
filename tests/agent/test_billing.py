"""Test the billing pages over HTTP: the preview, starting a billing run, and the list of earlier runs."""

import re
from datetime import date

import pytest

from portal import billing
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import log
from tests.browser import Browser
from tests.faulty import refusing
from tests.queries import counted
from tests.world import ACME, ACME_CONTRACT, ADA, GLOBEX, GLOBEX_HELPDESK, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")

PATH = "/agent/billing"


@pytest.fixture
async def october(dsn: str) -> None:
    """Create approved time of Acme and Globex in October, and an entry for Acme in that month that is not approved."""
    async with transaction(MAX):
        entries = [await log(90), await log(15, billing="no_charge"), await log(60, service=GLOBEX_HELPDESK)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        await log(30, comment="Waits")


@pytest.mark.usefixtures("october")
async def test_the_preview_says_what_becomes_of_each_customer_and_what_is_skipped(app: Gate) -> None:
    """The preview names each customer's documents and totals, and the entries that a run would skip, with the reason.

    The date field is prefilled with the first day of the current month. For a date inside a billing period,
    the preview warns; for a date before any time was logged, it says that nothing is left to bill.
    """
    async with await Browser.of(app, MAX, at=NOW) as browser:
        html = (await browser.get(PATH)).text.replace("\xa0", " ")
        for words in (
            "Billing up to 1 Nov 2026", "Make 2 drafts", "Acme", "Support 2026", "€180.00", "Globex", "€120.00", "€300.00", "1 entry not approved",
            "1 entry of Ines Okafor for Acme", "Not approved", 'name="until" value="2026-11-01"', 'value="2026-11-01" max="2026-11-21"',
        ):  # fmt: skip
            assert words in html, words
        assert "lies inside a billing period" not in html
        assert "lies inside a billing period" in (await browser.get(f"{PATH}?until=2026-11-21")).text
        assert "Nothing is left to bill up to that day" in (await browser.get(f"{PATH}?until=2026-01-01")).text


@pytest.mark.usefixtures("october")
@pytest.mark.parametrize("until", ["2026-11-22", "2026-02-30", "soon"])
async def test_a_date_that_cannot_be_comes_back_with_a_sentence(app: Gate, until: str) -> None:
    """A date that is invalid or after tomorrow is refused with 422 and stays in its field; no run is created."""
    async with await Browser.of(app, MAX, at=NOW) as browser:
        answer = await browser.get(PATH, params={"until": until})
        assert answer.status_code == 422
        assert f'value="{until}"' in answer.text
        assert (await browser.send_form(f"{PATH}/runs", {"until": until, "customer": "1"})).status_code == 422
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from billing_run") == 0


@pytest.mark.usefixtures("october")
async def test_a_run_makes_drafts_of_what_is_ticked_and_a_repeat_makes_nothing(app: Gate) -> None:
    """D47: Max's billing run creates a draft for the ticked customer only; the same form sent again creates nothing.

    A form without a ticked customer is refused with 422.
    """
    async with await Browser.of(app, MAX, at=NOW) as browser:
        ticked = {"until": "2026-11-01", "customer": [str(ACME)]}
        made = await browser.send_form(f"{PATH}/runs", ticked)
        assert made.status_code == 303
        run = (await browser.get(made.headers["location"])).text.replace("\xa0", " ")
        assert "Look at 1 draft" in run
        assert "Left out by hand" in run
        assert "Waits" in run
        again = await browser.send_form(f"{PATH}/runs", ticked)
        assert (again.status_code, again.headers["location"]) == (303, f"{PATH}?until=2026-11-01&nothing=yes")
        assert (
            "Nothing was billed: of the customers that were ticked"
            in (await browser.get(again.headers["location"])).text
        )
        nothing = await browser.send_form(f"{PATH}/runs", {"until": "2026-11-01"})
        assert nothing.status_code == 422
        assert "Tick at least one customer." in nothing.text
        assert "Up to 1 Nov 2026" in (await browser.get(PATH)).text.replace("\xa0", " ")
        assert (await browser.get(f"{PATH}/runs/4711")).status_code == 404
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from invoice") == 1


@pytest.mark.usefixtures("october")
async def test_a_run_that_waits_for_a_customer_shows_its_page(app: Gate, dsn: str) -> None:
    """S2.42: if the only customer of a run stays locked for too long, the run's page says that 0 of 1 is billed."""
    async with await Browser.of(app, MAX, at=NOW) as browser, refusing(dsn, "settled_entry", "true", code="55P03"):
        made = await browser.send_form(f"{PATH}/runs", {"until": "2026-11-01", "customer": [str(ACME)]})
        assert (made.status_code, made.headers["location"].startswith(f"{PATH}/runs/")) == (303, True)
        assert "0 of 1" in (await browser.get(made.headers["location"])).text


@pytest.mark.usefixtures("october")
async def test_agents_get_403_and_contacts_404(app: Gate) -> None:
    """On every billing URL, agents who are not managers get 403 and contacts get 404; they create no billing run."""
    async with transaction(MAX):
        run = await billing.run(date(2026, 11, 1), [GLOBEX], by=MAX, at=NOW)
    assert run is not None
    for reader, status in ((INES, 403), (ADA, 404)):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(PATH)).status_code == status
            assert (await browser.get(f"{PATH}/runs/{run.id}")).status_code == status
            answer = await browser.send_form(f"{PATH}/runs", {"until": "2026-11-01", "customer": "1"})
            assert answer.status_code == status
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from billing_run") == 1


@pytest.mark.usefixtures("october")
async def test_the_preview_asks_the_database_the_same_for_few_and_for_many(app: Gate) -> None:
    """The preview of a run takes the same number of SQL statements before and after fifteen more entries are approved.

    It takes at most 18 statements.
    """
    counts = []
    async with await Browser.of(app, MAX, at=NOW) as browser:
        await browser.get(PATH)
        for many in (0, 15):
            async with transaction(MAX):
                await billing.approve(
                    [(await log(15)).choice for _ in range(many)] or [(await log()).choice], by=MAX, at=NOW
                )
            with counted() as statements:
                await browser.get(PATH)
            counts.append(len(statements))
    assert counts[0] == counts[1] <= 18, statements


async def test_earlier_runs_have_a_next_page(app: Gate, dsn: str) -> None:
    """D47: the list of earlier billing runs has further pages, so that every run can be reached."""
    runs = []
    for _ in range(13):
        async with transaction(MAX):
            await billing.approve([(await log(15)).choice], by=MAX, at=NOW)
            run = await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW)
        assert run is not None
        runs.append(run.id)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        html = (await browser.get(PATH)).text
        assert f'{PATH}/runs/{runs[0]}"' not in html
        assert f"{PATH}?runs={runs[1]}#runs" in html
        older = (await browser.get(f"{PATH}?runs={runs[1]}")).text
        assert f"{PATH}/runs/{runs[0]}" in older
        assert f"{PATH}/runs/{runs[1]}" not in older


async def test_what_a_run_skipped_has_a_next_page(app: Gate) -> None:
    """D47: the list of entries that a run skipped has further pages and shows how many entries there are in total."""
    async with transaction(MAX):
        await billing.approve([(await log(15)).choice], by=MAX, at=NOW)
        for number in range(51):
            await log(15, comment=f"Deed {number:02}")
        run = await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW)
    assert run is not None
    async with await Browser.of(app, MAX, at=NOW) as browser:
        html = (await browser.get(f"{PATH}/runs/{run.id}")).text.replace("\xa0", " ")
        assert "51 entries" in html
        assert "Deed 50" not in html
        assert f"{PATH}/runs/{run.id}?skipped=50#skipped" in html
        rest = (await browser.get(f"{PATH}/runs/{run.id}?skipped=50")).text
        assert [f"Deed {number:02}" in rest for number in (0, 49, 50)] == [False, False, True]


async def test_the_preview_has_pages_with_the_sums_of_all_and_bills_one_page_or_all(app: Gate) -> None:
    """R81, D47: the preview shows 101 customers on two pages, and each page shows the sum of all 101 customers.

    A run bills either the customers that are ticked on one page, or all 101.
    """
    async with transaction(SYSTEM) as tx:
        for table, where, changes in (
            ("customer", ACME, "'name', 'Customer ' || lpad(n::text, 3, '0'), 'vat_id', null"),
            ("contract", ACME_CONTRACT, "'customer_id', 1000 + n"),
            ("service", HELPDESK, "'customer_id', 1000 + n, 'contract_id', 1000 + n, 'settlement', 'subscription', 'fee', 10, "
             "'included_minutes', 60, 'due', 'advance', 'overflow', 'bill'"),
        ):  # fmt: skip
            await tx.execute(
                f"insert into {table} select (jsonb_populate_record(t, jsonb_build_object('id', 1000 + n, {changes}))).*"
                f" from {table} t, generate_series(1, 101) n where t.id = {where}"
            )
    async with await Browser.of(app, MAX, at=NOW) as browser:
        first, second = [(await browser.get(f"{PATH}?documents={page}")).text for page in (1, 2)]
        ticks = [re.findall(r'name="customer" value="(\d+)"', page) for page in (first, second)]
        assert [len(some) for some in ticks] == [100, 1]
        assert not set(ticks[0]) & set(ticks[1])
        assert ("1 to 100 of 101" in first, "101 to 101 of 101" in second) == (True, True)
        assert ("Make all 101 drafts" in first.replace("\xa0", " "), "Bill those ticked on this page" in first) == (
            True,
            True,
        )
        for page in (first, second):
            assert "€11,110.00" in page.partition("<tfoot")[2], "11 months at €10.00"
        sent = await browser.send_form(f"{PATH}/runs", {"until": "2026-11-01", "customer": ticks[1]})
        assert sent.status_code == 303
        sent = await browser.send_form(f"{PATH}/runs", {"until": "2026-11-01", "all": "yes"})
        assert sent.status_code == 303
    async with transaction(SYSTEM) as tx:
        counts = "select count(*) as n from run_customer where customer_id > 1000 group by run_id order by run_id"
        assert [row["n"] for row in await tx.fetch(counts)] == [1, 101]
        assert await billing.violations() == {}
