"""Find things by what is typed: the one search, and the suggestions of fields that choose a row by its name."""

from portal.agent.finding import finders, search

handlers = [*finders.handlers, *search.handlers]
