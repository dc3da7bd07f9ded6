"""Test the page of forgotten time, where suggestions are logged, changed or dismissed."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from portal.database import transaction
from portal.desk import Case, Status
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")
HERE = "/agent/time/forgotten"
DAY = "2026-11-19"


@pytest.fixture
async def pick(case: Case) -> str:
    """Reply on the case and resolve it as Ines on `DAY`, and return the name of the suggested time entry.

    The name consists of the case number and the day.
    """
    async with transaction(INES):
        await case.reply(by=INES, text="Restored.", at=NOW - timedelta(days=1))
        await case.change_status(Status.RESOLVED, by=INES, at=NOW - timedelta(days=1))
    return f"{case.number}.{DAY}"


async def entries() -> list[Any]:
    async with transaction(SYSTEM) as tx:
        return list(await tx.fetch("select * from time_entry order by id"))


async def test_the_page_says_what_was_done_and_suggests_an_entry(ines: Browser, case: Case, pick: str) -> None:
    """The page of forgotten time lists what Ines did without logging time, with a link to a filled-in time form.

    The form has the case, the day and the duration of the suggestion. Ines's list of time links to the page.
    """
    page = html.unescape((await ines.get(HERE)).text)
    assert f"You replied once and resolved #{case.number}</a>, nothing logged" in page
    assert re.search(r"<strong>\s*Thu\s19\sNov</strong>", page)
    address = f"/agent/time/new?on=case-{case.number}&work_date={DAY}&duration=15m"
    assert f'href="{address}"' in page
    assert f'value="{DAY}"' in (await ines.get(address)).text
    assert 'href="/agent/time/forgotten"' in (await ines.get("/agent/time")).text


async def test_suggestions_are_logged_by_their_button_or_together(ines: Browser, pick: str) -> None:
    """Ines logs a ticked suggestion; logging it again by its own button gets 409 and creates no second entry."""
    assert (await ines.send_form(f"{HERE}/entries", {"pick": [pick]})).headers["location"] == "/agent/time?state=draft"
    again = await ines.send_form(f"{HERE}/entries", {"only": pick})
    assert (again.status_code, "0\u00a0entries logged, 1 not" in again.text) == (409, True)
    assert [(entry["actual_minutes"], str(entry["work_date"])) for entry in await entries()] == [(15, DAY)]
    assert "Nothing forgotten" in (await ines.get(HERE)).text


async def test_a_suggestion_is_dismissed_and_suggested_again(app: Gate, ines: Browser, case: Case, pick: str) -> None:
    for _ in range(2):
        assert (await ines.send_form(f"{HERE}/dismissals", {"only": pick})).headers["location"] == HERE
    page = (await ines.get(HERE)).text
    assert ("Nothing forgotten" in page, "Suggest it again" in page) == (True, True)
    async with await Browser.of(app, MAX, at=NOW) as max_:
        await max_.send_form(f"{HERE}/resumptions", {"only": pick})
    assert "Nothing forgotten" in (await ines.get(HERE)).text, "a colleague takes back only his own"
    assert (await ines.send_form(f"{HERE}/resumptions", {"only": pick})).headers["location"] == HERE
    assert f"resolved #{case.number}" in (await ines.get(HERE)).text
    assert await entries() == []


@pytest.mark.parametrize("fields", [{}, {"pick": ["nonsense"]}, {"only": "1042"}])
@pytest.mark.parametrize("noun", ["entries", "dismissals", "resumptions"])
async def test_nothing_ticked_is_said(ines: Browser, noun: str, fields: dict[str, Any]) -> None:
    answer = await ines.send_form(f"{HERE}/{noun}", fields)
    assert (answer.status_code, "Tick the suggestions that you mean." in answer.text) == (422, True)


async def test_a_page_of_suggestions_says_that_there_are_more(
    ines: Browser, case: Case, pick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there are more suggestions than the page of forgotten time shows, the page and Ines's list of time say so."""
    assert "Earlier ones follow" not in (await ines.get(HERE)).text
    assert re.search(r">1\u00a0day on which", (await ines.get("/agent/time")).text)
    for name in ("portal.agent.time.forgotten.MOST", "portal.agent.time.own.MOST"):
        monkeypatch.setattr(name, 1)
    async with transaction(INES):
        await case.reply(by=INES, text="Again.", at=NOW - timedelta(days=2))
    page = html.unescape((await ines.get(HERE)).text)
    assert (page.count('name="pick"'), "Earlier ones follow" in page) == (1, True)
    assert "At least 2\u00a0days" in (await ines.get("/agent/time")).text
