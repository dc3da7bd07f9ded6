"""Plan the time entries of the demo: when each is logged, submitted and decided on, and which are still undecided."""

from datetime import datetime, time, timedelta
from functools import partial

from portal import billing
from portal.billing import Choice
from portal.demo.scenario import PlannedWork, Scenario
from portal.people.readers import AgentReader
from portal.timekeeping import flags, states
from portal.timekeeping.entries import TimeEntry, Work
from portal.words import EntryBilling

BLOCKERS, FORGOTTEN = 8, 2
"""How many entries of last month are submitted but undecided, and how many were never submitted."""
LONGEST_CALL_OUT = 20
"""The maximum length, in minutes, of work that is logged with a fixed-fee task."""
LATE = 6
"""How many entries were approved only after their month had been billed."""
CORRECTED = 8
"""How many entries were rejected once, corrected, and then approved."""

REASONS = (
    "This looks long for what the case shows. Was a part of it for another case?",
    "The comment says where, but not what was done. The customer reads it on the invoice.",
    "I think this belongs under the other service. If not, tell me why.",
    "The day does not fit the dialogue on the case. Was it the day before?",
)
"""The reasons that the manager Max gives for rejecting entries that their agents have not corrected yet."""

QUESTIONS = (
    (
        "Was this the same visit as the one in the morning?",
        "No, I went there a second time: the spare part came at noon.",
    ),
    ("Who asked for this? I find no message about it on the case.", ""),
)
"""The questions that the manager Max asks about two entries, each with the agent's answer, or "" without an answer."""


def plan(scenario: Scenario) -> None:
    """Decide which state each piece of work reaches (`target`), and plan the steps to that state on the timeline."""
    _decide(scenario)
    for piece in scenario.pieces:
        scenario.timeline.plan(piece.at, partial(_log, scenario, piece))
    for at in scenario.calendar.submissions:
        scenario.timeline.plan(at, partial(_submit, scenario))
    for at in scenario.calendar.approvals:
        scenario.timeline.plan(at, partial(_approve, scenario))
    scenario.timeline.plan(
        scenario.calendar.instant(scenario.calendar.yesterday, 18 * 60 + 10), partial(_send_back, scenario)
    )
    scenario.timeline.plan(
        scenario.calendar.instant(scenario.calendar.yesterday, 18 * 60 + 20), partial(_ask, scenario)
    )


def _decide(scenario: Scenario) -> None:
    rng, calendar, pieces = scenario.rng, scenario.calendar, scenario.pieces
    waiting = [piece for piece in pieces if calendar.approved_to < piece.work_date < calendar.workdays[-1]]
    for piece in pieces:
        if piece.work_date >= calendar.workdays[-1]:
            piece.target = "draft"
    for piece in waiting:
        piece.target = "submitted"
    with_customer = [piece for piece in waiting if piece.customer is not None and piece.comment]
    mine = [piece for piece in with_customer if piece.agent.name == "Ines Okafor"][:2]
    others = [piece for piece in with_customer if piece.agent.name not in ("Ines Okafor", "Max Herrmann")]
    for piece in (*mine, *rng.sample(others, min(len(others), len(REASONS) - len(mine)))):
        piece.target = "rejected"
    for piece in [piece for piece in others if piece.target == "submitted" and piece.demo_case][:2]:
        piece.comment = ""

    old = [
        piece
        for piece in pieces
        if piece.target == "approved" and piece.customer and not piece.customer.organisation.is_trial
    ]
    over = [piece for piece in old if calendar.last_month <= piece.work_date < calendar.this_month]
    blocking = rng.sample(over, min(len(over) // 2, BLOCKERS + FORGOTTEN))
    for place, piece in enumerate(blocking):
        piece.target = "forgotten" if place < FORGOTTEN else "blocker"
    billed = [piece for piece in old if piece.work_date < calendar.last_month]
    ends = [
        piece
        for piece in billed
        if any(timedelta(0) < day - piece.work_date < timedelta(5) for day in calendar.billed_until[:-1])
    ]
    for piece in rng.sample(ends, min(len(ends), LATE)):
        piece.target = "late"
    for piece in rng.sample([piece for piece in billed if piece.target == "approved"], CORRECTED):
        piece.target = "corrected"


async def _log(scenario: Scenario, piece: PlannedWork, at: datetime) -> None:
    """Log one piece of work as a time entry, and set `piece.entry`.

    Time for trial customers, whose time is never charged, and 2.5 % of the time for other customers is logged at no
    charge. 5 % of the remaining entries of more than 75 minutes are billed as one hour. One entry in a hundred is
    logged by the manager Max on behalf of its agent.
    """
    rng, customer = scenario.rng, piece.customer
    case = piece.demo_case.opened if piece.demo_case else None
    billing_choice, counts, reason = None, None, ""
    if customer is not None and (customer.organisation.is_trial or rng.random() < 0.025):
        billing_choice = EntryBilling.NO_CHARGE
    elif customer is not None and piece.minutes > 75 and rng.random() < 0.05:
        counts, reason = 60, "The rest of it was our own learning."
    service_id = case.service_id if case else customer.service(piece.service).id if customer else None
    planned = scenario.planned(piece)
    work = Work(
        minutes=piece.minutes if piece.began is None else None,
        work_date=piece.work_date,
        began=_clock(piece.began),
        ended=_clock(piece.began and piece.began + piece.minutes),
        service_id=service_id,
        task_id=planned.tasks[piece.minutes // 5 % len(planned.tasks)]
        if planned
        else _call_out(scenario, piece, service_id),
        billing=billing_choice,
        external_comment=piece.comment,
        description=piece.description,
        counts=counts,
        override_reason=reason,
    )
    by_manager = rng.random() < 0.01
    by = scenario.agent("Max Herrmann") if by_manager else piece.agent
    piece.entry = await TimeEntry.log(
        by, work, at=at, case=case, project=planned.project if planned else None, agent_id=piece.agent.id
    )


def _call_out(scenario: Scenario, piece: PlannedWork, service_id: int | None) -> int | None:
    """Return the id of the service's fixed-fee task; None without such a task or for work over `LONGEST_CALL_OUT`."""
    return scenario.call_outs.get(service_id) if service_id and piece.minutes <= LONGEST_CALL_OUT else None


def _clock(minutes: int | None) -> time | None:
    """Return the clock time at `minutes` after midnight, or None for None."""
    return None if minutes is None else time(*divmod(minutes, 60))


async def _submit(scenario: Scenario, at: datetime) -> None:
    for agent in scenario.agents.values():
        ready = {
            piece.entry.id: piece
            for piece in scenario.pieces
            if piece.entry
            and piece.agent == agent
            and not piece.is_submitted
            and piece.target not in ("draft", "forgotten")
        }
        if ready:
            await states.submit(agent, ready, at=at)
        for piece in ready.values():
            piece.is_submitted = True


async def _approve(scenario: Scenario, at: datetime) -> None:
    """Let the manager Max approve submitted time of all other agents, and the admin Noor approve the time of Max.

    Only time with the target `approved`, `corrected` or, after nine days, `late` is approved. Entries with the target
    `corrected` are first rejected, corrected by their agents and submitted again. Raise `RuntimeError` if an approval
    is refused.
    """
    for by in (scenario.agent("Max Herrmann"), scenario.agent("Noor Haddad")):
        is_others = by.name == "Max Herrmann"
        ready = [
            piece
            for piece in scenario.pieces
            if piece.is_submitted
            and not piece.is_approved
            and (piece.agent.name != "Max Herrmann") == is_others
            and _is_due(piece, at)
        ]
        for piece in ready:
            if piece.target == "corrected":
                await _correct(piece, by, at)
        if ready:
            outcome = await billing.approve([_choice(piece) for piece in ready], by=by, at=at + timedelta(hours=2))
            if outcome.refused:
                raise RuntimeError(outcome.refused[0].sentence)
        for piece in ready:
            piece.is_approved = True


def _is_due(piece: PlannedWork, at: datetime) -> bool:
    if piece.target == "late":
        return at - piece.at > timedelta(days=9)
    return piece.target in ("approved", "corrected")


async def _correct(piece: PlannedWork, by: AgentReader, at: datetime) -> None:
    entry = _entry(piece)
    await billing.reject([_choice(piece)], reason="Say in the comment what was done.", by=by, at=at)
    entry = await TimeEntry.find(entry.id, piece.agent)
    work = Work(
        minutes=entry.actual_minutes,
        work_date=entry.work_date,
        service_id=entry.service_id,
        billing=EntryBilling(entry.billing),
        external_comment=f"{piece.comment}, result checked with the customer",
        description=entry.description,
    )
    changed_at = at + timedelta(minutes=35)
    piece.entry = await entry.change(piece.agent, work, version=entry.version, at=changed_at)
    await states.submit(piece.agent, [entry.id], at=changed_at + timedelta(minutes=1))


async def _send_back(scenario: Scenario, at: datetime) -> None:
    rejected = [piece for piece in scenario.pieces if piece.target == "rejected" and piece.is_submitted]
    for piece, reason in zip(rejected, REASONS, strict=False):
        outcome = await billing.reject([_choice(piece)], reason=reason, by=scenario.agent("Max Herrmann"), at=at)
        if outcome.refused:
            raise RuntimeError(outcome.refused[0].sentence)


async def _ask(scenario: Scenario, at: datetime) -> None:
    """Let the manager Max flag two entries: one of Ines, who answers, and one of another agent."""
    waiting = [
        piece
        for piece in scenario.pieces
        if piece.target == "submitted" and piece.is_submitted and piece.customer and piece.comment
    ]
    answers = next(piece for piece in waiting if piece.agent.name == "Ines Okafor")
    silent = next(piece for piece in waiting if piece.agent.name not in ("Ines Okafor", "Max Herrmann"))
    for piece, (question, answer) in zip((answers, silent), QUESTIONS, strict=True):
        outcome = await billing.flag([_choice(piece)], question=question, by=scenario.agent("Max Herrmann"), at=at)
        if outcome.refused:
            raise RuntimeError(outcome.refused[0].sentence)
        if answer:
            await flags.answer(_entry(piece).id, answer, by=piece.agent, at=at + timedelta(minutes=25))


def _entry(piece: PlannedWork) -> TimeEntry:
    if piece.entry is None:
        raise RuntimeError("this piece of work has not been logged")
    return piece.entry


def _choice(piece: PlannedWork) -> Choice:
    entry = _entry(piece)
    return Choice(entry.id, entry.version)
