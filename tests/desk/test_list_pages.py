"""Test that the pages of a list of cases go on to the last case, in every order, and lead back."""

from urllib.parse import parse_qsl

import pytest

from portal.database import transaction
from portal.desk import Question, Sort, agents_list
from portal.people.readers import SYSTEM
from tests.desk.test_lists import many
from tests.queries import counted
from tests.world import INES, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def test_a_list_is_one_query_a_page_and_says_how_many_there_are() -> None:
    """One page of a list takes one query, which also counts all cases of the list."""
    await many(60)
    async with transaction(INES):
        with counted() as statements:
            pages = [await agents_list(INES, Question(page=page)) for page in (1, 2, 3, 4)]
    assert len(statements) == 4
    assert [(page.first, page.last, page.total_words, page.has_next, page.next_count) for page in pages[:3]] == [
        (1, 25, "60", True, 25),
        (26, 50, "60", True, 10),
        (51, 60, "60", False, 0),
    ]
    assert (pages[3].rows, pages[3].first, pages[3].last) == ([], 0, 0)
    assert [row.number for page in pages for row in page.rows] == list(range(1060, 1000, -1))


async def test_beyond_a_thousand_a_list_says_more_than_and_goes_on() -> None:
    """A list of more than 1,000 cases shows "more than 1,000" as its count, and its pages go on to the last case."""
    await many(1_040)
    async with transaction(INES):
        listed = await agents_list(INES, Question(page=41))
        assert (listed.total_words, listed.total, len(listed.rows)) == ("more than 1,000", 1_001, 25)
        assert (listed.has_next, listed.next_count) == (True, 25)
        last = await agents_list(INES, Question(page=42))
        assert (len(last.rows), last.has_next) == (15, False)


@pytest.mark.parametrize("count", [56, 1_001])
@pytest.mark.parametrize("turned", [False, True])
async def test_cursors_lead_through_every_case_once_and_back_whatever_the_order(turned: bool, count: int) -> None:
    """In every order, the pages of a list show each case once, even those without deadline or agent.

    The cursor of the third page leads back to the second. All this also holds if the list is given the count 1,001,
    and if an agent has the name `none`, which must not be mistaken for no agent.
    """
    await many(56)
    counted = {"all": count}
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update cases set agent_id = case when id % 3 > 0 then 1 + id % 2 end, priority = 1 + id % 4,"
            " due_at = case when id % 2 = 0 then $1::timestamptz + id * interval '1 hour' end,"
            " soon_at = case when id % 2 = 0 then $1 end, status = case when id % 5 = 0 then 'new' else 'open' end"
            " where status = 'open'", NOW,
        )  # fmt: skip
        await tx.execute("update agent set name = 'none' where id = 2")
    for sort in Sort:
        async with transaction(INES):
            question, pages = Question(sort=sort, turned=turned), list[list[int]]()
            for page in (1, 2, 3):
                listed = await agents_list(INES, question, counted)
                pages.append([row.number for row in listed.rows])
                assert listed.has_next is (page < 3)
                question = Question.read(parse_qsl(question.address(page=page + 1, after=listed.after)[1:]))
            assert sorted(number for page in pages for number in page) == list(range(1001, 1057)), sort
            assert pages[1] == [
                row.number
                for row in (await agents_list(INES, Question(sort=sort, turned=turned, page=2), counted)).rows
            ]
            back = await agents_list(INES, Question(sort=sort, turned=turned, page=2, before=listed.before), counted)
            assert [row.number for row in back.rows] == pages[1], sort
            assert back.has_next


async def test_a_cursor_of_another_order_begins_at_the_page_and_breaks_nothing() -> None:
    await many(30)
    async with transaction(INES):
        for sort in Sort:
            for nonsense in (
                "x",
                "1",
                "1~",
                "1~x~y",
                "1~none",
                "1~2026-01-01T00:00:00",
                "1~\x00",
                "9" * 30 + "~1",
                "1~999999999999999",
            ):
                asked = Question(sort=sort, page=2, after=nonsense)
                assert len((await agents_list(INES, asked)).rows) <= 25
