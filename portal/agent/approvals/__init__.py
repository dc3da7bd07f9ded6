"""Serve the pages on which managers decide on time: approve, reject, flag, release held time, and undo decisions."""

from typing import Any

from portal.agent.approvals import decisions, everything, held
from portal.agent.approvals.page import DONE

__all__ = ["DONE", "handlers"]

handlers: list[Any] = [*decisions.handlers, *everything.handlers, *held.handlers]
