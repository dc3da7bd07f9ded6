"""Serve the search, and the suggestions of type-ahead fields, in which people type the name of what they choose."""

from portal.agent.finding import finders, search

handlers = [*finders.handlers, *search.handlers]
