"""Serve an agent's timers: in the bar of every page, and on a page of their own."""

from typing import Any

from portal.agent.timer import bar, page

handlers: list[Any] = [*page.handlers, *bar.handlers]
