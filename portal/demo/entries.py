"""Plan the time entries of the demo: when each is logged, submitted and decided on, and which are still undecided."""

from datetime import datetime, time, timedelta
from functools import partial

from portal import billing
from portal.billing import Choice
from portal.demo.stage import Piece, Stage
from portal.people.readers import AgentReader
from portal.timekeeping import flags, states
from portal.timekeeping.entries import TimeEntry, Work
from portal.words import EntryBilling

BLOCKERS, FORGOTTEN = 8, 2
"""How many entries of last month are submitted but undecided, and how many were never submitted."""
LATE = 6
"""How many entries were approved only after their month had been billed."""
HEALED = 8
"""How many entries were rejected once, corrected, and then approved."""

REASONS = (
    "This looks long for what the case shows. Was a part of it for another case?",
    "The comment says where, but not what was done. The customer reads it on the invoice.",
    "I think this belongs under the other service. If not, tell me why.",
    "The day does not fit the dialogue on the case. Was it the day before?",
)
"""Why managers rejected the entries that their authors have not corrected yet."""

QUESTIONS = (
    (
        "Was this the same visit as the one in the morning?",
        "No, I went there a second time: the spare part came at noon.",
    ),
    ("Who asked for this? I find no message about it on the case.", ""),
)
"""The questions that the manager Max asks about two entries, each with the answer so far; "" for none."""


def plan(stage: Stage) -> None:
    """Decide which state each piece of work reaches (`fate`), and plan the steps to that state on the timeline."""
    _decide(stage)
    for piece in stage.pieces:
        stage.timeline.plan(piece.at, partial(_log, stage, piece))
    for at in stage.calendar.submissions:
        stage.timeline.plan(at, partial(_submit, stage))
    for at in stage.calendar.approvals:
        stage.timeline.plan(at, partial(_approve, stage))
    stage.timeline.plan(stage.calendar.instant(stage.calendar.yesterday, 18 * 60 + 10), partial(_send_back, stage))
    stage.timeline.plan(stage.calendar.instant(stage.calendar.yesterday, 18 * 60 + 20), partial(_ask, stage))


def _decide(stage: Stage) -> None:
    rng, calendar, pieces = stage.rng, stage.calendar, stage.pieces
    waiting = [piece for piece in pieces if calendar.approved_to < piece.work_date < calendar.workdays[-1]]
    for piece in pieces:
        if piece.work_date >= calendar.workdays[-1]:
            piece.fate = "draft"
    for piece in waiting:
        piece.fate = "submitted"
    with_customer = [piece for piece in waiting if piece.customer is not None and piece.comment]
    mine = [piece for piece in with_customer if piece.agent.name == "Ines Okafor"][:2]
    others = [piece for piece in with_customer if piece.agent.name not in ("Ines Okafor", "Max Herrmann")]
    for piece in (*mine, *rng.sample(others, min(len(others), len(REASONS) - len(mine)))):
        piece.fate = "rejected"
    for piece in [piece for piece in others if piece.fate == "submitted" and piece.held][:2]:
        piece.comment = ""

    old = [
        piece
        for piece in pieces
        if piece.fate == "approved" and piece.customer and not piece.customer.organisation.is_trial
    ]
    over = [piece for piece in old if calendar.last_month <= piece.work_date < calendar.this_month]
    blocking = rng.sample(over, min(len(over) // 2, BLOCKERS + FORGOTTEN))
    for place, piece in enumerate(blocking):
        piece.fate = "forgotten" if place < FORGOTTEN else "blocker"
    billed = [piece for piece in old if piece.work_date < calendar.last_month]
    ends = [
        piece
        for piece in billed
        if any(timedelta(0) < day - piece.work_date < timedelta(5) for day in calendar.billed_until[:-1])
    ]
    for piece in rng.sample(ends, min(len(ends), LATE)):
        piece.fate = "late"
    for piece in rng.sample([piece for piece in billed if piece.fate == "approved"], HEALED):
        piece.fate = "healed"


async def _log(stage: Stage, piece: Piece, at: datetime) -> None:
    """Log one piece of work as a time entry, and set `piece.entry`.

    Time for trial customers, and a little other time, is logged at no charge. One entry in a hundred is logged by the
    manager Max for its agent.
    """
    rng, customer = stage.rng, piece.customer
    case = piece.held.opened if piece.held else None
    billing_choice, counts, reason = None, None, ""
    if customer is not None and (customer.organisation.is_trial or rng.random() < 0.025):
        billing_choice = EntryBilling.NO_CHARGE
    elif customer is not None and piece.minutes > 75 and rng.random() < 0.05:
        counts, reason = 60, "The rest of it was our own learning."
    service_id = case.service_id if case else customer.service(piece.service).id if customer else None
    planned = stage.planned(piece)
    work = Work(
        minutes=piece.minutes if piece.began is None else None,
        work_date=piece.work_date,
        began=_clock(piece.began),
        ended=_clock(piece.began and piece.began + piece.minutes),
        service_id=service_id,
        task_id=planned.tasks[piece.minutes // 5 % len(planned.tasks)] if planned else None,
        billing=billing_choice,
        external_comment=piece.comment,
        description=piece.description,
        counts=counts,
        override_reason=reason,
    )
    by_manager = rng.random() < 0.01
    by = stage.agent("Max Herrmann") if by_manager else piece.agent
    piece.entry = await TimeEntry.log(
        by, work, at=at, case=case, project=planned.project if planned else None, agent_id=piece.agent.id
    )


def _clock(minutes: int | None) -> time | None:
    """Return the clock time at `minutes` after midnight, or None for None."""
    return None if minutes is None else time(*divmod(minutes, 60))


async def _submit(stage: Stage, at: datetime) -> None:
    for agent in stage.agents.values():
        ready = {
            piece.entry.id: piece
            for piece in stage.pieces
            if piece.entry
            and piece.agent == agent
            and not piece.is_submitted
            and piece.fate not in ("draft", "forgotten")
        }
        if ready:
            await states.submit(agent, ready, at=at)
        for piece in ready.values():
            piece.is_submitted = True


async def _approve(stage: Stage, at: datetime) -> None:
    """Let the manager Max decide on the submitted time of all other agents, and the admin Noor on Max's.

    Entries with the fate `healed` are first rejected, corrected by their agents and submitted again. Raise `RuntimeError`
    if an approval is refused.
    """
    for by in (stage.agent("Max Herrmann"), stage.agent("Noor Haddad")):
        is_others = by.name == "Max Herrmann"
        ready = [
            piece
            for piece in stage.pieces
            if piece.is_submitted
            and not piece.is_approved
            and (piece.agent.name != "Max Herrmann") == is_others
            and _is_due(piece, at)
        ]
        for piece in ready:
            if piece.fate == "healed":
                await _heal(piece, by, at)
        if ready:
            outcome = await billing.approve([_choice(piece) for piece in ready], by=by, at=at + timedelta(hours=2))
            if outcome.refused:
                raise RuntimeError(outcome.refused[0].sentence)
        for piece in ready:
            piece.is_approved = True


def _is_due(piece: Piece, at: datetime) -> bool:
    if piece.fate == "late":
        return at - piece.at > timedelta(days=9)
    return piece.fate in ("approved", "healed")


async def _heal(piece: Piece, by: AgentReader, at: datetime) -> None:
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


async def _send_back(stage: Stage, at: datetime) -> None:
    rejected = [piece for piece in stage.pieces if piece.fate == "rejected" and piece.is_submitted]
    for piece, reason in zip(rejected, REASONS, strict=False):
        outcome = await billing.reject([_choice(piece)], reason=reason, by=stage.agent("Max Herrmann"), at=at)
        if outcome.refused:
            raise RuntimeError(outcome.refused[0].sentence)


async def _ask(stage: Stage, at: datetime) -> None:
    """Let the manager Max flag two entries: one of Ines, who answers, and one of another agent."""
    waiting = [
        piece
        for piece in stage.pieces
        if piece.fate == "submitted" and piece.is_submitted and piece.customer and piece.comment
    ]
    answers = next(piece for piece in waiting if piece.agent.name == "Ines Okafor")
    silent = next(piece for piece in waiting if piece.agent.name not in ("Ines Okafor", "Max Herrmann"))
    for piece, (question, answer) in zip((answers, silent), QUESTIONS, strict=True):
        outcome = await billing.flag([_choice(piece)], question=question, by=stage.agent("Max Herrmann"), at=at)
        if outcome.refused:
            raise RuntimeError(outcome.refused[0].sentence)
        if answer:
            await flags.answer(_entry(piece).id, answer, by=piece.agent, at=at + timedelta(minutes=25))


def _entry(piece: Piece) -> TimeEntry:
    if piece.entry is None:
        raise RuntimeError("this piece of work has not been logged")
    return piece.entry


def _choice(piece: Piece) -> Choice:
    entry = _entry(piece)
    return Choice(entry.id, entry.version)
