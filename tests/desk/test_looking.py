"""Test unread markers: who sees a case marked, what clears the marker, and that markers cost a list no more queries."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Case, Question, agents_list, customers_list
from portal.desk.looking import look_at
from portal.web.gate import Gate
from portal.web.visit import now
from tests.browser import Browser
from tests.desk.test_cases import opened
from tests.world import ADA, ALAN, INCIDENT, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")
LATER = NOW + timedelta(hours=1)


async def unread(reader: Any) -> list[int]:
    """Return the numbers of the cases that the reader's list marks as unread, in ascending order."""
    async with transaction(reader, readonly=True):
        if reader.is_agent:
            listed = await agents_list(reader, Question(at=NOW))
        else:
            listed = await customers_list(reader, everything=True)
    return sorted(row.number for row in listed.rows if row.is_unread)


async def look(case: Case, reader: Any, at: Any = LATER) -> None:
    async with transaction(reader):
        await look_at(case.id, reader, at)


async def test_what_somebody_else_wrote_is_new_until_the_reader_looks() -> None:
    """S3.7: a case with a new message of somebody else is unread for each person until they open it.

    A note makes a case unread for agents only. The database lets nobody mark a case as read for another person.
    """
    at = NOW + timedelta(minutes=1)
    case = await opened(ADA, at=at)
    assert (await unread(ADA), await unread(INES), await unread(MAX)) == ([], [case.number], [case.number])
    await look(case, INES)
    await look(case, INES, NOW)
    assert (await unread(INES), await unread(MAX)) == ([], [case.number]), "a look with an earlier time changes nothing"
    async with transaction(MAX):
        await case.note(by=MAX, text="Look at the log.", at=LATER + timedelta(minutes=1))
    assert (await unread(INES), await unread(ADA)) == ([case.number], [])
    async with transaction(INES):
        await case.reply(by=INES, text="We look.", at=LATER + timedelta(minutes=2))
    assert (await unread(ADA), await unread(ALAN)) == ([case.number], [])
    await look(case, ADA, LATER + timedelta(minutes=3))
    assert await unread(ADA) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(ALAN) as tx:
            await tx.execute("insert into case_look values ($1, $2, $3)", ADA.credential_id, case.id, NOW)


async def test_what_a_caller_said_is_not_new_for_the_agent_who_wrote_it_down() -> None:
    """S3.7: a call that Ines writes down as Ada's message is new for other agents, and not for Ines or Ada."""
    async with transaction(INES):
        case = await Case.open(
            by=INES, contact_id=ADA.id, called=True, subject="Printer", text="It is dead.", case_type_id=INCIDENT, priority=3,
            at=NOW + timedelta(minutes=1),
        )  # fmt: skip
    assert (await unread(INES), await unread(ADA), await unread(MAX)) == ([], [], [case.number])


async def test_opening_a_case_clears_its_mark_in_both_areas(app: Gate) -> None:
    case = await opened(ADA, at=now())
    async with transaction(INES):
        await case.reply(by=INES, text="We look.", at=now())
    for reader, area in ((MAX, "/agent"), (ADA, "")):
        async with await Browser.of(app, reader) as browser:
            for marked in (True, False):
                page = await browser.get(f"{area}/cases")
                assert ("Unread: </i>" in page.text) is marked, (area, marked)
                await browser.get(f"{area}/cases/{case.number}")
