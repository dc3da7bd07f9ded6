"""Serve the pages about what is sold: contracts, what work costs under them, the price list, templates of services."""

from portal.agent.contracts import comparing, page, products, templates, trying

handlers = [*page.handlers, *trying.handlers, *comparing.handlers, *products.handlers, *templates.handlers]
