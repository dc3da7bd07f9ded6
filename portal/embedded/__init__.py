"""A PostgreSQL of our own for the demo, the tests and small installations, from the binaries of a wheel.

`EmbeddedPostgres` starts and stops it. As root the server runs as another user of the machine; `place` says as whom and where.
"""

from portal.embedded.place import programs
from portal.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "programs"]
