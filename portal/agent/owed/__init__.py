"""Serve billing on schedule, the forms that edit drafts, statements, and payments and credits of issued invoices."""

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
