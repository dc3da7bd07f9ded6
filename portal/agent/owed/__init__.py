"""Serve the billing schedule, statements, and the forms that edit drafts, record payments and credit invoices."""

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
