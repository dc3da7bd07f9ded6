"""Test tags of cases: creating, adding and removing them, filters, merging, bulk changes, and the list of tags."""

import asyncio
import contextvars

import pytest

from portal.database import transaction
from portal.desk import Case, Details, Question, agents_list
from portal.desk.bulk.verbs import Verb, words_of
from portal.desk.tagging.tags import MOST, Tag, TagName, add_tag, listed, remove_tag
from portal.errors import Conflict, Invalid
from portal.people.readers import SYSTEM
from portal.timekeeping.moving.merging import merge
from portal.web.visit import now
from tests.desk.test_bulk import begun, prepared, reasons, undone
from tests.desk.test_bulk import progress as progress_of
from tests.desk.test_cases import opened
from tests.world import ADA, INES, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def tagged(case: Case, *names: str) -> list[Tag]:
    async with transaction(INES):
        tags = [await Tag.named(name, NOW) for name in names]
        for tag in tags:
            await add_tag(case, tag, by=INES, at=NOW)
    return tags


async def names(case: Case) -> list[str]:
    async with transaction(INES):
        return [tag.name for tag in (await Details.find(case.number, INES)).tags]


async def test_a_tag_that_is_typed_again_is_made_once_and_found_by_the_filter() -> None:
    case, other = await opened(ADA), await opened(ADA)
    (audit,) = await tagged(case, "Audit")
    (again,) = await tagged(other, "  audit ")
    await tagged(other, "vpn")
    assert (audit.id, await names(case), await names(other)) == (again.id, ["Audit"], ["Audit", "vpn"])
    async with transaction(INES):
        found = await agents_list(INES, Question(tags=(audit.id,)))
        assert sorted(row.number for row in found.rows) == [case.number, other.number]
        assert [tag.name for row in found.rows if row.number == other.number for tag in row.tags] == ["Audit", "vpn"]
        assert not await add_tag(case, audit, by=INES, at=NOW), "a repeat changes nothing"
        assert await remove_tag(case, audit, by=INES, at=NOW)
        assert not await remove_tag(case, audit, by=INES, at=NOW)
    async with transaction(SYSTEM) as tx:
        lines = await tx.fetch("select kind, contact_may_know from case_event where case_id = $1 order by id", case.id)
    assert [tuple(line) for line in lines if line["kind"].endswith("tagged")] == [
        ("tagged", False),
        ("untagged", False),
    ]


async def test_two_agents_who_make_the_same_tag_at_once_share_it() -> None:
    cases = [await opened(ADA), await opened(ADA)]
    both = [asyncio.create_task(tagged(case, "audit"), context=contextvars.Context()) for case in cases]
    (one,), (two,) = await asyncio.gather(*both)
    assert one.id == two.id


@pytest.mark.parametrize("name", ["", "  ", "x" * 41])
async def test_a_bad_name_and_too_many_tags_are_refused(name: str) -> None:
    case = await opened(ADA)
    with pytest.raises(Invalid):
        await tagged(case, name)
    await tagged(case, *(f"tag {place}" for place in range(MOST)))
    with pytest.raises(Invalid, match="at most 20 tags"):
        await tagged(case, "one more")
    assert len(await names(case)) == MOST


async def test_tags_go_along_when_cases_are_merged() -> None:
    target, source = await opened(ADA), await opened(ADA)
    await tagged(target, "audit")
    await tagged(source, "audit", "vpn")
    async with transaction(INES):
        await merge([target.number, source.number], target.number, by=INES, at=NOW)
    assert await names(target) == ["audit", "vpn"]
    with pytest.raises(Exception, match=f"#{source.number} is now part of #{target.number}"):
        await tagged(source, "late")


async def test_many_cases_get_a_tag_and_lose_it_again() -> None:
    """A bulk change adds or removes one tag; undoing it restores only the cases that the change has changed."""
    cases = [await opened(ADA) for _ in range(3)]
    (tag,) = await tagged(cases[0], "audit")
    change = await prepared(Verb.TAG, *cases)
    done = await begun(change, str(tag.id))
    assert (done.changed, done.same) == (2, 1)
    undoing = await undone(change)
    assert (await progress_of(undoing)).changed == 2
    assert [await names(case) for case in cases] == [["audit"], [], []]
    change = await prepared(Verb.UNTAG, *cases)
    assert (await begun(change, str(tag.id))).changed == 1
    await undone(change)
    assert await names(cases[0]) == ["audit"]


async def test_the_list_of_tags_goes_on_beyond_a_hundred() -> None:
    async with transaction(NOOR):
        for place in range(103):
            await Tag.named(f"tag {place:03}", now())
        first, following = await listed()
        rest, end = await listed(following)
        assert (len(first), len(rest), end) == (100, 3, "")
        with pytest.raises(Invalid):
            await (await Tag.find(first[0].id)).rename(TagName(name="TAG 001"))


async def test_a_tag_that_is_deleted_while_somebody_adds_it_is_refused_with_a_sentence() -> None:
    """While a tag is being deleted, adding it to a case waits and is then refused.

    While a tag is being added to a case, deleting it waits and then succeeds.
    """
    case, other = await opened(ADA), await opened(ADA)
    (tag,) = await tagged(other, "audit")
    async with transaction(NOOR):
        await (await Tag.find(tag.id, hold=True)).discard()
        adding = asyncio.create_task(added(case, tag), context=contextvars.Context())
        await asyncio.sleep(0.2)
    with pytest.raises(Conflict, match="The tag was deleted"):
        await adding
    (tag,) = await tagged(other, "audit")
    async with transaction(INES):
        await add_tag(case, tag, by=INES, at=NOW)
        deleting = asyncio.create_task(deleted(tag), context=contextvars.Context())
        await asyncio.sleep(0.2)
    await deleting
    assert (await names(case), await names(other)) == ([], [])


async def added(case: Case, tag: Tag) -> None:
    async with transaction(INES):
        await add_tag(case, tag, by=INES, at=NOW)


async def deleted(tag: Tag) -> None:
    async with transaction(NOOR):
        await (await Tag.find(tag.id, hold=True)).discard()


async def test_undoing_with_a_tag_that_was_deleted_says_so() -> None:
    cases = [await opened(ADA), await opened(ADA)]
    (tag,) = await tagged(cases[0], "audit")
    change = await prepared(Verb.UNTAG, *cases)
    await begun(change, str(tag.id))
    async with transaction(NOOR):
        await (await Tag.find(tag.id, hold=True)).discard()
    back = await undone(change)
    async with transaction(INES):
        assert await words_of(Verb.TAG, [str(tag.id)]) == {str(tag.id): "The tag was deleted."}
    assert await reasons(back) == {cases[0].number: "The tag was deleted."}
