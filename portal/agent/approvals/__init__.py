"""Serve the pages on which managers decide on submitted time: approve, reject, flag, and take decisions back."""

from typing import Any

from portal.agent.approvals import decisions, everything
from portal.agent.approvals.page import DONE

__all__ = ["DONE", "handlers"]

handlers: list[Any] = [*decisions.handlers, *everything.handlers]
