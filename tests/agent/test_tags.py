"""Test the pages of tags: on a case, in the list and its filter, for many cases, and in the set-up."""

import re

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.tagging.tags import listed
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.agent.test_cases import numbers, open_case
from tests.browser import Browser, text_of
from tests.desk.test_tags import names, tagged
from tests.forms import send
from tests.world import ADA, INES, NOOR


async def test_the_list_is_exported_with_its_tags_as_it_is_filtered(ines: Browser, case: Case) -> None:
    """R62, R89: the CSV file has the filtered cases with their tags; a spreadsheet runs no tag as a formula.

    The download is recorded in the audit log.
    """
    await tagged(case, "=cmd", "audit")
    await open_case("Another")
    answer = await ines.get("/agent/cases/export.csv?view=all&tag_typed=&sort=number&text=vpn")
    assert answer.headers["content-type"].startswith("text/csv")
    head, line, *rest = answer.text.strip().splitlines()
    assert (head.lstrip("\ufeff").split(",")[:3], rest) == (["Case", "Subject", "Customer"], [])
    assert str(case.number) in line
    assert "'=cmd, audit" in line
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from audit where what = 'cases.export'") == 1


async def test_contacts_can_read_no_tag(app: Gate, case: Case) -> None:
    """Ada, a contact, can read neither database table of tags, and none of her pages about cases shows a tag."""
    await tagged(case, "bad payer")
    async with await Browser.of(app, ADA) as ada:
        for path in ("/cases", f"/cases/{case.number}"):
            assert "bad payer" not in (await ada.get(path)).text
    for table in ("tag", "case_tag"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ADA) as tx:
                await tx.fetch(f"select * from {table}")
    async with transaction(ADA):
        assert (await Details.find(case.number, ADA)).tags == []


async def test_an_agent_tags_a_case_on_its_page_and_takes_the_tag_off(ines: Browser, case: Case) -> None:
    here = f"/agent/cases/{case.number}/tags"
    page = await ines.get(here)
    assert (await send(ines, page, here, tag_typed="Audit 2026")).status_code == 303
    assert (await send(ines, page, here, tag_typed="")).status_code == 422
    listed_page = (await ines.get("/agent/cases?view=all")).text
    assert '<span class="chip tag">Audit 2026</span>' in listed_page
    async with transaction(INES):
        (tag,), _ = await listed()
    other = await open_case("Other")
    assert numbers((await ines.get(f"/agent/cases?tag={tag.id}")).text) == [case.number]
    assert "Remove the filter Tag: Audit 2026" in (await ines.get("/agent/cases?tag=&tag_typed=audit")).text
    assert await names(other) == []
    page = await ines.get(here)
    for _ in range(2):
        assert (await send(ines, page, f"{here}/{tag.id}/removal")).status_code == 303
    assert await names(case) == []
    prepared_page = await ines.send_form("/agent/cases/changes?view=all", {"verb": "tag", "case": str(case.number)})
    begin = f"{prepared_page.headers['location']}/beginning"
    assert (
        await send(ines, await ines.get(prepared_page.headers["location"]), begin, value_typed="new one")
    ).status_code == 303
    assert await names(case) == ["new one"]


async def test_an_admin_renames_merges_and_deletes_tags(app: Gate, case: Case) -> None:
    """R89: Noor renames a tag, merges another one into it and deletes a third; the audit log names these tags.

    A name that another tag has, and a merge without a target, are refused.
    """
    one, two, three = await tagged(case, "vpn", "VPN tunnel", "old")
    other = await open_case("Other")
    await tagged(other, "VPN tunnel")
    async with await Browser.of(app, NOOR) as noor:
        page = await noor.get(f"/agent/setup/tags/{one.id}")
        assert (
            "There is a tag “Old” already" in (await send(noor, page, f"/agent/setup/tags/{one.id}", name="Old")).text
        )
        assert (await send(noor, page, f"/agent/setup/tags/{one.id}", name="VPN")).status_code == 303
        page = await noor.get(f"/agent/setup/tags/{two.id}")
        merging = f"/agent/setup/tags/{two.id}/merging"
        assert (await send(noor, page, merging, into_typed="")).status_code == 422
        assert (await send(noor, page, merging, into_typed="VPN", into=str(one.id))).status_code == 303
        page = await noor.get(f"/agent/setup/tags/{three.id}")
        assert (await send(noor, page, f"/agent/setup/tags/{three.id}/deletion")).status_code == 303
        assert (await noor.get(f"/agent/setup/tags/{three.id}")).status_code == 404
        found = (await noor.get("/agent/setup/tags")).text
        changes = text_of((await noor.get("/agent/setup/changes")).text)
    for said in (
        "changed the name of the tag VPN from vpn to VPN",
        "deleted the tag “VPN tunnel”, whose cases got VPN",
        "deleted the tag “old”",
    ):
        assert said in changes, said
    assert re.search(r">VPN</a></div>\s*<a[^>]*>2\W*cases", found)
    assert (await names(case), await names(other)) == (["VPN"], ["VPN"])
