"""Run PostgreSQL as a child process, for the demo, the tests and small installations.

A Python wheel contains the programs of PostgreSQL, so that nothing else has to be installed.

`EmbeddedPostgres` starts and stops the server. If root starts the portal, PostgreSQL runs as another user; `place`
decides which user that is and which folders it uses.
"""

from portal.embedded.place import programs
from portal.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "programs"]
