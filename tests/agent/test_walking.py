"""Test how agents move from case to case in the order of a list, and change a case directly on its page."""

import re

import pytest

from portal.database import transaction
from portal.desk import Case, Sort, Status
from portal.web.visit import now
from tests.agent.test_cases import numbers, open_case, reload
from tests.browser import Browser
from tests.queries import counted
from tests.world import ADA, GIL, INES, MAX


def beside(html: str) -> tuple[int | None, int | None]:
    """Return the numbers of the cases that the keys J and K open from this page; None at an end of the list."""
    found = [re.search(rf'href="/agent/cases/(\d+)[^"]*" data-key="{key}"', html) for key in "jk"]
    return tuple(match and int(match[1]) for match in found)  # type: ignore[return-value]


@pytest.fixture
async def queue(dsn: str) -> list[Case]:
    """Return five open cases; some have the same customer, agent and priority, and none has a running deadline."""
    cases = [await open_case(f"Case {place}", by=(ADA, GIL)[place % 2], priority=place % 2 + 2) for place in range(5)]
    async with transaction(INES):
        for case, agent in zip(cases, (INES, MAX, INES, None, None), strict=True):
            await case.assign(agent and agent.id, by=INES, at=now())
        await cases[1].change_status(Status.WAITING_FOR_CUSTOMER, by=INES, at=now())
    return cases


@pytest.mark.parametrize("counted_up_to", [1_000, 0])
@pytest.mark.parametrize("turned", ["", "&turned=yes"])
@pytest.mark.parametrize("sort", list(Sort))
async def test_the_cases_beside_one_follow_the_order_of_the_list(
    ines: Browser, queue: list[Case], monkeypatch: pytest.MonkeyPatch, sort: Sort, turned: str, counted_up_to: int
) -> None:
    """In every order of the list, J and K open the next and the previous case of the list, and nothing at its ends.

    The same holds if the list has more cases than are counted.
    """
    monkeypatch.setattr("portal.desk.lists.walking.COUNTED", counted_up_to)
    query = f"view=all&sort={sort}{turned}"
    listed = numbers((await ines.get(f"/agent/cases?{query}")).text)
    assert len(listed) == 5
    for place, number in enumerate(listed):
        page = (await ines.get(f"/agent/cases/{number}?{query}")).text
        assert beside(page) == ((listed[place + 1 : place + 2] or [None])[0], listed[place - 1] if place else None)
        assert ("This is the last case of “All”" in page) == (place == 4)


async def test_the_list_carries_its_filters_into_its_cases(ines: Browser, queue: list[Case]) -> None:
    listed = (await ines.get("/agent/cases?view=mine&customer=1&sort=number")).text
    onward = re.search(r'data-onward="([^"]+)"', listed)
    assert onward
    first = (await ines.get(f"/agent/cases/{numbers(listed)[0]}{onward[1]}".replace("&amp;", "&"))).text
    assert beside(first) == (queue[0].number, None)
    assert f'href="/agent/cases?view=mine&amp;customer=1&amp;sort=number#case-{queue[2].number}"' in first


async def test_the_place_is_kept_while_the_case_moves_in_the_list(ines: Browser, queue: list[Case]) -> None:
    """Ines changes the status of a case, so that the case moves in the list: J and K still open its old neighbours."""
    case = queue[2]
    page = (await ines.get(f"/agent/cases/{case.number}?view=all")).text
    expected = beside(page)
    action = re.search(r'action="(/agent/cases/\d+/status[^"]+)"', page)
    assert action
    answer = await ines.send_form(action[1].replace("&amp;", "&"), {"status": "resolved"})
    assert answer.status_code == 303
    with counted() as statements:
        assert beside((await ines.get(answer.headers["location"])).text) == expected
    assert not any("with here as" in statement for statement in statements)


async def test_a_priority_is_set_in_place_and_never_over_that_of_a_colleague(
    ines: Browser, max_: Browser, queue: list[Case]
) -> None:
    """S3.19: Ines sets the priority in the head of a case; if Max then sets it on an older page, he gets 409."""
    case = queue[0]
    to = f"/agent/cases/{case.number}/priority"
    seen = '{"priority": 2}'
    for _ in range(2):
        answer = await ines.send_form(f"{to}?view=mine&next=&previous=", {"priority": "4", "seen": seen})
        assert answer.headers["location"] == f"/agent/cases/{case.number}?view=mine&next=&previous="
    late = await max_.send_form(to, {"priority": "1", "seen": seen})
    assert (late.status_code, "The priority is Urgent now. Look at it again." in late.text) == (409, True)
    for wrong in ("9", "x", ""):
        assert (await ines.send_form(to, {"priority": wrong})).status_code == 422
    assert (await reload(case)).priority == 4


async def test_a_case_is_assigned_in_place_to_the_agent_whose_name_is_typed(ines: Browser, queue: list[Case]) -> None:
    """S3.9: in the head of a case, Ines types a part of an agent's name to assign the case to this agent.

    An unknown or ambiguous name gets 422.
    """
    case, to = queue[0], f"/agent/cases/{queue[0].number}/assignment"
    for typed, sentence in (
        ("nobody here", "There is no agent"),
        ("", "Type the name of an agent or of a department."),
        ("e", "agents have"),
    ):
        answer = await ines.send_form(to, {"agent": "", "agent_typed": typed})
        assert (answer.status_code, sentence in answer.text) == (422, True), typed
    assert (await reload(case)).agent_id == INES.id
    assert (await ines.send_form(to, {"agent": "", "agent_typed": "herrm"})).status_code == 303
    assert (await reload(case)).agent_id == MAX.id
    late = await ines.send_form(
        to, {"agent": "", "agent_typed": "", "nobody": "yes", "seen": '{"agent": 1, "department": null}'}
    )
    assert late.status_code == 409
    assert (await ines.send_form(to, {"agent": "", "agent_typed": "", "nobody": "yes"})).status_code == 303
    assert (await reload(case)).agent_id is None
