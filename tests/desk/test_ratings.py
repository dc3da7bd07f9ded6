"""Test how contacts rate a case's solution, on the case's page or by a mailed link, and which ratings are refused."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal import mail
from portal.database import transaction
from portal.desk import Case, Details, Status
from portal.desk.verbs.rating import LONGEST, WITHIN, Rated, rating_of
from portal.desk.verbs.rating_link import RatingLink, rating_link
from portal.errors import Conflict, Invalid, NotFound, TooMany
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.timekeeping.moving import merging
from portal.visible import visible
from portal.web.gate import Gate
from portal.web.limits import RATINGS
from tests.browser import Browser
from tests.corpus import CORPUS
from tests.forms import send as send_form
from tests.mail.test_notices import begun, part, pass_on, reply
from tests.mail.test_notices import opened as opened_and_told
from tests.queries import counted
from tests.test_corpus import UNSEEN
from tests.world import ADA, ALAN, GIL, INCIDENT, INES, NOW

GOOD, BAD = Rated(verdict="good", words="Quick."), Rated(verdict="bad")


async def solved(by: Any = ADA, status: Status = Status.RESOLVED) -> Case:
    async with transaction(by):
        case = await Case.open(by=by, subject="VPN drops", text="It drops.", case_type_id=INCIDENT, at=NOW)
    async with transaction(INES):
        await case.change_status(status, by=INES, at=NOW)
    return case


async def rate(case: Case, rated: Rated, by: Any = ADA, at: Any = NOW) -> None:
    async with transaction(by):
        await (await Case.find(case.number, by)).rate(rated, by=by, at=at)


async def stored(case: Case) -> Rated:
    async with transaction(INES, readonly=True):
        return await rating_of(case)


async def log(case: Case) -> list[str]:
    async with transaction(INES, readonly=True) as tx:
        rows = await tx.fetch(
            "select details ->> 'to' as said from case_event where case_id = $1 and kind = 'rated' order by id", case.id
        )
    return [row["said"] for row in rows]


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
async def test_a_contact_rates_a_solved_case_on_its_page_and_agents_read_it(
    app: Gate, clock: Any, status: Status
) -> None:
    """Ada rates a solved case by a form and changes the rating; her page, the agents' page and the log show it."""
    case = await solved(status=status)
    here = f"/cases/{case.number}"
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert f'href="{here}/rating"' in (await browser.get(here)).text
        for words, verdict in (("Quick.\nThank you.", "good"), ("Quick.\nThank you.", "good"), ("", "bad")):
            form = await browser.get(f"{here}/rating")
            answer = await send_form(browser, form, f"{here}/rating", words=words, verdict=verdict)
            assert (answer.status_code, answer.headers["location"]) == (303, here)
        assert "Ada Lindqvist rated the solution: <strong>Not good</strong>" in (await browser.get(here)).text
    assert await log(case) == ["good", "bad"]
    assert await stored(case) == BAD
    async with await Browser.of(app, INES, at=NOW) as browser:
        page = (await browser.get(f"/agent{here}")).text
    assert "The customer rated the solution: <strong>Not good</strong>" in page
    assert "Ada Lindqvist rated the solution: not good" in page


async def test_a_rating_is_refused_before_the_solution_and_two_weeks_after_it(dsn: str) -> None:
    """A case can be rated only while it is solved, and within 14 days after its solution.

    The database, too, refuses to rate a case that is open again.
    """
    case = await solved()
    await rate(case, GOOD, at=NOW + WITHIN - timedelta(seconds=1))
    for rated in (BAD, GOOD):
        with pytest.raises(Conflict, match="14 days"):
            await rate(case, rated, at=NOW + WITHIN)
    async with transaction(INES):
        await case.change_status(Status.OPEN, by=INES, at=NOW)
    with pytest.raises(Conflict, match="once it is solved"):
        await rate(case, BAD)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with transaction(ADA) as tx:
            await tx.execute("update case_rating set verdict = 'bad' where case_id = $1", case.id)
    assert (await stored(case), await log(case)) == (GOOD, ["good"])


async def test_wrong_values_are_refused_at_their_field(dsn: str) -> None:
    case = await solved()
    with pytest.raises(Invalid) as refused:
        await rate(case, Rated(verdict="great", words="x" * 1001))
    assert set(refused.value.fields) == {"verdict", "words"}
    assert await stored(case) == Rated()


async def test_a_rating_keeps_every_text_without_what_nobody_sees(app: Gate, clock: Any) -> None:
    """R54: each difficult text of `CORPUS`, typed as a comment, is stored and shown without invisible characters."""
    case = await solved()
    async with await Browser.of(app, ADA, at=NOW) as browser:
        for text in CORPUS.values():
            await rate(case, Rated(verdict="good", words=text[:LONGEST]))
            assert (await stored(case)).words == visible(text[:LONGEST]).strip()
            page = await browser.get(f"/cases/{case.number}")
            assert (page.status_code, UNSEEN.search(page.text)) == (200, None)


async def test_a_contact_who_does_not_see_the_case_cannot_rate_it(app: Gate, clock: Any) -> None:
    """R22, D52: a contact of another customer, a colleague who sees only their own cases, and an agent cannot rate a case.

    The contacts get 404 for the page and the form, and nothing is stored.
    """
    case = await solved()
    for reader in (GIL, ALAN):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(f"/cases/{case.number}/rating")).status_code == 404
            answer = await browser.send_form(f"/cases/{case.number}/rating", {"verdict": "bad"})
            assert answer.status_code == 404
    with pytest.raises(NotFound):
        await rate(case, GOOD, by=INES)
    async with transaction(GIL, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from case_rating") == 0
    assert (await stored(case), await log(case)) == (Rated(), [])


async def test_two_people_at_once_do_not_silently_undo_each_others_rating(app: Gate, clock: Any) -> None:
    """If two people rate a case at once, the second gets 409; sending the form again replaces the first rating."""
    case = await solved(by=ALAN)
    here = f"/cases/{case.number}/rating"
    async with await Browser.of(app, ADA, at=NOW) as ada, await Browser.of(app, ALAN, at=NOW) as alan:
        forms = [await browser.get(here) for browser in (ada, alan)]
        answers = await asyncio.gather(
            send_form(ada, forms[0], here, words="Quick.", verdict="good"),
            send_form(alan, forms[1], here, words="Slow.", verdict="bad"),
        )
        assert sorted(answer.status_code for answer in answers) == [303, 409]
        assert len(await log(case)) == 1
        browser, answer, verdict = [(ada, answers[0], "good"), (alan, answers[1], "bad")][answers[0].status_code == 303]
        assert "Somebody else changed this in the meantime." in answer.text
        assert (await send_form(browser, answer, here, verdict=verdict)).status_code == 303
    assert (await stored(case)).verdict == verdict


async def test_a_merge_takes_the_rating_along_unless_the_other_case_has_one(dsn: str) -> None:
    """D53: a case into which two rated cases are merged gets the rating of the first; the other rating is deleted.

    Merging the cases again changes nothing.
    """
    first, second, third = [await solved() for _ in range(3)]
    await rate(first, GOOD)
    await rate(second, BAD)
    for into in (third, third):
        async with transaction(INES):
            await merging.merge([first.number, second.number], into.number, by=INES, at=NOW)
    assert await stored(third) == GOOD
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from case_rating") == 1


async def linked(case: Case, settings: Settings, reader: Any = ADA) -> str:
    async with transaction(reader, readonly=True):
        link = await rating_link(case.number, reader, NOW)
    assert link
    return f"/ratings/{link.token(settings.sealer)}"


async def test_the_mail_of_a_solved_case_has_a_link_that_rates_without_signing_in(
    app: Gate, settings: Settings, clock: Any
) -> None:
    """R36: opening the link does not rate the case; sending the form on the linked page does.

    A mail about a case that is open, or that is rated already, has no link.
    """
    case = await opened_and_told()
    await reply(case, "First.", at=NOW - timedelta(hours=1))
    (batch,) = await begun(NOW - timedelta(hours=1))
    message = await mail.told(batch, settings, NOW)
    assert message
    assert "/ratings/" not in part(message)
    async with transaction(INES):
        await (await Case.find(case.number, INES)).change_status(Status.RESOLVED, by=INES, at=NOW)
    await pass_on(NOW)
    (batch,) = await begun(NOW)
    message = await mail.told(batch, settings, NOW)
    assert message
    link = await linked(case, settings, ALAN)
    for kind in ("plain", "html"):
        assert f"{settings.base_url}{link}" in part(message, kind)
    async with Browser(app) as browser:
        for method in ("HEAD", "GET"):
            page = await browser.request(method, link)
            assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
        page = await browser.get(link)
        assert await stored(case) == Rated()
        for _ in range(2):
            answer = await send_form(browser, page, link, words="Quick.", verdict="good")
            assert (answer.status_code, "Thank you for your rating" in answer.text) == (200, True)
        refused = await send_form(browser, await browser.get(link), link, words="x" * 1001, verdict="bad")
        assert (refused.status_code, "Use at most 1000 characters" in refused.text) == (422, True)
    assert (await stored(case), await log(case)) == (GOOD, ["good"])
    message = await mail.told(batch, settings, NOW)
    assert message
    assert "/ratings/" not in part(message)


async def test_a_link_that_is_forged_expired_or_whose_contact_lost_the_case_rates_nothing(
    app: Gate, settings: Settings, clock: Any
) -> None:
    """R87: a link works for its contact and case only, until it expires, and only if the contact may see the case."""
    case, other = await solved(), await solved(by=GIL)
    link = await linked(case, settings)
    token = link.removeprefix("/ratings/")
    of_other = RatingLink(GIL.credential_id, other.number, NOW + WITHIN).token(settings.sealer)
    wrong = [
        "x", token[:-1], f"{of_other.partition('.')[0]}.{token.partition('.')[2]}",
        RatingLink(ADA.credential_id, case.number, NOW - timedelta(seconds=1)).token(settings.sealer),
        RatingLink(GIL.credential_id, case.number, NOW + WITHIN).token(settings.sealer),
        RatingLink(ALAN.credential_id, case.number, NOW + WITHIN).token(settings.sealer),
        RatingLink(INES.credential_id, case.number, NOW + WITHIN).token(settings.sealer),
    ]  # fmt: skip
    async with Browser(app) as browser:
        page = await browser.get(link)
        for one in wrong:
            for answer in (
                await browser.get(f"/ratings/{one}"),
                await browser.send_form(f"/ratings/{one}", {"verdict": "bad"}),
            ):
                assert (answer.status_code, "This link does not work" in answer.text) == (404, True)
        async with transaction(SYSTEM) as tx:
            await tx.execute("update contact set ended_at = $1 where id = $2", NOW, ADA.id)
        answer = await send_form(browser, page, link, verdict="bad")
        assert answer.status_code == 404
    assert (await stored(case), await log(case)) == (Rated(), [])


async def test_ratings_by_a_link_are_limited_by_ip_address(app: Gate, settings: Settings, clock: Any) -> None:
    """R83: after 30 ratings in an hour by links from an IP address, the next one gets 429."""
    case = await solved()
    link = await linked(case, settings)
    async with Browser(app) as browser:
        page = await browser.get(link)
        for _ in range(RATINGS.free):
            await send_form(browser, page, link, verdict="good")
        answer = await send_form(browser, page, link, verdict="good")
    assert answer.status_code == TooMany.status


async def test_the_rating_costs_the_page_no_statement(dsn: str) -> None:
    case = await solved()
    async with transaction(INES, readonly=True):
        with counted() as before:
            await Details.find(case.number, INES)
    await rate(case, GOOD)
    async with transaction(INES, readonly=True):
        with counted() as after:
            assert (await Details.find(case.number, INES)).rating
    assert len(before) == len(after)


async def test_the_link_of_a_case_that_was_merged_rates_the_case_that_it_is_part_of(app: Gate, settings: Settings, clock: Any) -> None:  # fmt: skip
    """D53: after a merge, the rating link of the case that was merged shows and rates the case that remains."""
    case, into = await solved(), await solved()
    link = await linked(case, settings)
    async with transaction(INES):
        await merging.merge([case.number], into.number, by=INES, at=NOW)
    async with Browser(app) as browser:
        answer = await send_form(browser, await browser.get(link), link, words="Quick.", verdict="good")
    assert (answer.status_code, "Thank you for your rating" in answer.text) == (200, True)
    assert await stored(into) == GOOD
