"""Serve the pages of contracts, of what work costs under a contract, of the price list, and of service templates."""

from portal.agent.contracts import comparing, page, products, templates, trying

handlers = [*page.handlers, *trying.handlers, *comparing.handlers, *products.handlers, *templates.handlers]
