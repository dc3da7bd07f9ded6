"""Test the search for cases, services and kinds of general time on which an agent can log time."""

from typing import Any

import pytest

from portal.database import transaction
from portal.timekeeping import logged_on
from portal.timekeeping.kinds import GeneralKind
from tests.world import INES, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def found(text: str) -> list[str]:
    async with transaction(INES):
        return [row.id for row in (await logged_on.suggest(INES, text)).rows]


async def test_everything_is_found_by_its_words_in_any_order(case: Any) -> None:
    """S0.6: cases, services and kinds of general time are found by words in any order, cases before services."""
    one = f"case-{case.number}"
    for text in (str(case.number), f"#{case.number}", "vpn", "DROPS vpn", "acme drops"):
        assert await found(text) == [one], text
    assert await found("acme") == [one, "service-1"]
    assert await found("globex helpdesk") == ["service-2"]
    assert await found("support 2026") == ["service-1"]
    assert await found("meet") == ["general-1"]
    assert await found("nothing of the kind") == []


async def test_a_choice_names_customer_service_and_contract(case: Any) -> None:
    async with transaction(INES):
        chosen = await logged_on.named(f"case-{case.number}")
        service = await logged_on.named("service-1")
    assert chosen
    assert service
    assert (chosen.name, chosen.about) == (f"#{case.number} VPN drops", "Acme, Helpdesk, Support 2026")
    assert (chosen.customer, chosen.service_id, chosen.billable) == ("Acme", 1, True)
    assert (service.name, service.about) == ("Helpdesk", "Acme, Support 2026")


async def test_without_words_ones_own_open_cases_come_first(case: Any) -> None:
    assert await found("") == ["general-1", "general-2"]
    async with transaction(INES) as tx:
        await tx.execute("update cases set agent_id = $1 where id = $2", INES.id, case.id)
    assert await found("") == [f"case-{case.number}", "general-1", "general-2"]


async def test_closed_cases_come_last_and_say_so(case: Any) -> None:
    async with transaction(INES) as tx:
        await tx.execute("update cases set status = 'resolved', resolved_at = $2 where id = $1", case.id, NOW)
        rows = (await logged_on.suggest(INES, "acme")).rows
    assert [row.id for row in rows] == ["service-1", f"case-{case.number}"]
    assert rows[-1].about.endswith(", Resolved")


async def test_a_list_of_many_goes_on(case: Any) -> None:
    async with transaction(INES) as tx:
        await tx.execute(
            "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, service_id, opened_at, updated_at)"
            " select 1, 1, 'Printer ' || n, 1, 3, 'new', 1, $1, $1::timestamptz - n * interval '1 minute' from generate_series(1, 30) n",
            NOW,
        )  # fmt: skip
        first = await logged_on.suggest(INES, "printer")
        rest = await logged_on.suggest(INES, "printer", first.after or 0)
    assert (len(first.rows), first.after, len(rest.rows), rest.after) == (20, 20, 10, None)
    assert not {row.id for row in first.rows} & {row.id for row in rest.rows}


@pytest.mark.parametrize(
    "id", ["", "case", "case-", "case-x", "case-9999", "service-0", "thing-1", "case-" + "9" * 30, "general--1"]
)
async def test_an_id_of_nothing_is_nothing(id: str) -> None:
    async with transaction(INES):
        assert await logged_on.named(id) is None


async def test_a_kind_that_has_ended_is_not_offered() -> None:
    async with transaction(INES):
        await (await GeneralKind.find(1)).end(NOW)
        assert await logged_on.named("general-1") is None
    assert await found("meet") == []


async def test_what_is_typed_means_a_number_a_name_or_the_only_one_that_fits(case: Any) -> None:
    async with transaction(INES):
        by_number = await logged_on.find(INES, "", f"#{case.number}")
        by_word = await logged_on.find(INES, "", "vpn")
        several = await logged_on.find(INES, "", "desk")
        none = await logged_on.find(INES, "", "nothing of the kind")
        typed_over = await logged_on.find(INES, "service-1", "meeting")
    assert by_number.id == by_word.id == f"case-{case.number}"
    assert (several.on, len(several.choices) > 1, "choose one" in several.problem) == (None, True, True)
    assert "No case, project or service has “nothing of the kind”" in none.problem
    assert typed_over.id == "general-1"
