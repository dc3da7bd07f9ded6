"""Test approvals, rejections, withdrawals and changes of time entries by managers, in the database."""

import asyncio
from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal

import asyncpg
import pytest

from portal import billing
from portal.billing import Choice
from portal.billing.allocating import allocations
from portal.contracts.rates import Rate
from portal.database import current, transaction
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.readers import SYSTEM
from portal.timekeeping.work import Work
from tests.billing.work import NOVEMBER, OCTOBER, a_service, log, states
from tests.world import ACME, ACME_CONTRACT, GLOBEX_HELPDESK, INES, MAX, MOVE, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def _allocations(entry_id: int) -> list[tuple[str, int, Decimal]]:
    rows = await current().fetch(
        "select kind, minutes, amount from allocation where entry_id = $1 order by position", entry_id
    )
    return [tuple(row) for row in rows]


async def test_an_approval_keeps_version_rate_source_role_and_amount() -> None:
    """An approval stores the entry's version and the rate with its source and role; the allocation stores the amount.

    C12, D17, D34.
    """
    async with transaction(MAX) as tx:
        entry = await log(50)
        outcome = await billing.approve([entry.choice], by=MAX, at=NOW)
        assert (outcome.done, outcome.refused, outcome.status) == ((entry.id,), (), 200)
        row = await tx.fetchrow("select * from approval where entry_id = $1", entry.id)
        assert (row["version"], row["hourly_rate"], row["rate_source"], row["rate_id"]) == (1, Decimal(120), "role", 1)
        assert (row["role_name"], row["submission_implied"], row["approved_by_id"]) == (
            "Senior consultant",
            False,
            MAX.id,
        )
        assert await _allocations(entry.id) == [("charged", 50, Decimal(100))]
        assert await billing.violations() == {}


async def test_a_rate_stays_once_time_was_approved_at_it() -> None:
    """A rate that is the source of an approval's price cannot be deleted (D17)."""
    async with transaction(MAX) as tx:
        entry = await log(50)
        rate = await Rate.find(1)
        assert await billing.rates_in_use() == set()
        await billing.approve([entry.choice], by=MAX, at=NOW)
        with pytest.raises(Conflict):
            await rate.withdraw()
        assert await billing.rates_in_use() == {rate.id}
        assert await tx.fetchval("select rate_id from approval where entry_id = $1", entry.id) == rate.id


async def test_later_rates_touch_later_approvals_only() -> None:
    """A rate that is added later does not change the price of an earlier approval (C12, D17)."""
    async with transaction(MAX) as tx:
        before, after = await log(60), await log(60)
        await billing.approve([before.choice], by=MAX, at=NOW)
        await tx.execute(
            "insert into rate (currency, hourly_rate, effective_from, service_id, customer_id, created_at)"
            " values ('EUR', 200, '2026-10-01', 1, 1, $1)",
            NOW,
        )
        await billing.approve([after.choice], by=MAX, at=NOW)
        assert await _allocations(before.id) == [("charged", 60, Decimal(120))]
        assert await _allocations(after.id) == [("charged", 60, Decimal(200))]


@pytest.mark.parametrize("verb", ["withdraw", "undo", "change"])
async def test_a_draft_whose_approval_is_withdrawn_is_a_draft_again(verb: str) -> None:
    """C4, D34: when Max withdraws or undoes an approval, or changes the approved entry, the entry gets back its former state.

    An entry that was approved as a draft is a draft again. An entry that was approved as submitted is submitted again.
    """
    async with transaction(MAX) as tx:
        entries = [await log(state="draft"), await log()]
        outcome = await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        if verb == "undo" and outcome.decision:
            await billing.undo(outcome.decision, by=MAX, at=NOW)
        for entry in entries:
            if verb == "withdraw":
                await billing.withdraw(entry.id, by=MAX, at=NOW)
            elif verb == "change":
                work = Work(minutes=30, work_date=OCTOBER, service_id=1)
                await billing.change_entry(entry.id, work, version=1, by=MAX, at=NOW)
        assert await states(*entries) == ["draft", "submitted"]
        submitted = await tx.fetch("select submitted_at is not null from time_entry order by id")
        assert [row[0] for row in submitted] == [False, True]
        assert await billing.violations() == {}


async def test_a_draft_is_approved_with_its_submission_implied() -> None:
    """Approving a draft entry submits it too, and the approval records that the submission was implied (C4)."""
    async with transaction(MAX) as tx:
        entry = await log(state="draft")
        assert (await billing.approve([entry.choice], by=MAX, at=NOW)).done == (entry.id,)
        assert await tx.fetchval("select submission_implied from approval where entry_id = $1", entry.id)
        assert await tx.fetchval("select submitted_at from time_entry where id = $1", entry.id) == NOW


async def test_several_are_approved_and_the_rest_is_reported() -> None:
    """D35, D33, C10, D19: of several entries, those that Max may approve are approved; the others are refused with reasons.

    The refused entries are his own entry, an entry that was changed since he saw it, an entry from before the service
    began, and an entry of an agent in another department.
    """
    async with transaction(MAX) as tx:
        good = [await log(30), await log(45, service=GLOBEX_HELPDESK)]
        own = await log(who=MAX)
        changed = await log()
        await tx.execute("update time_entry set version = 2 where id = $1", changed.id)
        too_early = await log(on=date(2025, 12, 31))
        await tx.execute("insert into department (name) values ('Elsewhere')")
        await tx.execute("update agent set department_id = $1 where id = $2", MOVE, NOOR.id)
        stranger = await log(who=NOOR)
        entries = [*good, own, changed, too_early, stranger]
        outcome = await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        assert outcome.done == tuple(entry.id for entry in good)
        assert outcome.status == 200
        reasons = {refused.entry_id: (refused.sentence, refused.status) for refused in outcome.refused}
        assert reasons == {
            own.id: ("This is your own time. Another manager has to decide on it.", 403),
            changed.id: ("It was changed in the meantime. Look at it again.", 409),
            too_early.id: ("“Helpdesk” had not begun on 31 Dec 2025.", 422),
            stranger.id: ("You are not designated for Noor Haddad’s department, nor for the service.", 403),
        }
        assert await states(*entries) == ["approved", "approved", "submitted", "submitted", "submitted", "submitted"]
        assert await billing.violations() == {}


async def test_a_customer_that_cannot_be_allocated_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """D35: if allocating Acme's time fails, Acme's entries are refused with status 500, and all others are approved."""
    real = allocations.reallocate

    async def failing(customers: Collection[int], changed: Collection[int] = ()) -> None:
        if ACME in customers:
            raise RuntimeError("planted")
        await real(customers, changed)

    monkeypatch.setattr(allocations, "reallocate", failing)
    async with transaction(MAX):
        acme = [await log(30), await log(15)]
        others = [await log(45, service=GLOBEX_HELPDESK), await log(20, service=None, billing="not_billable")]
        choices = [entry.choice for entry in (*acme, *others)]
        outcome = await billing.approve(choices, by=MAX, at=NOW)
        assert outcome.done == tuple(entry.id for entry in others)
        assert {refused.entry_id: refused.status for refused in outcome.refused} == {entry.id: 500 for entry in acme}
        assert await states(*acme, *others) == ["submitted", "submitted", "approved", "approved"]
        assert await billing.violations() == {}


async def test_after_the_end_of_the_contract_nothing_is_approved() -> None:
    """An entry on or after the contract's end date cannot be approved: the contract's last day is the day before."""
    async with transaction(MAX) as tx:
        await tx.execute("update contract set end_on = '2026-10-07' where id = $1", ACME_CONTRACT)
        last, after = await log(on=date(2026, 10, 6)), await log(on=date(2026, 10, 7))
        outcome = await billing.approve([last.choice, after.choice], by=MAX, at=NOW)
        assert outcome.done == (last.id,)
        assert outcome.refused[0].sentence == "The contract “Support 2026” had ended on 7 Oct 2026."


async def test_a_missing_rate_stops_the_approval_and_changes_nothing() -> None:
    """Without a rate the approval is refused and nothing changes: time is never billed at 0 by accident (D19, C12)."""
    async with transaction(MAX) as tx:
        await tx.execute("delete from rate")
        entry = await log()
        outcome = await billing.approve([entry.choice], by=MAX, at=NOW)
        assert (outcome.done, outcome.status) == ((), 422)
        assert outcome.refused[0].sentence == (
            "There is no rate for Ines Okafor under “Helpdesk” on 6 Oct 2026. Add one, then approve."
        )
        assert await states(entry) == ["submitted"]
        assert await tx.fetchval("select count(*) from approval") == 0


async def test_a_rate_in_another_currency_is_no_rate() -> None:
    """A rate in another currency than the contract's does not price the contract's time."""
    async with transaction(MAX) as tx:
        await tx.execute("update rate set currency = 'USD'")
        assert (await billing.approve([(await log()).choice], by=MAX, at=NOW)).status == 422


async def test_without_a_role_time_by_role_is_not_approved() -> None:
    """Time of an agent without a role cannot be approved under a service that groups invoice lines by role (D19)."""
    async with transaction(MAX) as tx:
        await tx.execute("update agent set role_id = null where id = $1", INES.id)
        service = await a_service(ACME, ACME_CONTRACT, "By role", rollup="role")
        entry = await log(service=service, hourly_rate=Decimal(100))
        outcome = await billing.approve([entry.choice], by=MAX, at=NOW)
        assert (
            outcome.refused[0].sentence
            == "Ines Okafor has no role, and “By role” is billed by role. Give one, then approve."
        )


async def test_an_admin_may_approve_all_but_own_time() -> None:
    """An admin may approve a colleague's time in a department without approver, but not their own (C10, D33)."""
    async with transaction(NOOR) as tx:
        await tx.execute("update agent set department_id = $1", MOVE)
        entry, own = await log(), await log(who=NOOR)
        outcome = await billing.approve([entry.choice, own.choice], by=NOOR, at=NOW)
        assert outcome.done == (entry.id,)
        assert [refused.status for refused in outcome.refused] == [403]


async def test_a_designation_holds_for_the_departments_below() -> None:
    """A manager who is designated for a department may approve time of all departments below it too (C10)."""
    async with transaction(MAX) as tx:
        await tx.execute("update department set parent_id = 1 where id = $1", MOVE)
        await tx.execute("update agent set department_id = $1 where id = $2", MOVE, INES.id)
        assert (await billing.approve([(await log()).choice], by=MAX, at=NOW)).status == 200


async def test_time_entered_for_somebody_is_the_workers_own() -> None:
    """Max cannot approve his own time that Ines entered for him, but can approve Ines's time that he entered (D33)."""
    async with transaction(MAX) as tx:
        typed_by_max, worked_by_max = await log(), await log(who=MAX)
        await tx.execute("update time_entry set entered_by_id = $1 where id = $2", MAX.id, typed_by_max.id)
        await tx.execute("update time_entry set entered_by_id = $1 where id = $2", INES.id, worked_by_max.id)
        outcome = await billing.approve([typed_by_max.choice, worked_by_max.choice], by=MAX, at=NOW)
        assert outcome.done == (typed_by_max.id,)


async def test_the_database_refuses_that_somebody_approves_own_time() -> None:
    """The database refuses an approval by the agent whose time it is (R32)."""
    async with transaction(SYSTEM):
        entry = await log(who=MAX)
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction(SYSTEM) as tx:
            await tx.execute(
                "insert into approval (customer_id, entry_id, agent_id, approved_by_id, version, submission_implied, approved_at, decision)"
                " values (1, $1, 2, 2, 1, false, $2, gen_random_uuid())", entry.id, NOW,
            )  # fmt: skip


async def test_an_agent_decides_on_nothing() -> None:
    """Ines, who is not a manager, can neither approve nor reject time nor withdraw an approval (S0.28)."""
    async with transaction(INES):
        entry = await log(who=MAX)
        with pytest.raises(Forbidden):
            await billing.approve([entry.choice], by=INES, at=NOW)
        with pytest.raises(Forbidden):
            await billing.reject([entry.choice], reason="No", by=INES, at=NOW)
        with pytest.raises(Forbidden):
            await billing.withdraw(entry.id, by=INES, at=NOW)
        assert await states(entry) == ["submitted"]


async def test_general_and_not_billable_time_is_approved_without_a_price() -> None:
    """General time (without a service), not billable time and time at no charge are approved without a price (S1.5).

    Time that is not billable has no allocation. Time at no charge has an allocation of 0.00.
    """
    async with transaction(MAX) as tx:
        general = await log(service=None, billing="not_billable")
        internal = await log(billing="not_billable")
        goodwill = await log(billing="no_charge")
        entries = [general, internal, goodwill]
        assert (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).status == 200
        assert await states(*entries) == ["approved"] * 3
        assert await tx.fetchval("select count(*) from approval where hourly_rate is null") == 3
        assert await _allocations(internal.id) == []
        assert await _allocations(goodwill.id) == [("no_charge", 60, Decimal(0))]
        assert await billing.violations() == {}


async def test_two_managers_at_once_one_gets_a_conflict() -> None:
    """If Max and Noor approve an entry at the same time on two connections, one of them gets a conflict.

    The same holds for general time, which belongs to no service.
    """
    async with transaction(SYSTEM):
        entries = [await log(), await log(service=None, billing="not_billable")]

    async def decide(by: object, entry: object) -> billing.Outcome:
        async with transaction(by):  # type: ignore[arg-type]
            outcome = await billing.approve([entry.choice], by=by, at=NOW)  # type: ignore[attr-defined, arg-type]
            await asyncio.sleep(0.05)
            return outcome

    for entry in entries:
        outcomes = await asyncio.gather(decide(MAX, entry), decide(NOOR, entry))
        assert sorted(outcome.status for outcome in outcomes) == [200, 409]
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from approval") == 2
        assert await billing.violations() == {}


async def test_approving_twice_is_a_conflict_and_names_the_manager() -> None:
    """When Noor approves an entry that Max has approved, she gets a conflict that names him, and nothing changes."""
    async with transaction(MAX):
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
    async with transaction(NOOR) as tx:
        outcome = await billing.approve([entry.choice], by=NOOR, at=NOW)
        assert outcome.status == 409
        assert outcome.refused[0].sentence == "It is approved already, by Max Herrmann."
        assert await tx.fetchval("select count(*) from approval") == 1


async def test_a_rejection_goes_back_with_its_reason_and_opens_the_window() -> None:
    """A rejection stores the reason and gives the author another 24 hours to change the entry (S0.30, S0.31, C5).

    The entry cannot be approved until the author has submitted it again.
    """
    async with transaction(MAX) as tx:
        entry = await log()
        assert (await billing.reject([entry.choice], reason=" Which site? ", by=MAX, at=NOW)).done == (entry.id,)
        row = await tx.fetchrow("select state, window_from from time_entry where id = $1", entry.id)
        assert tuple(row) == ("rejected", NOW)
        assert await tx.fetchval("select reason from rejection where entry_id = $1", entry.id) == "Which site?"
        again = await billing.approve([entry.choice], by=MAX, at=NOW)
        assert again.refused[0].sentence == "It is rejected already, and Ines Okafor has not submitted it again."


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 1001])
async def test_a_rejection_needs_a_reason(reason: str) -> None:
    """A rejection without a reason, or with one of over 1000 characters, is refused and changes nothing (C3)."""
    async with transaction(MAX):
        entry = await log()
        with pytest.raises(Invalid) as refusal:
            await billing.reject([entry.choice], reason=reason, by=MAX, at=NOW)
        assert "reason" in refusal.value.fields
        assert await states(entry) == ["submitted"]


async def test_a_withdrawal_makes_it_submitted_and_frees_its_allocations() -> None:
    """Withdrawing an approval makes the entry submitted again and deletes its allocations."""
    async with transaction(MAX) as tx:
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.withdraw(entry.id, by=MAX, at=NOW + timedelta(hours=1))
        assert await states(entry) == ["submitted"]
        assert await _allocations(entry.id) == []
        row = await tx.fetchrow("select withdrawn_at, withdrawn_by_id from approval where entry_id = $1", entry.id)
        assert tuple(row) == (NOW + timedelta(hours=1), MAX.id)
        assert (await billing.approve([entry.choice], by=MAX, at=NOW)).done == (entry.id,)
        assert await billing.violations() == {}


async def test_time_that_moves_to_another_service_is_allocated_again_and_settled_time_stays() -> None:
    """D31: if Max moves an approved entry to another service, its allocations are deleted, and it needs another approval.

    The new approval uses the rounding and the rate of the new service. An entry on a draft invoice cannot be moved.
    """
    async with transaction(MAX) as tx:
        other = await a_service(ACME, ACME_CONTRACT, "On site", rounding_increment=60)
        await tx.execute(
            "insert into rate (currency, hourly_rate, effective_from, service_id, customer_id, created_at)"
            " values ('EUR', 200, '2026-01-01', $1, $2, $3)",
            other, ACME, NOW,
        )  # fmt: skip
        entry, settled = await log(30), await log(30)
        moved = Work(minutes=30, work_date=OCTOBER, service_id=other)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        assert await _allocations(entry.id) == [("charged", 30, Decimal(60))]
        await billing.change_entry(entry.id, moved, version=1, by=MAX, at=NOW)
        assert await _allocations(entry.id) == []
        assert (await billing.approve([Choice(entry.id, 2)], by=MAX, at=NOW)).done == (entry.id,)
        assert await _allocations(entry.id) == [("charged", 60, Decimal(200))]
        await billing.approve([settled.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        for one, version in ((entry, 2), (settled, 1)):
            with pytest.raises(Conflict):
                await billing.change_entry(one.id, moved, version=version, by=MAX, at=NOW)
        assert await billing.violations() == {}


async def test_what_a_document_settled_can_neither_be_withdrawn_nor_changed_nor_deleted() -> None:
    """An entry on a draft invoice cannot be changed or deleted, and its approval cannot be withdrawn (C2)."""
    async with transaction(MAX):
        entry = await log()
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        work = Work(minutes=30, work_date=OCTOBER, service_id=1)
        with pytest.raises(Conflict):
            await billing.withdraw(entry.id, by=MAX, at=NOW)
        with pytest.raises(Conflict):
            await billing.change_entry(entry.id, work, version=1, by=MAX, at=NOW)
        with pytest.raises(Conflict):
            await billing.delete_entry(entry.id, version=1, by=MAX, at=NOW)
        assert await states(entry) == ["approved"]


async def test_a_managers_change_drops_the_approval() -> None:
    """When Max changes an approved entry, it is submitted again, and the new version needs another approval (D34, S2.25)."""
    async with transaction(MAX) as tx:
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        work = Work(minutes=100, work_date=OCTOBER, service_id=1, external_comment="Two switches")
        changed = await billing.change_entry(entry.id, work, version=1, by=MAX, at=NOW)
        assert (changed.state, changed.version, changed.billable_minutes) == ("submitted", 2, 105)
        assert await _allocations(entry.id) == []
        assert (await billing.approve([entry.choice], by=MAX, at=NOW)).status == 409
        assert (await billing.approve([Choice(entry.id, 2)], by=MAX, at=NOW)).done == (entry.id,)
        assert await tx.fetchval("select count(*) from approval where entry_id = $1", entry.id) == 2
        assert await billing.violations() == {}


async def test_a_manager_deletes_approved_time_with_its_approval() -> None:
    """When Max deletes an approved entry, its approval and its allocations are deleted too (S2.25, D34).

    Deleting it with a wrong version is a conflict.
    """
    async with transaction(MAX) as tx:
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        with pytest.raises(Conflict):
            await billing.delete_entry(entry.id, version=7, by=MAX, at=NOW)
        await billing.delete_entry(entry.id, version=1, by=MAX, at=NOW)
        for table in ("time_entry", "approval", "allocation"):
            assert await tx.fetchval(f"select count(*) from {table}") == 0, table
        assert await billing.violations() == {}


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "x:1", "1:2:3", "1:-1", "99999999999:1"])
async def test_a_choice_that_no_tick_box_sends_is_refused(text: str) -> None:
    """A choice that is not of the form `id:version`, which tick boxes send, is refused (R30)."""
    with pytest.raises(Invalid):
        Choice.parse(text)


async def test_time_that_is_gone_is_reported() -> None:
    """An entry that does not exist is reported as deleted in the meantime, with status 409 (D35)."""
    async with transaction(MAX):
        outcome = await billing.approve([Choice(4711, 1)], by=MAX, at=NOW)
        assert (outcome.status, outcome.refused[0].sentence) == (409, "It was deleted in the meantime.")
