"""Files of timesheets that a job makes because they are long, each for the agent who asked for it."""

from piccolo.columns import BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table


class Export(Table, tablename="export"):
    """A file that is being made or is ready. It is ready once it has a `size`, and failed if it ended without one.

    `filters` is the query string of the timesheet (`Question.query`). `read_entries` of the `entries` are read so far.
    """

    id: BigSerial = BigSerial(primary_key=True)
    agent_id = BigInt(default=None)
    layout = Text(default=None)
    format = Text(default=None)
    filters = Text(default=None)
    entries = Integer(default=None)
    asked_at = Timestamptz(default=None)
    read_entries = Integer(default=0)
    ended_at = Timestamptz(null=True, default=None)
    file_key = Text(null=True, default=None)
    size = BigInt(null=True, default=None)
    fetched_at = Timestamptz(null=True, default=None)
