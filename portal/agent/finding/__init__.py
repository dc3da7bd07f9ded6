"""Serve the search, and the suggestions of fields that choose a row by typing its name."""

from portal.agent.finding import finders, search

handlers = [*finders.handlers, *search.handlers]
