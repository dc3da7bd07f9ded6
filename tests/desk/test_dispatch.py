"""Test which agent, department and priority the rules of dispatch choose for a case, and what its log says."""

import asyncio
import contextvars
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal import notices
from portal.database import transaction
from portal.desk import Case, Priority, Status
from portal.desk.bulk.changes import Progress, Refused
from portal.desk.bulk.running import go_on
from portal.desk.deadlines.targets import TargetFacts, save_targets
from portal.desk.dispatch.dispatching import tried
from portal.desk.dispatch.handover import away_now, hand_over
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.errors import Invalid, NotFound
from portal.notices.inbox import inbox
from portal.people.agents import Agent
from portal.people.departments import Department
from portal.people.readers import SYSTEM
from portal.people.working.absences import Absence, AbsenceFacts
from tests.world import (
    ACME,
    ADA,
    GIL,
    GLOBEX,
    GLOBEX_HELPDESK,
    HELPDESK,
    INCIDENT,
    INES,
    MAX,
    MOVE,
    NOOR,
    NOW,
    QUESTION,
    SUPPORT,
)

pytestmark = pytest.mark.usefixtures("dsn")
TEAM = (INES, MAX, NOOR)


async def rule(name: str = "All", **facts: Any) -> DispatchRule:
    async with transaction(NOOR):
        return await DispatchRule.create(RuleFacts(name=name, **{key: str(value) for key, value in facts.items()}))


async def opened(by: Any = ADA, subject: str = "VPN drops", at: datetime = NOW, **more: Any) -> Case:
    async with transaction(by):
        return await Case.open(by=by, subject=subject, text="Often.", **({"case_type_id": INCIDENT, "at": at} | more))


async def away(agent: int, first: str = "2026-11-20", last: str = "") -> None:
    async with transaction(SYSTEM):
        await Absence.create(await Agent.find(agent), AbsenceFacts(first_day=first, last_day=last), own=True)


async def log(case: Case, kind: str) -> list[tuple[str, dict[str, Any]]]:
    async with transaction(INES) as tx:
        rows = await tx.fetch(
            "select actor_name, details from case_event where case_id = $1 and kind = $2 order by id", case.id, kind
        )
    return [(row["actor_name"], json.loads(row["details"])) for row in rows]


async def test_a_case_is_assigned_when_a_contact_opens_it_and_its_log_says_by_which_rule() -> None:
    """S3.8: a rule assigns Ada's case to Ines, who is notified. The log of the case names the rule, to agents only."""
    await rule("Everything", department_id=SUPPORT)
    case = await opened()
    assert (case.agent_id, case.department_id, case.stands) == (INES.id, SUPPORT, Status.NEW)
    assert await log(case, "assigned") == [("Portal", {"to": "Ines Okafor"})]
    ((_, said),) = await log(case, "dispatched")
    assert (said["rule"], said["department"], said["to"]) == ("Everything", "Support", "Ines Okafor")
    async with transaction(ADA) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind = 'dispatched'") == 0
    async with transaction(INES) as tx:
        rows = await tx.fetch("select kind, agent_id, actor_id from outbox where subject_id = $1 order by id", case.id)
    assert [tuple(row) for row in rows][1:] == [("case.assigned", INES.id, None)]
    async with transaction(SYSTEM):
        await notices.pass_on(NOW)
    async with transaction(INES, readonly=True):
        assert [told.words for told in (await inbox(INES)).notices] == ["The case was dispatched to you"]


async def test_a_case_that_an_agent_opens_is_dispatched_unless_the_agent_takes_it() -> None:
    """S3.8: the rules choose the agent of a case that Max opens for Ada, unless Max takes the case in the same form."""
    await rule(agent_id=INES.id)
    assert (await opened(MAX, contact_id=ADA.id)).agent_id == INES.id
    taken = await opened(MAX, contact_id=ADA.id, taken=True)
    assert taken.agent_id == MAX.id
    assert await log(taken, "dispatched") == []


async def test_a_part_that_is_split_off_a_case_that_nobody_has_is_dispatched() -> None:
    """S3.8: splitting messages off a case makes a new case, and the rules choose the agent of the new case."""
    case = await opened()
    async with transaction(ADA):
        await case.reply(by=ADA, text="And the printer.", at=NOW + timedelta(minutes=1))
    await rule(agent_id=MAX.id)
    async with transaction(INES) as tx:
        second = await tx.fetchval("select max(id) from message where case_id = $1", case.id)
        made = await case_split(case, second)
    assert made.agent_id == MAX.id


async def case_split(case: Case, message: int) -> Case:
    from portal.desk.verbs.splitting import split

    return await split(case, [message], "Printer", by=INES, at=NOW + timedelta(minutes=2))


async def test_without_a_rule_a_new_case_waits_until_an_agent_takes_it() -> None:
    case = await opened()
    assert case.agent_id is None
    assert await log(case, "dispatched") == []


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"customer_id": ACME}, True), ({"customer_id": GLOBEX}, False), ({"service_id": HELPDESK}, True),
        ({"service_id": GLOBEX_HELPDESK}, False), ({"case_type_id": INCIDENT}, True), ({"case_type_id": QUESTION}, False),
        ({"for_priority": 3}, True), ({"for_priority": 4}, False), ({"words": "printer, vpn"}, True), ({"words": "ÉCOLE"}, True),
        ({"words": "printer"}, False), ({"words": "100%"}, False), ({"customer_id": ACME, "words": "printer"}, False),
    ],
)  # fmt: skip
async def test_a_rule_fits_by_customer_service_type_priority_and_words_of_the_subject(
    condition: dict[str, Any], fits: bool
) -> None:
    """S3.8: all conditions of a rule must hold. Words match inside longer words too; case and accents are ignored."""
    await rule("First", agent_id=MAX.id, **condition)
    await rule("Rest", agent_id=INES.id)
    case = await opened(subject="École: VPNs drop", priority=Priority.HIGH)
    assert case.agent_id == (MAX.id if fits else INES.id)


async def test_the_first_rule_that_fits_decides_and_one_with_a_priority_alone_lets_the_next_choose() -> None:
    """S3.8, S3.19: after a rule that only sets the priority, the next rules are tried against the new priority.

    A later rule does not set the priority again. The log names the rule that chose the agent and the rule that set the
    priority.
    """
    await rule("Down", words="down", sets_priority=4)
    await rule("Urgent", for_priority=4, agent_id=NOOR.id, sets_priority=1)
    await rule("Rest", agent_id=INES.id)
    case = await opened(subject="Everything is down")
    assert (case.agent_id, case.urgency) == (NOOR.id, Priority.URGENT)
    ((_, said),) = await log(case, "dispatched")
    assert (said["rule"], said["priority_rule"], said["priority"]) == ("Urgent", "Down", 4)
    assert (await opened(subject="A question")).agent_id == INES.id


async def test_the_priority_that_a_rule_sets_decides_the_deadlines() -> None:
    """S3.8, S3.20: a case that a rule makes urgent has the same deadline as one that was opened as urgent."""
    async with transaction(NOOR):
        await save_targets(TargetFacts(reply_urgent="1h", reply_normal="8h"))
    await rule("Down", words="down", sets_priority=4)
    by_rule, by_hand = await opened(subject="VPN down"), await opened(subject="VPN", priority=Priority.URGENT)
    assert by_rule.urgency is Priority.URGENT
    assert by_rule.due_at is not None
    assert by_rule.due_at == by_hand.due_at


async def test_moving_a_rule_up_makes_it_the_first_to_be_tried_and_a_repeat_changes_nothing() -> None:
    first, second = await rule("First", agent_id=INES.id), await rule("Second", agent_id=MAX.id)
    for _ in range(2):
        async with transaction(NOOR):
            await second.move_above(first.id)
        assert (await opened()).agent_id == MAX.id
    async with transaction(NOOR):
        await first.move_above(10_000)
        assert [one.name for one in await DispatchRule.listed()] == ["Second", "First"]


async def test_a_department_gives_its_cases_in_turn_also_if_they_are_opened_at_the_same_moment() -> None:
    """S3.8: of six cases that are opened at once, each of the three agents of the department gets two."""
    await rule(department_id=SUPPORT, balance="turn")
    cases = await asyncio.gather(*(opened(by) for by in (ADA, GIL) * 3))
    assert sorted(case.agent_id for case in cases) == [1, 1, 2, 2, 3, 3]


async def test_a_department_gives_a_case_to_the_agent_with_the_fewest_open_cases() -> None:
    """S3.8: the agent with the fewest open cases gets the next case: here Noor, because her only case is closed."""
    for agent in (INES, MAX, NOOR):
        case = await opened()
        async with transaction(agent):
            await case.take(by=agent, at=NOW)
            if agent is NOOR:
                await case.close(by=agent, at=NOW)
    await rule(department_id=SUPPORT, balance="load")
    assert (await opened()).agent_id == NOOR.id


async def test_a_department_gives_cases_to_the_departments_below_it_too() -> None:
    async with transaction(SYSTEM) as tx:
        await Department.update({Department.parent_id: MOVE}).where(Department.id == SUPPORT)
        await tx.execute("update agent set ended_at = $1 where id > 1", NOW)
    await rule(department_id=MOVE)
    assert (await opened()).agent_id == INES.id


async def test_nobody_who_is_away_or_has_left_gets_a_case() -> None:
    """S3.8: the rule names Max, but Max is away and Ines has left, so Noor gets the case.

    If Noor is away too, the next case gets the department Support, but no agent.
    """
    await rule(agent_id=MAX.id)
    await away(MAX.id)
    async with transaction(SYSTEM):
        await (await Agent.find(INES.id)).end(NOW)
    assert (await opened()).agent_id == NOOR.id
    assert [one.name for one in await asked_away()] == ["Max Herrmann"]
    await away(NOOR.id)
    case = await opened()
    assert (case.agent_id, case.department_id) == (None, SUPPORT)
    ((_, said),) = await log(case, "dispatched")
    assert (said["rule"], said["to"]) == ("All", None)


async def asked_away() -> list[Any]:
    async with transaction(NOOR):
        return await away_now(NOW)


async def test_an_absence_is_of_the_days_where_the_agent_is() -> None:
    """S3.8: an absence ends at midnight in the agent's time zone. Midnight in Berlin is 23:00 UTC."""
    await rule(agent_id=INES.id)
    await away(INES.id, "2026-11-20")
    late = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    assert (await opened(at=late)).agent_id != INES.id
    assert (await opened(at=late + timedelta(hours=1))).agent_id == INES.id


async def test_trying_the_rules_says_who_would_get_a_case_and_changes_nothing() -> None:
    case = await opened()
    await rule(department_id=SUPPORT, sets_priority=4, balance="turn")
    async with transaction(NOOR):
        for _ in range(2):
            choice = await tried(case, NOW)
            assert (choice.rule, choice.agent, choice.department, choice.priority) == (
                "All",
                "Ines Okafor",
                "Support",
                "Urgent",
            )
        assert (await Case.find(case.number, NOOR)).agent_id is None


async def handed(to: int | None) -> tuple[Progress, list[Refused]]:
    """Let Max hand over Ines's open cases to the agent `to`, or by the dispatch rules if `to` is None.

    Return the counts of the bulk change, and the cases that were refused.
    """
    async with transaction(MAX):
        change = await hand_over(INES.id, to, by=MAX, at=NOW)
        if change is None:
            return Progress(0, 0, 0, 0), []
        await change.begin(change.value or "", NOW)
    assert await go_on(change.id, by=MAX, at=NOW)
    async with transaction(MAX):
        return await change.progress(), (await change.refused())[0]


async def test_the_open_cases_of_an_absent_agent_are_handed_over_in_one_step() -> None:
    """S3.9: the dispatch rules give one of Ines's two open cases to Max and the other to Noor.

    Her closed case stays with her, and handing over once more changes nothing.
    """
    cases = [await opened() for _ in range(3)]
    for case in cases:
        async with transaction(INES):
            await case.take(by=INES, at=NOW)
    async with transaction(INES):
        await cases[2].close(by=INES, at=NOW)
    await rule(agent_id=INES.id, balance="turn", sets_priority=4)
    for _ in range(2):
        assert (await handed(None))[1] == []
    async with transaction(INES):
        found = [await Case.find(case.number, INES) for case in cases]
    assert sorted(case.agent_id for case in found[:2]) == [MAX.id, NOOR.id]
    assert (found[2].agent_id, {case.urgency for case in found}) == (INES.id, {Priority.NORMAL})
    assert [who for who, _ in await log(cases[0], "assigned")] == ["Ines Okafor", "Max Herrmann"]


async def test_the_cases_of_an_absent_agent_can_go_to_one_colleague_and_a_bad_successor_changes_nothing() -> None:
    case = await opened()
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
    for successor in (999, INES.id):
        with pytest.raises(Invalid):
            await handed(successor)
    assert await handed(NOOR.id) == (Progress(0, 1, 0, 0), [])
    async with transaction(INES):
        assert (await Case.find(case.number, INES)).agent_id == NOOR.id


@pytest.mark.parametrize(
    ("has_rule", "sentence"), [(False, "Nobody was chosen"), (True, "rules find nobody who is there")]
)
async def test_a_case_for_which_nobody_else_is_found_stays_and_is_not_counted(has_rule: bool, sentence: str) -> None:
    """S3.9: if cases are handed over by the rules, but no rule finds another agent, Ines keeps the case.

    The case is listed as refused, with the reason.
    """
    case = await opened()
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
    if has_rule:
        await rule(department_id=MOVE)
    progress, (refused,) = await handed(None)
    assert progress == Progress(0, 0, 0, 1)
    assert refused.number == case.number
    assert sentence in refused.reason
    async with transaction(INES):
        assert (await Case.find(case.number, INES)).agent_id == INES.id


async def test_a_case_that_somebody_takes_while_it_is_handed_over_stays_with_them() -> None:
    case = await opened()
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
    async with transaction(NOOR):
        await (await Case.find(case.number, NOOR, hold=True)).assign(NOOR.id, by=NOOR, at=NOW)
        handing = asyncio.create_task(handed(MAX.id), context=contextvars.Context())
        await asyncio.sleep(0.1)
    _, (refused,) = await handing
    assert refused.reason == "Somebody else has changed this in the meantime. It is now Noor Haddad."
    async with transaction(INES):
        assert (await Case.find(case.number, INES)).agent_id == NOOR.id


async def test_a_contact_can_dispatch_no_case_and_the_database_agrees() -> None:
    """D52: `Case.dispatch` raises `NotFound` for the contact Ada.

    In the database, calling `dispatch_case` as Ada does not dispatch Gil's case, and she can read no dispatch table.
    """
    case, other = await opened(), await opened(GIL)
    await rule(agent_id=MAX.id)
    async with transaction(ADA) as tx:
        with pytest.raises(NotFound):
            await case.dispatch(by=ADA, at=NOW)
        assert await tx.fetch("select * from dispatch_case($1, $2, true, null)", other.id, NOW) == []
        assert (
            await tx.fetchval(
                "select count(*) from pg_class where has_table_privilege(oid, 'select') and relname ~ '^dispatch'"
            )
            == 0
        )


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({}, "department_id"), ({"department_id": "99"}, "department_id"), ({"agent_id": "x"}, "agent_id"),
        ({"sets_priority": "5"}, "sets_priority"), ({"agent_id": "1", "words": "x" * 201}, "words"),
        ({"agent_id": "1", "customer_id": str(GLOBEX), "service_id": str(HELPDESK)}, "service_id"),
        ({"agent_id": "1", "balance": "luck"}, "balance"), ({"agent_id": "1", "name": ""}, "name"),
        ({"agent_id": "1", "name": "all"}, "name"),
    ],
)  # fmt: skip
async def test_a_rule_that_cannot_be_is_refused_at_its_field(facts: dict[str, str], field: str) -> None:
    await rule("All", agent_id=INES.id)
    async with transaction(NOOR):
        with pytest.raises(Invalid) as refusal:
            await DispatchRule.create(RuleFacts(**{"name": "Other"} | facts))
        assert set(refusal.value.fields) == {field}
