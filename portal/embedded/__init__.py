"""Run an own PostgreSQL for the demo, the tests and small installations, from the binaries of a wheel.

`EmbeddedPostgres` starts and stops it. Started by root, the server runs as another user; `place` decides as whom and
where.
"""

from portal.embedded.place import programs
from portal.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "programs"]
