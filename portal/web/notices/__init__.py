"""Serve the notices of a person: the bell, the list, and the redirect from a notice to the page that it is about.

Both areas mount the same `handlers`, each under its own path and guard.
"""

from portal.web.notices.lists import handlers
from portal.web.notices.reading import about_to_read, read_when_sent, reads_notices

__all__ = ["about_to_read", "handlers", "read_when_sent", "reads_notices"]
