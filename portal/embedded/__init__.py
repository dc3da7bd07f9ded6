"""Run PostgreSQL as a child process for the demo, the tests and small installations, from the programs of a wheel.

`EmbeddedPostgres` starts and stops the server. If root starts the portal, PostgreSQL runs as another user; `place`
decides as which user and in which folders.
"""

from portal.embedded.place import programs
from portal.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "programs"]
