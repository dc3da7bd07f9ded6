"""Test the lists of cases: what views and filters show to each reader, their order, and their number of queries."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from portal.database import transaction
from portal.database.counting import count_all
from portal.desk import (
    Due,
    Priority,
    Question,
    Sort,
    Status,
    agents_list,
    countings,
    customers_list,
    named_elsewhere,
    overview,
)
from portal.desk.lists.questions import MOST_VALUES, NOBODY
from portal.people.readers import SYSTEM
from portal.words import CaseView
from tests.desk.test_cases import LATER, opened
from tests.queries import counted
from tests.world import ADA, ALAN, GIL, GLOBEX, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")


@pytest.fixture
async def five(dsn: str) -> None:
    """Create five cases with the numbers 1001 to 1005.

    1001 is new and has no agent, 1002 is assigned to Ines, and 1003 waits for the customer and is assigned to Max. 1004 is
    an urgent case of Gil (customer Globex), and 1005 is closed.
    """
    await opened(ADA, subject="VPN drops")
    taken = await opened(ALAN, subject="Printer 100% jammed", at=NOW + timedelta(minutes=1))
    waiting = await opened(
        ADA, subject="Laptop for a new starter", at=NOW + timedelta(minutes=2), priority=Priority.LOW
    )
    await opened(GIL, subject="No mail", at=NOW + timedelta(minutes=3), priority=Priority.URGENT)
    done = await opened(ADA, subject="Old_thing", at=NOW + timedelta(minutes=4))
    async with transaction(MAX):
        await taken.assign(INES.id, by=MAX, at=NOW + timedelta(minutes=5))
        await waiting.assign(MAX.id, by=MAX, at=NOW + timedelta(minutes=6))
        await waiting.reply(
            by=MAX, text="Which\n**one**?", at=NOW + timedelta(minutes=6), then=Status.WAITING_FOR_CUSTOMER
        )
        await done.close(by=MAX, at=NOW + timedelta(minutes=7))


async def numbers(reader: Any = INES, **question: Any) -> list[int]:
    async with transaction(reader):
        return [row.number for row in (await agents_list(reader, Question(**question))).rows]


async def test_each_view_shows_its_cases_and_the_rail_counts_them(five: None) -> None:
    assert await numbers() == [1003, 1002, 1004, 1001]
    assert await numbers(view=CaseView.MINE) == [1002]
    assert await numbers(MAX, view=CaseView.MINE) == [1003]
    assert await numbers(view=CaseView.UNASSIGNED) == [1004, 1001]
    assert await numbers(view=CaseView.WAITING) == [1003]
    assert await numbers(view=CaseView.CLOSED) == [1005]
    async with transaction(INES):
        assert await count_all(countings(INES, NOW)) == {
            "mine": 1, "unassigned": 2, "department": 0, "waiting": 1, "soon": 0, "overdue": 0, "snoozed": 0, "all": 4,
        }  # fmt: skip


QUESTIONS: list[tuple[dict[str, Any], list[int]]] = [
    ({"text": "vpn"}, [1001]),
    ({"text": "acme LAPTOP"}, [1003]),
    ({"text": "#1002"}, [1002]),
    ({"text": "1002"}, [1002]),
    ({"text": "100"}, [1002]),
    ({"text": "globex"}, [1004]),
    ({"text": "100%"}, [1002]),
    ({"text": "%"}, [1002]),
    ({"text": "_", "view": CaseView.CLOSED}, [1005]),
    ({"text": "1002,"}, [1002]),
    ({"text": "(#1002)?"}, [1002]),
    ({"text": "printer, jammed"}, [1002]),
    ({"text": "alan"}, [1002]),
    ({"text": "Lindqvist vpn"}, [1001]),
    ({"text": "Ä1002"}, []),
    ({"text": "' or 1=1 --"}, []),
    ({"text": "\\"}, []),
    ({"statuses": (Status.WAITING_FOR_CUSTOMER,)}, [1003]),
    ({"statuses": (Status.CLOSED,)}, [1005]),
    ({"statuses": (Status.CLOSED,), "view": CaseView.MINE}, []),
    ({"priorities": (Priority.URGENT,)}, [1004]),
    ({"customers": (GLOBEX,)}, [1004]),
    ({"agents": (2,)}, [1003]),
    ({"agents": (2,), "priorities": (Priority.URGENT,)}, []),
    ({"agents": (1, 2)}, [1003, 1002]),
    ({"agents": (NOBODY, 2)}, [1003, 1004, 1001]),
    ({"priorities": (Priority.URGENT, Priority.LOW)}, [1003, 1004]),
    ({"statuses": (Status.CLOSED, Status.NEW)}, [1005, 1002, 1004, 1001]),
    ({"customers": (1, GLOBEX), "types": (1,)}, [1003, 1002, 1004, 1001]),
    ({"types": (99,)}, []),
    ({"departments": (99, 98)}, []),
]
SORTS = [
    (Sort.UPDATED, [1003, 1002, 1004, 1001]),
    (Sort.NUMBER, [1004, 1003, 1002, 1001]),
    (Sort.SUBJECT, [1003, 1004, 1002, 1001]),
    (Sort.CUSTOMER, [1001, 1002, 1003, 1004]),
    (Sort.STATUS, [1001, 1002, 1004, 1003]),
    (Sort.PRIORITY, [1004, 1002, 1001, 1003]),
    (Sort.AGENT, [1002, 1003, 1001, 1004]),
    (Sort.TURN, [1002, 1004, 1001, 1003]),
]


async def test_filters_and_text_narrow_a_view(five: None) -> None:
    for question, expected in QUESTIONS:
        assert await numbers(**question) == expected, question


async def test_accents_and_capital_letters_do_not_matter_to_a_search(dsn: str) -> None:
    """A search ignores case and accents, and treats composed (NFC) and decomposed (NFD) letters as equal."""
    await opened(ADA, subject="Drucker im Büro, Hafenstraße")
    await opened(ADA, subject="Cafe\u0301 in Łódź")
    for text, found in (
        ("buro", [1001]), ("BÜRO", [1001]), ("Bu\u0308ro", [1001]), ("hafenstrasse", [1001]), ("büró", [1001]),
        ("café", [1002]), ("CAFE", [1002]), ("lodz", [1002]), ("ℒódź", [1002]), ("bürö lodz", []),
    ):  # fmt: skip
        assert await numbers(text=text) == found, text
        async with transaction(ADA):
            assert [row.number for row in (await customers_list(ADA, everything=True, text=text)).rows] == found, text


async def test_a_contacts_name_finds_their_cases(five: None) -> None:
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set name = 'Alán Ørsted' where id = $1", ALAN.id)
    assert await numbers(text="orsted alan") == [1002]
    async with transaction(ADA):
        assert [row.number for row in (await customers_list(ADA, everything=True, text="Orsted")).rows] == [1002]
    async with transaction(GIL):
        assert (await customers_list(GIL, everything=True, text="Orsted")).rows == []


async def test_an_agent_finds_cases_by_the_mail_address_and_the_telephone_number_of_their_contact(five: None) -> None:
    """Ines finds Alan's case by his mail address or his telephone number in any notation; Ada finds it by neither."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set phone = '+49 (0)40 / 777-3391' where id = $1", ALAN.id)
    for text in (
        "alan@acme.example",
        "ALAN@ACME",
        "＠acme alan",
        "alan@acme.example,",
        "+49 40 777 3391",
        "040 7773391",
        "7773391",
    ):
        assert await numbers(text=text) == [1002], text
    for text in ("alan@globex.example", "+49 40 777 3392", "040 7773392", "3391"):
        assert await numbers(text=text) == [], text
    for text in ("alan@acme.example", "7773391"):
        async with transaction(ADA):
            assert (await customers_list(ADA, everything=True, text=text)).rows == [], text


async def test_a_number_of_five_digits_finds_its_case_too(five: None) -> None:
    async with transaction(SYSTEM) as tx:
        await tx.execute("update cases set number = 100234 where number = 1003")
    assert await numbers(text="#100234") == await numbers(text="100234") == [100234]


async def test_a_case_that_is_searched_by_its_number_is_named_where_the_view_does_not_hold_it(five: None) -> None:
    async def elsewhere(text: str, view: CaseView) -> int | None:
        async with transaction(INES):
            listed = await agents_list(INES, Question(view=view, text=text))
            case = await named_elsewhere(text, listed, INES)
        return case and case.number

    for text in ("#1005", "1005", "1005,"):
        assert await elsewhere(text, CaseView.ALL) == 1005
        assert await elsewhere(text, CaseView.CLOSED) is None
    for text in ("#9999", "thing", "1005 thing", ""):
        assert await elsewhere(text, CaseView.MINE) is None


async def test_names_and_subjects_sort_as_people_expect(dsn: str) -> None:
    for subject in ("Zebra", "Äpfel", "apfelmus", "Banane", "Öl", "Ost", "\u00c9clair"):
        await opened(ADA, subject=subject)
    async with transaction(INES):
        rows = (await agents_list(INES, Question(sort=Sort.SUBJECT))).rows
    assert [row.subject for row in rows] == ["Äpfel", "apfelmus", "Banane", "\u00c9clair", "Öl", "Ost", "Zebra"]


async def test_every_column_sorts_and_turns_round(five: None) -> None:
    for sort, expected in SORTS:
        assert await numbers(sort=sort) == expected, sort
        turned = await numbers(sort=sort, turned=True)
        assert turned == ([1003, 1002, 1004, 1001] if sort is Sort.AGENT else expected[::-1]), sort


async def test_a_row_has_what_the_list_shows(five: None) -> None:
    async with transaction(INES):
        row = next(row for row in (await agents_list(INES, Question())).rows if row.number == 1002)
    assert (row.subject, row.customer, row.contact, row.agent) == (
        "Printer 100% jammed",
        "Acme",
        "Alan Weber",
        "Ines Okafor",
    )
    assert (row.status_word, row.priority_word, row.has_files) == ("New", "High", False)
    assert row.updated_at == NOW + timedelta(minutes=5)


async def many(count: int) -> None:
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
            " select 1, 1, 'Case ' || n, 1, 2, 'open', $1, $1::timestamptz + make_interval(secs => n) from generate_series(1, $2::int) n",
            NOW, count,
        )  # fmt: skip


async def test_the_view_of_my_department_and_those_of_deadlines_show_their_cases(five: None) -> None:
    """Three views show the cases of the reader's department, the cases that are due soon, and the overdue cases."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update cases set department_id = (select department_id from agent where id = 1) where number = 1004"
        )
        for number, soon, due in ((1001, -2, -1), (1002, -1, 1), (1004, 1, 2), (1005, -2, -1)):
            await tx.execute(
                "update cases set soon_at = $2, due_at = $3 where number = $1", number,
                NOW + timedelta(hours=soon), NOW + timedelta(hours=due),
            )  # fmt: skip
    assert await numbers(view=CaseView.DEPARTMENT) == [1004]
    assert await numbers(view=CaseView.SOON, at=NOW) == await numbers(due=Due.SOON, at=NOW) == [1002]
    assert await numbers(view=CaseView.OVERDUE, at=NOW) == await numbers(due=Due.OVERDUE, at=NOW) == [1001]
    assert await numbers(view=CaseView.SOON, at=NOW + timedelta(hours=1)) == [1004]


async def test_an_address_asks_and_a_nonsense_one_breaks_nothing() -> None:
    """R48: a URL sets the filters of a list, and values in the URL that are not allowed are ignored."""
    address = (
        "?view=mine&text=a+b&status=open&status=new&priority=4&customer=2&customer=3&agent=1&department=7&type=5"
        "&due=soon&sort=subject&page=3"
    )
    question = Question.read([("text", " a\x00  b "), *parse_qsl(address.replace("text=a+b&", "")[1:])])
    assert question == Question(
        CaseView.MINE, "a b", (Status.OPEN, Status.NEW), (Priority.URGENT,), (2, 3), (1,), (7,), (5,), Sort.SUBJECT, page=3,
        due=Due.SOON,
    )  # fmt: skip
    assert question.is_filtered
    assert question.address(page=3) == address
    assert question.without("customer", 2) == address.replace("customer=2&", "").replace("&page=3", "")
    assert question.without("text") == address.replace("text=a+b&", "").replace("&page=3", "")
    assert question.without("due") == address.replace("&due=soon", "").replace("&page=3", "")
    assert question.sorted_by(Sort.SUBJECT).endswith("sort=subject&turned=yes")
    assert question.sorted_by(Sort.NUMBER).endswith("sort=number")
    for nonsense in ("'; drop table cases --", "-1", "1e309", "９", "x" * 5000, "\x00"):
        names = (
            "view", "status", "priority", "customer", "agent", "department", "type", "project", "due", "sort", "turned", "page",
        )  # fmt: skip
        assert Question.read((name, nonsense) for name in names) == Question()
        assert len(Question.read([("customer", str(one)) for one in range(5000)]).customers) == MOST_VALUES
        async with transaction(INES):
            await agents_list(INES, Question.read([("text", nonsense)]))


async def test_a_contact_lists_the_customers_cases_or_only_own_ones(five: None) -> None:
    """R26: a contact's list and the count of the list have only cases that the contact may see.

    Closed cases are left out unless `everything` is set.
    """

    async def listed(reader: Any, everything: bool) -> list[int]:
        async with transaction(reader):
            page = await customers_list(reader, everything=everything)
            assert page.total == len(page.rows)
            return [row.number for row in page.rows]

    assert await listed(ADA, False) == [1003, 1002, 1001]
    assert await listed(ADA, True) == [1005, 1003, 1002, 1001]
    assert await listed(ALAN, True) == [1002]
    assert await listed(GIL, True) == [1004]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vpn", [1001]),
        ("1002", [1002]),
        ("#1002", [1002]),
        ("1004", []),
        ("globex", []),
        ("1002,", [1002]),
        ("gil", []),
        ("%", [1002]),
        ("' or true --", []),
        ("vpn nothing", []),
    ],
)
async def test_a_contact_searches_what_they_may_see_and_nothing_else(five: None, text: str, found: list[int]) -> None:
    """R26: a contact's search finds no case that the contact may not see."""
    async with transaction(ADA):
        assert [row.number for row in (await customers_list(ADA, everything=True, text=text)).rows] == found
    async with transaction(ALAN):
        numbers = [row.number for row in (await customers_list(ALAN, everything=True, text=text)).rows]
        assert numbers == [number for number in found if number == 1002]


async def test_a_contacts_list_is_one_query() -> None:
    await many(60)
    async with transaction(ADA):
        with counted() as statements:
            page = await customers_list(ADA, everything=True, page=2)
    assert len(statements) == 1
    assert (page.first, page.last, page.total) == (26, 50, 60)


async def test_the_overview_tells_what_waits_and_what_is_in_work_by_one_query(five: None) -> None:
    async with transaction(ADA):
        with counted() as statements:
            seen = await overview(ADA, LATER)
    assert len(statements) == 1
    assert [(case.number, case.said, case.said_by) for case in seen.waiting] == [(1003, "Which one?", "Max Herrmann")]
    assert [(case.number, case.status, case.agent, case.said) for case in seen.in_work] == [
        (1002, "new", "Ines Okafor", ""),
        (1001, "new", None, ""),
    ]
    assert (seen.waiting_count, seen.total) == (1, 4)
    async with transaction(ALAN):
        assert [case.number for case in (await overview(ALAN, LATER)).in_work] == [1002]
    async with transaction(GIL):
        assert [case.number for case in (await overview(GIL, LATER)).in_work] == [1004]


async def test_the_overview_has_what_was_promised_first_on_top_and_solved_cases_apart(five: None) -> None:
    """Ada's cases in work are sorted by deadline, those that wait for others last; solved cases have their own list."""
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "update cases set status = 'new', status_id = 1, closed_at = null, due_at = d, soon_at = d"
            " from (values (1002, $1::timestamptz), (1005, $2)) as v (n, d) where number = n",
            LATER,
            NOW,
        )
        await tx.execute(
            "update cases set status = 'waiting_for_others', due_at = $1, soon_at = $1 where number = 1001", NOW
        )
        await tx.execute("update cases set status = 'resolved', resolved_at = $1 where number = 1003", NOW)
    async with transaction(ADA):
        seen = await overview(ADA, LATER)
    assert [case.number for case in seen.in_work] == [1005, 1002, 1001]
    assert ([case.number for case in seen.solved], seen.in_work_count, seen.waiting) == ([1003], 3, [])


async def test_the_overview_of_somebody_without_cases_is_empty() -> None:
    async with transaction(ADA):
        seen = await overview(ADA, NOW)
    assert (seen.waiting, seen.in_work, seen.waiting_count, seen.total) == ([], [], 0, 0)
