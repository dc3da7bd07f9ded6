"""Test the views of the list of cases that agents save: names, sharing, filters, counts, deleting and restoring."""

import re

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.desk.lists import own_views
from portal.desk.lists.own_views import KEPT, MOST, OwnView, ViewFacts
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.web.gate import Gate
from tests.agent.test_cases import numbers, open_case
from tests.browser import Browser
from tests.forms import send
from tests.world import ADA, GIL, INES, MAX, NOOR, NOW

URGENT = "?view=all&priority=4&priority=1"
NEW = "/agent/cases/views/new"


async def saved(name: str = "Urgent", query: str = URGENT, *, by: AgentReader = INES, shared: bool = False) -> int:
    async with transaction(by):
        facts = ViewFacts(name=name, query=query, is_shared="yes" if shared else "")
        view = await OwnView.save_new(facts, by=by, at=NOW)
    return int(view.id)


async def names(reader: AgentReader) -> list[str]:
    async with transaction(reader):
        return [view.name for view in await OwnView.listed(reader)]


async def test_a_list_with_filters_is_saved_as_a_view_and_opened_from_the_navigation(ines: Browser, case: Case) -> None:
    other = await open_case("Tunnel down", by=GIL, priority=4)
    assert (
        f'href="{NEW}?view=all&amp;priority=4&amp;priority=1">Save as view'
        in (await ines.get(f"/agent/cases{URGENT}")).text
    )
    page = await ines.get(NEW + URGENT)
    answer = await send(ines, page, NEW, name="  Urgent  ones ")
    assert answer.status_code == 303
    opened = await ines.get(answer.headers["location"])
    assert "<h1>Urgent ones</h1>" in opened.text
    assert numbers(opened.text) == [other.number]
    assert re.search(
        r'href="/agent/cases\?view=all&amp;priority=4&amp;priority=1&amp;own=\d+" aria-current="page"', opened.text
    )
    assert 'aria-current="page">All' not in opened.text
    counts = await ines.get("/agent/cases/views/counts")
    assert '<span class="cut">Urgent ones</span><span class="count">1</span>' in counts.text


async def test_a_refused_view_keeps_what_was_typed(ines: Browser) -> None:
    await saved("Urgent")
    for name, sentence in (
        ("", "Fill this in."), ("urgent", "You have a view “urgent” already."), ("x" * 61, "Use at most 60 characters."),
    ):  # fmt: skip
        answer = await send(ines, await ines.get(NEW + URGENT), NEW, name=name)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert f'value="{name}"' in answer.text
    assert await names(INES) == ["Urgent"]


async def test_private_views_are_their_owners_and_shared_ones_everybodys(app: Gate, ines: Browser) -> None:
    """Colleagues get 404 for a private view. All agents see a shared view; only its owner and managers change it."""
    private, shared = await saved("Private"), await saved("Shared", shared=True)
    assert (await names(INES), await names(MAX)) == (["Private", "Shared"], ["Shared"])
    async with await Browser.of(app, MAX) as max_, await Browser.of(app, ADA) as ada:
        assert (await max_.get(f"/agent/cases/views/{private}")).status_code == 404
        for path in ("", "/deletion", "/restoration"):
            fields = {} if path else {"name": "Mine", "query": "?view=all"}
            assert (await max_.send_form(f"/agent/cases/views/{private}{path}", fields)).status_code == 404
            assert (await ada.send_form(f"/agent/cases/views/{shared}{path}", fields)).status_code == 404
        page = await max_.get(f"/agent/cases/views/{shared}")
        assert (await send(max_, page, f"/agent/cases/views/{shared}", name="Everybody's")).status_code == 303
    assert await names(INES) == ["Everybody's", "Private"]
    of_max = await saved("Max's", by=MAX, shared=True)
    assert "Only its owner and managers change it." in (await ines.get(f"/agent/cases/views/{of_max}")).text
    for path, fields in (("", {"name": "x", "query": "?view=all"}), ("/deletion", {})):
        assert (await ines.send_form(f"/agent/cases/views/{of_max}{path}", fields)).status_code == 404
    assert "Max's" in await names(MAX)


async def test_a_view_takes_over_the_filters_of_the_list_that_was_just_seen(ines: Browser) -> None:
    view = await saved()
    page = await ines.get(f"/agent/cases/views/{view}?view=mine&sort=number")
    assert "Those that I just saw" in page.text
    await send(ines, page, f"/agent/cases/views/{view}", query="?view=mine&sort=number&page=3&nonsense=1")
    async with transaction(INES):
        assert (await OwnView.find(view, INES)).query == "?view=mine&sort=number"


async def test_two_managers_of_a_view_do_not_undo_each_other(app: Gate, ines: Browser) -> None:
    """If Max and Ines rename the same view at once, the second to save, Max, gets 409 with the name that Ines chose.

    The view keeps that name.
    """
    view = await saved("Shared", shared=True)
    here = f"/agent/cases/views/{view}"
    async with await Browser.of(app, MAX) as max_:
        page = await max_.get(here)
        assert (await send(ines, await ines.get(here), here, name="Of Ines")).status_code == 303
        refused = await send(max_, page, here, name="Of Max")
    assert refused.status_code == 409
    assert "It is now “Of Ines”." in refused.text
    assert await names(INES) == ["Of Ines"]


async def test_a_deleted_view_comes_back_within_a_day(ines: Browser) -> None:
    """Ines can restore a deleted view for a day, unless another view has the same name by then.

    After a day, the view is deleted for good. Deleting or restoring it twice is harmless.
    """
    view = await saved()
    page = await ines.get(f"/agent/cases/views/{view}")
    for _ in range(2):
        answer = await send(ines, page, f"/agent/cases/views/{view}/deletion")
        assert answer.status_code == 303
    assert await names(INES) == []
    after = await ines.get(answer.headers["location"])
    assert f'action="/agent/cases/views/{view}/restoration"' in after.text
    again = await saved()
    assert (await send(ines, after, f"/agent/cases/views/{view}/restoration")).status_code == 422
    async with transaction(INES):
        await (await OwnView.find(again, INES)).discard(by=INES, at=NOW - KEPT)
    for _ in range(2):
        assert (await send(ines, after, f"/agent/cases/views/{view}/restoration")).status_code == 303
    assert await names(INES) == ["Urgent"]
    async with transaction(INES):
        await own_views.delete_old(NOW)
        assert await OwnView.count() == 2
        await own_views.delete_old(NOW.replace(second=1))
        assert await OwnView.count() == 1


async def test_an_agent_has_at_most_fifty_views_and_the_navigation_shows_thirty(ines: Browser) -> None:
    for place in range(MOST):
        await saved(f"View {place:02}")
    with pytest.raises(Invalid, match="You have 50 views"):
        await saved("One more")
    async with transaction(INES):
        gone = (await OwnView.listed(INES))[0].id
        await (await OwnView.find(gone, INES)).discard(by=INES, at=NOW)
    await saved("One more")
    async with transaction(INES):
        with pytest.raises(Invalid, match="You have 50 views"):
            await (await OwnView.find(gone, INES, with_deleted=True)).restore(by=INES)
    await saved("Shared", by=NOOR, shared=True)
    counts = (await ines.get("/agent/cases/views/counts")).text
    assert counts.count('class="count"') == 30
    assert "Edit views" in counts
    listed = (await ines.get("/agent/cases/views")).text
    assert "View 49" in listed
    assert "shared by Noor Haddad" in listed
