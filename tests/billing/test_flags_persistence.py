"""Test flags on time entries, undoing decisions, designations per service and deputies, in the database.

A flag is a manager's question about an entry; no run bills the entry while the flag is on it. A designation lets a
manager decide on the time of a service. An entry is odd if something about it deserves a look before it is approved,
such as its length.
"""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest

from portal import billing
from portal.billing import Choice
from portal.contracts import approvers
from portal.contracts.approvers import ServiceForm
from portal.database import current, transaction
from portal.database.counting import count_all
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import SYSTEM, AgentReader
from portal.timekeeping import flags, lists, versions
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.states import submit
from portal.timekeeping.work import Work
from tests.billing.work import NOVEMBER, OCTOBER, Logged, a_case, a_service, log, states
from tests.world import ACME, ACME_CONTRACT, HELPDESK, INES, MAX, MOVE, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
QUESTION = "Which switch was it?"
LATER = NOW + timedelta(hours=1)


async def _flag(*entries: Logged, by: AgentReader = MAX) -> billing.Outcome:
    return await billing.flag([entry.choice for entry in entries], question=QUESTION, by=by, at=NOW)


async def _flag_id(entry: Logged) -> int:
    flag_id: int = await current().fetchval("select id from flag where entry_id = $1 and lifted_at is null", entry.id)
    return flag_id


@pytest.mark.parametrize("state", ["draft", "submitted", "approved"])
async def test_a_flagged_entry_stays_where_it_is_and_keeps_its_allocations(state: str) -> None:
    """C3, S2.35: a flag changes neither the state nor the allocations of an entry."""
    async with transaction(MAX) as tx:
        entry = await log(60, state="draft" if state == "draft" else "submitted")
        if state == "approved":
            await billing.approve([entry.choice], by=MAX, at=NOW)
        before = await tx.fetch("select * from allocation")
        assert (await _flag(entry)).done == (entry.id,)
        assert await states(entry) == [state]
        assert await tx.fetch("select * from allocation") == before
        line = await billing.find_entry(INES, entry.id)
        assert line.flag
        assert (line.flag.question, line.flag.by, line.flag.answer) == (QUESTION, "Max Herrmann", None)


async def test_a_run_skips_flagged_time_and_bills_it_once_the_flag_is_lifted() -> None:
    """C3, D47: a run skips a flagged entry with the reason `flagged`, even if the author has answered the question.

    Once the flag is lifted, a run bills the entry.
    """
    async with transaction(MAX) as tx:
        entry, other = await log(60), await log(30)
        await billing.approve([entry.choice, other.choice], by=MAX, at=NOW)
        await _flag(entry)
        assert [omitted.reason for omitted in (await billing.preview_run(NOVEMBER)).omitted] == ["flagged"]
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run
        assert [row["entry_id"] for row in await tx.fetch("select entry_id from settled_entry")] == [other.id]
        reasons = await tx.fetch("select entry_id, reason from skipped_entry")
        assert [tuple(row) for row in reasons] == [(entry.id, "flagged")]
        await flags.answer(entry.id, "The one in the cellar.", by=INES, at=NOW)
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        await billing.lift(await _flag_id(entry), by=MAX, at=NOW)
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert await tx.fetchval("select count(*) from settled_entry") == 2
        assert await billing.violations() == {}


async def test_the_database_refuses_to_settle_flagged_and_to_flag_settled_time() -> None:
    """C3: even SQL that skips the rules of the portal can neither bill flagged time nor flag billed time."""
    async with transaction(MAX):
        entry, billed = await log(60), await log(30)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.approve([billed.choice], by=MAX, at=NOW)
        await _flag(entry)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    settle = (
        "insert into settled_entry (entry_id, customer_id, invoice_id) select $1, customer_id, id from invoice limit 1"
    )
    flag = (
        "insert into flag (entry_id, version, decision, flagged_by_id, flagged_at, question)"
        " values ($1, 1, gen_random_uuid(), 2, now(), 'Why?')"
    )
    for sql, entry_id in ((settle, entry.id), (flag, billed.id)):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(SYSTEM) as tx:
                await tx.execute(sql, entry_id)


async def test_flagged_time_is_not_approved_until_the_flag_is_lifted() -> None:
    """C3: the approval of a flagged entry is refused, and accepted once the flag is lifted."""
    async with transaction(MAX):
        entry = await log()
        await _flag(entry)
        refused = await billing.approve([entry.choice], by=NOOR, at=NOW)
        assert [no.sentence for no in refused.refused] == ["Max Herrmann has flagged it. Lift the flag, then approve."]
        await billing.lift(await _flag_id(entry), by=NOOR, at=NOW)
        assert (await billing.approve([entry.choice], by=NOOR, at=NOW)).done == (entry.id,)


async def test_what_cannot_be_flagged_is_reported_and_the_rest_goes_through() -> None:
    """D33, D35: of seven entries, the one that Max may flag is flagged, and each of the others is refused with a reason.

    One of the others is Max's own. The other five were changed, rejected, billed, flagged or deleted in the meantime.
    """
    async with transaction(MAX) as tx:
        good, own, changed, rejected, settled, flagged = [
            await log(who=who) for who in (INES, MAX, INES, INES, INES, INES)
        ]
        await tx.execute("update time_entry set version = 2 where id = $1", changed.id)
        await billing.reject([rejected.choice], reason="No", by=MAX, at=NOW)
        await billing.approve([settled.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        await _flag(flagged, by=NOOR)
        outcome = await _flag(good, own, changed, rejected, settled, flagged, Logged(4711))
        assert outcome.done == (good.id,)
        assert {no.entry_id: no.sentence for no in outcome.refused} == {
            own.id: "This is your own time. Another manager has to decide on it.",
            changed.id: "It was changed in the meantime. Look at it again.",
            rejected.id: "It is rejected already, and Ines Okafor has not submitted it again.",
            settled.id: "This time is on a draft. Take it off the draft; then it can be changed.",
            flagged.id: "Noor Haddad has flagged it already.",
            4711: "It was deleted in the meantime.",
        }


async def test_two_managers_who_flag_at_once() -> None:
    """If Max and Noor flag an entry at the same time, one of them gets 409."""
    async with transaction(SYSTEM):
        entry = await log()

    async def ask(by: AgentReader) -> billing.Outcome:
        async with transaction(by):
            return await billing.flag([entry.choice], question=QUESTION, by=by, at=NOW)

    outcomes = await asyncio.gather(ask(MAX), ask(NOOR))
    assert sorted(outcome.status for outcome in outcomes) == [200, 409]


@pytest.mark.parametrize("question", ["", " \n", "x" * 1001])
async def test_a_flag_needs_its_question(question: str) -> None:
    """C3: a flag without a question, or with one that is too long, is refused and flags nothing."""
    async with transaction(MAX) as tx:
        entry = await log()
        with pytest.raises(Invalid) as refusal:
            await billing.flag([entry.choice], question=question, by=MAX, at=NOW)
        assert "question" in refusal.value.fields
        assert await tx.fetchval("select count(*) from flag") == 0


async def test_only_the_author_answers_and_only_managers_lift() -> None:
    """C3: Ines may answer the flag of her entry and change the answer, however old the entry is; Max may not answer it.

    Max may lift the flag and Ines may not. Once the flag is lifted, lifting and answering it are conflicts.
    """
    async with transaction(INES) as tx:
        entry = await log(at=NOW - timedelta(days=90))
        await _flag(entry)
        flag_id = await _flag_id(entry)
        with pytest.raises(Forbidden):
            await flags.answer(entry.id, "It was mine.", by=MAX, at=NOW)
        with pytest.raises(NotFound):
            await flags.answer(4711, "What?", by=INES, at=NOW)
        with pytest.raises(Invalid):
            await flags.answer(entry.id, " ", by=INES, at=NOW)
        await flags.answer(entry.id, "The one in the cellar.", by=INES, at=NOW)
        await flags.answer(entry.id, "Both in the cellar.", by=INES, at=LATER)
        await flags.answer(entry.id, "Both in the cellar.", by=INES, at=LATER)
        with pytest.raises(Forbidden):
            await billing.lift(flag_id, by=INES, at=LATER)
        row = await tx.fetchrow("select answer, answered_at, lifted_at from flag")
        assert tuple(row) == ("Both in the cellar.", LATER, None)
        await billing.lift(flag_id, by=MAX, at=LATER)
        for refused in (billing.lift(flag_id, by=NOOR, at=LATER), flags.answer(entry.id, "Hm", by=INES, at=LATER)):
            with pytest.raises(Conflict):
                await refused
        with pytest.raises(NotFound):
            await billing.lift(4711, by=MAX, at=LATER)


async def test_questions_wait_for_their_author_until_they_are_answered_or_lifted() -> None:
    """Ines's list of questions and the count in the navigation include a flag until she answers it or Max lifts it."""
    async with transaction(MAX):
        answered, lifted = await log(), await log()
        await _flag(answered, lifted)
        assert [question.entry_id for question in await flags.unanswered(INES.id)] == [lifted.id, answered.id]
        assert await flags.unanswered(MAX.id) == []
        assert (await count_all({"time": lists.counting_overdue(INES.id, OCTOBER)}))["time"] == 2
        await flags.answer(answered.id, "The one in the cellar.", by=INES, at=NOW)
        assert [question.entry_id for question in await flags.unanswered(INES.id)] == [lifted.id]
        await billing.lift(await _flag_id(lifted), by=MAX, at=NOW)
        assert await flags.unanswered(INES.id) == []
        assert (await count_all({"time": lists.counting_overdue(INES.id, OCTOBER)}))["time"] == 0


async def test_a_rejection_is_taken_back_with_state_and_window() -> None:
    """D35: when Max undoes a rejection, each entry gets back its former state.

    Its author may change it in the same 24 hours as before the rejection. An entry that its author has submitted again
    stays as it is and is reported. Noor cannot undo Max's rejection.
    """
    async with transaction(MAX) as tx:
        waiting, draft, again = await log(), await log(state="draft"), await log()
        rows = "select state, window_from, submitted_at from time_entry where id = any($1) order by id"
        before = await tx.fetch(rows, [waiting.id, draft.id])
        choices = [waiting.choice, draft.choice, again.choice]
        outcome = await billing.reject(choices, reason="Which site?", by=MAX, at=NOW)
        await submit(INES, [again.id], at=LATER)
        assert outcome.decision
        with pytest.raises(NotFound):
            await billing.undo(outcome.decision, by=NOOR, at=LATER)
        undone = await billing.undo(outcome.decision, by=MAX, at=LATER)
        assert undone.done == (waiting.id, draft.id)
        assert [no.sentence for no in undone.refused] == ["It was submitted again in the meantime."]
        assert await tx.fetch(rows, [waiting.id, draft.id]) == before
        assert (await billing.find_entry(INES, waiting.id)).reason is None


async def test_flags_are_taken_back_and_taking_back_twice_is_a_conflict() -> None:
    """D35: if Max undoes the decision with which he flagged two entries, both flags are lifted; a second undo is a conflict."""
    async with transaction(MAX) as tx:
        outcome = await _flag(await log(), await log())
        assert outcome.decision
        assert len((await billing.undo(outcome.decision, by=MAX, at=LATER)).done) == 2
        assert await tx.fetchval("select count(*) from flag where lifted_at is null") == 0
        with pytest.raises(Conflict):
            await billing.undo(outcome.decision, by=MAX, at=LATER)


async def test_every_change_keeps_a_version_with_who_when_old_and_new() -> None:
    """Each change of an entry, and each decision on it, is kept with who did what and when, even after its deletion."""
    async with transaction(MAX):
        entry = await TimeEntry.log(INES, _work(30), at=NOW)
        await entry.change(INES, _work(45), version=1, at=NOW)
        await submit(INES, [entry.id], at=NOW)
        choice = Choice(entry.id, 2)
        await billing.flag([choice], question=QUESTION, by=MAX, at=NOW)
        await flags.answer(entry.id, "The one in the cellar.", by=INES, at=NOW)
        await billing.lift(await _flag_id(Logged(entry.id)), by=MAX, at=NOW)
        await billing.approve([choice], by=MAX, at=NOW)
        await billing.withdraw(entry.id, by=MAX, at=NOW)
        await billing.reject([choice], reason="Too long", by=MAX, at=NOW)
        await billing.delete_entry(entry.id, version=2, by=MAX, at=LATER)
        kept = await versions.of_entry(entry.id)
    assert [(step.sentence, step.note) for step in kept] == [
        ("Ines Okafor logged this", ""),
        ("Ines Okafor changed this", ""),
        ("Ines Okafor submitted this", ""),
        ("Max Herrmann flagged this", QUESTION),
        ("Ines Okafor answered", "The one in the cellar."),
        ("Max Herrmann lifted the flag", ""),
        ("Max Herrmann approved this", ""),
        ("Max Herrmann took the approval back", ""),
        ("Max Herrmann rejected this", "Too long"),
        ("Max Herrmann deleted this", ""),
    ]
    assert kept[1].parts == [("Worked", "30\xa0min", "45\xa0min"), ("Counts", "30\xa0min", "45\xa0min")]
    assert ("Worked", "45\xa0min", "none") in kept[-1].parts
    assert ("Service", "“Helpdesk”", "none") in kept[-1].parts
    assert kept[-1].at == LATER


def _work(minutes: int) -> Work:
    return Work(minutes=minutes, work_date=OCTOBER, service_id=HELPDESK)


async def test_a_manager_designated_for_the_service_decides_on_its_time_only() -> None:
    """C10: Max, who is designated for a service, may approve Ines's time under it, although she is in another department.

    He may not approve her time under another service, nor his own time.
    """
    async with transaction(NOOR) as tx:
        other = await a_service(ACME, ACME_CONTRACT, "Network care")
        await tx.execute("update agent set department_id = $1 where id = $2", MOVE, INES.id)
        covered, elsewhere, own = await log(service=other), await log(), await log(service=other, who=MAX)
        assert await billing.waiting_count(MAX, NOW) == 0
        await approvers.designate(other, ServiceForm(name="Network care", approvers=[str(MAX.id)]))
        assert await approvers.of_service(other) == [(MAX.id, "Max Herrmann")]
        assert await billing.waiting_count(MAX, NOW) == 1
        outcome = await billing.approve([covered.choice, elsewhere.choice, own.choice], by=MAX, at=NOW)
        assert outcome.done == (covered.id,)
        assert {no.entry_id: no.status for no in outcome.refused} == {elsewhere.id: 403, own.id: 403}
        assert [row["id"] for row in (await billing.list_approved(MAX, at=NOW)).rows] == [covered.id]


@pytest.mark.parametrize("approver", ["1", "3", "4711", "x"])
async def test_only_managers_are_designated_for_a_service(approver: str) -> None:
    """C10: an agent, an admin or an unknown id cannot be designated for a service, and nothing changes."""
    async with transaction(NOOR) as tx:
        with pytest.raises(Invalid) as refusal:
            await approvers.designate(HELPDESK, ServiceForm(name="Helpdesk", approvers=[approver]))
        assert "approvers" in refusal.value.fields
        assert await tx.fetchval("select count(*) from service_designation") == 0


async def test_a_deputy_decides_in_the_days_of_the_absence_but_not_on_own_time_nor_the_absent_managers() -> None:
    """C10, D33: from the first to the last day of Max's absence, his deputy may approve the entries that Max may approve.

    The deputy may approve neither Max's own time nor the deputy's own time.
    """
    async with transaction(NOOR) as tx:
        deputy = await _a_manager("Dina Deputy")
        entry, own = await log(), await log(who=deputy)
        maxs = await log(who=MAX)
        await tx.execute("update agent set department_id = 1 where id = $1", deputy.id)
        today = NOW.date()
        assert await billing.waiting_count(deputy, NOW) == 0
        await tx.execute(
            "insert into absence (agent_id, first_day, last_day, deputy_id, note) values ($1, $2, $3, $4, '')",
            MAX.id, today, today + timedelta(days=1), deputy.id,
        )  # fmt: skip
        assert await billing.waiting_count(deputy, NOW) == 1
        outcome = await billing.approve([entry.choice, own.choice, maxs.choice], by=deputy, at=NOW)
        assert outcome.done == (entry.id,)
        assert {no.entry_id for no in outcome.refused} == {own.id, maxs.id}
        for days in (-1, 2):
            assert await billing.waiting_count(deputy, NOW + timedelta(days=days)) == 0


async def _a_manager(name: str) -> AgentReader:
    agent_id = await current().fetchval(
        "insert into agent (name, grade, role_id, department_id, locale, time_zone, created_at)"
        " values ($1, 'manager', 1, 2, 'en_GB', 'Europe/Berlin', $2) returning id",
        name, NOW,
    )  # fmt: skip
    return AgentReader(agent_id, NOOR.credential_id, name, "dina@desk.example", "manager", "en_GB", "Europe/Berlin")


async def test_an_entry_of_a_day_that_is_odd_says_why() -> None:
    """The list of waiting entries gives each odd entry the code and the text of every reason, and can be filtered by code.

    Entries that are not odd have no reason; a flagged entry is odd without a reason.
    """
    async with transaction(MAX) as tx:
        case = (await a_case())["id"]
        await tx.execute(
            "update cases set status = 'closed', resolved_at = $2, closed_at = $2, opened_at = $2 where id = $1",
            case, NOW.replace(month=10, day=13),
        )  # fmt: skip
        await tx.execute("update service set effective_start = '2026-02-01' where id = $1", HELPDESK)
        await log(on=date(2026, 10, 12), case_id=case, comment="Again")
        made = {
            "clean": await log(on=date(2026, 10, 5), comment="Clean"),
            "no_comment": await log(on=date(2026, 10, 6), comment=""),
            "weekend": await log(on=date(2026, 10, 10), comment="Night call"),
            "before_start": await log(on=date(2026, 1, 7), comment="Early"),
            "long_day": await log(601, on=date(2026, 10, 8), comment="Move"),
            "after_closed": await log(on=date(2026, 10, 14), case_id=case, comment="Late"),
            "same_text": await log(on=date(2026, 10, 13), case_id=case, comment="Again"),
            "overlap": await log(on=date(2026, 10, 15), comment="Parallel"),
            "flagged": await log(on=date(2026, 10, 16), comment="Asked"),
        }
        other = await log(on=date(2026, 10, 15), comment="Before")
        for entry, hours in ((other, (9, 11)), (made["overlap"], (10, 12))):
            await tx.execute(
                "update time_entry set time_zone = 'Europe/Berlin', started_at = $2, ended_at = $3 where id = $1",
                entry.id, *(NOW.replace(month=10, day=15, hour=hour - 2, minute=0) for hour in hours),
            )  # fmt: skip
        await _flag(made["flagged"])
        shown = {entry.id: entry for entry in (await billing.list_waiting(MAX, at=NOW)).entries}
        for code, entry in made.items():
            found = [why.code for why in shown[entry.id].why]
            if code in ("clean", "flagged"):
                assert (found, shown[entry.id].is_odd) == ([], code == "flagged"), code
            elif code == "before_start":
                assert found == ["refused"]
            else:
                assert code in found, (code, found)
                narrowed = await billing.list_waiting(MAX, billing.Filters(only=code), at=NOW)
                assert entry.id in [one.id for one in narrowed.entries], code
        clean = await billing.list_waiting(MAX, billing.Filters(only="clean"), at=NOW)
        odd = await billing.list_waiting(MAX, billing.Filters(only="odd"), at=NOW)
        assert {entry.id for entry in clean.entries} == {id for id, entry in shown.items() if not entry.is_odd}
        assert {entry.id for entry in odd.entries} == {id for id, entry in shown.items() if entry.is_odd}
        sentences = {why.code: why.sentence for entry in shown.values() for why in entry.why}
        assert sentences["overlap"].startswith("Overlaps with other time from ")
        assert sentences["after_closed"] == "The case was closed on 13 Oct."
        assert sentences["same_text"] == "Same text as an entry of 12 Oct on this case."


async def test_an_entry_is_longer_than_usual_for_its_type() -> None:
    """An entry is odd if it took over an hour and over three times the median of its service, once enough entries exist."""
    async with transaction(MAX) as tx:
        long = await log(200, on=date(2026, 10, 5), comment="Long")
        assert not (await billing.list_waiting(MAX, at=NOW)).entries[0].is_odd
        await tx.execute(
            "insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,"
            " external_comment, description, state, created_at, window_from) select 1, 1, 1, 1, date '2026-08-03', 20, 'billable', 20,"
            " 'Usual ' || n, '', 'draft', $1, $1 from generate_series(1, 25) n",
            NOW,
        )
        (entry,) = (await billing.list_waiting(MAX, at=NOW)).entries
        assert entry.id == long.id
        assert [why.sentence for why in entry.why] == [
            "Longer than usual: most entries of “Helpdesk” take about 20\xa0min."
        ]


async def test_all_that_matches_is_summed_up_with_its_versions() -> None:
    """`list_matching` chooses the entries that are not odd, sums them, and counts the odd ones by reason.

    With `with_odd`, it chooses all entries.
    """
    async with transaction(MAX):
        clean = [await log(60, comment=f"Work {number}", on=OCTOBER - timedelta(days=number)) for number in range(2)]
        odd = await log(30, comment="")
        matching = await billing.list_matching(MAX, billing.Filters(), at=NOW)
        assert set(matching.choices) == {f"{entry.id}:1" for entry in clean}
        assert (matching.odd, matching.odd_count, matching.minutes) == ({"no_comment": 1}, 1, 120)
        assert {currency: str(amount) for currency, amount in matching.amounts.items()} == {"EUR": "240.00"}
        everything = await billing.list_matching(MAX, billing.Filters(), at=NOW, with_odd=True)
        assert set(everything.choices) == {f"{entry.id}:1" for entry in [*clean, odd]}
