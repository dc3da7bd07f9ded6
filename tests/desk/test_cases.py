"""Test what people may do with a case, and which rows each action adds to the case's log and the outbox."""

import asyncio
import dataclasses
import json
import uuid
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from portal.database import transaction
from portal.desk import Case, Details, Priority, Status
from portal.errors import Conflict, Invalid, NotFound
from tests.world import ACME, ADA, ALAN, GIL, GLOBEX_HELPDESK, HELPDESK, INCIDENT, INES, INTERNAL, MAX, NOW, QUESTION

pytestmark = pytest.mark.usefixtures("dsn")
LATER = NOW + timedelta(hours=1)


async def opened(by: Any = ADA, **more: Any) -> Case:
    values = {
        "subject": "VPN drops",
        "text": "Every **20** minutes.",
        "case_type_id": INCIDENT,
        "priority": Priority.HIGH,
        "at": NOW,
    }
    async with transaction(by):
        return await Case.open(by=by, **(values | more))


async def reread(case: Case) -> Case:
    async with transaction(INES):
        return await Case.find(case.number, INES)


async def log(case: Case) -> list[tuple[str, str, dict[str, Any]]]:
    """Return kind, name of the person and details of each event of the case."""
    async with transaction(INES) as tx:
        rows = await tx.fetch(
            "select kind, actor_name, details from case_event where case_id = $1 order by id", case.id
        )
    return [(row["kind"], row["actor_name"], json.loads(row["details"])) for row in rows]


async def told(case: Case) -> list[tuple[str, bool]]:
    """Return the kind of each row of the case in the outbox, and whether contacts may know of it."""
    async with transaction(INES) as tx:
        rows = await tx.fetch("select kind, contact_may_know from outbox where subject_id = $1 order by id", case.id)
    return [tuple(row) for row in rows]


async def everything() -> list[Any]:
    """Return every row of the tables that the methods of a case write."""
    async with transaction(INES) as tx:
        return [
            await tx.fetch(f"select * from {table}")
            for table in ("cases", "message", "attachment", "case_event", "outbox")
        ]


async def test_case_numbers_contain_no_dates() -> None:
    """D16: two cases that Ada opens in different years have consecutive numbers."""
    numbers = []
    for at in (NOW, NOW + timedelta(days=60)):
        async with transaction(ADA):
            case = await Case.open(by=ADA, subject="VPN drops", text="Again.", case_type_id=INCIDENT, at=at)
        numbers.append(case.number)
    assert numbers[1] == numbers[0] + 1


async def test_a_contact_opens_a_case_and_gets_a_number() -> None:
    """A case that a contact opens gets a number, the customer's default service, an event and an outbox row.

    The Markdown of its first message is stored as text and as HTML.
    """
    case = await opened()
    async with transaction(ADA) as tx:
        found = await Details.find(str(case.number), ADA)
        messages = await tx.fetch("select kind, author_name, text, html from message where case_id = $1", case.id)
    assert (found.case.number, found.case.subject, found.case.stands, found.case.urgency) == (
        1001,
        "VPN drops",
        Status.NEW,
        Priority.HIGH,
    )
    assert (found.customer_name, found.contact_name, found.type_name, found.service_name) == (
        "Acme",
        "Ada Lindqvist",
        "Incident",
        "Helpdesk",
    )
    assert (found.agent_name, found.colleagues) == (None, [])
    assert [tuple(row) for row in messages] == [
        ("reply", "Ada Lindqvist", "Every **20** minutes.", "<p>Every <strong>20</strong> minutes.</p>")
    ]
    assert await log(case) == [("opened", "Ada Lindqvist", {})]
    assert await told(case) == [("case.opened", True)]


async def test_the_service_follows_the_type_then_the_customer_then_there_is_none() -> None:
    """A new case gets the customer's default service for its type, or else the default for all types, or else none."""
    async with transaction(INES) as tx:
        await tx.execute("insert into service select 3, 1, 1, 'Projects', settlement, rollup, taxable, exemption_reason, effective_start,"
                         " rounding_minimum, rounding_increment, rounding_mode, created_at from service where id = 1")  # fmt: skip
        await tx.execute("insert into default_service values (1, $1, 3)", QUESTION)
    assert (await opened(case_type_id=QUESTION)).service_id == 3
    assert (await opened(case_type_id=INCIDENT)).service_id == HELPDESK
    async with transaction(INES) as tx:
        await tx.execute("delete from default_service where customer_id = $1", ACME)
    assert (await opened()).service_id is None


async def test_an_agent_opens_a_case_for_a_contact() -> None:
    case = await opened(INES, contact_id=ALAN.id)
    assert (case.customer_id, case.contact_id, case.opened_by_agent_id, case.first_replied_at) == (
        ACME,
        ALAN.id,
        INES.id,
        case.opened_at,
    )
    async with transaction(ALAN):
        assert (await Case.find(case.number, ALAN)).id == case.id


async def test_a_case_that_cannot_be_opened_says_why_and_leaves_nothing() -> None:
    before = await everything()
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"subject": " \t\n"}, "subject"), ({"subject": "\u200b\u202e"}, "subject"), ({"subject": "x" * 201}, "subject"), ({"text": " \n"}, "body"),
        ({"text": "x" * 100_001}, "body"), ({"case_type_id": 99}, "case_type"), ({"priority": 5}, "priority"), ({"priority": 0}, "priority"),
    ]  # fmt: skip
    for wrong, field in wrongs:
        with pytest.raises(Invalid) as refused:
            await opened(**wrong)
        assert list(refused.value.fields) == [field]
    assert await everything() == before


async def test_every_field_that_needs_a_correction_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        await opened(subject="", text="", case_type_id=99, priority=9)
    assert set(refused.value.fields) == {"subject", "body", "case_type", "priority"}


async def test_a_subject_is_one_line_without_invisible_letters() -> None:
    """R51: line breaks, tabs and direction marks are removed from the subject of a case."""
    assert (await opened(subject="  VPN\r\n drops\t\u202etoday ")).subject == "VPN drops today"


async def test_an_agent_cannot_open_a_case_for_nobody_or_for_a_contact_who_left() -> None:
    async with transaction(INES) as tx:
        await tx.execute("update contact set ended_at = $1 where id = $2", NOW, ALAN.id)
    for contact_id in (None, 99, ALAN.id):
        with pytest.raises(Invalid, match="who asks"):
            await opened(INES, contact_id=contact_id)


async def test_the_same_form_sent_twice_makes_one_case_and_one_reply() -> None:
    key, answer = uuid.uuid4(), uuid.uuid4()
    first, second = await asyncio.gather(opened(form_key=key), opened(form_key=key))
    assert first.id == second.id
    for _ in range(2):
        async with transaction(ADA):
            await (await Case.find(first.number, ADA)).reply(by=ADA, text="And again.", at=LATER, form_key=answer)
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from message") == 2
    assert [kind for kind, _ in await told(first)] == ["case.opened", "case.replied"]


async def test_a_form_that_was_sent_before_with_other_words_drops_none_of_them() -> None:
    """A form is refused if Ines has sent its key before with another text, kind of message or case.

    The Back button of the browser leads to such a form. A silent refusal would lose the new text.
    """
    key = uuid.uuid4()
    case, another = await opened(), await opened()
    async with transaction(INES):
        await case.note(by=INES, text="First words.", at=NOW, form_key=key)
    for verb, text in (
        (case.note, "Other words."),
        (case.reply, "First words."),
        (another.note, "First words."),
    ):
        with pytest.raises(Invalid, match="with other words"):
            async with transaction(INES):
                await verb(by=INES, text=text, at=NOW, form_key=key)
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from message") == 3


async def test_somebody_elses_form_key_is_of_no_use() -> None:
    key = uuid.uuid4()
    case = await opened(form_key=key)
    other = await opened(GIL, form_key=key)
    assert other.id != case.id


async def test_an_unknown_number_and_a_strangers_case_look_the_same() -> None:
    """R25, R29: an unknown or malformed case number and the number of another customer's case raise the same `NotFound`."""
    await opened(GIL)
    async with transaction(ADA):
        for number in ("1001", "1002", "0", "", "x", "1001'--", "9" * 30, "-1", "１００１"):
            for look_up in (Case.find, Details.find):
                with pytest.raises(NotFound) as refused:
                    await look_up(number, ADA)
                assert refused.value.sentence == NotFound.default


async def test_a_contact_without_the_right_sees_only_own_cases() -> None:
    hers, his = await opened(ADA), await opened(ALAN)
    async with transaction(ALAN):
        assert [case.id for case in await Case.visible_to(ALAN)] == [his.id]
        with pytest.raises(NotFound):
            await Case.find(hers.number, ALAN)
    async with transaction(ADA):
        assert {case.id for case in await Case.visible_to(ADA)} == {hers.id, his.id}
        details = await Details.find(his.number, ADA)
        assert details.others(ADA) == [ALAN.name]
        namesake = dataclasses.replace(ADA, id=99)
        assert (await Details.find(his.number, namesake)).others(namesake) == [ALAN.name, ADA.name]


async def test_an_outbox_row_names_the_contact_of_the_case_at_that_moment() -> None:
    """R26: each outbox row has the id of the person who was the contact of the case when the row was written.

    Live updates need this id, because a contact who may not see colleagues' cases gets updates only of their own cases.
    """
    case = await opened(ALAN)
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).reply(by=ADA, text="Me too", at=NOW)
    async with transaction(INES) as tx:
        await (await Case.find(case.number, INES)).change_facts(by=INES, at=NOW, contact_id=ADA.id)
        rows = await tx.fetch("select kind, contact_id from outbox order by id")
    told = [("case.opened", ALAN.id), ("case.replied", ALAN.id), ("case.changed", ADA.id)]
    assert [tuple(row) for row in rows] == told


async def test_without_a_reader_there_is_no_case_and_a_foreign_one_cannot_be_made() -> None:
    """R24: even in raw SQL, row-level security hides another customer's cases and refuses a message on them.

    A transaction without a reader cannot read cases at all.
    """
    case = await opened()
    async with transaction(GIL) as tx:
        assert await tx.fetch("select * from cases") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(GIL) as tx:
            await tx.execute("insert into message (customer_id, case_id, kind, contact_id, author_name, text, html, at)"
                             " values (1, $1, 'reply', 1, 'Ada', 'x', 'x', $2)", case.id, NOW)  # fmt: skip
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(None) as tx:
            await tx.fetch("select * from cases")


async def test_a_reply_of_an_agent_opens_a_new_case_and_counts_as_the_first() -> None:
    """D49: an agent's first reply sets the status New to Open, and sets `first_replied_at`; an agent's note does neither."""
    case = await opened()
    async with transaction(INES):
        await case.note(by=INES, text="Same as last week.", at=NOW)
        await case.reply(by=INES, text="We look into it.", at=LATER)
        await case.reply(by=INES, text="Still looking.", at=LATER + timedelta(hours=1))
    now = await reread(case)
    assert (now.stands, now.first_replied_at, now.updated_at) == (Status.OPEN, LATER, LATER + timedelta(hours=1))
    assert [kind for kind, _, _ in await log(case)] == ["opened", "status"]
    assert await told(case) == [
        ("case.opened", True),
        ("case.noted", False),
        ("case.replied", True),
        ("case.replied", True),
    ]


async def test_an_agents_reply_can_wait_for_the_customer() -> None:
    case = await opened()
    async with transaction(INES):
        await case.reply(by=INES, text="Does it drop on a cable too?", at=LATER, then=Status.WAITING_FOR_CUSTOMER)
    assert (await reread(case)).stands is Status.WAITING_FOR_CUSTOMER
    named = {"name": "Waiting for customer", "customer_name": "Waiting for you"}
    assert (await log(case))[-1] == (
        "status",
        "Ines Okafor",
        {"from": "new", "to": "waiting_for_customer"} | named,
    )


async def test_a_contacts_reply_opens_what_waited_for_it_or_was_done() -> None:
    for before, after in (
        (Status.WAITING_FOR_CUSTOMER, Status.OPEN),
        (Status.RESOLVED, Status.OPEN),
        (Status.CLOSED, Status.OPEN),
        (Status.WAITING_FOR_OTHERS, Status.WAITING_FOR_OTHERS),
        (Status.OPEN, Status.OPEN),
    ):
        case = await opened()
        async with transaction(INES):
            await case.change_status(before, by=INES, at=NOW)
        async with transaction(ADA):
            case = await Case.find(case.number, ADA)
            await case.reply(by=ADA, text="It happens again.", at=LATER, then=Status.RESOLVED)
        now = await reread(case)
        assert (now.stands, now.resolved_at, now.closed_at, now.first_replied_at) == (after, None, None, None), before


async def test_closing_keeps_when_it_was_resolved_and_opening_again_forgets_both() -> None:
    case = await opened()
    async with transaction(INES):
        await case.change_status(Status.RESOLVED, by=INES, at=NOW)
        await case.close(by=INES, at=LATER)
        assert (case.resolved_at, case.closed_at) == (NOW, LATER)
        await case.reopen(by=INES, at=LATER)
        assert (case.stands, case.resolved_at, case.closed_at) == (Status.OPEN, None, None)
    assert [details.get("to") for kind, _, details in await log(case) if kind == "status"] == [
        "resolved",
        "closed",
        "open",
    ]


async def test_a_contact_closes_and_opens_again_and_a_repeat_is_harmless() -> None:
    case = await opened()
    for verb, status in (
        ("close", Status.CLOSED),
        ("close", Status.CLOSED),
        ("reopen", Status.OPEN),
        ("reopen", Status.OPEN),
    ):
        async with transaction(ADA):
            case = await Case.find(case.number, ADA)
            await getattr(case, verb)(by=ADA, at=LATER)
        assert (await reread(case)).stands is status
    assert [kind for kind, _, _ in await log(case)] == ["opened", "status", "status"]
    assert [kind for kind, _ in await told(case)] == ["case.opened", "case.moved", "case.moved"]


async def test_agents_take_and_give_cases_and_a_repeat_is_harmless() -> None:
    case = await opened()
    async with transaction(INES):
        await case.take(by=INES, at=NOW)
        await case.take(by=INES, at=NOW)
        await case.assign(MAX.id, by=INES, at=NOW)
        await case.assign(None, by=INES, at=NOW)
    assert [details for kind, _, details in await log(case) if kind == "assigned"] == [
        {"to": "Ines Okafor"},
        {"to": "Max Herrmann"},
        {"to": None},
    ]
    with pytest.raises(Invalid, match="works here"):
        async with transaction(INES):
            await case.assign(99, by=INES, at=NOW)


async def test_what_somebody_has_is_not_taken_from_them() -> None:
    case = await opened()
    async with transaction(MAX):
        await case.take(by=MAX, at=NOW)
    with pytest.raises(Conflict, match="Max Herrmann has this case already"):
        async with transaction(INES):
            await (await Case.find(case.number, INES)).take(by=INES, at=NOW)


async def test_of_two_agents_who_take_a_case_at_once_one_gets_a_conflict_that_names_the_other() -> None:
    """If two agents take a case at the same time, one gets it and the other a `Conflict` that names the first."""
    case = await opened()

    async def take(agent: Any) -> str:
        try:
            async with transaction(agent):
                mine = await Case.find(case.number, agent)
                await asyncio.sleep(0.1)
                await mine.take(by=agent, at=NOW)
        except Conflict as conflict:
            return conflict.sentence
        return "taken"

    answers = await asyncio.gather(take(INES), take(MAX))
    assert sorted(answers)[1] == "taken"
    assert "has this case now" in sorted(answers)[0]
    assert [kind for kind, _, _ in await log(case)] == ["opened", "assigned"]


async def test_rows_that_refer_to_a_held_case_are_inserted_without_waiting(dsn: str) -> None:
    """While a transaction holds the lock of a case, others cannot change the case, but can insert rows that refer to it."""
    case, other = await opened(), await asyncpg.connect(dsn)
    try:
        async with transaction(INES):
            await Case.find(case.number, INES, hold=True)
            assert await other.fetchval("select true from cases where id = $1 for key share nowait", case.id)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.fetchval("select true from cases where id = $1 for no key update nowait", case.id)
    finally:
        await other.close()


async def test_two_agents_set_different_statuses_at_once_and_one_gets_a_conflict() -> None:
    case = await opened()

    async def move(agent: Any, status: Status) -> str:
        try:
            async with transaction(agent):
                mine = await Case.find(case.number, agent)
                await asyncio.sleep(0.1)
                await mine.change_status(status, by=agent, at=NOW)
        except Conflict:
            return "conflict"
        return "moved"

    assert sorted(await asyncio.gather(move(INES, Status.RESOLVED), move(MAX, Status.WAITING_FOR_OTHERS))) == [
        "conflict",
        "moved",
    ]
    assert [kind for kind, _, _ in await log(case)] == ["opened", "status"]


async def test_agents_change_the_facts_and_each_change_is_in_the_log() -> None:
    case = await opened()
    async with transaction(INES):
        facts: Any = {"subject": "VPN drops on wireless", "case_type_id": INTERNAL, "priority": 4, "service_id": None}
        await case.change_facts(by=INES, at=LATER, **facts)
        await case.change_facts(by=INES, at=LATER, **facts)
    now = await reread(case)
    assert (now.subject, now.case_type_id, now.urgency, now.service_id) == (
        "VPN drops on wireless",
        INTERNAL,
        Priority.URGENT,
        None,
    )
    assert (await log(case))[1:] == [
        ("subject", "Ines Okafor", {"from": "VPN drops", "to": "VPN drops on wireless"}),
        ("type", "Ines Okafor", {"to": "Our mistake"}),
        ("priority", "Ines Okafor", {"to": "Urgent"}),
        ("service", "Ines Okafor", {"to": None}),
    ]
    assert [kind for kind, _ in await told(case)] == ["case.opened", "case.changed"]


async def test_wrong_facts_and_another_customers_service_are_refused() -> None:
    """R29: a change to a case with a bad value, or with another customer's service, is refused and changes nothing."""
    case = await opened()
    before = await everything()
    wrongs: list[tuple[Any, str]] = [
        ({"subject": " "}, "subject"), ({"case_type_id": 99}, "case_type"), ({"priority": 9}, "priority"),
        ({"service_id": GLOBEX_HELPDESK}, "service"), ({"service_id": 99}, "service"),
    ]  # fmt: skip
    for facts, field in wrongs:
        with pytest.raises(Invalid) as refused:
            async with transaction(INES):
                await case.change_facts(by=INES, at=LATER, **({"priority": 1} | facts))
        assert list(refused.value.fields) == [field]
    assert await everything() == before


async def test_a_fact_that_somebody_changed_meanwhile_is_not_overwritten() -> None:
    case = await opened()
    mine, theirs = await reread(case), await reread(case)
    async with transaction(MAX):
        await theirs.change_facts(by=MAX, at=NOW, priority=1)
    async with transaction(INES):
        with pytest.raises(Conflict):
            await mine.change_facts(by=INES, at=NOW, priority=4)
    assert (await reread(case)).urgency is Priority.LOW


VERBS: list[tuple[str, dict[str, Any]]] = [
    ("reply", {"text": "x"}),
    ("close", {}),
    ("note", {"text": "x"}),
    ("take", {}),
    ("assign", {"agent_id": 1}),
    ("change_status", {"status": Status.RESOLVED}),
    ("change_facts", {"priority": 1}),
]


async def test_a_stranger_with_the_case_in_hand_can_do_nothing_and_what_agents_do_is_not_there_for_contacts() -> None:
    case = await opened()
    before = await everything()
    for reader, verbs in ((GIL, VERBS), (ALAN, VERBS), (ADA, VERBS[2:])):
        for verb, values in verbs:
            with pytest.raises(NotFound):
                async with transaction(reader):
                    await getattr(case, verb)(by=reader, at=LATER, **values)
                pytest.fail(f"{reader.name}: {verb}")
    assert await everything() == before


async def test_an_empty_text_is_refused_and_changes_nothing() -> None:
    case = await opened()
    before = await everything()
    for verb in ("reply", "note"):
        with pytest.raises(Invalid, match="Write something"):
            async with transaction(INES):
                await getattr(case, verb)(by=INES, text=" \n", at=LATER)
    assert await everything() == before


async def test_nobody_can_alter_the_log_or_the_dialogue() -> None:
    """The database refuses to update or delete the events and the messages of a case."""
    await opened()
    for sql in (
        "update case_event set kind = 'x'",
        "delete from case_event",
        "update message set text = 'x'",
        "delete from message",
    ):
        with pytest.raises(asyncpg.PostgresError):
            async with transaction(INES) as tx:
                await tx.execute(sql)
