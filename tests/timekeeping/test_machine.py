"""Test that random steps of random people never break the rules for time entries, and that every step is recorded."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from portal import billing
from portal.billing import Choice
from portal.database import current, transaction
from portal.errors import Refusal
from portal.people.readers import AgentReader
from portal.timekeeping import flags
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.filters import Filter
from portal.timekeeping.states import submit, submit_all, take_back
from portal.timekeeping.work import Work
from tests.examples import ALL
from tests.machines import DatabaseMachine, run_machine
from tests.world import ACME, HELPDESK, INES, MAX, NOOR, NOW

DAY, UNTIL = date(2026, 10, 6), date(2026, 11, 1)
PEOPLE = st.sampled_from([INES, INES, MAX, MAX, NOOR])
PLACES = st.integers(0, 30)
"""A strategy for numbers; the number modulo the length of a list is the position of the chosen entry or decision."""
SOME = st.lists(PLACES, min_size=1, max_size=3, unique=True)


@dataclass
class Entry:
    """The state that an entry must have, by the rules, after the steps so far.

    The author may change the entry for 24 hours from `window_from`. `settled` says whether the entry is on a draft,
    and `submission` is the id of the submission that the entry is in. `approval` is the id of the decision that approved
    the entry, and `former` the state before the approval. `rejected` has the entry's version at each rejection, in
    order, without rejections that were undone.
    """

    id: int
    author: AgentReader
    minutes: int
    window_from: datetime
    state: str = "draft"
    version: int = 1
    flagged: bool = False
    settled: bool = False
    approval: Any = None
    former: str = "submitted"
    submission: int | None = None
    rejected: list[int] = field(default_factory=list)
    steps: list[str] = field(default_factory=lambda: ["logged"])

    @property
    def is_open(self) -> bool:
        return self.state in ("draft", "rejected")

    @property
    def is_ready(self) -> bool:
        """Return whether "submit all" submits the entry."""
        return self.is_open and (self.state == "draft" or self.rejected[-1] != self.version)

    def step(self, verb: str, state: str | None = None) -> None:
        self.steps.append(verb)
        self.state = state or self.state


@dataclass
class Decision:
    """One decision of a manager. `kind` is approval, rejection or flag.

    `former` has, by id, the version, the state and `window_from` of each entry before the decision.
    """

    id: Any
    kind: str
    by: AgentReader
    former: dict[int, tuple[int, str, datetime]]


def manages(by: AgentReader, entry: Entry) -> bool:
    """Return whether `by` may decide on the entry: Max and Noor may, except on their own time (D33)."""
    return by is not INES and entry.author is not by


class Clockwork(DatabaseMachine):
    """A state machine that predicts from the rules what each step does, and compares the portal with the prediction."""

    EMPTYING = "truncate invoice, statement, billing_run, time_entry, time_sum, entry_version, approval, outbox cascade"

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW
        self.entries: dict[int, Entry] = {}
        self.gone: dict[int, Entry] = {}
        self.decisions: list[Decision] = []
        self.submissions: list[tuple[int, AgentReader]] = []

    def tried(self, by: AgentReader, verb: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Advance the clock by a second, run `verb` in a transaction of `by`, and return its result or its `Refusal`."""
        self.at += timedelta(seconds=1)
        return self.attempt(by, verb)

    def one(self, place: int) -> Entry:
        return list(self.entries.values())[place % len(self.entries)]

    def some(self, places: list[int]) -> dict[int, Entry]:
        return {entry.id: entry for entry in map(self.one, places)}

    @initialize(authors=st.lists(PEOPLE, min_size=3, max_size=5))
    def some_time(self, authors: list[AgentReader]) -> None:
        """Log a few entries, so that there is something to decide on."""
        for author in authors:
            self.log(author, 30)

    @rule(by=PEOPLE, minutes=st.integers(1, 300))
    def log(self, by: AgentReader, minutes: int) -> None:
        """Log time as `by`, under Helpdesk on `DAY`, and add the entry to the model."""
        made = self.tried(by, lambda: TimeEntry.log(by, _work(minutes), at=self.at))
        self.entries[made.id] = Entry(made.id, by, minutes, self.at)

    @rule(hours=st.sampled_from([1, 12, 23, 25]))
    def wait(self, hours: int) -> None:
        """Let time pass, so that authors may no longer change some of their entries."""
        self.at += timedelta(hours=hours)

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, place=PLACES)
    def edit(self, by: AgentReader, place: int) -> None:
        """Let `by` try to change an entry, by the same calls as the entry's form."""
        entry = self.one(place)
        minutes = entry.minutes % 300 + 1

        async def verb() -> None:
            found = await TimeEntry.find(entry.id, by)
            if found.is_open:
                await found.change(by, _work(minutes), version=entry.version, at=self.at)
            else:
                await billing.change_entry(entry.id, _work(minutes), version=entry.version, by=by, at=self.at)

        if self.allowed(self.tried(by, verb), self.may_change(by, entry)):
            self.unapprove(entry)
            entry.minutes, entry.version = minutes, entry.version + 1
            entry.step("changed")

    @precondition(lambda self: len(self.entries) > 1)
    @rule(by=PEOPLE, place=PLACES)
    def delete(self, by: AgentReader, place: int) -> None:
        """Let `by` try to delete an entry, by the same calls as the entry's form."""
        entry = self.one(place)

        async def verb() -> None:
            found = await TimeEntry.find(entry.id, by)
            if found.is_open:
                await found.discard(by, version=entry.version, at=self.at)
            else:
                await billing.delete_entry(entry.id, version=entry.version, by=by, at=self.at)

        if self.allowed(self.tried(by, verb), self.may_change(by, entry)):
            self.unapprove(entry)
            entry.step("deleted")
            self.gone[entry.id] = self.entries.pop(entry.id)

    def may_change(self, by: AgentReader, entry: Entry) -> bool:
        """Return whether `by` may change or delete the entry (C2, C5, S2.21 to S2.25)."""
        if entry.settled:
            return False
        is_in_time = self.at + timedelta(seconds=1) - entry.window_from <= timedelta(hours=24)
        return by is not INES or (entry.author is by and entry.is_open and is_in_time)

    def unapprove(self, entry: Entry) -> None:
        """Withdraw the approval of an entry in the model: the entry has its former state again, which may be draft (C4).

        Do nothing if the entry is not approved.
        """
        if entry.state == "approved":
            entry.step("withdrawn", entry.former)
            entry.approval = None

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, places=SOME)
    def submit(self, by: AgentReader, places: list[int]) -> None:
        """Submit some entries at once as `by`; agents who are not managers can submit only their own."""
        chosen = self.some(places)
        outcome = self.tried(by, lambda: submit(by, chosen, at=self.at))
        expected = {id for id, entry in chosen.items() if entry.is_open and (by is not INES or entry.author is by)}
        self.submitted(outcome, by, expected)

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, author=PEOPLE)
    def submit_all(self, by: AgentReader, author: AgentReader) -> None:
        """Submit all time of an author, as the button of a list does.

        Entries that were rejected and not changed since are left out.
        """
        which, newest = Filter("agent", author.id), max(self.entries)
        outcome = self.tried(by, lambda: submit_all(by, which, newest=newest, at=self.at))
        may = by is not INES or author is by
        of_author = {id: entry for id, entry in self.entries.items() if may and entry.author is author}
        self.submitted(outcome, by, {id for id, entry in of_author.items() if entry.is_ready})

    def submitted(self, outcome: Any, by: AgentReader, expected: set[int]) -> None:
        """Check that exactly the entries with the `expected` ids were submitted, and update the model."""
        assert set(outcome.submitted) == expected
        if expected:
            self.submissions.append((outcome.id, by))
        for id in expected:
            self.entries[id].step("submitted", "submitted")
            self.entries[id].submission = outcome.id

    @precondition(lambda self: self.submissions)
    @rule(by=PEOPLE, place=PLACES)
    def take_submission_back(self, by: AgentReader, place: int) -> None:
        """Try to undo a submission as `by`; only the person who made it can.

        The entries of the submission on which no manager has decided get their former state back.
        """
        submission, made_by = self.submissions[place % len(self.submissions)]
        outcome = self.tried(by, lambda: take_back(submission, by=by, at=self.at))
        waiting = [e for e in self.entries.values() if e.submission == submission and e.state == "submitted"]
        if self.allowed(outcome, by is made_by and bool(waiting)):
            assert outcome.submitted == sorted(entry.id for entry in waiting)
            for entry in waiting:
                entry.step("taken_back", "rejected" if entry.rejected else "draft")
                entry.submission = None

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, place=PLACES)
    def withdraw(self, by: AgentReader, place: int) -> None:
        """Try to withdraw the approval of an entry as `by`; only a manager who may decide on the entry can."""
        entry = self.one(place)
        done = self.tried(by, lambda: billing.withdraw(entry.id, by=by, at=self.at))
        if self.allowed(done, entry.state == "approved" and not entry.settled and manages(by, entry)):
            self.unapprove(entry)

    def decide(
        self, by: AgentReader, places: list[int], kind: str, verb: Any, expected: Callable[[Entry], bool]
    ) -> list[Entry]:
        """Let `by` decide on some entries at once, compare with the rules, and return the entries that were decided on.

        `places` are the positions of the entries. `verb` is the function of `portal.billing` that makes the decision,
        `kind` is the kind of the `Decision`, and `expected` returns whether an entry's state permits the decision. If
        any entry was decided on, the decision is added to `decisions`, so that a later step can undo it.
        """
        chosen = self.some(places)
        outcome = self.tried(
            by, lambda: verb([Choice(id, entry.version) for id, entry in chosen.items()], by=by, at=self.at)
        )
        done = [entry for entry in chosen.values() if manages(by, entry) and expected(entry)]
        if isinstance(outcome, Refusal):
            assert by is INES
            return []
        assert set(outcome.done) == {entry.id for entry in done}
        assert {no.entry_id for no in outcome.refused} == set(chosen) - set(outcome.done)
        if done:
            former = {entry.id: (entry.version, entry.state, entry.window_from) for entry in done}
            self.decisions.append(Decision(outcome.decision, kind, by, former))
        return done

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, places=SOME)
    def approve(self, by: AgentReader, places: list[int]) -> None:
        """Approve some entries at once: drafts are approved too (C4), flagged ones are not (C3)."""
        undecided = ("draft", "submitted")
        for entry in self.decide(
            by, places, "approval", billing.approve, lambda entry: entry.state in undecided and not entry.flagged
        ):
            entry.former = entry.state
            entry.step("approved", "approved")
            entry.approval = self.decisions[-1].id

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, places=SOME)
    def reject(self, by: AgentReader, places: list[int]) -> None:
        """Reject some entries at once, which lets their authors change them again (C5)."""

        def verb(choices: list[Choice], **given: Any) -> Any:
            return billing.reject(choices, reason="Which site?", **given)

        for entry in self.decide(by, places, "rejection", verb, lambda entry: entry.state in ("draft", "submitted")):
            entry.step("rejected", "rejected")
            entry.rejected.append(entry.version)
            entry.window_from = self.at

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, places=SOME)
    def flag(self, by: AgentReader, places: list[int]) -> None:
        """Flag some entries at once: they keep their state (C3)."""

        def verb(choices: list[Choice], **given: Any) -> Any:
            return billing.flag(choices, question="Which site?", **given)

        for entry in self.decide(
            by, places, "flag", verb, lambda entry: entry.state != "rejected" and not (entry.flagged or entry.settled)
        ):
            entry.step("flagged")
            entry.flagged = True

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, place=PLACES)
    def answer(self, by: AgentReader, place: int) -> None:
        """Try to answer the question of an entry's flag as `by`; only the author of the entry can."""
        entry = self.one(place)
        text = f"At {self.at.isoformat()}"
        done = self.tried(by, lambda: flags.answer(entry.id, text, by=by, at=self.at))
        if self.allowed(done, entry.flagged and entry.author is by):
            entry.step("answered")

    @precondition(lambda self: self.entries)
    @rule(by=PEOPLE, place=PLACES)
    def lift(self, by: AgentReader, place: int) -> None:
        """Try to lift the flag of an entry as `by`; only a manager who may decide on the entry can."""
        entry = self.one(place)

        async def verb() -> None:
            flag_id = await current().fetchval("select max(id) from flag where entry_id = $1", entry.id)
            await billing.lift(flag_id or 0, by=by, at=self.at)

        if self.allowed(self.tried(by, verb), entry.flagged and manages(by, entry)):
            entry.step("lifted")
            entry.flagged = False

    @precondition(lambda self: self.decisions)
    @rule(place=PLACES, by=PEOPLE)
    def undo(self, place: int, by: AgentReader) -> None:
        """Try to undo a decision as `by`; only the manager who made it can.

        The undo applies to those entries on which the decision is still in effect.
        """
        decision = self.decisions[place % len(self.decisions)]
        outcome = self.tried(by, lambda: billing.undo(decision.id, by=by, at=self.at))
        if isinstance(outcome, Refusal):
            assert by is not decision.by or not any(self.undone(decision, id) for id in decision.former)
            return
        assert by is decision.by
        assert set(outcome.done) == {id for id in decision.former if self.undone(decision, id)}
        for id in outcome.done:
            self.take_back(decision, self.entries[id])

    def undone(self, decision: Decision, id: int) -> bool:
        """Return whether an undo of the decision takes effect on the entry."""
        entry = self.entries.get(id)
        if entry is None:
            return False
        if decision.kind == "approval":
            return entry.approval == decision.id and not entry.settled
        later = [d for d in self.decisions if d.kind == decision.kind and id in d.former]
        if later[-1] is not decision:
            return False
        if decision.kind == "flag":
            return entry.flagged
        return entry.state == "rejected" and entry.version == decision.former[id][0]

    def take_back(self, decision: Decision, entry: Entry) -> None:
        """Apply to the model what an undo does to the entry."""
        if decision.kind == "approval":
            self.unapprove(entry)
        elif decision.kind == "flag":
            entry.step("lifted")
            entry.flagged = False
        else:
            _, state, entry.window_from = decision.former.pop(entry.id)
            entry.step("reopened", state)
            entry.rejected.pop()

    @rule(by=st.sampled_from([MAX, NOOR]))
    def settle(self, by: AgentReader) -> None:
        """Bill Acme: approved entries without a flag are on a draft afterwards, and nobody can change them (C2)."""
        self.tried(by, lambda: billing.run(UNTIL, [ACME], by=by, at=self.at))
        for entry in self.entries.values():
            entry.settled = entry.settled or (entry.state == "approved" and not entry.flagged)

    @rule(by=st.sampled_from([MAX, NOOR]))
    def delete_drafts(self, by: AgentReader) -> None:
        """Delete all drafts: their entries stay approved and can be changed again."""

        async def verb() -> None:
            for row in await current().fetch("select id from invoice"):
                await billing.delete_draft(row["id"], by=by, at=self.at)

        self.tried(by, verb)
        for entry in self.entries.values():
            entry.settled = False

    @staticmethod
    def allowed(done: Any, expected: bool) -> bool:
        """Assert that the step took effect exactly if the rules `expected` it, and return `expected`.

        `done` is the step's result, or the `Refusal` that it raised.
        """
        assert isinstance(done, Refusal) is not expected, done
        return expected

    @invariant()
    def the_portal_says_the_same(self) -> None:
        """Compare each entry's state, flag, draft and history with the model, and check all invariants."""

        async def look() -> tuple[Any, Any, Any]:
            async with transaction(MAX) as tx:
                rows = await tx.fetch(
                    "select e.id, e.state, e.version, e.actual_minutes, exists (select from settled_entry d where d.entry_id = e.id) as settled,"
                    " exists (select from flag f where f.entry_id = e.id and f.lifted_at is null) as flagged from time_entry e order by e.id"
                )
                steps = await tx.fetch(
                    "select entry_id, array_agg(verb order by id) as verbs from entry_version group by 1"
                )
                return rows, steps, await billing.violations()

        rows, steps, violations = self.run(look())
        assert violations == {}
        assert [tuple(row) for row in rows] == [
            (entry.id, entry.state, entry.version, entry.minutes, entry.settled, entry.flagged)
            for entry in sorted(self.entries.values(), key=lambda entry: entry.id)
        ]
        assert {row["entry_id"]: row["verbs"] for row in steps} == {
            entry.id: entry.steps for entry in [*self.entries.values(), *self.gone.values()]
        }


def _work(minutes: int) -> Work:
    return Work(minutes=minutes, work_date=DAY, service_id=HELPDESK, external_comment="Switch replaced")


@pytest.mark.slow
def test_every_step_by_anybody_in_any_order_follows_the_rules(workbench: str) -> None:
    """C2 to C5, D33 to D35, S0.27 to S0.31, S2.21 to S2.25: after every step the portal's state is as the rules say.

    Nothing forbidden happened, the history of every entry is complete, and the sums of money agree. `./dev test --all`
    runs many more examples.
    """
    run_machine(Clockwork, workbench, examples=60 if ALL else 12, steps=60 if ALL else 40)
