"""Test the presence on a case: who is shown as looking at it or writing on it."""

import asyncio
from typing import Any

import pytest

from portal.database import current, transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from portal.web import presence
from portal.web.gate import Gate
from portal.web.live import Listener, names
from portal.web.presence import Present
from portal.web.visit import now
from tests.browser import Browser
from tests.world import ADA, INCIDENT, INES, MAX


def notice(page: str, state: str, who: Any = INES, case: int = 7) -> dict[str, Any]:
    return {"kind": "presence", "subject": case, "page": page, "agent": who.id, "name": who.name, "state": state}


def test_a_case_names_who_writes_and_who_looks_each_once_and_never_oneself() -> None:
    present = Present()
    assert present.hear(notice("max-first", "looks", MAX))
    assert present.hear(notice("max-second", "looks", MAX))
    assert present.hear(notice("ines-page", "looks"))
    assert present.others(7, INES) == ([], [MAX.name])
    assert present.others(8, INES) == ([], [])
    assert present.hear(notice("max-second", "writes", MAX))
    assert not present.hear(notice("max-second", "still", MAX))
    assert present.others(7, INES) == ([MAX.name], [])
    assert present.hear(notice("max-second", "left", MAX))
    assert present.others(7, INES) == ([], [MAX.name])


def test_a_page_without_heartbeat_counts_as_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    present, clock = Present(), [0.0]
    monkeypatch.setattr(presence, "monotonic", lambda: clock[0])
    present.hear(notice("max-page", "writes", MAX))
    clock[0] = presence.KEPT_FOR + 1
    assert present.others(7, INES) == ([], [])
    assert present.hear(notice("ines-page", "looks"))
    assert present.pages.keys() == {(7, "ines-page")}


def test_no_contact_ever_hears_who_looks_at_a_case() -> None:
    """D51: if Max writes on a case, an agent's page gets an event about that; a contact's page gets none."""
    said = notice("max-page", "writes", MAX) | {"customer": ADA.customer_id, "contact_may_know": False}
    assert names(ADA, said) == []
    assert names(INES, said) == ["presence-7"]


async def test_what_one_page_says_is_heard_by_every_process_and_stored_nowhere(app: Gate, dsn: str) -> None:
    """The presence that one page reports reaches every process through the database, and is stored nowhere.

    A contact can neither report nor read presence, and a report with an unknown state is refused.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN", text="x", case_type_id=INCIDENT, at=now())
    other = Listener()
    other.start()
    await asyncio.sleep(0.3)
    to = f"/agent/cases/{case.number}/presence"
    async with await Browser.of(app, MAX) as max_, await Browser.of(app, ADA) as ada:
        assert (await max_.send_form(to, {"page": "max-page", "state": "writes"})).status_code == 204
        assert (await max_.send_form(to, {"page": "max-page", "state": "sings"})).status_code == 422
        assert (await ada.send_form(to, {"page": "ada-page", "state": "writes"})).status_code == 404
        assert "presence" not in (await ada.get(to)).headers["location"]  # to her own page of the case
    for _ in range(50):
        if other.present.others(case.id, INES)[0]:
            break
        await asyncio.sleep(0.02)
    assert other.present.others(case.id, INES) == ([MAX.name], [])
    await other.stop()
    async with transaction(SYSTEM):
        assert await current().fetchval("select count(*) from outbox where kind like 'presence%'") == 0
