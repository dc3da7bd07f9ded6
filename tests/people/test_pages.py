"""Test that lists are split into pages, which together show each row once (R81)."""

import re
from typing import Any

import pytest

from portal.database import transaction
from portal.database.pages import SIZE
from portal.people.readers import SYSTEM, Reader
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ACME, ADA, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

MORE = f"""
with person as (
  insert into {{table}} (name, locale, time_zone, created_at, {{columns}})
  select 'Person ' || n, 'en_GB', 'Europe/Berlin', $1, {{values}} from generate_series(1, {SIZE + 20}) n returning id{{owner}}
)
insert into credential (email, created_at, {{table}}_id{{owner}})
select 'person' || id || '@many.example', $1, id{{owner}} from person
"""
CONTACTS = MORE.format(
    table="contact", columns="customer_id, sees_all_cases, sees_invoices, manages_contacts", values=f"{ACME}, true, true, false",
    owner=", customer_id",
)  # fmt: skip
AGENTS = MORE.format(table="agent", columns="grade, department_id", values="'agent', 1", owner="")
CUSTOMERS = f"""
insert into customer (name, legal_name, street, postcode, city, country, created_at)
select 'House ' || n, 'House', 'Road 1', '20457', 'Hamburg', 'DE', $1 from generate_series(1, {SIZE + 20}) n
"""
DEPARTMENTS = f"""
insert into department (name) select 'House ' || n from generate_series(1, {SIZE + 20}) n where $1::timestamptz is not null
"""


@pytest.mark.parametrize(
    ("sql", "reader", "address", "row"),
    [
        (CONTACTS, ADA, "/contacts", r'href="(/contacts/\d+)"'),
        (CONTACTS, NOOR, f"/agent/customers/{ACME}", r'href="(/agent/customers/\d+/contacts/\d+)"'),
        (AGENTS, NOOR, "/agent/setup/agents", r'href="(/agent/setup/agents/\d+)"'),
        (DEPARTMENTS, NOOR, "/agent/setup/departments", r'href="(/agent/setup/departments/\d+)"'),
        (CUSTOMERS, NOOR, "/agent/customers", r'<td role="cell"><a href="(/agent/customers/\d+)"'),
        (CUSTOMERS, NOOR, "/agent/customers?q=house", r'<td role="cell"><a href="(/agent/customers/\d+)"'),
    ],
)  # fmt: skip
async def test_a_long_list_comes_in_pages_that_lead_on_and_have_everything_once(
    app: Gate, sql: str, reader: Reader, address: str, row: str
) -> None:
    """R81: no page has more than 100 rows; following the link to the next page shows each row of the list once."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(sql, NOW)
    seen: list[str] = []
    following: Any = address
    async with await Browser.of(app, reader, at=NOW) as browser:
        while following:
            page = (await browser.get(following)).text
            rows = re.findall(row, page)
            assert 0 < len(rows) <= SIZE
            seen += rows
            link = re.search(r'href="([^"]+)" rel="next"', page)
            following = link and link[1].replace("&amp;", "&")
        assert SIZE + 20 <= len(seen) == len(set(seen))
        back = re.search(r'href="([^"]+)" rel="prev"', page)
        assert back
        for beyond in ("0", "x", "999", "99999999999999999999"):  # If there is no such page, the first one is shown.
            other = f"{address}{'&' if '?' in address else '?'}page={beyond}"
            assert re.findall(row, (await browser.get(other)).text) == seen[:SIZE]
