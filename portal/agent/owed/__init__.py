"""Serve the schedule of billing, how drafts are edited, statements, and what follows an issued invoice."""

from typing import Any

from portal.agent.owed import credits, drafting, payments, questions, schedule, statements

handlers: list[Any] = [
    *payments.handlers,
    *credits.handlers,
    *drafting.handlers,
    *questions.handlers,
    *schedule.handlers,
    *statements.handlers,
]
