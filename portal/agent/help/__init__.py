"""Serve the pages on which agents write help articles and add images to them."""

from typing import Any

from portal.agent.help import articles

handlers: list[Any] = articles.handlers
